// Uploads: three in flight, a bar each; what fails folds into one line, with reasons, and a retry where it can help.
import { upload } from "./api.js";
import { button, count, counted, find, make } from "./dom.js";

const IN_FLIGHT = 3;

/** Whether the same file may go through at another time: the server was away or busy, or wanted a key. */
const passing = ({ status }) => [0, 401, 408, 409, 429].includes(status) || status >= 500;

/** Files for `path`: `form(file)` makes the body, `done(answer)` hears of it, `explain(error)` adds to a refusal. */
export class Uploads {
  #waiting = [];
  #flying = 0;
  #done = 0;
  #faults = new Map(); // row -> [file, error]
  #told;
  #rows = make("ul", { "aria-label": "Uploads" });
  #line = make("summary");
  #again = button("Retry", () => this.#retry());
  #list = make("ul", { "aria-label": "Failed uploads" });
  #failed = make("details", { class: "faults", hidden: true }, this.#line,
    make("div", { class: "row" }, this.#again, button("Dismiss all", () => this.#dismiss(...this.#faults.keys()))), this.#list);

  constructor(place, options) {
    Object.assign(this, options);
    this.#told = find("[role=status]", place);
    place.append(this.#rows, this.#failed);
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
    } catch (error) {
      this.#fail(file, error);
    }
    row.remove();
    this.#flying -= 1;
    this.#fly();
  }

  #fail(file, error) {
    const retry = () => { this.#dismiss(row); this.add([file]); };
    const row = make("li", { class: "failed" },
      make("b", null, file.name),
      make("span", null, error.message),
      passing(error) && button("Retry", retry, { "aria-label": `Retry ${file.name}` }),
      button("✕", () => this.#dismiss(row), { class: "quiet", "aria-label": `Dismiss ${file.name}` }),
      ...(this.explain?.(error) ?? []));
    this.#faults.set(row, [file, error]);
    this.#list.append(row);
    if (this.#faults.size < 3) this.#failed.open = this.#faults.size === 1; // the second folds them into the line
  }

  #retry() {
    const rows = [...this.#faults].filter(([, [, error]]) => passing(error));
    this.#dismiss(...rows.map(([row]) => row));
    this.add(rows.map(([, [file]]) => file));
  }

  #dismiss(...rows) {
    for (const row of rows) {
      this.#faults.delete(row);
      row.remove();
    }
    this.#summarise();
  }

  #summarise() {
    const faults = [...this.#faults.values()];
    const all = this.#done + faults.length + this.#flying + this.#waiting.length;
    const failed = faults.length ? `, ${count(faults.length)} failed` : "";
    this.#told.textContent = all ? `${count(this.#done)} of ${count(all)} uploaded${failed}` : "";
    this.#failed.hidden = !faults.length;
    this.#line.textContent = faults.length ? `${counted(faults.length, "upload")} failed: ${faults.at(-1)[1].message}` : "";
    this.#again.hidden = !faults.some(([, error]) => passing(error));
  }
}
