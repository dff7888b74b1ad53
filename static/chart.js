// Drawing a log: the overview at the left, the depth axis, the picture.
import { coloured } from "./colormaps.js";

export const OVERVIEW = 34; // px wide
export const LEFT = 118; // px, where the picture begins
const TICK_PX = 64;

export function draw(canvas, tiles, view, keys, lut) {
  const { clientWidth: width, clientHeight: height } = canvas;
  Object.assign(canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = style.font;
  pen.fillStyle = pen.strokeStyle = style.color;
  const y = (depth) => ((depth - view.from) / (view.to - view.from)) * height;
  for (const key of keys) paint(pen, tiles, key, lut, LEFT, width - LEFT, y);
  drawAxis(pen, view, height, y);
  pen.strokeStyle = style.caretColor;
  drawOverview(pen, tiles, view, lut, height);
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

/** Return the next of 1, 2, 5, 10, … at or above `least`. */
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
