// What is done with all that are selected: four at a time, and what fails stays selected.
import { address, save } from "./api.js";
import { button, confirm, counted, find, make, sentence } from "./dom.js";
import * as gallery from "./gallery.js";
import { choose, clear, selectAll, selected } from "./select.js";
import { labelField } from "./labels.js";
import { failed } from "./tile.js";
import { adding, changeLabels } from "./words.js";

const AT_ONCE = 4;
const IN_LINE = 190; // ids that fit into the line of a request
const EXPORTS = { imagefolder: "imagefolder (zip)", webdataset: "webdataset (tar)", sidecar: "pictures and .txt (zip)", jsonl: "texts only (jsonl)" };
let busy = false;

const told = make("span", { role: "status" });
const note = make("p", { class: "bad", role: "alert", hidden: true });
const all = button("Select all", loadAll);
const exports = make("select", { "aria-label": "Export", onchange: exportAll }, make("option", { value: "" }, "Export…"),
  Object.entries(EXPORTS).map(([value, text]) => make("option", { value }, text)));
const acts = {
  Retry: button("Retry", () => each("retried", [...selected.values()].filter(failed), ({ id }) => gallery.again(id, "retry"))),
  Caption: button("Caption", () => each("sent to be captioned", [...selected.values()], ({ id }) => gallery.again(id, "caption", {}))),
  Label: labelField("Add label", (names) => each("labelled", [...selected.values()], ({ id }) => changeLabels(id, adding(names)))),
  Export: exports,
  Delete: button("Delete", remove, { class: "danger" }),
};
const bar = make("div", { class: "bulk", role: "region", "aria-label": "Selected pictures" },
  note, told, all, ...Object.values(acts), button("✕", clear, { class: "quiet", "aria-label": "Select none" }));
find("#gallery").append(bar);

export function show() {
  bar.hidden = !selected.size;
  if (!selected.size) note.hidden = true;
  if (busy) return;
  told.textContent = `${counted(selected.size, "picture")} selected`;
  all.hidden = !gallery.hasMore() && selected.size >= gallery.mosaic.items.length;
  for (const one of bar.querySelectorAll("button, input, select")) one.disabled = false;
  acts.Retry.disabled = ![...selected.values()].some(failed);
}

async function loadAll() {
  try {
    begin();
    await gallery.loadRest((loaded) => { told.textContent = `${counted(loaded, "picture")} found…`; });
  } catch (error) {
    complain(error.message);
  }
  busy = false;
  selectAll();
}

async function exportAll() {
  const format = exports.value;
  const suffix = { webdataset: "tar", jsonl: "jsonl" }[format] ?? "zip";
  const ids = [...selected.keys()];
  exports.value = "";
  begin();
  try {
    for (let first = 0; first < ids.length; first += IN_LINE) {
      const query = new URLSearchParams([["format", format], ...ids.slice(first, first + IN_LINE).map((id) => ["id", id])]);
      told.textContent = `${first} of ${counted(ids.length, "picture")} exported…`;
      await save(address(`api/exports?${query}`), `imgpipe${first ? `-${first / IN_LINE + 1}` : ""}.${suffix}`);
    }
  } catch (error) {
    complain(sentence(error, "Exporting"));
  }
  busy = false;
  show();
}

function begin() {
  busy = true;
  note.hidden = true;
  for (const one of bar.querySelectorAll("button, input, select")) one.disabled = true;
}

function complain(words) {
  note.textContent = words;
  note.hidden = false;
}

async function each(done, items, act) {
  begin();
  const waiting = [...items];
  const faults = [];
  let finished = 0;
  const worker = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      await act(item).catch((error) => faults.push([item, error]));
      finished += 1;
      told.textContent = `${finished} of ${counted(items.length, "picture")} ${done}…`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  busy = false;
  clear();
  for (const [item] of faults) choose(item, true);
  if (faults.length) complain(`${counted(faults.length, "picture")} not ${done}. ${faults[0][0].name}: ${sentence(faults[0][1])}`);
  show();
}

export async function remove() {
  if (busy || bar.hidden) return;
  const items = [...selected.values()];
  const question = items.length === 1 ? `Delete ${items[0].name}?` : `Delete ${counted(items.length, "picture")}?`;
  if (!(await confirm(question, "With their thumbnails and comments they are gone for good."))) return;
  await each("deleted", items, ({ id }) => gallery.erase(id));
}
