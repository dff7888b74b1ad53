// One picture, in a dialog that fills the window: the stage, and beside it what is known and said.
import { address, downloads, get, request } from "./api.js";
import { open as openComments } from "./comments.js";
import { button, confirm, find, make, styled, trouble } from "./dom.js";
import { facts } from "./facts.js";
import * as gallery from "./gallery.js";
import * as key from "./key.js";
import { focusOn, forget } from "./select.js";
import { Stage } from "./stage.js";
import { failed, record, thumbnail } from "./tile.js";
import { watch } from "./watch.js";

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
    const { data } = await get(`api/images/${encodeURIComponent(id)}`, {}, stop.signal);
    if (shown !== id) return;
    draw(data, !item?.width);
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

function name(words) {
  title.textContent = title.title = words;
  document.title = `${words} · imgpipe`;
}

const staged = ({ id, width, height, format, color, caption, name: words }) => ({
  width, height, format, color, alt: caption ?? words, medium: thumbnail(id), original: `api/images/${id}/original`,
});

function draw(image, fresh) {
  const [state, known, remarks] = [make("div", { "aria-live": "polite" }), make("div"), make("section")];
  name(image.original_name);
  side.replaceChildren(state, known, remarks);
  fill({ state, known }, image, fresh);
  openComments(remarks, image.image_id);
}

function fill(place, image, fresh = true) {
  const words = image.status === "failed" ? "There is no picture to show." : "Processing…";
  if (fresh || !image.metadata) stage.show(image.metadata ? staged(record(image)) : words);
  place.state.replaceChildren(...caption(image), actions(image, place));
  place.known.replaceChildren(...facts(image));
  if (image.status === "processing") follow(place, image);
}

function follow(place, { image_id: id, metadata }) {
  watch(id, (now) => {
    if (!place.state.isConnected) return;
    if (now) fill(place, now, !metadata);
    else dialog.close();
  });
}

function caption(image) {
  if (image.status === "failed") return [make("p", { class: "bad" }, image.error)];
  if (image.caption) return [make("p", { class: "caption" }, image.caption)];
  const reasons = {
    pending: "A caption is being written…",
    failed: `No caption: ${image.caption_error?.message}`,
    skipped: "No caption: this server writes none.",
  };
  const reason = image.metadata ? reasons[image.caption_status] : "The picture is being processed…";
  return reason ? [make("p", { class: "soft" }, reason)] : [];
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

async function retry({ image_id: id }, place) {
  const { data } = await (await request("POST", `api/images/${id}/retry`)).json();
  gallery.update(id, data);
  gallery.follow(id);
  fill(place, data);
}

async function remove({ image_id: id, original_name: words }) {
  if (!(await confirm(`Delete ${words}?`, "The picture, its thumbnails and its comments are gone for good."))) return;
  await request("DELETE", `api/images/${id}`);
  const next = (await gallery.neighbour(id, 1)) ?? (await gallery.neighbour(id, -1));
  gallery.update(id, null);
  forget(id);
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

/** Fetch the neighbours' pictures, so that turning to them is at once. */
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
  Delete: () => find(".side .danger", dialog)?.click(),
};

dialog.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
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
