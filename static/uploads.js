// Uploads; what fails folds into one line, with a retry where it can help.
import { post } from "./api.js";
import { button, count, counted, find, icon, make } from "./dom.js";

const IN_FLIGHT = 3;

// Whether the same file may go through at another time.
const passing = ({ status }) => [0, 401, 408, 409, 429].includes(status) || status >= 500;

// Return what takes files; `explain(error)` adds to a refusal.
export function uploading(place, { path, fields, done, explain }) {
	const waiting = [];
	const faults = new Map();
	let [flying, ready] = [0, 0];
	const [rows, list] = ["Uploads", "Failed uploads"].map((ariaLabel) => make("ul", { ariaLabel }));
	const line = make("summary");
	const again = button("Retry", () => retry(...faults.keys()));
	const failed = make("details.faults", { hidden: true }, line,
		make("div.row", again, button("Dismiss all", () => dismiss(...faults.keys()))), list);
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
		const row = make("li.failed", make("b", file.name), make("span", error.message),
			passing(error) && button("Retry", () => retry(row), { ariaLabel: `Retry ${file.name}` }),
			icon("✕", `Dismiss ${file.name}`, () => dismiss(row)), explain?.(error));
		faults.set(row, [file, error]);
		list.append(row);
		if (faults.size < 3) failed.open = faults.size === 1; // the second folds them into the line
	}

	function retry(...some) {
		const found = some.filter((row) => passing(faults.get(row)[1]));
		const files = found.map((row) => faults.get(row)[0]);
		dismiss(...found);
		add(files);
	}

	function dismiss(...some) {
		for (const row of some) {
			faults.delete(row);
			row.remove();
		}
		tell();
	}

	function tell() {
		const errors = [...faults.values()].map(([, error]) => error);
		const { size } = faults;
		const all = ready + size + flying + waiting.length;
		find("[role=status]", place).textContent = all ? `${count(ready)} of ${count(all)} uploaded${size ? `, ${count(size)} failed` : ""}` : "";
		failed.hidden = !size;
		line.textContent = size ? `${counted(size, "upload")} failed: ${errors.at(-1).message}` : "";
		again.hidden = !errors.some(passing);
	}
}
