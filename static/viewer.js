// The viewer of one depth log.
import { address, downloads, get } from "./api.js";
import { draw, LEFT, OVERVIEW } from "./chart.js";
import { colours, list } from "./colormaps.js";
import { button, copy, make, sentence, settled } from "./dom.js";
import { listen } from "./gestures.js";
import { Tiles } from "./tiles.js";

const LEAST_ROWS = 8; // in a view
const HELP = "Drag or scroll to move (two fingers on a touch screen), pinch or Ctrl + scroll to zoom. Keys: arrows, Page up and down, Home, End, +, −, 0 for all.";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Show the log `name` in `place`; `query` {from, to, map} is the view to begin with. */
export async function open(place, name, query) {
  const head = [make("a", { href: "#/logs" }, "All logs"), make("h1", null, name)];
  const note = make("p", { class: "note", role: "status" }, "Loading…");
  place.replaceChildren(...head, note);
  try {
    const [{ data: log }, maps] = await Promise.all([get(`api/frames/logs/${encodeURIComponent(name)}`), list()]);
    if (!note.isConnected) return null; // the reader has gone on
    const viewer = new Viewer(log, maps, query);
    place.replaceChildren(...head, ...viewer.elements);
    return viewer;
  } catch (error) {
    note.textContent = sentence(error, "The depth-log part");
    return null;
  }
}

