// A log in pieces: level k cuts its depths into 2**k tiles of at most 512 rows.
import { passing, request } from "./api.js";

const ROWS = 512;
const KEPT = 96;
const IN_FLIGHT = 3;
const PAUSE_MS = 80; // what is passed over is not asked for
const AGAIN_MS = 3000;

const split = (key) => key.split("/").map(Number);

// `changed` hears of what has come, and of errors.
export function tilesOf(log, how, changed) {
	const kept = new Map(); // "level/index" -> tile, the least used first
	const flying = new Map();
	let keys = []; // of what is in view, from the top
	let wanted = new Set();
	let timer = 0;
	const step = log.depth_step || 1;
	const top = log.depth_min - step / 2;
	const extent = log.depth_max - log.depth_min + step;
	const deepest = Math.max(0, Math.ceil(Math.log2(Math.max(log.rows, extent / step) / ROWS)));
	return { how, step, top, extent, bounds, best, show, stop: () => want([]), pieces: () => keys, missing, look };

	function visible(from, to, height_px) {
		const sharp = Math.ceil(Math.log2((extent * height_px) / (to - from) / ROWS));
		const level = sharp < deepest - 1 ? Math.max(0, sharp) : deepest; // every row, where it is near
		const count = 2 ** level;
		const index = (depth) => Math.min(count - 1, Math.max(0, Math.floor(((depth - top) / extent) * count)));
		const first = index(from);
		return Array.from({ length: index(to) - first + 1 }, (_, n) => `${level}/${first + n}`);
	}

	function bounds(key) {
		const [level, index] = split(key);
		const span = extent / 2 ** level;
		return [top + index * span, top + (index + 1) * span];
	}

	// The tile or, until it has come, a coarser one.
	function best(key) {
		const [level, index] = split(key);
		return kept.get(key) ?? (level ? best(`${level - 1}/${index >> 1}`) : null);
	}

	function show(from, to, height_px) {
		keys = visible(from, to, height_px);
		want(["0/0", ...keys]);
		for (const key of wanted) if (kept.has(key)) keep(key, kept.get(key));
		timer = setTimeout(fly, PAUSE_MS);
	}

	function want(some) {
		wanted = new Set(some);
		clearTimeout(timer);
		for (const [key, flight] of flying) if (!wanted.has(key)) flight.abort();
	}

	function missing() {
		return [...wanted].filter((key) => !kept.has(key));
	}

	function fly() {
		const next = missing().filter((key) => !flying.has(key));
		next.slice(0, IN_FLIGHT - flying.size).forEach(load);
	}

	async function load(key) {
		const flight = new AbortController();
		flying.set(key, flight);
		const error = await read(key, flight.signal).then((tile) => keep(key, tile), (reason) => reason);
		flying.delete(key);
		if (flight.signal.aborted) return;
		if (error?.code === "no_frames") keep(key, { rows: 0 });
		else if (error) {
			if (passing(error)) timer = setTimeout(fly, AGAIN_MS);
			return changed(error);
		}
		changed();
		fly();
	}

	async function read(key, signal) {
		const [depth_min, depth_max] = bounds(key);
		const query = { log: log.log, depth_min, depth_max, format: "raw", max_rows: ROWS, ...how };
		const ask = (more) => request("GET", "api/frames", { query: { ...query, ...more }, signal });
		const [answer, plain] = await Promise.all([ask(), how.contrast ? ask({ contrast: "" }) : null]);
		const [width, rows, first, last] = ["Width", "Rows", "Depth-Min", "Depth-Max"].map((name) => Number(answer.headers.get(`X-Frame-${name}`)));
		const bytes = await answer.bytes();
		const pixels = bytes.subarray(0, width * rows);
		const pitch = (last - first + step) / rows;
		return {
			pixels, width, rows, pitch, top: first - step / 2, exact: Math.abs(pitch / step - 1) < 1e-3,
			mask: bytes.length > pixels.length && bytes.subarray(pixels.length),
			values: plain ? await plain.bytes() : pixels,
		};
	}

	function keep(key, tile) {
		kept.delete(key);
		kept.set(key, tile);
		if (kept.size > KEPT) kept.delete([...kept.keys()].find((old) => old !== "0/0"));
	}

	function look(depth, across) {
		const key = keys.find((one) => depth < bounds(one)[1]);
		const tile = key && best(key);
		const row = tile?.rows ? Math.floor((depth - tile.top) / tile.pitch) : -1;
		if (row < 0 || row >= tile.rows) return null;
		const { width, exact, values, mask } = tile;
		const column = Math.min(width - 1, Math.floor(across * width));
		const n = row * width + column;
		return { depth: tile.top + (row + 0.5) * tile.pitch, column, width, exact, grey: mask && !mask[n] ? null : values[n] };
	}
}
