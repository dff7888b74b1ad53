// Every request to the service goes through here: addresses, the envelope, the key.
import * as key from "./key.js";

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? (status ? `The server answered ${status}.` : "The server cannot be reached."));
    Object.assign(this, { status, code: body?.code, details: body?.details });
  }
}

/** Make a link of an answer work from here, also when BASE_URL names another host. */
export function address(link, query) {
  const url = new URL(link.slice(Math.max(0, link.lastIndexOf("api/"))), document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) if (value !== "") url.searchParams.set(name, value);
  return url.href;
}

const headers = () => (key.current() ? { "X-API-Key": key.current() } : {});

// After a 401, whether to try again; another request may have got a key meanwhile.
const renewed = (sent) => key.current() !== sent || key.ask();

/** Fetch; ask for a key where one is wanted. Throws ApiError. */
export async function request(method, link, { query, json, etag, signal } = {}) {
  const sent = key.current();
  const body = json && JSON.stringify(json);
  const more = { ...(json && { "Content-Type": "application/json" }), ...(etag && { "If-Match": etag }) };
  const response = await fetch(address(link, query), { method, signal, body, headers: { ...headers(), ...more } }).catch((error) => {
    throw signal?.aborted ? error : new ApiError(0);
  });
  if (response.ok) return response;
  if (response.status === 401 && (await renewed(sent))) return request(method, link, { query, json, etag, signal });
  throw new ApiError(response.status, await response.json().catch(() => null));
}

/** Post JSON and return the `data` of the answer. */
export const post = async (link, json) => (await (await request("POST", link, { json })).json()).data;

/** Return the envelope: `data`, and for lists `next` beside it. */
export const get = async (link, query, signal) => (await request("GET", link, { query, signal })).json();

/** Post a form; `progress` hears the part that has been sent, 0 to 1. Throws ApiError. */
export async function upload(link, form, progress) {
  const sent = key.current();
  const { status, response } = await transfer(link, form, progress);
  if (status >= 200 && status < 300) return response.data;
  if (status === 401 && (await renewed(sent))) return upload(link, form, progress);
  throw new ApiError(status, response);
}

// XMLHttpRequest, because fetch does not tell how far an upload is.
function transfer(link, form, progress) {
  return new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", address(link));
    for (const [name, value] of Object.entries(headers())) xhr.setRequestHeader(name, value);
    xhr.responseType = "json";
    xhr.upload.onprogress = (event) => progress(event.loaded / event.total);
    xhr.onloadend = () => resolve(xhr);
    xhr.send(form);
  });
}

/** Show a picture; <img> cannot send a key, so with one in use it is fetched. */
export async function show(img, link, signal) {
  if (!key.current()) {
    img.src = address(link);
    return;
  }
  try {
    img.src = await blobUrl(link, signal);
    await img.decode();
    URL.revokeObjectURL(img.src);
  } catch {
    img.dispatchEvent(new Event("error"));
  }
}

const blobUrl = async (link, signal) => URL.createObjectURL(await (await request("GET", link, { signal })).blob());

/** Save what a link answers, once it is known to be no refusal. Throws ApiError. */
export async function save(link, name) {
  const href = await blobUrl(link);
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Let a link download by itself, or with the key where one is in use. */
export function downloads(anchor, link, name) {
  anchor.href = address(link);
  anchor.download = name;
  anchor.onclick = async (event) => {
    if (!key.current()) return;
    event.preventDefault();
    await save(link, name);
  };
}
