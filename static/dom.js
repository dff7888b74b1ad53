// Elements and words; text only ever goes in as text.

export const find = (selector, root = document) => root.querySelector(selector);

// Make an element of "tag.class": objects are its properties or attributes.
export function make(kind, ...parts) {
	const [tag, ...names] = kind.split(".");
	const element = document.createElement(tag);
	element.classList.add(...names);
	for (const part of parts.flat(2)) {
		if (part?.constructor === Object) give(element, part);
		else if ((part ?? false) !== false) element.append(part);
	}
	return element;
}

function give(element, attributes) {
	for (const [name, value] of Object.entries(attributes)) {
		if (name in element) element[name] = value;
		else element.setAttribute(name, value);
	}
}

export const button = (text, onclick, ...more) => make("button", { type: "button", onclick }, ...more, text);

export const icon = (sign, ariaLabel, onclick) => button(sign, onclick, { ariaLabel, className: "quiet" });

export const select = (attributes, options) =>
	make("select", attributes, options.map((one) => [one].flat()).map(([value, text = value]) => new Option(text, value)));

export const terms = (pairs) => pairs.map(([term, value]) => make("div", make("dt", term), make("dd", value)));

export function table(heads, rows) {
	const cell = (content, n) => make("td", { "data-head": heads[n] }, content);
	return make("table",
		make("thead", make("tr", heads.map((text) => make("th", text)))),
		make("tbody", rows.map((cells) => make("tr", cells.map(cell)))));
}

export const held = ({ ctrlKey, metaKey }) => ctrlKey || metaKey;

export function takeFiles(input, part, take) {
	input.onchange = () => {
		take([...input.files]);
		input.value = "";
	};
	const onDrag = (event) => {
		if (!part.checkVisibility() || !event.dataTransfer.types.includes("Files")) return;
		event.preventDefault();
		document.body.classList.toggle("over", event.type === "dragover");
		if (event.type === "drop") take([...event.dataTransfer.files]);
	};
	for (const name of ["dragover", "dragleave", "drop"]) addEventListener(name, onDrag);
}

export function soon(act, pause_ms) {
	let due = 0;
	const run = () => { due = 0; act(); };
	return () => { due ||= pause_ms ? setTimeout(run, pause_ms) : requestAnimationFrame(run); };
}

export function ask(id, question, ...parts) {
	const dialog = make("dialog.box", { id, ariaLabel: question }, make("form", { method: "dialog" }, make("h2", question), parts));
	find("body").append(dialog);
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.onclose = () => {
			dialog.remove();
			resolve(dialog.returnValue === "yes");
		};
	});
}

export const confirm = (question, consequence, yes = "Delete") => ask("confirm", question, make("p", consequence),
	make("div.row", make("button", { autofocus: true }, "Keep"), make("button.danger", { value: "yes" }, yes)));

// A form for a text, which `send` hears; it stays where that fails. Escape leaves the field.
export function writing(ariaLabel, yes, attributes, send, leave) {
	const field = make("textarea", { ariaLabel, placeholder: ariaLabel, ...attributes });
	const save = make("button", { title: "Ctrl+Enter" }, yes);
	const form = make("form", field, make("div.row", save, leave && button("Cancel", leave)));
	field.onkeydown = (event) => {
		if (event.key === "Enter" && held(event)) form.requestSubmit();
		if (event.key !== "Escape") return;
		event.preventDefault(); // it would close the picture
		if (leave) leave();
		else field.blur();
	};
	form.onsubmit = async (event) => {
		event.preventDefault();
		if (save.disabled) return;
		save.disabled = true;
		find(".bad", form)?.remove();
		await send(field.value, save).then(() => form.reset(), complaint(form));
		save.disabled = false;
	};
	return form;
}

export const sentence = (error, part = "This") =>
	error.code === "not_found" ? `${part} is not available on this server.` : error.message;

export const complaint = (place, part) => (error) => {
	find(":scope > .bad", place)?.remove();
	place.append(make("p.bad", { role: "alert" }, sentence(error, part)));
};

export const count = (value) => value.toLocaleString("en");

export const counted = (value, one) => `${count(value)} ${one}${value === 1 ? "" : "s"}`;

export function bytes(value) {
	if (value < 1000) return `${value} B`;
	return value < 999_500 ? `${(value / 1e3).toFixed()} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function since(iso) {
	const passed_s = (Date.now() - new Date(iso)) / 1000;
	const [unit, long_s] = UNITS.find(([, one_s]) => passed_s >= one_s) ?? [];
	return unit ? relative.format(-Math.floor(passed_s / long_s), unit) : "just now";
}

export function ago(iso) {
	const title = new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
	return make("time", { dateTime: iso, title }, since(iso));
}

setInterval(() => {
	for (const one of document.querySelectorAll("time[title]")) one.textContent = since(one.dateTime);
}, 30_000);

const days = new Intl.DateTimeFormat("sv");

// The reader's day of a UTC time, the camera's of one without zone.
export const dayOf = (iso) => (iso.endsWith("Z") ? days.format(new Date(iso)) : iso.slice(0, 10));

export function dayName(day) {
	const passed = Math.round((new Date(days.format()) - new Date(day)) / 86_400_000);
	return ["Today", "Yesterday"][passed] ?? new Date(day).toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
}
