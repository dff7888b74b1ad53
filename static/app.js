// The page's frame: routes in the hash, the filter, who takes the files, the keys that hold everywhere.
import { find, held, settled, takeFiles } from "./dom.js";
import * as gallery from "./gallery.js";
import * as select from "./select.js";

const PARTS = { gallery: "Pictures", logs: "Depth logs", docs: "API", lost: "Not found" };
const form = find("#filter");
let part = "";
let entered = false; // whether the picture was opened from this page, so that back leads there
let scrolled_px = 0; // of the gallery, while another part is shown

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { names: path.split("/").map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const OPENERS = { logs: () => import("./logs.js"), image: () => import("./picture.js"), docs: () => import("./docs.js") };

async function follow() {
  const { hash } = location;
  const { names: [first, second, ...more], query } = route();
  const alone = (first === "" || first === "docs") && !second;
  const lost = more.length || !(first === "logs" || (first === "image" && second) || alone);
  turnTo(lost ? "lost" : first in PARTS ? first : "gallery");
  if (first !== "image" || lost) find("#picture").close("left");
  if (part === "gallery") openGallery(query);
  if (lost) return;
  const module = await OPENERS[first]?.();
  if (location.hash === hash) module?.open(second, query, { leave, go });
}

function turnTo(shown) {
  if (part === "gallery" && shown !== part) scrolled_px = scrollY;
  for (const name of Object.keys(PARTS)) {
    find(`#${name}`).hidden = name !== shown;
    const link = find(`[data-part=${name}]`);
    if (link) link.ariaCurrent = name === shown ? "page" : null;
  }
  document.title = `${PARTS[shown]} · imgpipe`;
  if (part && shown !== part) find("main").focus({ preventScroll: true });
  if (shown !== part) scrollTo(0, shown === "gallery" ? scrolled_px : 0);
  part = shown;
}

function openGallery(wanted) {
  for (const name of Object.keys(gallery.filter)) form[name].value = wanted[name] ?? "";
  gallery.open(wanted);
}

function go(id) {
  history.replaceState(null, "", `#/image/${id}${gallery.query()}`);
  follow();
}

function leave() {
  if (entered) return history.back();
  history.replaceState(null, "", `#/${gallery.query()}`);
  follow();
}

function filterGallery() {
  gallery.open(Object.fromEntries(Object.keys(gallery.filter).map((name) => [name, form[name].value.trim()])));
  history.replaceState(null, "", `#/${gallery.query()}`);
}

function pictureForm(file) {
  const body = new FormData();
  body.append("file", file);
  return body;
}

let uploads = null;
takeFiles(find("#files"), find("#gallery"), async (files) => {
  const { Uploads } = await import("./uploads.js");
  uploads ??= new Uploads(find("#uploads"), { path: "api/images", form: pictureForm, done: gallery.add });
  uploads.add(files);
});
form.addEventListener("input", settled(filterGallery, 250));
form.label.addEventListener("focus", async () => (await import("./labels.js")).offer(form.label), { once: true });
form.addEventListener("submit", (event) => event.preventDefault());
find(".skip").addEventListener("click", (event) => { event.preventDefault(); find("main").focus(); });
// The page behind this link wants the key that a link cannot send; so it is shown in here.
find("[data-part=docs]").addEventListener("click", (event) => {
  if (held(event) || event.shiftKey) return;
  event.preventDefault();
  location.hash = "#/docs";
});
find("#show-keys").addEventListener("click", showKeys);

let bar = null; // of what is done with a selection
addEventListener("selected", async () => {
  if (select.selected.size) bar ??= import("./bulk.js");
  (await bar)?.show();
});

async function showKeys() {
  (await import("./help.js")).open();
}

addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea");
  if (typing || event.defaultPrevented) return;
  const plain = !(held(event) || event.altKey);
  const free = !find("dialog[open]") && part === "gallery";
  if (event.key === "?" && plain && !find("dialog.box[open]")) showKeys();
  else if (event.key === "/" && plain && free) form.q.focus();
  else if (event.key === "Delete" && free && select.selected.size) bar.then((one) => one.remove());
  else if (!free || !select.onKey(event)) return;
  event.preventDefault();
});
addEventListener("hashchange", ({ oldURL }) => {
  entered = !oldURL.includes("#/image/") || entered;
  follow();
});
follow();
