// The gallery: pages loaded ahead, each picture once, new ones on top, processing ones live.
import { get, show } from "./api.js";
import { atMost, button, count, duration, find, make, sentence, terms } from "./dom.js";
import { watch } from "./watch.js";

const FIRST_PAGE = 16; // a screenful: the first look stays small
const PAGE = 60;
const AHEAD = "1500px";
const RATIO = { least: 0.5, most: 2.6 };

const tiles = new Map(); // id -> its element
const list = find("#tiles");
const more = find("#more");
let filter = {};
let walk = null; // through the pages of the present filter: where to go on, and how to stop

/** Show the gallery under a filter; the same filter again keeps what is there. */
export function open(wanted) {
  if (walk && wanted.q === filter.q && wanted.status === filter.status) return;
  walk?.stop.abort();
  filter = wanted;
  walk = { stop: new AbortController(), next: "api/images", loading: false };
  tiles.clear();
  list.replaceChildren();
  load(walk);
  loadStats();
}

export const isOpen = () => walk !== null;

/** Put a picture that was just uploaded on top, unless the filter would not find it. */
export function add(image) {
  refreshStats();
  if (filter.q || !["", "processing"].includes(filter.status) || tiles.has(image.image_id)) return;
  list.prepend(tile(image));
  tell();
}

/** Show a picture's new state, or take it away where there is none. */
export function update(id, image) {
  refreshStats();
  const element = tiles.get(id);
  if (element && image) fill(element, image);
  if (!element || image) return;
  tiles.delete(id);
  element.remove();
  tell();
}

async function load(walk) {
  if (walk.loading || !walk.next) return;
  walk.loading = true;
  if (!tiles.size) more.textContent = "Loading…";
  try {
    const first = walk.next.includes("?") ? {} : { ...filter, limit: FIRST_PAGE };
    const page = await get(walk.next, first, walk.stop.signal);
    list.append(...page.data.filter((image) => !tiles.has(image.image_id)).map(tile));
    walk.next = page.next?.replace(/([?&]limit=)\d+/, `$1${PAGE}`);
    tell();
    lookAhead();
  } catch (error) {
    if (!walk.stop.signal.aborted) more.replaceChildren(sentence(error, "The gallery"), " ", button("Retry", () => load(walk)));
  } finally {
    walk.loading = false;
  }
}

// To observe anew reports at once: pages come until the end is far away.
function lookAhead() {
  end.unobserve(more);
  end.observe(more);
}

const end = new IntersectionObserver(([entry]) => entry.isIntersecting && load(walk), { rootMargin: AHEAD });

function tell() {
  const shown = `${count(tiles.size)} ${tiles.size === 1 ? "picture" : "pictures"}`;
  const none = filter.q || filter.status ? "Nothing found." : "No pictures yet. The first one starts the gallery.";
  more.textContent = tiles.size ? shown + (walk.next ? ", more below" : "") : none;
}

function tile(image) {
  const element = make("li", { "data-id": image.image_id });
  tiles.set(image.image_id, element);
  fill(element, image);
  if (image.status === "processing") watch(image.image_id, (now) => update(image.image_id, now));
  return element;
}

function fill(element, image) {
  const state = image.status === "processing" && image.metadata ? "captioning" : image.status;
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  element.style.setProperty("--ratio", ratio(image.metadata));
  const focused = element.contains(document.activeElement);
  const label = make("span", { class: "label", title: image.original_name }, image.original_name);
  element.replaceChildren(make("a", { href: `#/image/${image.image_id}` }, frame(image), label));
  if (focused) element.firstChild.focus();
}

const ratio = (metadata) => (metadata ? Math.min(RATIO.most, Math.max(RATIO.least, metadata.width / metadata.height)) : 1);

function frame(image) {
  if (image.status === "failed") return make("span", { class: "frame" }, image.error);
  if (!image.metadata) return make("span", { class: "frame busy" }, "Processing…");
  const { width, height } = image.metadata;
  const img = make("img", { alt: image.caption ?? "", loading: "lazy", decoding: "async", width, height });
  img.onerror = () => img.replaceWith("No thumbnail");
  show(img, image.thumbnails.medium);
  return make("span", { class: "frame" }, img);
}

async function loadStats() {
  const { data } = await get("api/stats").catch(() => ({}));
  if (data) find("#stats").replaceChildren(...terms(figures(data)));
}

const refreshStats = atMost(loadStats, 1000);

function figures({ total, success, processing, failed, avg_processing_time_ms: average_ms }) {
  const counts = { Pictures: count(total), Ready: count(success), Processing: count(processing), Failed: count(failed) };
  return Object.entries({ ...counts, "On average": average_ms === null ? "–" : duration(average_ms) });
}
