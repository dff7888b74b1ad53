// A picture in the gallery: what is kept of it, and its element.
import { show } from "./api.js";
import { dayName, dayOf, find, make } from "./dom.js";

const RATIO = { least: 0.5, most: 2.6 };

/** Keep of a list item what the gallery needs: there may be 50,000. */
export function record({ image_id, original_name, status, error, caption, caption_status, color, metadata, uploaded_at }) {
  const { width, height, format, datetime } = metadata ?? {};
  return {
    id: image_id, name: original_name, status, error, caption, caption_status, color, width, height, format,
    ratio: width ? Math.min(RATIO.most, Math.max(RATIO.least, width / height)) : 1,
    day: dayOf(datetime ?? uploaded_at),
  };
}

export const thumbnail = (id, size = "medium") => `api/images/${id}/thumbnails/${size}`;

export const failed = ({ status, caption_status }) => status === "failed" || caption_status === "failed";

/** Make the element; `query` is the gallery's filter, which goes along to the picture. */
export function create(item, query) {
  const link = make("a", { href: `#/image/${item.id}${query}`, tabindex: -1 }, make("span", { class: "frame" }), make("span", { class: "label" }));
  const pick = make("input", { type: "checkbox", class: "pick", tabindex: -1, "aria-label": `Select ${item.name}` });
  const element = make("li", { "data-id": item.id }, link, pick);
  fill(element, item);
  return element;
}

/** Bring the element up to its item; what is the same already is left alone. */
export function fill(element, item) {
  const state = item.status === "processing" && item.width ? "captioning" : item.status;
  const [frame, label, pick] = [".frame", ".label", ".pick"].map((one) => find(one, element));
  pick.checked = Boolean(item.selected);
  element.classList.toggle("picked", pick.checked);
  const words = item.caption ?? item.name;
  if (label.textContent !== words) label.textContent = words;
  label.title = item.caption ? `${item.caption}\n${item.name}` : item.name;
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  frame.classList.toggle("busy", state === "processing");
  if (state === "failed") frame.replaceChildren(item.error);
  else if (state === "processing") frame.replaceChildren("Processing…");
  else if (!find("img", frame)) frame.replaceChildren(pixels(item, frame));
}

function pixels({ width, height, color }, frame) {
  const img = make("img", { alt: "", decoding: "async", width, height });
  frame.style.backgroundColor = color ?? "";
  img.onload = () => { frame.style.backgroundColor = ""; };
  img.onerror = () => img.replaceWith("No thumbnail");
  return img;
}

export function load(element, { id }) {
  const img = find("img", element);
  if (!img || img.dataset.asked) return;
  img.dataset.asked = "yes";
  show(img, thumbnail(id));
}

/** Put a date over the tile, `room` px wide; none for "". */
export function date(element, day, room) {
  const head = find("h2", element);
  if (!day) return head?.remove();
  const shown = head ?? make("h2", { class: "day" });
  if (!head) element.prepend(shown);
  shown.textContent = dayName(day);
  shown.style.maxWidth = `${room}px`;
}
