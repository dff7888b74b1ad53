// A picture in the gallery.
import { show } from "./api.js";
import { dayName, dayOf, find, make } from "./dom.js";

const RATIO = { least: 0.5, most: 2.6 };

// What the gallery keeps: there may be 50,000.
export function record({ image_id: id, original_name: name, status, error, caption, caption_status, color, metadata, uploaded_at }) {
	const { width, height, format, datetime } = metadata ?? {};
	const ratio = width ? Math.min(RATIO.most, Math.max(RATIO.least, width / height)) : 1;
	return { id, name, status, error, caption, caption_status, color, width, height, format, ratio, day: dayOf(datetime ?? uploaded_at) };
}

export const thumbnail = (id, size = "medium") => `api/images/${id}/thumbnails/${size}`;

export const failed = ({ status, caption_status }) => status === "failed" || caption_status === "failed";

export function create(item, query) {
	const element = make("li", { "data-id": item.id },
		make("a", { href: `#/image/${item.id}${query}`, tabIndex: -1 }, make("span.frame"), make("span.label")),
		make("input.pick", { type: "checkbox", tabIndex: -1, ariaLabel: `Select ${item.name}` }));
	fill(element, item);
	return element;
}

export function fill(element, item) {
	const { name, caption, status, width, selected } = item;
	const state = status === "processing" && width ? "captioning" : status;
	const [frame, label, pick] = [".frame", ".label", ".pick"].map((one) => find(one, element));
	pick.checked = selected;
	label.textContent = caption ?? name;
	label.title = caption ? `${caption}\n${name}` : name;
	if (element.dataset.state === state) return;
	element.dataset.state = state;
	if (state === "failed") frame.replaceChildren(item.error);
	else if (state === "processing") frame.replaceChildren("Processing…");
	else if (!find("img", frame)) frame.replaceChildren(pixels(item.color, frame.style));
}

function pixels(color, style) {
	const img = make("img", { alt: "", decoding: "async" });
	style.backgroundColor = color ?? "";
	img.onload = () => { style.backgroundColor = ""; };
	img.onerror = () => img.replaceWith("No thumbnail");
	return img;
}

export function load(element, { id }) {
	const img = find("img", element);
	if (!img || img.asked) return;
	img.asked = true;
	show(img, thumbnail(id));
}

export function date(element, day, room) {
	let head = find("h2", element);
	if (!day) return head?.remove();
	if (!head) element.prepend(head = make("h2.day"));
	head.textContent = dayName(day);
	head.style.maxWidth = `${room}px`;
}
