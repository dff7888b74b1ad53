// The comments of a picture: read, add, more.
import { get, post, request } from "./api.js";
import { ago, button, complaint, confirm, find, make, sends, sentence } from "./dom.js";

export async function open(place, id) {
	const path = `api/images/${id}/comments`;
	const list = make("ul.comments");
	const title = make("h3", "Comments");
	try {
		await load(list, path, { limit: 20 });
		place.replaceChildren(title, form(path, list), list);
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

function form(path, list) {
	const words = "Write a comment";
	const field = make("textarea", { rows: 2, maxlength: 10_000, required: true, ariaLabel: words, placeholder: words });
	const send = make("button", { title: "Ctrl+Enter" }, "Comment");
	const all = make("form", { onsubmit: submit }, field, send);
	field.onkeydown = (event) => { if (sends(event)) all.requestSubmit(); };
	return all;

	async function submit(event) {
		event.preventDefault();
		if (send.disabled) return;
		send.disabled = true;
		await post(path, { text: field.value }).then((said) => {
			list.prepend(item(path, said));
			all.reset();
			find(".bad", all)?.remove();
		}, complaint(all));
		send.disabled = false;
	}
}
