// Labels: those in use are offered wherever one is typed.
import { get } from "./api.js";
import { find, make } from "./dom.js";

const OFFERED = 200;

export function offer(field) {
  field.setAttribute("list", "labels");
  const fill = async () => {
    const { data } = await get("api/labels", { limit: OFFERED }).catch(() => ({ data: [] }));
    find("#labels").replaceChildren(...data.map(({ label }) => make("option", { value: label })));
  };
  field.addEventListener("focus", fill);
  if (document.activeElement === field) fill();
}

export function labelField(words, take) {
  const field = make("input", { class: "label-field", placeholder: words, "aria-label": words, maxlength: 500 });
  field.addEventListener("keydown", (event) => {
    const names = field.value.split(",").map((one) => one.trim()).filter(Boolean);
    if (event.key !== "Enter" || !names.length) return;
    event.preventDefault();
    field.value = "";
    take(names);
  });
  offer(field);
  return field;
}
