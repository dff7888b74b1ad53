// Uploads: three in flight, a bar each; what fails stays, with the reason and a retry.
import { upload } from "./api.js";
import { button, count, make } from "./dom.js";

const IN_FLIGHT = 3;

/** Files for `path`: `form(file)` makes the body, `done(answer)` hears of it, `explain(error)` adds to a refusal. */
export class Uploads {
  #waiting = [];
  #flying = 0;
  #done = 0;
  #summary = make("p", { role: "status" });
  #rows = make("ul", { "aria-label": "Uploads" });

  constructor(place, options) {
    Object.assign(this, options);
    place.append(this.#summary, this.#rows);
  }

  add(files) {
    if (!this.#flying) this.#done = 0;
    this.#waiting.push(...files);
    this.#fly();
  }

  #fly() {
    while (this.#flying < IN_FLIGHT && this.#waiting.length) this.#upload(this.#waiting.shift());
    this.#summarise();
  }

  async #upload(file) {
    this.#flying += 1;
    const bar = make("progress", { max: 1, value: 0, "aria-label": `Uploading ${file.name}` });
    const row = make("li", null, make("b", null, file.name), bar);
    this.#rows.append(row);
    const progress = (part) => (part < 1 ? bar.setAttribute("value", part) : bar.removeAttribute("value"));
    try {
      this.done(await upload(this.path, this.form(file), progress));
      this.#done += 1;
      row.remove();
    } catch (error) {
      this.#fail(row, file, error);
    }
    this.#flying -= 1;
    this.#fly();
  }

  #fail(row, file, error) {
    const retry = () => { row.remove(); this.add([file]); };
    const dismiss = () => { row.remove(); this.#summarise(); };
    row.className = "failed";
    row.replaceChildren(
      make("b", null, file.name),
      make("span", { role: "alert" }, error.message),
      button("Retry", retry),
      button("✕", dismiss, { class: "quiet", "aria-label": `Dismiss ${file.name}` }),
      ...(this.explain?.(error) ?? []),
    );
  }

  #summarise() {
    const failed = this.#rows.querySelectorAll(".failed").length;
    const all = this.#done + failed + this.#flying + this.#waiting.length;
    const told = `${count(this.#done)} of ${count(all)} uploaded`;
    this.#summary.textContent = all ? told + (failed ? `, ${count(failed)} failed` : "") : "";
  }
}

/** Take files from a file input, and from drops anywhere on the page while the input is in sight. */
export function takeFiles(input, take) {
  const area = input.parentElement;
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  const onDrag = (event) => {
    if (!area.checkVisibility() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    area.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take([...event.dataTransfer.files]);
  };
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, onDrag);
}
