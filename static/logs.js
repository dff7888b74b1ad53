// Depth logs: the list of what is stored, and the way in for a CSV.
import { get, request } from "./api.js";
import { button, confirm, count, find, make, sentence, styled, table, takeFiles } from "./dom.js";
import { Uploads } from "./uploads.js";
import { open as openViewer } from "./viewer.js";

const place = find("#logs");
const shelf = make("div", { class: "wide logs" });
const intake = takeIn();
let viewer = null;
await styled("logs");

export async function open(name, query) {
  viewer?.leave();
  viewer = name ? await openViewer(place, name, query) : list();
}

function list() {
  place.replaceChildren(make("h1", null, "Depth logs"), ...intake, shelf);
  fill();
}

async function fill() {
  try {
    const logs = await all("api/frames/logs");
    const none = make("p", { class: "note" }, "No depth logs yet.");
    shelf.replaceChildren(logs.length ? table("Depth logs", ["Log", "Depths", "Step", "Rows", "Width", ""], logs.map(row)) : none);
  } catch (error) {
    shelf.replaceChildren(make("p", { class: "note" }, sentence(error, "The depth-log part")));
  }
}

async function all(link) {
  const { data, next } = await get(link);
  return next ? [...data, ...(await all(next))] : data;
}

function row({ log, depth_min, depth_max, depth_step, rows, source_width }) {
  const link = make("a", { href: `#/logs/${encodeURIComponent(log)}` }, log);
  const step = depth_step === null ? "–" : Number(depth_step.toPrecision(6));
  const remove = button("Delete", () => erase(log, rows), { class: "danger", "aria-label": `Delete ${log}` });
  return [link, `${depth_min} to ${depth_max}`, step, count(rows), source_width, remove];
}

async function erase(log, rows) {
  if (!(await confirm(`Delete the log ${log}?`, `${count(rows)} rows are gone for good.`))) return;
  await request("DELETE", `api/frames/logs/${encodeURIComponent(log)}`).catch(() => {});
  fill();
}

function takeIn() {
  const input = make("input", { type: "file", id: "csv", accept: ".csv,.las,.dlis,text/csv" });
  const name = make("input", { maxlength: 100, placeholder: "as the file" });
  const done = make("p", { role: "status" });
  const rows = make("div", { class: "uploads" }, make("p", { role: "status" }));
  const ask = make("span", null, make("b", null, "Drop a CSV here"), " or ", make("u", null, "choose a file"));
  const area = make("label", { class: "drop" }, input, ask, make("small", null, "depth, then pixel values 0 to 255"));
  const told = (answer) => { done.textContent = summary(answer); fill(); };
  const uploads = new Uploads(rows, { path: "api/frames", form: (file) => csvForm(file, name.value.trim()), done: told, explain });
  takeFiles(input, place, (files) => uploads.add(files));
  return [make("div", { class: "row intake" }, make("label", { class: "field" }, "Name of the log", name), area), rows, done];
}

function csvForm(file, name) {
  const form = new FormData();
  form.append("log", name.replaceAll("/", " ") || file.name.replace(/\.csv$/i, "").slice(0, 100));
  form.append("file", file);
  return form;
}

function summary({ log, rows, replaced, depth_min, depth_max }) {
  const again = replaced ? `, ${count(replaced)} of them replaced` : "";
  return `${log}: ${count(rows)} rows from ${depth_min} to ${depth_max}${again}.`;
}

function explain({ details }) {
  if (!details?.errors) return [];
  const rows = details.errors.map(({ line, column, found, expected }) => [line, column ?? "", found ?? "", expected ?? ""]);
  const more = details.more ? `and ${count(details.more)} more` : "";
  return [make("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Faults in the file" }, table("Faults", ["Line", "Column", "Found", "Expected"], rows), more)];
}
