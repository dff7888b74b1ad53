// The comments of a picture: read, add, more.
import { get, request } from "./api.js";
import { button, make, sentence, time, trouble } from "./dom.js";

const PAGE = 20;

/** Show the comments of the picture `id` in `place`. */
export async function open(place, id) {
  const path = `api/images/${id}/comments`;
  const list = make("ul");
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
  list.append(...data.map(item));
  if (!next) return;
  const more = button("More comments", () => load(list, next).then(() => last.remove(), (error) => last.append(trouble(error))));
  const last = make("li", null, more);
  list.append(last);
}

const item = ({ text, created_at }) =>
  make("li", null, make("p", null, text), make("time", { datetime: created_at }, time(created_at)));

function form(path, list) {
  const field = make("textarea", { rows: 2, maxlength: 10_000, required: true, "aria-label": "Write a comment", placeholder: "Write a comment" });
  const send = make("button", null, "Comment");
  const note = make("div");
  return make("form", { onsubmit: submit }, field, note, send);

  async function submit(event) {
    event.preventDefault();
    send.disabled = true;
    note.replaceChildren();
    try {
      const response = await request("POST", path, { json: { text: field.value } });
      list.prepend(item((await response.json()).data));
      field.value = "";
    } catch (error) {
      note.append(trouble(error));
    }
    send.disabled = false;
  }
}
