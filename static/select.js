// Which tile the keyboard is on, and which pictures are selected.
import { find, held } from "./dom.js";
import * as gallery from "./gallery.js";

const LONG_MS = 450;
const SLACK_PX = 10;
const { mosaic } = gallery;
const { list } = mosaic;
export const selected = new Map(); // id -> record, in the order of selecting
let anchor = null; // where a range begins

const tileOf = (event) => event.target.closest?.("#tiles > li");

export function choose(item, wanted) {
  item.selected = wanted;
  if (wanted) selected.set(item.id, item);
  else selected.delete(item.id);
  mosaic.refresh(item);
}

function tell() {
  list.classList.toggle("picking", selected.size > 0);
  dispatchEvent(new Event("selected"));
}

export function toggle(n) {
  const item = mosaic.items[n];
  choose(item, !item.selected);
  anchor = item;
  tell();
}

function extend(n) {
  const from = Math.max(0, mosaic.items.indexOf(anchor));
  for (const item of mosaic.items.slice(Math.min(from, n), Math.max(from, n) + 1)) choose(item, true);
  tell();
}

export function selectAll() {
  for (const item of mosaic.items) choose(item, true);
  tell();
}

export function clear() {
  for (const item of [...selected.values()]) choose(item, false);
  tell();
}

list.addEventListener("click", (event) => {
  const tile = tileOf(event);
  if (!tile) return;
  const picks = event.target.matches(".pick");
  const byHand = event.detail > 0; // Enter opens, also while some are selected
  if (!picks && !(byHand && (selected.size || held(event) || event.shiftKey))) return;
  if (!picks) event.preventDefault();
  if (event.shiftKey && anchor) extend(tile.n);
  else toggle(tile.n);
  if (picks) focus(tile.n);
});

// A long press selects; the click and the menu that follow it are not wanted.
let press = null;
list.addEventListener("pointerdown", (event) => {
  const tile = tileOf(event);
  if (event.pointerType === "mouse" || !tile || event.target.matches(".pick")) return;
  const timer = setTimeout(() => { press.done = true; toggle(tile.n); }, LONG_MS);
  press = { timer, x: event.clientX, y: event.clientY, done: false };
});
list.addEventListener("pointermove", (event) => {
  if (press && Math.hypot(event.clientX - press.x, event.clientY - press.y) > SLACK_PX) clearTimeout(press.timer);
});
for (const name of ["pointerup", "pointercancel"]) list.addEventListener(name, () => clearTimeout(press?.timer));
list.addEventListener("click", (event) => {
  if (!press?.done) return;
  press = null;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });
list.addEventListener("contextmenu", (event) => {
  if (press && event.pointerType !== "mouse") event.preventDefault();
});

// One tile is a stop of the Tab key; arrows go from there.
let stop = null;
list.addEventListener("focusin", (event) => {
  const tile = tileOf(event);
  if (tile) stop = mosaic.items[tile.n];
  for (const link of list.querySelectorAll("a[tabindex='0']")) link.tabIndex = -1;
  if (tile) find("a", tile).tabIndex = 0;
});

mosaic.drawn = keepStop;

/** See to it that the Tab key finds a tile, whichever have elements just now. */
function keepStop() {
  if (find("a[tabindex='0']", list)) return;
  const tile = (stop && mosaic.element(stop.id)) ?? find("li", list);
  if (tile) find("a", tile).tabIndex = 0;
}

export function focus(n) {
  const element = mosaic.reveal(n);
  if (element) find("a", element).focus({ preventScroll: true });
}

export function focusOn(id) {
  const n = mosaic.items.indexOf(gallery.item(id));
  if (n >= 0 && list.checkVisibility()) focus(n);
}

const last = () => mosaic.items.length - 1;
const MOVES = {
  ArrowLeft: (n) => n - 1,
  ArrowRight: (n) => n + 1,
  ArrowUp: (n) => mosaic.beside(n, -1),
  ArrowDown: (n) => mosaic.beside(n, 1),
  Home: () => 0,
  End: last,
};

list.addEventListener("keydown", (event) => {
  const tile = tileOf(event);
  if (!tile || event.altKey) return;
  const { n } = tile;
  if (event.key in MOVES) {
    const to = Math.max(0, Math.min(last(), MOVES[event.key](n)));
    anchor ??= mosaic.items[n];
    if (event.shiftKey) extend(to);
    else if (!selected.size) anchor = null;
    focus(to);
  } else if (event.key === " ") toggle(n);
  else if (event.key === "Delete" && !selected.size) toggle(n);
  else return;
  event.preventDefault();
});

export function onKey(event) {
  if (event.key.toLowerCase() === "a" && held(event)) selectAll();
  else if (event.key === "Escape" && selected.size) clear();
  else return false;
  return true;
}

addEventListener("gone", ({ detail }) => selected.delete(detail.id) && tell());
addEventListener("emptied", () => {
  selected.clear();
  anchor = stop = null;
  tell();
});
