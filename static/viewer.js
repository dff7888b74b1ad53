// The viewer of a depth log, or of two on one depth.
import { address, downloads, get, save } from "./api.js";
import { draw, drawHistogram, LEFT, OVERVIEW, trackAt } from "./chart.js";
import { colours, list } from "./colormaps.js";
import { controls, METRES } from "./controls.js";
import { copy, make, sentence, settled } from "./dom.js";
import { listen } from "./gestures.js";
import { Tiles } from "./tiles.js";

const LEAST_ROWS = 8; // in a view
const PX_M = 0.0254 / 96; // a CSS pixel on paper
const ACROSS = { columns: "", degrees: ["0°", "90°", "180°", "270°", "360°"], compass: ["N", "E", "S", "W", "N"] };
const HELP = "Drag or scroll to move (two fingers on a touch screen), pinch or Ctrl + scroll to zoom, Shift + drag to measure. Keys: arrows, Page up and down, Home, End, +, −, 0 for all.";
const dark = matchMedia("(prefers-color-scheme: dark)");
const logPath = (name) => `api/frames/logs/${encodeURIComponent(name)}`;

/** Show the log `name` in `place`; `query` is the view to begin with, as the address has it. */
export async function open(place, name, query) {
  const head = [make("a", { href: "#/logs" }, "All logs"), make("h1", null, name)];
  const note = make("p", { class: "note", role: "status" }, "Loading…");
  place.replaceChildren(...head, note);
  try {
    const beside = query.beside ? get(logPath(query.beside)).catch(() => ({})) : {};
    const [{ data: log }, { data: second }, maps, { data: all }] = await Promise.all([get(logPath(name)), beside, list(), get("api/frames/logs", { limit: 200 })]);
    if (!note.isConnected) return null; // the reader has gone on
    const viewer = new Viewer([log, second].filter(Boolean), maps, all.map((one) => one.log), query);
    place.replaceChildren(...head, ...viewer.elements);
    return viewer;
  } catch (error) {
    note.textContent = sentence(error, "The depth-log part");
    return null;
  }
}

function inUnit(log, unit) {
  const factor = log.depth_unit && unit ? METRES[log.depth_unit] / METRES[unit] : 1;
  const exact = (depth) => depth && Number((depth * factor).toPrecision(14));
  return { ...log, depth_min: exact(log.depth_min), depth_max: exact(log.depth_max), depth_step: exact(log.depth_step) };
}

class Viewer {
  constructor(logs, maps, names, query) {
    Object.assign(this, { logs, maps });
    this.elements = [this.#tools(names), this.#chart(), make("p", { id: "help", class: "soft" }, HELP)];
    for (const [name, field] of Object.entries(this.fields)) {
      field.value = query[name] ?? "";
      if (field.selectedIndex < 0) field.selectedIndex = 0;
    }
    this.#build();
    this.#start(query.from, query.to);
    this.#listen();
    this.#recolour();
  }

  #start(from = this.top + this.half, to = this.bottom - this.half) {
    this.view = this.#fit(Number(from) - this.half, Number(to) + this.half);
  }

  leave() {
    for (const { tiles } of this.tracks) tiles.want([]);
    this.sizes.disconnect();
    dark.removeEventListener("change", this.redraw);
  }

