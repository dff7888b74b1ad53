// Elements and the words in them. Text only ever goes in as text.

export const find = (selector, root = document) => root.querySelector(selector);

/** Make an element; `onclick` and the like listen, null and false leave an attribute, or a child, out. */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

export const button = (text, onclick, attributes) => make("button", { type: "button", onclick, ...attributes }, text);

/** Make the rows of a definition list out of [term, value] pairs. */
export const terms = (pairs) => pairs.map(([term, value]) => make("div", null, make("dt", null, term), make("dd", null, value)));

export function table(caption, heads, rows) {
  const head = make("tr", null, heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((cells) => make("tr", null, cells.map((cell) => make("td", null, cell))));
  return make("table", null, make("caption", { class: "unseen" }, caption), make("thead", null, head), make("tbody", null, body));
}

/** Run `act` once calls have stopped for `pause_ms`. */
export function settled(act, pause_ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause_ms);
  };
}

/** Run `act` at most once in `pause_ms`, however often it is called. */
export function atMost(act, pause_ms) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => { timer = 0; act(); }, pause_ms);
  };
}

/** Ask before something is lost; resolves to true or false. */
export function confirm(question, consequence) {
  const dialog = find("#confirm");
  find("h2", dialog).textContent = question;
  find("p", dialog).textContent = consequence;
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

export const bytes = (value) => `${count(Math.ceil(value / 1000))} kB`;

export const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

export const time = (iso) => new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
