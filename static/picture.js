// One picture: the stage, and what is known and said.
import { downloads, get, show } from "./api.js";
import { button, complaint, find, held, icon, make } from "./dom.js";
import { facts } from "./facts.js";
import * as gallery from "./gallery.js";
import { focusOn } from "./select.js";
import * as stage from "./stage.js";
import { failed, record, thumbnail } from "./tile.js";
import { busy, watch } from "./watch.js";
import { comments, fetchTagged, words } from "./words.js";

const FOLDED = "imgpipe-folded";
const dialog = find("#picture");
const title = make("h2", { id: "picture-title" });
const scale = make("output");
const sides = [[-1, "‹", "Previous picture"], [1, "›", "Next picture"]].map(([step, sign, ariaLabel]) =>
	button(sign, () => turn(step), { className: "turn", ariaLabel }));
const fold = button("Facts", () => setFolded(fold.ariaExpanded === "true"), { "aria-controls": "side" });
const close = icon("✕", "Close", () => dialog.close());
const side = make("div.side", { id: "side" });
let shown = "";
let stop = new AbortController();
let way = {};

dialog.append(
	make("div.head", title, scale, icon("−", "Zoom out", stage.zoomOut), icon("+", "Zoom in", stage.zoomIn), fold, close),
	make("div.middle", stage.element, sides), side);
stage.hear(turn, (zoom) => { scale.textContent = zoom === null ? "" : `${Math.round(zoom * 100)} %`; });
setFolded(localStorage.getItem(FOLDED) === "yes");

export async function open(id, query, ways) {
	way = ways;
	stop.abort();
	stop = new AbortController();
	const { signal } = stop;
	shown = id;
	dialog.returnValue = "";
	if (!dialog.open) {
		dialog.showModal();
		close.focus();
	}
	const item = gallery.item(id);
	name(item?.name ?? "Loading…");
	side.replaceChildren();
	stage.show(item?.width ? staged(item) : "Loading…");
	const around = neighbours();
	try {
		draw(await fetchTagged(id, signal), !item?.width);
		for (const one of await around) if (one?.width) show(make("img"), thumbnail(one.id));
	} catch (error) {
		if (signal.aborted) return;
		name("No picture");
		stage.show("");
		complaint(side)(error);
		if (error.status !== 404) return;
		gallery.update(id, null);
		neighbours();
	}
}

function name(called) {
	title.textContent = title.title = called;
	document.title = `${called} · imgpipe`;
}

const staged = ({ id, caption, name: called, ...item }) =>
	({ ...item, alt: caption ?? called, medium: thumbnail(id), original: `api/images/${id}/original` });

function draw(known, fresh) {
	const { image } = known;
	const place = { state: make("div", { ariaLive: "polite" }), facts: make("div"), alike: make("div"), remarks: make("section") };
	name(image.original_name);
	side.replaceChildren(...Object.values(place));
	fill(place, known, fresh);
	comments(place.remarks, image.image_id);
	if (image.metadata) showAlike(place.alike, image.image_id);
}

function fill(place, known, fresh) {
	const { image } = known;
	const { image_id: id, metadata } = image;
	if (!place.state.isConnected) return;
	const nothing = image.status === "failed" ? "There is no picture to show." : "Processing…";
	if (fresh || !metadata) stage.show(metadata ? staged(record(image)) : nothing);
	const changed = (now, focus) => {
		place.state.replaceChildren();
		gallery.update(id, now.image);
		fill(place, now);
		find(focus, place.state)?.focus();
	};
	renew(place.state, [...words(known, changed), actions(image, place)]);
	place.facts.replaceChildren(...facts(image));
	if (!busy(image)) return;
	watch(id, async (now) => {
		if (!place.state.isConnected) return;
		if (!now) return dialog.close();
		gallery.update(id, now);
		fill(place, Object.assign(known, await fetchTagged(id).catch(() => ({ image: now }))), !metadata);
	});
}

// Put the parts into a place, but where somebody is writing.
function renew(place, parts) {
	parts.forEach((part, n) => {
		const old = place.children[n];
		if (!old) place.append(part);
		else if (!find("form, .label-field:focus", old)) old.replaceWith(part);
	});
}

async function showAlike(place, id) {
	const { data } = await get(`api/images/${id}/similar`, { limit: 12 }).catch(() => ({ data: [] }));
	if (!data.length) return;
	const tile = ({ image_id, original_name: title, same }) => {
		const img = make("img", { alt: same ? `${title}, the same file` : title, title });
		show(img, thumbnail(image_id, "small"));
		return make("li", make(same ? "a.same" : "a", { href: `#/image/${image_id}` }, img));
	};
	place.append(make("h3", "Looks alike"), make("ul.alike", data.map(tile)));
}

function actions(image, place) {
	const doing = (act) => () => act(image, place).catch(complaint(row));
	const original = make("a.button", "Download original");
	downloads(original, image.original_url, image.original_name);
	const row = make("div.row", original, failed(image) && button("Retry", doing(retry)),
		button("Delete", doing(remove), { className: "danger" }));
	return row;
}

const retry = async ({ image_id: id }, place) => fill(place, { image: await gallery.again(id, "retry") }, true);

async function remove({ image_id: id, original_name: called }) {
	if (!(await gallery.sure([{ name: called }]))) return;
	const next = (await gallery.neighbour(id, 1)) ?? (await gallery.neighbour(id, -1));
	await gallery.erase(id);
	if (shown !== id) return;
	if (next) way.go(next.id);
	else dialog.close();
}

async function turn(step) {
	const from = shown;
	const next = await gallery.neighbour(from, step);
	if (next && shown === from && dialog.open) way.go(next.id);
}

async function neighbours() {
	const id = shown;
	const found = [await gallery.neighbour(id, -1), await gallery.neighbour(id, 1)];
	if (shown !== id) return [];
	sides.forEach((one, n) => {
		if (!found[n] && document.activeElement === one) close.focus();
		one.hidden = !found[n];
	});
	return found;
}

function setFolded(folded) {
	fold.ariaExpanded = !folded;
	localStorage.setItem(FOLDED, folded ? "yes" : "no");
}

const KEYS = {
	ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
	"+": stage.zoomIn, "=": stage.zoomIn, "-": stage.zoomOut, 0: stage.fit, 1: () => stage.real(),
	i: () => fold.click(),
	e: () => find(".edit", side)?.click(),
	l: () => find(".label-field", side)?.focus(),
	c: () => find("section textarea", side)?.focus(),
	Delete: () => find(".danger", side)?.click(),
};

dialog.onkeydown = (event) => {
	if (held(event) || event.altKey || event.target.matches("input, textarea, select") || !(event.key in KEYS)) return;
	event.preventDefault();
	KEYS[event.key]();
};
dialog.onclose = () => {
	if (dialog.open) return;
	const last = shown;
	shown = "";
	stop.abort();
	stage.show("");
	if (!dialog.returnValue) way.leave();
	focusOn(last);
};
