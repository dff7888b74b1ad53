// One picture, in a dialog that fills the window: the stage, and beside it what is known and said.
import { address, downloads, get, request, show } from "./api.js";
import { open as openComments } from "./comments.js";
import { button, confirm, find, held, make, styled, trouble } from "./dom.js";
import { facts } from "./facts.js";
import * as gallery from "./gallery.js";
import * as key from "./key.js";
import { focusOn } from "./select.js";
import { Stage } from "./stage.js";
import { failed, record, thumbnail } from "./tile.js";
import { busy, watch } from "./watch.js";
import { fetchTagged, words } from "./words.js";

const FOLDED = "imgpipe-folded";
const dialog = find("#picture");
const title = make("h2", { id: "picture-title" });
const scale = make("output");
const stage = new Stage(turn, (zoom) => { scale.textContent = zoom === null ? "" : `${Math.round(zoom * 100)} %`; });
const sides = [[-1, "‹", "Previous picture"], [1, "›", "Next picture"]].map(([step, sign, label]) =>
  button(sign, () => turn(step), { class: "turn", "aria-label": label }));
const fold = button("Facts", () => setFolded(!dialog.classList.contains("folded")), { "aria-controls": "side" });
const tools = make("div", { class: "head" }, title, scale,
  button("−", stage.zoomOut, { class: "quiet", "aria-label": "Zoom out" }),
  button("+", stage.zoomIn, { class: "quiet", "aria-label": "Zoom in" }),
  fold, button("✕", () => dialog.close(), { class: "quiet", "aria-label": "Close" }));
const side = make("div", { class: "side", id: "side" });
let shown = ""; // the id of the picture in the dialog
let stop = new AbortController();
let way = {};

dialog.append(tools, make("div", { class: "middle" }, stage.element, ...sides), side);
await styled("picture");
setFolded(localStorage.getItem(FOLDED) === "yes");

/** Open the picture `id`; `way` {leave, go} leads back to the gallery, and on to another picture. */
export async function open(id, query, ways) {
  way = ways;
  if (shown !== id) stop.abort();
  stop = new AbortController();
  shown = id;
  dialog.returnValue = "";
  if (!dialog.open) {
    dialog.showModal();
    find("[aria-label=Close]", tools).focus();
  }
  const item = gallery.item(id);
  begin(item);
  tellNeighbours();
  try {
    const known = await fetchTagged(id, stop.signal);
    if (shown !== id) return;
    draw(known, !item?.width);
    ahead();
  } catch (error) {
    if (shown !== id || stop.signal.aborted) return;
    name("No picture");
    stage.show("");
    side.replaceChildren(trouble(error));
  }
}

function begin(item) {
  name(item?.name ?? "Loading…");
  side.replaceChildren();
  stage.show(item?.width ? staged(item) : "Loading…");
}

function name(called) {
  title.textContent = title.title = called;
  document.title = `${called} · imgpipe`;
}

const staged = ({ id, width, height, format, color, caption, name: called }) => ({
  width, height, format, color, alt: caption ?? called, medium: thumbnail(id), original: `api/images/${id}/original`,
});

function draw(known, fresh) {
  const { image } = known;
  const place = { state: make("div", { "aria-live": "polite" }), facts: make("div"), alike: make("section") };
  const remarks = make("section");
  name(image.original_name);
  side.replaceChildren(...Object.values(place), remarks);
  fill(place, known, fresh);
  openComments(remarks, image.image_id);
  showAlike(place.alike, image);
}

function fill(place, known, fresh = true) {
  const { image } = known;
  if (!place.state.isConnected) return;
  const nothing = image.status === "failed" ? "There is no picture to show." : "Processing…";
  if (fresh || !image.metadata) stage.show(image.metadata ? staged(record(image)) : nothing);
  const changed = (now, focus) => {
    gallery.update(image.image_id, now.image);
    fill(place, now, false);
    find(focus, place.state)?.focus();
  };
  place.state.replaceChildren(...words(known, changed), actions(image, place));
  place.facts.replaceChildren(...facts(image));
  if (busy(image)) follow(place, image);
}

