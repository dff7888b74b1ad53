// Drawing a log: the overview at the left, the depth axis, the picture.
import { coloured } from "./colormaps.js";

export const OVERVIEW = 34; // px wide
export const LEFT = 118; // px, where the picture begins
const GAP = 10;
const TICK_PX = 64;

/** Draw `view` {from, to} of the tracks [{tiles, keys}] side by side, and the tape {from, to} if there is one. */
export function draw(canvas, tracks, view, lut, tape) {
  const { clientWidth: width, clientHeight: height } = canvas;
  Object.assign(canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = style.font;
  pen.fillStyle = pen.strokeStyle = style.color;
  const y = (depth) => ((depth - view.from) / (view.to - view.from)) * height;
  const wide = (width - LEFT + GAP) / tracks.length;
  tracks.forEach(({ tiles, keys }, n) => {
    for (const key of keys) paint(pen, tiles, key, lut, LEFT + n * wide, wide - GAP, y);
  });
  drawAxis(pen, view, height, y);
  pen.strokeStyle = pen.fillStyle = style.caretColor;
  drawOverview(pen, tracks[0].tiles, view, lut, height);
  if (tape) drawTape(pen, y(tape.from), y(tape.to), width);
}

/** Return which track is at `x`, and how far across it, 0 to 1; null beside them. */
export function trackAt(canvas, count, x) {
  const wide = (canvas.clientWidth - LEFT + GAP) / count;
  const n = Math.floor((x - LEFT) / wide);
  const across = (x - LEFT - n * wide) / (wide - GAP);
  return n >= 0 && n < count && across < 1 ? { n, across } : null;
}

function drawTape(pen, top, bottom, width) {
  pen.globalAlpha = 0.25;
  pen.fillRect(LEFT, Math.min(top, bottom), width - LEFT, Math.abs(bottom - top));
  pen.globalAlpha = 1;
  for (const at of [top, bottom]) pen.fillRect(LEFT, at - 1, width - LEFT, 2);
}

export function drawHistogram(canvas, greys) {
  const pen = canvas.getContext("2d");
  const counts = new Float64Array(64);
  for (const grey of greys) counts[grey >> 2] += 1;
  const most = Math.max(...counts);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(canvas).color;
  counts.forEach((one, n) => pen.fillRect(n, canvas.height * (1 - one / most), 1, canvas.height));
}

function paint(pen, tiles, key, lut, left, width, y) {
  const tile = tiles.best(key);
  if (!tile?.rows) return;
  const [from, to] = tiles.bounds(key);
  const top = y(from - tiles.step); // a row lies across the border
  const high = y(tile.top + tile.rows * tile.pitch) - y(tile.top);
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, y(to + tiles.step) - top);
  pen.clip();
  pen.imageSmoothingEnabled = high < tile.rows;
  pen.drawImage(coloured(tile, lut), left, y(tile.top), width, high);
  pen.restore();
}

function drawAxis(pen, view, height, y) {
  const step = roundStep(((view.to - view.from) * TICK_PX) / height);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.beginPath();
  for (let n = Math.ceil((view.from * 5) / step); (n * step) / 5 <= view.to; n += 1) {
    const at = Math.round(y((n * step) / 5)) + 0.5;
    pen.moveTo(LEFT - (n % 5 ? 5 : 10), at);
    pen.lineTo(LEFT - 1, at);
    if (n % 5 === 0 && at > 7 && at < height - 7) pen.fillText(((n * step) / 5).toFixed(digits), LEFT - 14, at);
  }
  pen.stroke();
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
