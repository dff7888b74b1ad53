// One picture, in a dialog over the gallery.
import { downloads, get, request, show } from "./api.js";
import { open as openComments } from "./comments.js";
import { button, bytes, confirm, duration, find, make, table, terms, time, trouble } from "./dom.js";
import { update } from "./gallery.js";
import { watch } from "./watch.js";

const dialog = find("#picture");
let shown = ""; // the id of the picture in the dialog
let leave = () => {};

/** Open the picture `id`; `onleave` is called when it is closed. */
export async function open(id, query, onleave) {
  leave = onleave;
  shown = id;
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  dialog.replaceChildren(head("Loading…"));
  try {
    const { data } = await get(`api/images/${encodeURIComponent(id)}`);
    if (shown === id) draw(data);
  } catch (error) {
    if (shown === id) dialog.replaceChildren(head("No picture"), trouble(error));
  }
}

dialog.addEventListener("close", () => dialog.open || dialog.returnValue || leave());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

function draw(image) {
  const [state, facts, remarks] = [make("div", { "aria-live": "polite" }), make("div"), make("section")];
  const place = { figure: make("figure"), state, facts };
  dialog.replaceChildren(head(image.original_name), place.figure, make("div", { class: "side" }, state, facts, remarks));
  fill(place, image);
  openComments(remarks, image.image_id);
  find("button", dialog).focus();
}

function fill(place, image) {
  place.figure.replaceChildren(picture(image));
  place.state.replaceChildren(...caption(image), actions(image, place));
  place.facts.replaceChildren(make("dl", null, terms(facts(image))), ...exif(image));
  if (image.status === "processing") follow(place, image.image_id);
}

function follow(place, id) {
  watch(id, (now) => {
    if (!place.figure.isConnected) return;
    if (now) fill(place, now);
    else dialog.close();
  });
}

const head = (title) => make("header", null,
  make("h2", { id: "picture-title" }, title), button("✕", () => dialog.close(), { class: "quiet", "aria-label": "Close" }));

function picture(image) {
  if (!image.metadata) return make("p", { class: "note" }, image.status === "failed" ? "There is no picture to show." : "Processing…");
  const { width, height } = image.metadata;
  const scale = Math.min(1, 512 / Math.max(width, height)); // as the service makes the medium
  const img = make("img", { alt: image.caption ?? image.original_name, width: Math.round(width * scale), height: Math.round(height * scale) });
  show(img, image.thumbnails.medium);
  return img;
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
  if (image.status === "failed" || image.caption_status === "failed") row.append(button("Retry", doing(retry)));
  row.append(button("Delete", doing(remove), { class: "danger" }));
  return row;
}

async function retry({ image_id: id }, place) {
  const { data } = await (await request("POST", `api/images/${id}/retry`)).json();
  update(id, data);
  watch(id, (later) => update(id, later));
  fill(place, data);
}

async function remove({ image_id: id, original_name: name }) {
  if (!(await confirm(`Delete ${name}?`, "The picture, its thumbnails and its comments are gone for good."))) return;
  await request("DELETE", `api/images/${id}`);
  update(id, null);
  dialog.close();
}

function facts(image) {
  const { width, height, format, size_bytes, datetime } = image.metadata ?? {};
  return [
    ["Uploaded", time(image.uploaded_at)],
    ["Taken", datetime?.replace("T", " ")],
    ["Size", width && `${width} × ${height} px`],
    ["File", format && `${format.toUpperCase()}, ${bytes(size_bytes)}`],
    ["Processed in", image.processing_time_ms !== null && duration(image.processing_time_ms)],
    ["Captioned by", image.caption_source && (image.caption_source.model ?? image.caption_source.provider)],
  ].filter(([, value]) => value);
}

function exif(image) {
  const tags = Object.entries(image.exif ?? {}).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : value]);
  return tags.length ? [make("details", null, make("summary", null, `EXIF, tags: ${tags.length}`), table("EXIF", ["Tag", "Value"], tags))] : [];
}
