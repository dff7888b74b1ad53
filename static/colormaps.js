// Colour maps: their names from the service, their 256 colours read off the preview.
import { get } from "./api.js";
import { make } from "./dom.js";

export const list = async () => (await get("api/frames/colormaps")).data;

export async function colours(preview) {
  const img = new Image();
  img.src = preview;
  await img.decode();
  const pen = make("canvas", { width: 256 }).getContext("2d");
  pen.drawImage(img, 0, 0);
  return new Uint32Array(pen.getImageData(0, 0, 256, 1).data.buffer);
}

export function coloured(tile, lut) {
  if (tile.lut === lut) return tile.canvas;
  const image = new ImageData(tile.width, tile.rows);
  new Uint32Array(image.data.buffer).set(Uint32Array.from(tile.pixels, (value, n) => (tile.mask?.[n] === 0 ? 0 : lut[value])));
  tile.canvas = make("canvas", { width: tile.width, height: tile.rows });
  tile.canvas.getContext("2d").putImageData(image, 0, 0);
  tile.lut = lut;
  return tile.canvas;
}
