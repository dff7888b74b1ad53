// Rows of pictures: all are laid out, those near the window have elements.
import { find, soon } from "./dom.js";
import * as tile from "./tile.js";

const GAP = 12;
const FOOT = 28;
const HEAD = 34;
const HIGH = { wide: 200, narrow: 116, from: 720 }; // px; narrow below `from`
const STRETCH = { full: 1.15, most: 1.35 }; // of that height: closes a row, may be grown to
const FLING = 0.6; // windows a frame: pictures only pass by

export const list = find("#tiles");
export const items = [];
const made = new Map(); // item -> element
const rows = []; // {top, height, begin, end, head, places, first}
let width = 0;
let seen_px = 0;
let calm = 0;
export const hooks = {}; // `below` hears how many px are laid out below the window

const starts = (n) => n === 0 || items[n].day !== items[n - 1].day;
const bottom = (row) => (row ? row.top + row.head + row.height + FOOT : 0);
const listTop = () => list.getBoundingClientRect().top;
const rowOf = (n) => rows.findIndex((row) => row.end > n);

function layOut(begin, top) {
	const high = width < HIGH.from ? HIGH.narrow : HIGH.wide;
	const found = [];
	let sum = 0;
	for (let n = begin; n < items.length; n += 1) {
		if (n > begin && starts(n) && items[begin].day === items[n - 1].day && sum * high > width * 0.6) close(n);
		sum += items[n].ratio; // a day shorter than a row shares it
		if (heightOf(n + 1) <= high * STRETCH.full) close(n + 1);
	}
	if (begin < items.length) close(items.length);
	return found;

	function heightOf(end) {
		return (width - GAP * (end - begin - 1)) / sum;
	}

	function close(end) {
		const height = heightOf(end) <= high * STRETCH.most ? heightOf(end) : high;
		const row = { top, height, begin, end, head: 0, places: [], first: items[begin] };
		for (let [n, left] = [begin, 0]; n < end; n += 1) {
			row.places.push({ left, width: items[n].ratio * height });
			left += items[n].ratio * height + GAP;
			if (starts(n)) row.head = HEAD;
		}
		found.push(row);
		top = bottom(row) + GAP;
		[begin, sum] = [end, 0];
	}
}

// Lay out anew from item `first` on; what is seen stays in place.
export function arrange(first = 0) {
	width = list.clientWidth;
	if (!width) return;
	const above = -listTop();
	const anchor = !first && above > 0 && rows.find((row) => bottom(row) > above);
	const kept = Math.max(0, rowOf(first - 1));
	const { begin, top } = rows[kept] ?? { begin: 0, top: 0 };
	rows.splice(kept, Infinity, ...layOut(begin, top));
	list.style.height = `${bottom(rows.at(-1))}px`;
	const n = anchor ? items.indexOf(anchor.first) : -1;
	if (n >= 0) scrollBy(0, rows[rowOf(n)].top - anchor.top);
	draw();
}

export const arrangeSoon = soon(arrange);

export function clear() {
	items.length = rows.length = 0;
	made.clear();
	list.replaceChildren();
	hooks.emptied();
}

export function remove(item) {
	items.splice(items.indexOf(item), 1);
	made.get(item)?.remove();
	made.delete(item);
	hooks.gone(item);
	arrangeSoon();
}

export const element = (item) => made.get(item);

export function refresh(item) {
	const element = made.get(item);
	if (!element) return;
	tile.fill(element, item);
	tile.load(element, item);
}

export function reveal(n) {
	const row = rows[rowOf(n)];
	const above = listTop() + row.top - 8;
	const below = listTop() + bottom(row) + 8 - innerHeight;
	scrollBy(0, Math.min(above, Math.max(0, below)));
	draw();
	return made.get(items[n]);
}

// The item `step` rows below item `n`, nearest to its middle.
export function beside(n, step) {
	const middles = ({ places }) => places.map(({ left, width }) => left + width / 2);
	const at = rowOf(n);
	const row = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
	const wanted = middles(rows[at])[n - rows[at].begin];
	const far = middles(row).map((middle) => Math.abs(middle - wanted));
	return row.begin + far.indexOf(Math.min(...far));
}

function draw() {
	if (!list.checkVisibility()) return;
	const top = listTop();
	const flung = Math.abs(top - seen_px) > innerHeight * FLING;
	seen_px = top;
	clearTimeout(calm);
	if (flung) calm = setTimeout(draw, 90);
	show(near(-top), flung);
	hooks.drawn();
	hooks.below(bottom(rows.at(-1)) + top - innerHeight);
}

onscroll = onresize = soon(draw);
new ResizeObserver(() => list.clientWidth !== width && arrange()).observe(list);

function near(top) {
	const focus = rowOf(find("li:focus-within", list)?.n);
	return rows.filter((row, n) => n === focus || (bottom(row) > top - innerHeight && row.top <= top + 2 * innerHeight));
}

function show(near, flung) {
	const wanted = new Set(near.flatMap(({ begin, end }) => items.slice(begin, end)));
	for (const [item, element] of made) {
		if (wanted.has(item)) continue;
		made.delete(item);
		element.remove();
	}
	let next = list.firstChild;
	for (const row of near) {
		row.places.forEach((_, k) => {
			const element = place(row, k);
			if (element === next) next = next.nextSibling;
			else list.insertBefore(element, next);
			if (!flung) hooks.load(element, items[row.begin + k]);
		});
	}
}

function place({ top, height, head, begin, places }, k) {
	const n = begin + k;
	const item = items[n];
	const element = made.get(item) ?? hooks.create(item);
	made.set(item, element);
	element.n = n;
	const { left } = places[k];
	const next = places.find((_, later) => later > k && starts(begin + later));
	tile.date(element, starts(n) && item.day, (next ? next.left - GAP : width) - left);
	Object.assign(element.style, { translate: `${left}px ${top}px`, width: `${places[k].width}px`, paddingTop: `${head}px` });
	element.style.setProperty("--high", `${height}px`);
	return element;
}
