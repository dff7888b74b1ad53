// Caption and labels of a picture, written in place; two people do not overwrite each other unawares.
import { post, request } from "./api.js";
import { button, confirm, make, sends, trouble } from "./dom.js";
import { labelField } from "./labels.js";

/** Fetch a picture with the ETag of what is known: {image, etag}. Throws ApiError. */
export const fetchTagged = (id, signal) => tagged("GET", id, { signal });

async function tagged(method, id, options) {
  const response = await request(method, `api/images/${encodeURIComponent(id)}`, options);
  return { image: (await response.json()).data, etag: response.headers.get("ETag") };
}

const patch = (id, json, etag) => tagged("PATCH", id, { json, etag });

/** Change a picture's labels by a function; where somebody was faster, theirs are changed. Throws ApiError. */
export async function changeLabels(id, change, { image, etag } = {}) {
  const now = image ? { image, etag } : await fetchTagged(id);
  return patch(id, { labels: change(now.image.labels) }, now.etag).catch((error) => {
    if (error.status !== 412) throw error;
    return changeLabels(id, change);
  });
}

export const adding = (names) => (labels) => [...new Set([...labels, ...names])];

/** Make the caption and the labels of {image, etag}; `changed` hears of the new ones, and where the keyboard goes on. */
export function words(known, changed) {
  return [caption(known, changed), labels(known, changed)];
}

function caption({ image, etag }, changed) {
  const place = make("div", { class: "words" });
  read();
  return place;

  function read() {
    const text = make("p", { class: image.caption ? "caption" : "soft" }, image.caption ?? missing(image));
    const edit = button(image.caption ? "Edit" : "Write a caption", write, { class: "small", "aria-keyshortcuts": "e", "data-act": "edit" });
    const again = image.caption_status === "pending" || image.status !== "success" ? null
      : button("Ask again", () => ask().catch(complain), { class: "small", title: "Have the captioner look once more" });
    place.replaceChildren(text, make("div", { class: "row" }, edit, again ?? ""));
    if (image.caption && image.caption_error) complain(image.caption_error);
  }

  function write() {
    const field = make("textarea", { rows: 3, maxlength: 1000, "aria-label": "Caption" });
    field.value = image.caption ?? "";
    const save = make("button", { class: "main", title: "Ctrl+Enter" }, "Save");
    const form = make("form", null, field, make("div", { class: "row" }, save, button("Cancel", leave)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save.disabled = true;
      send(field.value.trim() || null).catch((error) => {
        save.disabled = false;
        if (error.status === 412) return clash(save);
        complain(error);
      });
    });
    field.addEventListener("keydown", (event) => {
      if (sends(event)) form.requestSubmit();
      if (event.key !== "Escape") return;
      event.preventDefault(); // it would close the picture
      leave();
    });
    place.replaceChildren(form);
    field.focus();
  }

  function leave() {
    read();
    place.querySelector("button").focus();
  }

  async function send(text) {
    changed(await patch(image.image_id, { caption: text }, etag), "[data-act=edit]");
  }

  async function clash(save) {
    ({ image, etag } = await fetchTagged(image.image_id));
    complain(new Error(`Somebody changed this picture meanwhile. The caption is now: ${image.caption ?? "none"}`));
    save.textContent = "Save mine";
  }

  async function ask() {
    const human = image.caption_source?.provider === "human";
    if (human && !(await confirm("Replace this caption?", "A person wrote it; a machine will write another.", "Replace"))) return;
    await post(`api/images/${image.image_id}/caption`, human ? { overwrite_human: true } : {});
    changed(await fetchTagged(image.image_id), "[data-act=edit]");
  }

  function complain(error) {
    place.querySelector(".bad")?.remove();
    place.append(trouble(error));
  }
}

function missing(image) {
  if (image.status === "failed") return image.error;
  if (!image.metadata) return "The picture is being processed…";
  const why = image.caption_error?.message;
  const reasons = { pending: why ? `No caption yet: ${why}` : "A caption is being written…", failed: `No caption: ${why}` };
  return reasons[image.caption_status] ?? "No caption yet.";
}

function labels(known, changed) {
  const { image } = known;
  const place = make("div", { class: "row chips" });
  const change = (how) => changeLabels(image.image_id, how, known).then((now) => changed(now, ".label-field"), (error) => place.append(trouble(error)));
  const drop = (name) => button("✕", () => change((all) => all.filter((one) => one !== name)), { class: "quiet", "aria-label": `Remove the label ${name}` });
  const chip = (name) => make("span", { class: "chip" }, make("a", { href: `#/?${new URLSearchParams({ label: name })}` }, name), drop(name));
  place.append(...image.labels.map(chip), labelField("Add label", (names) => change(adding(names))));
  return place;
}
