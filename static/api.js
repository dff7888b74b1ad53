// Every request to the service.
import { ask, make } from "./dom.js";

const SLOT = "imgpipe-key";

export const key = () => sessionStorage.getItem(SLOT) ?? "";

const headers = () => (key() ? { "X-API-Key": key() } : {});

function fault(status, { error, code, details } = {}) {
	const words = error ?? (status ? `The server answered ${status}.` : "The server cannot be reached.");
	return Object.assign(new Error(words), { status, code, details });
}

// Whether the same may go through at another time.
export const passing = ({ status }) => [0, 401, 408, 409, 429].includes(status) || status >= 500;

// Links work from here also when BASE_URL names another host.
export function address(link, query = {}) {
	const url = new URL(link.slice(Math.max(0, link.lastIndexOf("api/"))), document.baseURI);
	for (const [name, value] of Object.entries(query)) if (value !== "") url.searchParams.set(name, value);
	return url.href;
}

let asking = null;

// Whether there is another key; it is asked for once for all who need it.
function renewed(sent) {
	if (key() !== sent) return true;
	asking ??= askKey().finally(() => { asking = null; });
	return asking;
}

async function askKey() {
	const why = key() ? "The server did not accept this key." : "This server asks for a key. It is kept until you close the tab.";
	const field = make("input", { type: "password", ariaLabel: "API key", autocomplete: "off", required: true, pattern: "[!-~]+" });
	const given = await ask("key", "API key", make("p", why), field,
		make("div.row", make("button.main", { value: "yes" }, "Continue"), make("button", { formNoValidate: true }, "Cancel")));
	if (given) sessionStorage.setItem(SLOT, field.value);
	return given;
}

// Throws an error {status, code, details}; `progress` hears the part of a `form` that is sent.
export async function request(method, link, options = {}) {
	const sent = key();
	const response = await (options.form ? transfer : plain)(method, link, options);
	if (response.ok) return response;
	if (response.status === 401 && (await renewed(sent))) return request(method, link, options);
	throw fault(response.status, await response.json().catch(() => {}));
}

function plain(method, link, { query, json, etag, signal }) {
	const more = { ...(json && { "Content-Type": "application/json" }), ...(etag && { "If-Match": etag }) };
	const what = { method, signal, body: json && JSON.stringify(json), headers: { ...headers(), ...more } };
	return fetch(address(link, query), what).catch((error) => {
		if (signal?.aborted) throw error;
		return Response.error();
	});
}

// fetch does not tell how far an upload is.
function transfer(method, link, { form, progress }) {
	return new Promise((resolve) => {
		const xhr = new XMLHttpRequest();
		xhr.open(method, address(link));
		for (const [name, value] of Object.entries(headers())) xhr.setRequestHeader(name, value);
		xhr.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
		xhr.onloadend = () => resolve(xhr.status ? new Response(xhr.response, xhr) : Response.error());
		xhr.send(form);
	});
}

export const post = async (link, json, more) => (await (await request("POST", link, { json, ...more })).json()).data;

export const get = async (link, query, signal) => (await request("GET", link, { query, signal })).json();

// Delete what may be gone already.
export const discard = (link) => request("DELETE", link).catch((error) => { if (error.status !== 404) throw error; });

const blobUrl = async (link, signal) => URL.createObjectURL(await (await request("GET", link, { signal })).blob());

// <img> cannot send a key; with one in use the picture is fetched.
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

export async function save(link, download) {
	const href = await blobUrl(link);
	make("a", { href, download }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

export function downloads(anchor, link, download) {
	const onclick = (event) => {
		if (!key()) return;
		event.preventDefault();
		save(link, download);
	};
	Object.assign(anchor, { href: address(link), download, onclick });
}
