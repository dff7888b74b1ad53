// The page's frame: routes in the hash, the filter, who takes the files.
import { find, settled } from "./dom.js";
import * as gallery from "./gallery.js";
import { takeFiles, Uploads } from "./uploads.js";

const PARTS = { gallery: "Pictures", logs: "Depth logs" };
const form = find("#filter");
let part = "";
let entered = false; // whether the picture was opened from this page, so that back leads there

/** Split the hash into the names of its path and its query. */
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

async function follow() {
  const { hash } = location;
  const { names: [first, second], query } = route();
  turnTo(first === "logs" ? "logs" : "gallery");
  if (first !== "image") find("#picture").close("left");
  if (part === "gallery" && !(first === "image" && gallery.isOpen())) openGallery(query);
  const opener = { logs: () => import("./logs.js"), image: () => import("./picture.js") }[first];
  const module = await opener?.();
  if (location.hash === hash) module?.open(second, query, leavePicture);
}

function turnTo(shown) {
  for (const name of Object.keys(PARTS)) {
    find(`#${name}`).hidden = name !== shown;
    find(`[data-part=${name}]`).ariaCurrent = name === shown ? "page" : null;
  }
  document.title = `${PARTS[shown]} · imgpipe`;
  if (part && shown !== part) find("main").focus({ preventScroll: true });
  part = shown;
}

function openGallery({ q = "", status = "" }) {
  form.q.value = q;
  form.status.value = status;
  gallery.open({ q, status });
}

function leavePicture() {
  if (entered) history.back();
  else location.hash = "#/";
}

function filterGallery() {
  const wanted = { q: form.q.value.trim(), status: form.status.value };
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `#/?${query}` : "#/");
  gallery.open(wanted);
}

function pictureForm(file) {
  const body = new FormData();
  body.append("file", file);
  return body;
}

const uploads = new Uploads(find("#uploads"), { path: "api/images", form: pictureForm, done: gallery.add });
takeFiles(find("#files"), (files) => uploads.add(files));
form.addEventListener("input", settled(filterGallery, 250));
form.addEventListener("submit", (event) => event.preventDefault());
find(".skip").addEventListener("click", (event) => { event.preventDefault(); find("main").focus(); });
addEventListener("hashchange", ({ oldURL }) => {
  if (!oldURL.includes("#/image/")) entered = true;
  follow();
});
follow();