class Viewer {
  constructor(log, maps, query) {
    Object.assign(this, { log, maps });
    this.tiles = new Tiles(log, (error) => this.#changed(error));
    this.digits = Number(this.tiles.step.toPrecision(4)).toFixed(9).replace(/0+$/, "").split(".")[1].length;
    this.bottom = this.tiles.top + this.tiles.extent;
    this.half = this.tiles.step / 2; // a row reaches so far above and below its depth
    this.view = this.#fit(Number(query.from ?? log.depth_min) - this.half, Number(query.to ?? log.depth_max) + this.half);
    this.elements = [this.#tools(), this.#chart(), make("p", { id: "help", class: "soft" }, HELP)];
    this.#listen();
    this.select.value = query.map;
    this.select.selectedIndex = Math.max(0, this.select.selectedIndex);
    this.#recolour();
  }

  leave() {
    this.tiles.want([]);
    this.sizes.disconnect();
    dark.removeEventListener("change", this.redraw);
  }

  #tools() {
    const range = () => this.#go(this.from.valueAsNumber - this.half, this.to.valueAsNumber + this.half);
    const depth = () => make("input", { type: "number", step: "any", onchange: range });
    const field = (text, input) => make("label", { class: "field" }, text, input);
    const options = this.maps.flatMap(({ name }) => [make("option", { value: name }, name), make("option", { value: `${name}_r` }, `${name} reversed`)]);
    [this.from, this.to] = [depth(), depth()];
    this.select = make("select", { onchange: () => this.#recolour() }, options);
    this.save = make("a", { class: "button" }, "Download PNG");
    this.link = button("Copy link", () => this.#copy());
    return make("div", { class: "tools" },
      field("From", this.from), field("To", this.to),
      button("+", () => this.#zoom(2, 0.5), { "aria-label": "Zoom in" }), button("−", () => this.#zoom(0.5, 0.5), { "aria-label": "Zoom out" }),
      button("Whole log", () => this.#zoom(0, 0.5)), field("Colours", this.select), this.save, this.link);
  }

  #chart() {
    this.canvas = make("canvas", { tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": `Depths of ${this.log.log}`, "aria-describedby": "help", "aria-valuemin": this.log.depth_min, "aria-valuemax": this.log.depth_max });
    this.reading = make("output");
    this.swatch = make("img", { alt: "Colours from 0 to 255" });
    const legend = make("span", { class: "legend" }, "0", this.swatch, "255");
    return make("div", { class: "viewer" }, this.canvas, make("div", { class: "under" }, this.reading, legend));
  }

  #listen() {
    this.redraw = () => this.#draw();
    this.remember = settled(() => this.#remember(), 200);
    this.sizes = new ResizeObserver(this.redraw);
    this.sizes.observe(this.canvas);
    dark.addEventListener("change", this.redraw);
    listen(this.canvas, OVERVIEW, {
      pan: (part) => this.#pan(part),
      zoom: (factor, at) => this.#zoom(factor, at),
      goTo: (part) => this.#pan((this.tiles.top + part * this.tiles.extent - this.view.from) / this.#span() - 0.5),
      point: (x, part) => this.#point(x, part),
    });
  }

  #span = () => this.view.to - this.view.from;

  #pan(part) {
    const by = Math.max(-this.tiles.extent, Math.min(this.tiles.extent, part * this.#span()));
    return this.#go(this.view.from + by, this.view.to + by);
  }

  #zoom(factor, at) {
    const depth = this.view.from + at * this.#span();
    const span = factor ? this.#span() / factor : this.tiles.extent;
    return this.#go(depth - at * span, depth + (1 - at) * span);
  }

  /** Move the view; false when it is there already. */
  #go(from, to) {
    const before = this.view;
    this.view = this.#fit(from, to);
    this.#draw();
    return before.from !== this.view.from || before.to !== this.view.to;
  }

  /** Keep a view inside the log, between a few rows and all of it, on places that a link can name exactly. */
  #fit(from, to) {
    const { top, extent, step } = this.tiles;
    const span = Math.min(extent, Math.max(Math.abs(to - from) || 0, step * LEAST_ROWS));
    const start = Math.min(Math.max((from + to - span) / 2 || 0, top), this.bottom - span);
    const exact = (depth) => Number(depth.toFixed(this.digits + 3));
    return { from: exact(start + this.half) - this.half, to: exact(start + span - this.half) + this.half };
  }

  async #recolour() {
    const [name, reversed] = this.select.value.split("_r");
    const { preview } = this.maps.find((map) => map.name === name);
    const lut = await colours(preview);
    this.lut = reversed === undefined ? lut : lut.toReversed();
    this.swatch.src = preview;
    this.swatch.className = reversed === undefined ? "" : "turned";
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      if (!this.lut || !this.canvas.clientHeight) return;
      this.keys = this.tiles.visible(this.view.from, this.view.to, this.canvas.clientHeight * devicePixelRatio);
      this.tiles.want(this.keys);
      this.#changed();
      this.#tell();
    });
  }

  #changed(error) {
    if (error) this.reading.textContent = sentence(error);
    else draw(this.canvas, this.tiles, this.view, this.keys, this.lut);
    this.canvas.ariaBusy = this.tiles.missing().length > 0;
  }

  /** Return the depths of the first and the last row in view. */
  #rows() {
    const exact = (depth) => Number(depth.toFixed(this.digits + 3));
    return { from: exact(this.view.from + this.half), to: exact(this.view.to - this.half) };
  }

  #tell() {
    const { from, to } = this.#rows();
    this.from.value = from.toFixed(this.digits);
    this.to.value = to.toFixed(this.digits);
    this.canvas.ariaValueNow = (this.view.from + this.view.to) / 2;
    this.canvas.ariaValueText = `${this.from.value} to ${this.to.value}`;
    this.remember();
  }

  /** Let the address, the link and the download say what is in view. */
  #remember() {
    if (!this.canvas.checkVisibility()) return;
    const { from, to } = this.#rows();
    const { log } = this.log;
    history.replaceState(null, "", `#/logs/${encodeURIComponent(log)}?${new URLSearchParams({ from, to, map: this.select.value })}`);
    const query = { log, depth_min: from, depth_max: to, colormap: this.select.value, format: "png", max_rows: 100_000 };
    downloads(this.save, address("api/frames", query), `${log} ${from} to ${to}.png`);
  }

  async #copy() {
    this.#remember();
    const copied = await copy(location.href);
    this.link.textContent = copied ? "Copied" : "Copy the address above";
    setTimeout(() => { this.link.textContent = "Copy link"; }, 2000);
  }

  #point(x, part) {
    const across = (x - LEFT) / (this.canvas.clientWidth - LEFT);
    const found = across >= 0 && this.keys && this.tiles.look(this.view.from + part * this.#span(), across, this.keys);
    const about = found?.exact ? "" : "≈ "; // rows averaged, or not evenly spaced
    this.reading.textContent = found
      ? `depth ${about}${found.depth.toFixed(this.digits)}, column ${found.column + 1}, value ${about}${found.value}` : "";
  }
}
