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
  #rows = make("ul", { ariaLabel: "Uploads" });
  #line = make("summary");
  #again = button("Retry", () => this.#retry(...this.#faults.keys()));
  #list = make("ul", { ariaLabel: "Failed uploads" });
  #failed = make("details.faults", { hidden: true }, this.#line,
    make("div.row", this.#again, button("Dismiss all", () => this.#dismiss(...this.#faults.keys()))), this.#list);

  constructor(place, options) {
    Object.assign(this, options, { told: find("[role=status]", place) });
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
    const bar = make("progress", { max: 1, value: 0, ariaLabel: `Uploading ${file.name}` });
    const row = make("li", make("b", file.name), bar);
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
    const row = make("li.failed", make("b", file.name), make("span", error.message),
      passing(error) && button("Retry", () => this.#retry(row), { ariaLabel: `Retry ${file.name}` }),
      button("✕", () => this.#dismiss(row), { className: "quiet", ariaLabel: `Dismiss ${file.name}` }),
      this.explain?.(error));
    this.#faults.set(row, [file, error]);
    this.#list.append(row);
    if (this.#faults.size < 3) this.#failed.open = this.#faults.size === 1; // the second folds them into the line
  }

  #retry(...rows) {
    const faults = rows.map((row) => [row, ...this.#faults.get(row)]).filter(([, , error]) => passing(error));
    this.#dismiss(...faults.map(([row]) => row));
    this.add(faults.map(([, file]) => file));
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
    const failed = faults.length;
    const all = this.#done + failed + this.#flying + this.#waiting.length;
    this.told.textContent = all ? `${count(this.#done)} of ${count(all)} uploaded${failed ? `, ${count(failed)} failed` : ""}` : "";
    this.#failed.hidden = !failed;
    if (failed) this.#line.textContent = `${counted(failed, "upload")} failed: ${faults.at(-1)[1].message}`;
    this.#again.hidden = !faults.some(([, error]) => passing(error));
  }
}
