// Which tile has the keyboard, which pictures are selected.
import { find, held } from "./dom.js";
import * as gallery from "./gallery.js";
import * as mosaic from "./mosaic.js";

const LONG_MS = 450;
const SLACK_PX = 10;
const { items, list } = mosaic;
export const selected = new Set();
let anchor = null;
let stop = null;

const tileOf = (event) => event.target.closest?.("#tiles > li");

export function choose(item, wanted) {
	item.selected = wanted;
	if (wanted) selected.add(item);
	else selected.delete(item);
	mosaic.refresh(item);
}

function tell() {
	list.classList.toggle("picking", selected.size > 0);
	dispatchEvent(new Event("selected"));
}

function toggle(n) {
	anchor = items[n];
	choose(anchor, !anchor.selected);
	tell();
}

function add(some) {
	for (const item of some) choose(item, true);
	tell();
}

function extend(n) {
	const from = Math.max(0, items.indexOf(anchor));
	add(items.slice(Math.min(from, n), Math.max(from, n) + 1));
}

export function clear() {
	for (const item of selected) choose(item, false);
	tell();
}

list.onclick = (event) => {
	const tile = tileOf(event);
	if (press?.done) {
		press = null;
		return event.preventDefault();
	}
	if (!tile) return;
	const picks = event.target.matches(".pick");
	const byHand = event.detail > 0; // Enter opens, also while some are selected
	if (!picks && !(byHand && (selected.size || held(event) || event.shiftKey))) return;
	if (!picks) event.preventDefault();
	if (event.shiftKey && anchor) extend(tile.n);
	else toggle(tile.n);
	if (picks) focus(tile.n);
};

// A long press selects, another all between; without the click and menu after it.
let press = null;
const lift = () => clearTimeout(press?.timer);
list.onpointerdown = (event) => {
	const tile = tileOf(event);
	if (event.pointerType === "mouse" || !tile || event.target.matches(".pick")) return;
	const timer = setTimeout(() => {
		press.done = true;
		(selected.size ? extend : toggle)(tile.n);
	}, LONG_MS);
	press = { timer, x: event.clientX, y: event.clientY };
};
list.onpointermove = ({ clientX, clientY }) => {
	if (press && Math.hypot(clientX - press.x, clientY - press.y) > SLACK_PX) lift();
};
list.onpointerup = list.onpointercancel = lift;
list.oncontextmenu = (event) => {
	if (press && event.pointerType !== "mouse") event.preventDefault();
};

list.addEventListener("focusin", (event) => {
	const tile = tileOf(event);
	if (tile) stop = items[tile.n];
	for (const link of list.querySelectorAll("a[tabindex='0']")) link.tabIndex = -1;
	keepStop();
});

function keepStop() {
	if (find("a[tabindex='0']", list)) return;
	const tile = mosaic.element(stop) ?? find("li", list);
	if (tile) find("a", tile).tabIndex = 0;
}

function focus(n) {
	const element = mosaic.reveal(n);
	if (element) find("a", element).focus({ preventScroll: true });
}

export function focusOn(id) {
	const n = items.indexOf(gallery.item(id));
	if (n >= 0 && list.checkVisibility()) focus(n);
}

const MOVES = {
	ArrowLeft: (n) => n - 1,
	ArrowRight: (n) => n + 1,
	ArrowUp: (n) => mosaic.beside(n, -1),
	ArrowDown: (n) => mosaic.beside(n, 1),
	Home: () => 0,
	End: () => Infinity,
};

list.onkeydown = (event) => {
	const tile = tileOf(event);
	if (!tile || event.altKey) return;
	const { n } = tile;
	if (event.key in MOVES) {
		const to = Math.max(0, Math.min(items.length - 1, MOVES[event.key](n)));
		anchor ??= items[n];
		if (event.shiftKey) extend(to);
		else if (!selected.size) anchor = null;
		focus(to);
	} else if (event.key === " " || (event.key === "Delete" && !selected.size)) toggle(n);
	else return;
	event.preventDefault();
};

export function onKey(event) {
	if (event.key.toLowerCase() === "a" && held(event)) add(items);
	else if (event.key === "Escape" && selected.size) clear();
	else return false;
	return true;
}

Object.assign(mosaic.hooks, {
	drawn: keepStop,
	gone: (item) => selected.delete(item) && tell(),
	emptied() {
		selected.clear();
		anchor = stop = null;
		tell();
	},
});
