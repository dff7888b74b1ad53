// Uploads; what fails folds into one line, with a retry where it can help.
import { passing, post } from "./api.js";
import { button, count, counted, find, make } from "./dom.js";

const IN_FLIGHT = 3;

// Return what takes files; `explain(error)` adds to a refusal.
export function uploading(place, { path, fields, done, explain }) {
	const waiting = [];
	let [flying, ready, faults] = [0, 0, []];
	const [rows, list] = ["Uploads", "Failed uploads"].map((ariaLabel) => make("ul", { ariaLabel }));
	const line = make("summary");
	const again = button("Retry", () => add(dismiss(passing)));
	const failed = make("details.faults", { hidden: true }, line,
		make("div.row", again, button("Dismiss all", () => dismiss(() => true))), list);
	place.append(rows, failed);
	return add;

	function add(files) {
		if (!flying) ready = 0;
		waiting.push(...files);
		fly();
	}

	function fly() {
		while (flying < IN_FLIGHT && waiting.length) upload(waiting.shift());
		tell();
	}

	async function upload(file) {
		flying += 1;
		const bar = make("progress", { max: 1, value: 0, ariaLabel: `Uploading ${file.name}` });
		const row = make("li", make("b", file.name), bar);
		rows.append(row);
		const progress = (part) => (part < 1 ? bar.setAttribute("value", part) : bar.removeAttribute("value"));
		const form = new FormData();
		for (const [name, value] of Object.entries({ ...fields?.(file), file })) form.append(name, value);
		await post(path, null, { form, progress }).then((answer) => {
			ready += 1;
			done(answer);
		}, (error) => fail(file, error));
		row.remove();
		flying -= 1;
		fly();
	}

	function fail(file, error) {
		const row = make("li.failed", make("b", file.name), make("span", error.message), explain?.(error));
		faults.push({ file, error, row });
		list.append(row);
		if (faults.length < 3) failed.open = faults.length === 1; // the second folds them into the line
	}

	// Take the faults away of whose errors `which` holds; returns their files.
	function dismiss(which) {
		const some = faults.filter(({ error }) => which(error));
		faults = faults.filter((one) => !some.includes(one));
		for (const { row } of some) row.remove();
		tell();
		return some.map(({ file }) => file);
	}

	function tell() {
		const { length } = faults;
		const all = ready + length + flying + waiting.length;
		find("[role=status]", place).textContent = all ? `${count(ready)} of ${count(all)} uploaded${length ? `, ${count(length)} failed` : ""}` : "";
		failed.hidden = !length;
		line.textContent = length ? `${counted(length, "upload")} failed: ${faults.at(-1).error.message}` : "";
		again.hidden = !faults.some(({ error }) => passing(error));
	}
}
