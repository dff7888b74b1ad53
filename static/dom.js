// Elements and the words in them. Text only ever goes in as text.

export const find = (selector, root = document) => root.querySelector(selector);

/** Make an element; `onclick` and the like listen, null and false leave an attribute, or a child, out. */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

export const button = (text, onclick, attributes) => make("button", { type: "button", onclick, ...attributes }, text);

export const terms = (pairs) => pairs.map(([term, value]) => make("div", null, make("dt", null, term), make("dd", null, value)));

export function table(caption, heads, rows) {
  const head = make("tr", null, heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((cells) => make("tr", null, cells.map((cell, n) => make("td", { "data-head": heads[n] }, cell))));
  return make("table", null, make("caption", { class: "unseen" }, caption), make("thead", null, head), make("tbody", null, body));
}

/** Whether Control, or Command, is held. */
export const held = ({ ctrlKey, metaKey }) => ctrlKey || metaKey;

export const sends = (event) => event.key === "Enter" && held(event);

/** Take files from a file input, and from drops anywhere on the page while `part` is in sight. */
export function takeFiles(input, part, take) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  const onDrag = (event) => {
    if (!part.checkVisibility() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take([...event.dataTransfer.files]);
  };
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, onDrag);
}

/** Put text on the clipboard, also where the page came without TLS; resolves to whether it worked. */
export async function copy(text) {
  if (await navigator.clipboard?.writeText(text).then(() => true, () => false)) return true;
  const field = make("textarea", { readonly: true, class: "unseen" });
  field.value = text;
  find("body").append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}

export function styled(name) {
  return new Promise((resolve) => {
    find("head").append(make("link", { rel: "stylesheet", href: `static/${name}.css`, onload: resolve, onerror: resolve }));
  });
}

export function settled(act, pause_ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause_ms);
  };
}

export function atMost(act, pause_ms) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => { timer = 0; act(); }, pause_ms);
  };
}

export function confirm(question, consequence, yes = "Delete") {
  const dialog = find("#confirm");
  find("h2", dialog).textContent = question;
  find("p", dialog).textContent = consequence;
  find("[value=yes]", dialog).textContent = yes;
  return answered(dialog).then((answer) => answer === "yes");
}

/** Open a dialog; resolves to the value of the button that closed it. */
export function answered(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** Tell what went wrong; a part that this server lacks is no fault of the reader's. */
export const sentence = (error, part = "This") =>
  error.code === "not_found" ? `${part} is not available on this server.` : error.message;

export const trouble = (error, part) => make("p", { class: "bad", role: "alert" }, sentence(error, part));

export const count = (value) => value.toLocaleString("en");

export const counted = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

export function bytes(value) {
  if (value < 1000) return `${value} B`;
  const power = value < 999_500 ? 1 : value < 999_950_000 ? 2 : 3;
  return `${(value / 1000 ** power).toFixed(power > 1 ? 1 : 0)} ${["kB", "MB", "GB"][power - 1]}`;
}

export const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

export const time = (iso) => new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function since(iso) {
  const passed_s = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  const [unit, long_s] = UNITS.find(([, one_s]) => passed_s >= one_s) ?? ["now", 1];
  return unit === "now" ? "just now" : relative.format(-Math.floor(passed_s / long_s), unit);
}

/** Tell a time as "3 minutes ago", the exact one on hover; it keeps up with the clock. */
export const ago = (iso) => make("time", { datetime: iso, title: time(iso) }, since(iso));

setInterval(() => {
  for (const one of document.querySelectorAll("time[title]")) one.textContent = since(one.dateTime);
}, 30_000);

const two = (value) => String(value).padStart(2, "0");

/** Return the day, YYYY-MM-DD: the reader's of a UTC time, the camera's of one without zone. */
export function dayOf(iso) {
  if (!iso.endsWith("Z")) return iso.slice(0, 10);
  const date = new Date(iso);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function dayName(day) {
  const days = Math.round((new Date(dayOf(new Date().toISOString())) - new Date(day)) / 86_400_000);
  if (days === 0 || days === 1) return ["Today", "Yesterday"][days];
  return new Date(day).toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
}
