// The frame: routes, filter, files, keys.
import { find, held, soon, takeFiles } from "./dom.js";
import * as gallery from "./gallery.js";
import * as select from "./select.js";

const PARTS = { gallery: "Pictures", logs: "Depth logs", docs: "API", lost: "Not found" };
const OPENERS = { logs: () => import("./logs.js"), image: () => import("./picture.js"), docs: () => import("./docs.js") };
const form = find("#filter");
let part = "";
let scrolled_px = 0;
let steps = history.state ?? NaN; // back from a picture to where it was opened; NaN: it was the first
history.replaceState(steps, "");

function decode(name) {
	try { return decodeURIComponent(name); } catch { return name; }
}

async function follow() {
	const { hash } = location;
	const [path, said] = hash.replace(/^#\/?/, "").split("?");
	const [first, second, ...more] = path.split("/").map(decode);
	const query = Object.fromEntries(new URLSearchParams(said));
	const known = first === "logs" || (first === "image" ? second : !second && ["", "docs"].includes(first));
	const lost = more.length || !known;
	turnTo(lost ? "lost" : first in PARTS ? first : "gallery");
	if (first !== "image" || lost) find("#picture").close("left");
	if (part === "gallery") {
		for (const name of Object.keys(gallery.filter)) form[name].value = query[name] ?? "";
		gallery.open(query);
	}
	if (lost) return;
	const module = await OPENERS[first]?.();
	if (location.hash === hash) module?.open(second, query, { leave, go });
}

function turnTo(shown) {
	if (part === "gallery" && shown !== part) scrolled_px = scrollY;
	for (const name of Object.keys(PARTS)) {
		find(`#${name}`).hidden = name !== shown;
		const link = find(`[data-part=${name}]`);
		if (link) link.ariaCurrent = name === shown ? "page" : null;
	}
	document.title = `${PARTS[shown]} · imgpipe`;
	if (part && shown !== part) find("main").focus({ preventScroll: true });
	if (shown !== part) scrollTo(0, shown === "gallery" ? scrolled_px : 0);
	part = shown;
}

function replace(hash) {
	history.replaceState(steps, "", `${hash}${gallery.query()}`);
}

const free = () => part === "gallery" && !/^#.image/.test(location.hash) && !find("dialog[open]");

function go(id) {
	replace(`#/image/${id}`);
	follow();
}

function leave() {
	if (steps) return history.go(-steps);
	replace("#/");
	follow();
}

function filterGallery() {
	if (!free()) return; // gone on
	gallery.open(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])));
	replace("#/");
}

let upload = null;
takeFiles(find("#files"), find("#gallery"), async (files) => {
	const { uploading } = await import("./uploads.js");
	upload ??= uploading(find("#uploads"), { path: "api/images", done: gallery.add });
	upload(files);
});
form.oninput = soon(filterGallery, 250);
form.label.onfocus = async (event) => (await import("./words.js")).offer(event);
const showKeys = async () => (await import("./help.js")).open();
find("#show-keys").onclick = showKeys;
let bar = null;
addEventListener("selected", async () => {
	if (select.selected.size) bar ??= import("./bulk.js");
	(await bar)?.show();
});

onkeydown = (event) => {
	if (event.defaultPrevented || event.target.matches("input:not([type=checkbox]), textarea")) return;
	const plain = !(held(event) || event.altKey);
	if (event.key === "?" && plain && !find("dialog.box[open]")) showKeys();
	else if (!free()) return;
	else if (event.key === "/" && plain) form.q.focus();
	else if (event.key === "Delete" && select.selected.size) bar.then((one) => one.remove());
	else if (!select.onKey(event)) return;
	event.preventDefault();
};
onhashchange = ({ oldURL }) => {
	steps = history.state ?? (oldURL.includes("#/image/") ? steps + 1 : 1);
	history.replaceState(steps, "");
	follow();
};
follow();
