// What is done with all that are selected; what fails stays selected.
import { address, save } from "./api.js";
import { button, complaint, counted, find, icon, make, select, sentence } from "./dom.js";
import * as gallery from "./gallery.js";
import { choose, clear, selected } from "./select.js";
import { failed } from "./tile.js";
import { adding, changeLabels, labelField } from "./words.js";

const AT_ONCE = 4;
const IN_LINE = 190; // ids in the line of a request
const EXPORTS = { imagefolder: "imagefolder (zip)", webdataset: "webdataset (tar)", sidecar: "pictures and .txt (zip)", jsonl: "texts only (jsonl)" };

const told = make("span", { role: "status" });
const retry = button("Retry", () => each("retried", [...selected].filter(failed), ({ id }) => gallery.again(id, "retry")));
const exports = select({ ariaLabel: "Export", onchange: exportAll }, [["", "Export…"], ...Object.entries(EXPORTS)]);
const bar = make("fieldset.bulk", { ariaLabel: "Selected pictures" }, icon("✕", "Select none", clear), told, retry,
	button("Caption", () => each("sent to be captioned", selected, ({ id }) => gallery.again(id, "caption", {}))),
	labelField("Add label", (names) => each("labelled", selected, ({ id }) => changeLabels(id, adding(names)))),
	exports, button("Delete", remove, { className: "danger" }));
find("#gallery").append(bar);

export function show() {
	bar.hidden = !selected.size;
	if (!selected.size) settle();
	if (bar.disabled) return;
	told.textContent = `${counted(selected.size, "picture")} selected`;
	retry.disabled = ![...selected].some(failed);
}

async function busily(part, act) {
	settle();
	bar.disabled = true;
	await act().catch(complaint(bar, part));
	bar.disabled = false;
	show();
}

const settle = () => find(".bad", bar)?.remove();

function exportAll() {
	const format = exports.value;
	const [, suffix] = EXPORTS[format].match(/\((.+)\)/);
	const ids = [...selected].map(({ id }) => id);
	exports.value = "";
	return busily("Exporting", async () => {
		for (let first = 0; first < ids.length; first += IN_LINE) {
			const query = new URLSearchParams([["format", format], ...ids.slice(first, first + IN_LINE).map((id) => ["id", id])]);
			told.textContent = `${first} of ${counted(ids.length, "picture")} exported…`;
			await save(address(`api/exports?${query}`), `imgpipe${first ? `-${first / IN_LINE + 1}` : ""}.${suffix}`);
		}
	});
}

function each(done, some, act) {
	const [waiting, faults] = [[...some], []];
	const size = waiting.length;
	let finished = 0;
	const worker = async () => {
		for (let item = waiting.shift(); item; item = waiting.shift()) {
			await act(item).catch((error) => faults.push([item, error]));
			finished += 1;
			told.textContent = `${finished} of ${counted(size, "picture")} ${done}…`;
		}
	};
	return busily("", async () => {
		await Promise.all(Array.from({ length: AT_ONCE }, worker));
		clear();
		for (const [item] of faults) choose(item, true);
		if (faults.length) throw new Error(`${counted(faults.length, "picture")} not ${done}. ${faults[0][0].name}: ${sentence(faults[0][1])}`);
	});
}

export async function remove() {
	if (bar.disabled || bar.hidden) return;
	if (await gallery.sure(selected)) await each("deleted", selected, ({ id }) => gallery.erase(id));
}
