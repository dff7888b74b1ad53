// The API's documentation: a link to it could not send a key.
import { downloads, request } from "./api.js";
import { find } from "./dom.js";

const place = find("#docs");

export async function open() {
	if (place.childElementCount) return;
	try {
		const text = await (await request("GET", "api/docs")).text();
		const page = new DOMParser().parseFromString(text, "text/html");
		place.replaceChildren(...page.querySelectorAll("header > *, main > *"));
		downloads(find("a[href$='openapi.json']", place), "api/openapi.json", "openapi.json");
	} catch (error) {
		place.textContent = error.message;
	}
}

place.onclick = (event) => {
	const target = event.target.closest("a[href^='#']")?.hash;
	if (!target) return;
	event.preventDefault(); // the hash is the page's own
	find(target, place).scrollIntoView();
};