function follow(place, { image_id: id, metadata }) {
  watch(id, async (now) => {
    if (!place.state.isConnected) return;
    if (!now) return dialog.close();
    gallery.update(id, now);
    if (find("form", place.state)) return; // somebody is writing there
    fill(place, await fetchTagged(id).catch(() => ({ image: now })), !metadata);
  });
}

async function showAlike(place, { image_id: id, metadata }) {
  if (!metadata) return;
  const { data } = await get(`api/images/${id}/similar`, { limit: 12 }).catch(() => ({ data: [] }));
  if (!data.length) return;
  const tile = ({ image_id, original_name, same }) => {
    const img = make("img", { alt: same ? `${original_name}, the same file` : original_name, title: original_name });
    show(img, thumbnail(image_id, "small"));
    return make("li", null, make("a", { href: `#/image/${image_id}`, class: same ? "same" : null }, img));
  };
  place.append(make("h3", null, "Looks alike"), make("ul", { class: "alike" }, data.map(tile)));
}

function actions(image, place) {
  const row = make("div", { class: "row" });
  const doing = (act) => () => act(image, place).catch((error) => row.after(trouble(error)));
  const original = make("a", { class: "button" }, "Download original");
  downloads(original, image.original_url, image.original_name);
  row.append(original);
  if (failed(image)) row.append(button("Retry", doing(retry)));
  row.append(button("Delete", doing(remove), { class: "danger" }));
  return row;
}

const retry = async ({ image_id: id }, place) => fill(place, { image: await gallery.again(id, "retry") });

async function remove({ image_id: id, original_name: called }) {
  if (!(await confirm(`Delete ${called}?`, "The picture, its thumbnails and its comments are gone for good."))) return;
  const next = (await gallery.neighbour(id, 1)) ?? (await gallery.neighbour(id, -1));
  await gallery.erase(id);
  if (next && shown === id) way.go(next.id);
  else dialog.close();
}

async function turn(step) {
  const from = shown;
  const next = await gallery.neighbour(from, step);
  if (next && shown === from && dialog.open) way.go(next.id);
}

async function tellNeighbours() {
  const id = shown;
  const found = [await gallery.neighbour(id, -1), await gallery.neighbour(id, 1)];
  if (shown !== id) return;
  sides.forEach((one, n) => {
    if (!found[n] && document.activeElement === one) find("[aria-label=Close]", tools).focus();
    one.hidden = !found[n];
  });
}

async function ahead() {
  for (const step of [1, -1]) {
    const next = await gallery.neighbour(shown, step);
    if (!next?.width) continue;
    if (key.current()) request("GET", thumbnail(next.id)).then((answer) => answer.blob()).catch(() => {});
    else new Image().src = address(thumbnail(next.id));
  }
}

function setFolded(folded) {
  dialog.classList.toggle("folded", folded);
  fold.ariaExpanded = String(!folded);
  localStorage.setItem(FOLDED, folded ? "yes" : "no");
}

const KEYS = {
  ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
  "+": stage.zoomIn, "=": stage.zoomIn, "-": stage.zoomOut, 0: () => stage.fit(), 1: () => stage.real(),
  i: () => fold.click(),
  e: () => find("[data-act=edit]", side)?.click(),
  l: () => find(".label-field", side)?.focus(),
  c: () => find("section textarea", side)?.focus(),
  Delete: () => find(".danger", side)?.click(),
};

dialog.addEventListener("keydown", (event) => {
  if (held(event) || event.altKey || event.target.matches("input, textarea, select")) return;
  if (!(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
dialog.addEventListener("close", () => {
  if (dialog.open) return;
  const last = shown;
  shown = "";
  stop.abort();
  stage.show("");
  if (!dialog.returnValue) way.leave();
  focusOn(last);
});
