// What people write: caption, labels, comments.
import { discard, get, post, request } from "./api.js";
import { ago, button, complaint, confirm, find, icon, make, sentence, writing } from "./dom.js";

export const fetchTagged = (id, signal) => tagged("GET", id, { signal });

async function tagged(method, id, options) {
	const response = await request(method, `api/images/${encodeURIComponent(id)}`, options);
	return { image: (await response.json()).data, etag: response.headers.get("ETag") };
}

const patch = (id, json, etag) => tagged("PATCH", id, { json, etag });

// Change labels by a function; where somebody was faster, theirs.
export async function changeLabels(id, change, known) {
	const { image, etag } = known ?? (await fetchTagged(id));
	return patch(id, { labels: change(image.labels) }, etag).catch((error) => {
		if (error.status !== 412) throw error;
		return changeLabels(id, change);
	});
}

export const adding = (names) => (labels) => [...new Set([...labels, ...names])];

// `changed` hears of {image, etag}, and where the keyboard goes on.
export const words = (known, changed) => [caption(known, changed), labels(known, changed)];

function caption(known, changed) {
	const place = make("div.words");
	const { image_id: id } = known.image;
	const done = (now) => changed(now, ".edit");
	const complain = complaint(place);
	read();
	return place;

	function read() {
		const { image } = known;
		const { caption: text } = image;
		const edit = button(text ? "Edit" : "Write a caption", write, { className: "small edit" });
		const asks = image.status === "success" && image.caption_status !== "pending";
		place.replaceChildren(make(text ? "p.caption" : "p.soft", text ?? missing(image)),
			make("div.row", edit, asks && button("Ask again", () => ask().catch(complain), { className: "small" })));
		if (text && image.caption_error) complain(image.caption_error);
	}

	function write() {
		let { image, etag } = known; // as the writer saw them
		const send = (said, save) => patch(id, { caption: said.trim() || null }, etag).then(done, async (error) => {
			if (error.status !== 412) throw error;
			({ image, etag } = await fetchTagged(id));
			save.textContent = "Save mine";
			throw new Error(`Somebody changed this picture meanwhile. The caption is now: ${image.caption ?? "none"}`);
		});
		place.replaceChildren(writing("Caption", "Save", { rows: 3, maxlength: 1000, value: image.caption ?? "" }, send, leave));
		find("textarea", place).focus();
	}

	function leave() {
		read();
		find("button", place).focus();
	}

	async function ask() {
		const human = known.image.caption_source?.provider === "human";
		if (human && !(await confirm("Replace this caption?", "A person wrote it; a machine will write another.", "Replace"))) return;
		await post(`api/images/${id}/caption`, human ? { overwrite_human: true } : {});
		done(await fetchTagged(id));
	}
}

function missing({ status, error, metadata, caption_error, caption_status }) {
	if (status === "failed") return error;
	if (!metadata) return "The picture is being processed…";
	const why = caption_error?.message;
	if (why) return `No caption${caption_status === "failed" ? "" : " yet"}: ${why}`;
	return caption_status === "pending" ? "A caption is being written…" : "No caption yet.";
}

function labels(known, changed) {
	const { image_id: id, labels: names } = known.image;
	const change = (how) => changeLabels(id, how, known).then((now) => changed(now, ".label-field"), complaint(place));
	const chip = (name) => make("span.chip", make("a", { href: `#/?${new URLSearchParams({ label: name })}` }, name),
		icon("✕", `Remove the label ${name}`, () => change((all) => all.filter((one) => one !== name))));
	const place = make("div.row.chips", names.map(chip), labelField("Add label", (more) => change(adding(more))));
	return place;
}

export async function offer({ target }) {
	target.setAttribute("list", "labels");
	const { data } = await get("api/labels", { limit: 200 }).catch(() => ({ data: [] }));
	find("#labels").replaceChildren(...data.map(({ label: value }) => make("option", { value })));
}

export function labelField(words, take) {
	const onkeydown = (event) => {
		const names = field.value.split(",").map((one) => one.trim()).filter(Boolean);
		if (event.key !== "Enter" || !names.length) return;
		event.preventDefault();
		field.value = "";
		take(names);
	};
	const field = make("input.label-field", { placeholder: words, ariaLabel: words, maxlength: 500, onfocus: offer, onkeydown });
	return field;
}

export async function comments(place, id) {
	const path = `api/images/${id}/comments`;
	const list = make("ul.comments");
	const title = make("h3", "Comments");
	try {
		await more(list, path, { limit: 20 });
		const send = async (text) => list.prepend(item(path, await post(path, { text })));
		const form = writing("Write a comment", "Comment", { rows: 2, maxlength: 10_000, required: true }, send);
		place.replaceChildren(title, form, list);
	} catch (error) {
		place.replaceChildren(title, make("p.soft", sentence(error, "Commenting")));
	}
}

async function more(list, link, query) {
	const { data, next } = await get(link, query);
	const [path] = link.split("?");
	list.append(...data.map((one) => item(path, one)));
	if (!next) return;
	const last = make("li", button("More comments", () => more(list, next).then(() => last.remove(), complaint(last))));
	list.append(last);
}

function item(path, { comment_id, text, created_at }) {
	const remove = button("Delete", erase, { className: "small danger", ariaLabel: `Delete the comment ${text.slice(0, 40)}` });
	const row = make("li", make("p", text), ago(created_at), remove);
	return row;

	async function erase() {
		if (!(await confirm("Delete this comment?", text.slice(0, 200)))) return;
		await discard(`${path}/${comment_id}`).then(() => row.remove(), complaint(row));
	}
}
