// The gallery: pages loaded ahead, new ones on top, processing ones live.
import { address, discard, get, post } from "./api.js";
import { button, confirm, counted, find, sentence } from "./dom.js";
import * as mosaic from "./mosaic.js";
import * as stats from "./stats.js";
import * as tile from "./tile.js";
import { busy, watch } from "./watch.js";

const TILE = innerWidth < 720 ? 24_000 : 45_000; // px of the window a picture, at first
const PAGE = { least: 60, most: 500 };
const AHEAD = 2;

const { items } = mosaic;
const more = find("#more");
const known = new Map(); // id -> record; null of what is gone
const watched = new Set();
export const filter = { q: "", status: "", label: "" };
let walk = null; // through the pages of the filter

Object.assign(mosaic.hooks, {
	create: (item) => tile.create(item, query()),
	load(element, item) {
		tile.load(element, item);
		if (item.status === "processing" && !watched.has(item.id)) follow(item.id);
	},
	below(px) {
		if (walk && !walk.broken && px < (scrollY ? AHEAD * innerHeight : 0)) load(walk);
	},
});

function follow(id) {
	watched.add(id);
	watch(id, (now) => {
		if (!now || !busy(now)) watched.delete(id);
		update(id, now);
	});
}

export function open(wanted) {
	const before = query();
	for (const name of Object.keys(filter)) filter[name] = wanted[name] ?? "";
	if (walk && query() === before) return;
	walk?.stop.abort();
	walk = { stop: new AbortController(), next: address("api/images", firstPage()), loading: null };
	known.clear();
	mosaic.clear();
	load(walk);
	stats.load();
}

export const item = (id) => known.get(id);

export function query() {
	const said = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
	return said.size ? `?${said}` : "";
}

export function add(image) {
	stats.refresh();
	if (filter.q || filter.label || !["", "processing"].includes(filter.status) || known.has(image.image_id)) return;
	items.unshift(keep(image));
	mosaic.arrangeSoon();
	tell();
}

export function update(id, image) {
	stats.refresh();
	const before = known.get(id);
	if (!image) known.set(id, null);
	if (!before) return;
	if (!image) {
		mosaic.remove(before);
		return tell();
	}
	const { ratio, day } = before;
	Object.assign(before, tile.record(image));
	mosaic.refresh(before);
	if (before.ratio !== ratio || before.day !== day) mosaic.arrangeSoon();
}

export async function again(id, act, json) {
	const image = await post(`api/images/${id}/${act}`, json);
	update(id, image);
	follow(id);
	return image;
}

export const sure = ([one, ...more]) => confirm(`Delete ${more.length ? counted(more.length + 1, "picture") : one.name}?`,
	"Comments go as well, for good.");

export async function erase(id) {
	await discard(`api/images/${id}`);
	update(id, null);
}

export async function neighbour(id, step) {
	const n = items.indexOf(known.get(id));
	if (n < 0) return null;
	if (n + step >= items.length) await load(walk);
	return items[n + step] ?? null;
}

function keep(image) {
	const kept = tile.record(image);
	known.set(kept.id, kept);
	return kept;
}

function load(walk) {
	if (walk.next) walk.loading ??= loadPage(walk);
	return walk.loading;
}

async function loadPage(walk) {
	const { signal } = walk.stop;
	const held = items.length;
	if (!held) more.textContent = "Loading…";
	try {
		const { data, next } = await get(walk.next, {}, signal);
		signal.throwIfAborted();
		walk.broken = false;
		items.push(...data.filter((image) => !known.has(image.image_id)).map(keep));
		const limit = Math.min(PAGE.most, Math.max(PAGE.least, held >> 1));
		walk.next = next?.replace(/([?&]limit=)\d+/, `$1${limit}`);
		tell();
	} catch (error) {
		if (signal.aborted) return;
		walk.broken = true;
		more.replaceChildren(sentence(error, "The gallery"), " ", button("Retry", () => load(walk)));
	}
	walk.loading = null;
	mosaic.arrange(held); // which asks for more where the window is not full
}

function firstPage() {
	const state = filter.status === "uncaptioned" && { status: "", caption_status: "failed" };
	return { ...filter, ...state, limit: Math.max(8, Math.min(100, Math.ceil((innerWidth * innerHeight) / TILE))) };
}

function tell() {
	const none = query() ? "Nothing found." : "No pictures yet. The first one starts the gallery.";
	more.textContent = items.length ? `${counted(items.length, "picture")}${walk.next ? ", more below" : ""}` : none;
}