  #tools(names) {
    const made = controls(this.logs[0], names, this.maps, {
      range: () => this.#go(this.from.valueAsNumber - this.half, this.to.valueAsNumber + this.half),
      zoom: (factor, at) => this.#zoom(factor, at),
      scale: () => this.#toScale(),
      build: () => this.#rebuild(),
      map: () => this.#recolour(),
      across: () => this.#label(),
      beside: () => this.#beside(),
      tapes: () => this.#measuring(this.tapes.ariaPressed !== "true"),
      figure: () => this.#figure(),
      link: () => this.#copy(),
    });
    Object.assign(this, made);
    return made.element;
  }

  #chart() {
    const [log] = this.logs;
    this.canvas = make("canvas", { class: "log", tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": `Depths of ${log.log}`, "aria-describedby": "help" });
    this.reading = make("output");
    this.swatch = make("img", { alt: "Colours from the least value to the greatest" });
    this.heads = make("div", { class: "heads" });
    this.heads.style.paddingLeft = `${LEFT}px`;
    const [least, most] = log.value_max === undefined ? [0, 255] : [log.value_min, log.value_max];
    const legend = make("span", { class: "legend" }, String(least), this.swatch, `${most} ${log.value_unit ?? ""}`);
    return make("div", { class: "viewer" }, this.heads, this.canvas, make("div", { class: "under" }, this.reading, legend));
  }

  #build() {
    const { unit, contrast, window, percentiles } = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, field.value]));
    const stretch = contrast ? { contrast, window, percentiles: contrast === "linear" ? percentiles : "" } : {};
    for (const { tiles } of this.tracks ?? []) tiles.want([]);
    this.tracks = this.logs.map((log) => {
      const how = { ...stretch, unit: log.depth_unit ? unit || this.logs[0].depth_unit || "" : "", mask: log.holes ? "true" : "" };
      return { tiles: new Tiles(inUnit(log, how.unit), how, (error) => this.#changed(error)), keys: [] };
    });
    const all = this.tracks.map(({ tiles }) => tiles);
    this.step = Math.min(...all.map((tiles) => tiles.step));
    this.top = Math.min(...all.map((tiles) => tiles.top));
    this.bottom = Math.max(...all.map((tiles) => tiles.top + tiles.extent));
    this.extent = this.bottom - this.top;
    this.half = this.step / 2; // a row reaches so far above and below its depth
    this.digits = Number(this.step.toPrecision(4)).toFixed(9).replace(/0+$/, "").split(".")[1].length;
    this.unit = unit || this.logs[0].depth_unit || "";
    this.canvas.ariaValueMin = this.top + this.half;
    this.canvas.ariaValueMax = this.bottom - this.half;
    this.texts.window.hidden = !contrast;
    this.texts.percentiles.hidden = contrast !== "linear";
    this.tape = null;
    this.#label();
  }

  #rebuild() {
    const [unit, { from, to }] = [this.unit, this.#rows()];
    this.#build();
    const factor = unit && this.unit ? METRES[unit] / METRES[this.unit] : 1;
    this.#start(from * factor, to * factor);
    this.#draw();
  }

  async #beside() {
    const { value } = this.fields.beside;
    const { data } = value ? await get(logPath(value)).catch((error) => this.#changed(error) ?? {}) : {};
    this.logs = [this.logs[0], data].filter(Boolean);
    this.#rebuild();
  }

  #label() {
    const marks = ACROSS[this.fields.across.value] || [];
    const names = this.logs.length > 1 ? this.logs.map(({ log }) => make("b", null, log)) : this.logs.map(() => "");
    this.heads.replaceChildren(...this.logs.map((_, n) => make("div", null, names[n], make("div", { class: "marks" }, marks.map((one) => make("span", null, one))))));
    this.remember?.();
  }

  #listen() {
    this.redraw = () => this.#draw();
    this.remember = settled(() => this.#remember(), 200);
    this.sizes = new ResizeObserver(this.redraw);
    this.sizes.observe(this.canvas);
    dark.addEventListener("change", this.redraw);
    const depth = (part) => this.view.from + part * this.#span();
    listen(this.canvas, OVERVIEW, {
      pan: (part) => this.#pan(part),
      zoom: (factor, at) => this.#zoom(factor, at),
      goTo: (part) => this.#pan((this.top + part * this.extent - this.view.from) / this.#span() - 0.5),
      point: (x, part) => this.#point(x, part),
      measuring: (event) => event.shiftKey || this.tapes.ariaPressed === "true",
      measure: (from, to) => this.#measure(depth(from), depth(to)),
    });
  }

  #span = () => this.view.to - this.view.from;

  #pan(part) {
    const by = Math.max(-this.extent, Math.min(this.extent, part * this.#span()));
    return this.#go(this.view.from + by, this.view.to + by);
  }

  #zoom(factor, at) {
    const depth = this.view.from + at * this.#span();
    const span = factor ? this.#span() / factor : this.extent;
    return this.#go(depth - at * span, depth + (1 - at) * span);
  }

  /** Return how long a pixel of the canvas is, on paper and in the log; without unit depths are metres. */
  #ratio = () => (this.#span() * METRES[this.unit || "m"]) / this.canvas.clientHeight / PX_M;

  #toScale() {
    const wanted = Number(this.scale.value);
    if (wanted) this.#zoom(this.#ratio() / wanted, 0.5);
    this.scale.value = "";
  }

  #go(from, to) {
    const before = this.view;
    this.view = this.#fit(from, to);
    this.#draw();
    return before.from !== this.view.from || before.to !== this.view.to;
  }

  /** Keep a view inside the log, between a few rows and all of it, on places that a link can name exactly. */
  #fit(from, to) {
    const span = Math.min(this.extent, Math.max(Math.abs(to - from) || 0, this.step * LEAST_ROWS));
    const start = Math.min(Math.max((from + to - span) / 2 || 0, this.top), this.bottom - span);
    const exact = (depth) => Number(depth.toFixed(this.digits + 3));
    return { from: exact(start + this.half) - this.half, to: exact(start + span - this.half) + this.half };
  }

  async #recolour() {
    const [name, reversed] = this.fields.map.value.split("_r");
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
      for (const track of this.tracks) {
        track.keys = track.tiles.visible(this.view.from, this.view.to, this.canvas.clientHeight * devicePixelRatio);
        track.tiles.want(track.keys);
      }
      this.#changed();
      this.#tell();
    });
  }

  #changed(error) {
    if (error) this.reading.textContent = sentence(error);
    else draw(this.canvas, this.tracks, this.view, this.lut, this.tape);
    this.canvas.ariaBusy = this.tracks.some(({ tiles }) => tiles.missing().length > 0);
    const greys = this.tracks[0].tiles.best("0/0")?.pixels;
    if (greys) drawHistogram(this.histogram, greys);
  }

  #rows() {
    const exact = (depth) => Number(depth.toFixed(this.digits + 3));
    return { from: exact(this.view.from + this.half), to: exact(this.view.to - this.half) };
  }

  #tell() {
    const { from, to } = this.#rows();
    this.from.value = from.toFixed(this.digits);
    this.to.value = to.toFixed(this.digits);
    this.scale.options[0].textContent = `1:${Number(this.#ratio().toPrecision(3))}`;
    this.canvas.ariaValueNow = (this.view.from + this.view.to) / 2;
    this.canvas.ariaValueText = `${this.from.value} to ${this.to.value}`;
    this.remember();
  }

  #remember() {
    if (!this.canvas.checkVisibility()) return;
    const { from, to } = this.#rows();
    const [{ log }] = this.logs;
    const said = Object.entries(this.fields).map(([name, field]) => [name, field.value]).filter(([, value]) => value && value !== "columns");
    history.replaceState(null, "", `#/logs/${encodeURIComponent(log)}?${new URLSearchParams([["from", from], ["to", to], ...said])}`);
    downloads(this.save, address("api/frames", { ...this.#asked(), format: "png", max_rows: 100_000 }), `${log} ${from} to ${to}.png`);
  }

  #asked() {
    const { from: depth_min, to: depth_max } = this.#rows();
    const { tiles } = this.tracks[0];
    return { log: this.logs[0].log, depth_min, depth_max, colormap: this.fields.map.value, ...tiles.how, mask: "" };
  }

  async #figure() {
    const { log, ...asked } = this.#asked();
    const logs = this.logs.map((one) => ["log", one.log]);
    const scale = this.unit && `1:${Math.max(1, Math.round(this.#ratio()))}`; // there is none without a unit
    await save(address(`api/frames/figure?${new URLSearchParams(logs)}`, { ...asked, format: "pdf", scale }), `${log}.pdf`).catch((error) => { this.reading.textContent = sentence(error, "Drawing figures"); });
  }

  async #copy() {
    this.#remember();
    const copied = await copy(location.href);
    this.link.textContent = copied ? "Copied" : "Copy the address above";
    setTimeout(() => { this.link.textContent = "Copy link"; }, 2000);
  }

  #measuring(on) {
    this.tapes.ariaPressed = String(on);
    this.canvas.classList.toggle("measuring", on);
    if (!on) this.tape = null;
    this.#draw();
  }

  #measure(from, to) {
    this.tape = { from, to };
    this.#draw();
    this.reading.textContent = `${Math.abs(to - from).toFixed(this.digits)} ${this.unit} from ${from.toFixed(this.digits)} to ${to.toFixed(this.digits)}`;
  }

  #point(x, part) {
    const place = x >= LEFT ? trackAt(this.canvas, this.tracks.length, x) : null;
    const { tiles, keys } = this.tracks[place?.n ?? 0];
    const found = place && tiles.look(this.view.from + part * this.#span(), place.across, keys);
    this.reading.textContent = found ? this.#told(found, tiles.log) : "";
  }

  #told({ depth, column, width, grey, exact }, { value_min: least, value_max: most, value_unit = "" }) {
    const about = exact ? "" : "≈ "; // rows averaged, or not evenly spaced
    const value = grey !== null && most !== undefined ? `${Number((least + (grey / 255) * (most - least)).toPrecision(4))} ${value_unit}`.trim() : grey;
    const where = this.fields.across.value === "columns" ? `column ${column + 1}` : `azimuth ${Math.round(((column + 0.5) / width) * 360)}°`;
    return `depth ${about}${depth.toFixed(this.digits)}${this.unit && ` ${this.unit}`}, ${where}, ${grey === null ? "a hole" : `value ${about}${value}`}`;
  }
}
