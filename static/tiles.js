// A log in pieces: level k cuts its depths into 2**k tiles of at most 512 rows, raw grey; colour is put on here.
import { request } from "./api.js";

const ROWS = 512;
const KEPT = 96;
const IN_FLIGHT = 3;
const PAUSE_MS = 80; // what is only passed over is never asked for

const split = (key) => key.split("/").map(Number);

export class Tiles {
  #kept = new Map(); // "level/index" -> tile, the least used first
  #flying = new Map(); // key -> AbortController
  #wanted = [];
  #timer = 0;

  /** `how` goes along with every request: unit, contrast; `changed` hears of every tile that has come, and of errors. */
  constructor(log, how, changed) {
    Object.assign(this, { log, how, changed, step: log.depth_step || 1 });
    this.top = log.depth_min - this.step / 2;
    this.extent = log.depth_max - log.depth_min + this.step;
    this.deepest = Math.max(0, Math.ceil(Math.log2(Math.max(log.rows, this.extent / this.step) / ROWS)));
  }

  /** Return the keys of the tiles that show from..to on `height_px`. */
  visible(from, to, height_px) {
    const sharp = Math.ceil(Math.log2((this.extent * height_px) / (to - from) / ROWS));
    const level = sharp < this.deepest - 1 ? Math.max(0, sharp) : this.deepest; // every row, where it is near
    const most = 2 ** level - 1;
    const index = (depth) => Math.min(most, Math.max(0, Math.floor(((depth - this.top) / this.extent) * (most + 1))));
    const first = index(from);
    return Array.from({ length: index(to) - first + 1 }, (_, n) => `${level}/${first + n}`);
  }

  bounds(key) {
    const [level, index] = split(key);
    const span = this.extent / 2 ** level;
    return [this.top + index * span, this.top + (index + 1) * span];
  }

  /** Return the tile or, until it has come, the finest one above it that has. */
  best(key) {
    const [level, index] = split(key);
    return this.#kept.get(key) ?? (level ? this.best(`${level - 1}/${index >> 1}`) : null);
  }

  /** Fetch these and the overview, drop what else is under way. */
  want(keys) {
    this.#wanted = [...new Set(["0/0", ...keys])];
    for (const [key, stop] of this.#flying) if (!this.#wanted.includes(key)) stop.abort();
    for (const key of this.#wanted) if (this.#kept.has(key)) this.#keep(key, this.#kept.get(key));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fly(), PAUSE_MS);
  }

  missing = () => this.#wanted.filter((key) => !this.#kept.has(key));

  #fly() {
    const missing = this.missing().filter((key) => !this.#flying.has(key));
    for (const key of missing.slice(0, IN_FLIGHT - this.#flying.size)) this.#fetch(key);
  }

  async #fetch(key) {
    const stop = new AbortController();
    this.#flying.set(key, stop);
    const error = await this.#read(key, stop.signal).then((tile) => this.#keep(key, tile), (reason) => reason);
    this.#flying.delete(key);
    if (stop.signal.aborted) return;
    if (error?.code === "no_frames") this.#keep(key, { rows: 0 });
    else if (error) return this.changed(error);
    this.changed();
    this.#fly();
  }

  async #read(key, signal) {
    const [depth_min, depth_max] = this.bounds(key);
    const query = { log: this.log.log, depth_min, depth_max, format: "raw", max_rows: ROWS, ...this.how };
    const ask = (more) => request("GET", "api/frames", { query: { ...query, ...more }, signal });
    const [response, plain] = await Promise.all([ask(), this.how.contrast ? ask({ contrast: "" }) : null]);
    const [width, rows, first, last] = ["Width", "Rows", "Depth-Min", "Depth-Max"].map((name) => Number(response.headers.get(`X-Frame-${name}`)));
    const size = width * rows;
    const bytes = new Uint8Array(await response.arrayBuffer());
    const pixels = bytes.subarray(0, size);
    const pitch = (last - first + this.step) / rows; // depth a row
    return {
      pixels, width, rows, pitch, top: first - this.step / 2, exact: Math.abs(pitch / this.step - 1) < 1e-3,
      mask: bytes.length > size && bytes.subarray(size),
      values: plain ? new Uint8Array(await plain.arrayBuffer()) : pixels,
    };
  }

  #keep(key, tile) {
    this.#kept.delete(key);
    this.#kept.set(key, tile);
    if (this.#kept.size > KEPT) this.#kept.delete([...this.#kept.keys()].find((old) => old !== "0/0"));
  }

  /** Return what is at a depth and a place across, 0 to 1; null where there is no data. */
  look(depth, across, keys) {
    const key = keys.find((one) => depth < this.bounds(one)[1]);
    const tile = key && this.best(key);
    const row = tile?.rows ? Math.floor((depth - tile.top) / tile.pitch) : -1;
    if (row < 0 || row >= tile.rows) return null;
    const { width, exact, values, mask } = tile;
    const column = Math.min(width - 1, Math.floor(across * width));
    const n = row * width + column;
    return { depth: tile.top + (row + 0.5) * tile.pitch, column, width, exact, grey: mask && !mask[n] ? null : values[n] };
  }
}
