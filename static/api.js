// Every request to the service goes through here: addresses, the envelope, the key.
import { answered, find, make } from "./dom.js";

const SLOT = "imgpipe-key"; // of this tab

/** The key in use; "" without. */
export const key = () => sessionStorage.getItem(SLOT) ?? "";

const headers = () => (key() ? { "X-API-Key": key() } : {});

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? (status ? `The server answered ${status}.` : "The server cannot be reached."));
    Object.assign(this, { status, code: body?.code, details: body?.details });
  }
}

/** Make a link of an answer work from here, also when BASE_URL names another host. */
export function address(link, query = {}) {
  const url = new URL(link.slice(Math.max(0, link.lastIndexOf("api/"))), document.baseURI);
  for (const [name, value] of Object.entries(query)) if (value !== "") url.searchParams.set(name, value);
  return url.href;
}

let asking = null;

/** After a 401: whether there is another key than was sent. It is asked for once for all who need it. */
function renewed(sent) {
  if (key() !== sent) return true;
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

async function ask() {
  const dialog = find("#key");
  const field = find("input", dialog);
  find("p", dialog).textContent = key()
    ? "The server did not accept this key."
    : "This server asks for a key. It is kept until you close the tab.";
  field.value = "";
  const given = (await answered(dialog)) === "yes";
  if (given) sessionStorage.setItem(SLOT, field.value);
  return given;
}

/** Fetch; ask for a key where one is wanted. Throws ApiError. */
export async function request(method, link, options = {}) {
  const { query, json, etag, signal } = options;
  const sent = key();
  const more = { ...(json && { "Content-Type": "application/json" }), ...(etag && { "If-Match": etag }) };
  const what = { method, signal, body: json && JSON.stringify(json), headers: { ...headers(), ...more } };
  const response = await fetch(address(link, query), what).catch((error) => {
    throw signal?.aborted ? error : new ApiError(0);
  });
  if (response.ok) return response;
  if (response.status === 401 && (await renewed(sent))) return request(method, link, options);
  throw new ApiError(response.status, await response.json().catch(() => null));
}

/** Post JSON and return the `data` of the answer. */
export const post = async (link, json) => (await (await request("POST", link, { json })).json()).data;

/** Return the envelope: `data`, and for lists `next` beside it. */
export const get = async (link, query, signal) => (await request("GET", link, { query, signal })).json();

/** Post a form; `progress` hears the part that has been sent, 0 to 1. Throws ApiError. */
export async function upload(link, form, progress) {
  const sent = key();
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
    xhr.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
    xhr.onloadend = () => resolve(xhr);
    xhr.send(form);
  });
}

const blobUrl = async (link, signal) => URL.createObjectURL(await (await request("GET", link, { signal })).blob());

/** Show a picture; <img> cannot send a key, so with one in use it is fetched. */
export async function show(img, link, signal) {
  try {
    img.src = key() ? await blobUrl(link, signal) : address(link);
    if (!key()) return;
    await img.decode();
    URL.revokeObjectURL(img.src);
  } catch {
    img.dispatchEvent(new Event("error"));
  }
}

/** Save what a link answers, once it is known to be no refusal. Throws ApiError. */
export async function save(link, download) {
  const href = await blobUrl(link);
  make("a", { href, download }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Let a link download by itself, or with the key where one is in use. */
export function downloads(anchor, link, download) {
  const onclick = (event) => {
    if (!key()) return;
    event.preventDefault();
    save(link, download);
  };
  Object.assign(anchor, { href: address(link), download, onclick });
}
