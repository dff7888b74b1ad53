// The comments of a picture: read, add, more.
import { get, post, request } from "./api.js";
import { ago, button, confirm, make, sends, sentence, trouble } from "./dom.js";

const PAGE = 20;

export async function open(place, id) {
  const path = `api/images/${id}/comments`;
  const list = make("ul", { class: "comments" });
  const title = make("h3", null, "Comments");
  try {
    await load(list, path, { limit: PAGE });
    place.replaceChildren(title, form(path, list), list);
  } catch (error) {
    place.replaceChildren(title, make("p", { class: "soft" }, sentence(error, "Commenting")));
  }
}

async function load(list, link, query) {
  const { data, next } = await get(link, query);
  const [path] = link.split("?");
  list.append(...data.map((one) => item(path, one)));
  if (!next) return;
  const more = button("More comments", () => load(list, next).then(() => last.remove(), (error) => last.append(trouble(error))));
  const last = make("li", null, more);
  list.append(last);
}

function item(path, { comment_id, text, created_at }) {
  const remove = button("Delete", erase, { class: "small danger", "aria-label": `Delete the comment ${text.slice(0, 40)}` });
  const row = make("li", null, make("p", null, text), ago(created_at), remove);
  return row;

  async function erase() {
    if (!(await confirm("Delete this comment?", text.slice(0, 200)))) return;
    await request("DELETE", `${path}/${comment_id}`).then(() => row.remove(), (error) => row.append(trouble(error)));
  }
}

function form(path, list) {
  const field = make("textarea", { rows: 2, maxlength: 10_000, required: true, "aria-label": "Write a comment", placeholder: "Write a comment" });
  const send = make("button", { title: "Ctrl+Enter" }, "Comment");
  const note = make("div");
  const all = make("form", { onsubmit: submit }, field, note, send);
  field.addEventListener("keydown", (event) => sends(event) && all.requestSubmit());
  return all;

  async function submit(event) {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    note.replaceChildren();
    try {
      list.prepend(item(path, await post(path, { text: field.value })));
      field.value = "";
    } catch (error) {
      note.append(trouble(error));
    }
    send.disabled = false;
  }
}
