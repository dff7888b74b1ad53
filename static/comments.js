// The comments of a picture.
import { get, post, request } from "./api.js";
import { ago, button, complaint, confirm, make, sentence, writing } from "./dom.js";

export async function open(place, id) {
	const path = `api/images/${id}/comments`;
	const list = make("ul.comments");
	const title = make("h3", "Comments");
	try {
		await load(list, path, { limit: 20 });
		const send = async (text) => list.prepend(item(path, await post(path, { text })));
		const form = writing("Write a comment", "Comment", { rows: 2, maxlength: 10_000, required: true }, send);
		place.replaceChildren(title, form, list);
	} catch (error) {
		place.replaceChildren(title, make("p.soft", sentence(error, "Commenting")));
	}
}

async function load(list, link, query) {
	const { data, next } = await get(link, query);
	const [path] = link.split("?");
	list.append(...data.map((one) => item(path, one)));
	if (!next) return;
	const last = make("li", button("More comments", () => load(list, next).then(() => last.remove(), complaint(last))));
	list.append(last);
}

function item(path, { comment_id, text, created_at }) {
	const remove = button("Delete", erase, { className: "small danger", ariaLabel: `Delete the comment ${text.slice(0, 40)}` });
	const row = make("li", make("p", text), ago(created_at), remove);
	return row;

	async function erase() {
		if (!(await confirm("Delete this comment?", text.slice(0, 200)))) return;
		await request("DELETE", `${path}/${comment_id}`).then(() => row.remove(), complaint(row));
	}
}
