// Drawing a log.
import { make } from "./dom.js";

export const OVERVIEW = 34; // px wide
export const LEFT = 118; // px, where the picture begins
const GAP = 10;
const TICK_PX = 64;

export async function colours(preview) {
	const img = make("img", { src: preview });
	await img.decode();
	const pen = make("canvas", { width: 256 }).getContext("2d");
	pen.drawImage(img, 0, 0);
	return new Uint32Array(pen.getImageData(0, 0, 256, 1).data.buffer);
}

function coloured(tile, lut) {
	if (tile.lut === lut) return tile.canvas;
	const { width, rows, pixels, mask } = tile;
	const colour = (grey, n) => (mask && !mask[n] ? 0 : lut[grey]);
	const data = new Uint8ClampedArray(Uint32Array.from(pixels, colour).buffer);
	const canvas = make("canvas", { width, height: rows });
	canvas.getContext("2d").putImageData(new ImageData(data, width), 0, 0);
	return Object.assign(tile, { lut, canvas }).canvas;
}

// `view` and `tape` are {from, to}, a track is the tiles of a log.
export function draw(canvas, tracks, view, lut, tape) {
	const { clientWidth: width, clientHeight: height } = canvas;
	Object.assign(canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
	const pen = canvas.getContext("2d");
	const { font, color, caretColor } = getComputedStyle(canvas);
	pen.scale(devicePixelRatio, devicePixelRatio);
	Object.assign(pen, { font, fillStyle: color, strokeStyle: color });
	const y = (depth) => ((depth - view.from) / (view.to - view.from)) * height;
	const wide = (width - LEFT + GAP) / tracks.length;
	tracks.forEach((tiles, n) => {
		for (const key of tiles.pieces()) paint(pen, tiles, key, lut, LEFT + n * wide, wide - GAP, y);
	});
	drawAxis(pen, view, height, y);
	pen.strokeStyle = pen.fillStyle = caretColor;
	drawOverview(pen, tracks[0], view, lut, height);
	if (tape) drawTape(pen, y(tape.from), y(tape.to), width - LEFT);
}

// The track at `x`, and how far across it, 0 to 1.
export function trackAt(canvas, count, x) {
	const wide = (canvas.clientWidth - LEFT + GAP) / count;
	const n = Math.floor((x - LEFT) / wide);
	const across = (x - LEFT - n * wide) / (wide - GAP);
	return n >= 0 && n < count && across < 1 ? { n, across } : null;
}

export function drawHistogram(canvas, greys) {
	const { width, height } = canvas;
	const pen = canvas.getContext("2d");
	const counts = new Float64Array(width);
	for (const grey of greys) counts[(grey * width) >> 8] += 1;
	const most = Math.max(...counts);
	pen.clearRect(0, 0, width, height);
	pen.fillStyle = getComputedStyle(canvas).color;
	counts.forEach((one, n) => pen.fillRect(n, height * (1 - one / most), 1, height));
}

function paint(pen, tiles, key, lut, left, width, y) {
	const tile = tiles.best(key);
	if (!tile?.rows) return;
	const [from, to] = tiles.bounds(key);
	const at = y(tile.top);
	const top = y(from - tiles.step); // a row lies across the border
	const high = y(tile.top + tile.rows * tile.pitch) - at;
	pen.save();
	pen.beginPath();
	pen.rect(left, top, width, y(to + tiles.step) - top);
	pen.clip();
	pen.imageSmoothingEnabled = high < tile.rows;
	pen.drawImage(coloured(tile, lut), left, at, width, high);
	pen.restore();
}

function drawAxis(pen, { from, to }, height, y) {
	const step = roundStep(((to - from) * TICK_PX) / height);
	const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	Object.assign(pen, { textAlign: "right", textBaseline: "middle" });
	for (let n = Math.ceil((from * 5) / step); (n * step) / 5 <= to; n += 1) {
		const at = Math.round(y((n * step) / 5));
		const long = n % 5 ? 5 : 10;
		pen.fillRect(LEFT - long, at, long - 1, 1);
		if (n % 5 === 0 && at > 7 && at < height - 7) pen.fillText(((n * step) / 5).toFixed(digits), LEFT - 14, at);
	}
}

function roundStep(least) {
	const power = 10 ** Math.floor(Math.log10(least));
	return [1, 2, 5, 10].find((one) => one * power >= least * (1 - 1e-9)) * power;
}

function drawOverview(pen, tiles, view, lut, height) {
	const y = (depth) => ((depth - tiles.top) / tiles.extent) * height;
	paint(pen, tiles, "0/0", lut, 0, OVERVIEW, y);
	pen.lineWidth = 3;
	pen.strokeRect(1.5, y(view.from) + 1.5, OVERVIEW - 3, Math.max(2, y(view.to) - y(view.from) - 3));
}

function drawTape(pen, top, bottom, width) {
	for (const at of [top, bottom]) pen.fillRect(LEFT, at - 1, width, 2);
	pen.globalAlpha = 0.25;
	pen.fillRect(LEFT, top, width, bottom - top);
}
