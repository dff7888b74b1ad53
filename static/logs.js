// The list of depth logs, and the way in.
import { discard, get } from "./api.js";
import { button, complaint, confirm, count, find, make, sentence, table, takeFiles } from "./dom.js";
import { uploading } from "./uploads.js";
import * as viewer from "./viewer.js";

const place = find("#logs");
const shelf = make("div.wide.logs");
const done = make("p", { role: "status" });
const name = make("input", { maxlength: 100, placeholder: "as the file" });
const csv = make("input", { type: "file", id: "csv", accept: ".csv,.las,.dlis,text/csv" });
const rows = make("div.uploads", make("p", { role: "status" }));
const intake = make("div.row.intake",
	make("label.field", "Name of the log", name), make("label.button.main.add", csv, "Add a CSV"),
	make("small", "or drop it anywhere: depth, then pixel values 0 to 255"));

takeFiles(csv, place, uploading(rows, { path: "api/frames", fields, done: told, explain }));

export function open(log, query) {
	viewer.leave();
	if (log) return viewer.open(place, log, query);
	place.replaceChildren(make("h1", "Depth logs"), intake, rows, done, shelf);
	fill();
}

async function fill() {
	try {
		const logs = await all("api/frames/logs");
		shelf.replaceChildren(logs.length
			? table(["Log", "Depths", "Step", "Rows", "Width", ""], logs.map(row))
			: make("p.note", "No depth logs yet."));
	} catch (error) {
		shelf.replaceChildren(make("p.note", sentence(error, "The depth-log part")));
	}
}

async function all(link) {
	const { data, next } = await get(link);
	return next ? [...data, ...(await all(next))] : data;
}

const path = (log) => `logs/${encodeURIComponent(log)}`;

function row({ log, depth_min, depth_max, depth_step, rows, source_width }) {
	const step = depth_step === null ? "–" : Number(depth_step.toPrecision(6));
	const remove = button("Delete", () => erase(log, rows), { className: "danger", ariaLabel: `Delete ${log}` });
	return [make("a", { href: `#/${path(log)}` }, log), `${depth_min} to ${depth_max}`, step, count(rows), source_width, remove];
}

async function erase(log, rows) {
	if (!(await confirm(`Delete the log ${log}?`, `${count(rows)} rows are gone for good.`))) return;
	await discard(`api/frames/${path(log)}`).then(fill, complaint(shelf));
}

function fields(file) {
	return { log: name.value.trim().replaceAll("/", " ") || file.name.replace(/\.csv$/i, "").slice(0, 100) };
}

function told({ log, rows, replaced, depth_min, depth_max }) {
	const again = replaced ? `, ${count(replaced)} of them replaced` : "";
	done.textContent = `${log}: ${count(rows)} rows from ${depth_min} to ${depth_max}${again}.`;
	fill();
}

function explain({ details }) {
	if (!details?.errors) return null;
	const rows = details.errors.map(({ line, column, found, expected }) => [line, column, found, expected]);
	return make("div.wide", { tabIndex: 0, role: "group", ariaLabel: "Faults in the file" },
		table(["Line", "Column", "Found", "Expected"], rows), details.more ? `and ${count(details.more)} more` : "");
}
