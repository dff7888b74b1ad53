// Make small, medium and square of JPEG or PNG files, told one batch a line: {"files": [...], "at_once": 2}.
const { readFileSync } = require("fs");
const { createInterface } = require("readline");
const sharp = require("sharp");

const SHRINK = { fit: "inside", withoutEnlargement: true };
const BLACK = { r: 0, g: 0, b: 0 };
sharp.cache(false);
sharp.concurrency(1); // pictures are done side by side, which is faster than each of them by two threads

async function derive(file) {
  const upright = sharp(file).rotate().resize(512, 512, SHRINK).toColourspace("srgb");
  const { data, info } = await upright.raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info; // which calls the pixels premultiplied, and they are not
  const medium = () => sharp(data, { raw: { width, height, channels } });
  const encode = (picture) => (channels === 4 ? picture.png() : picture.jpeg({ quality: 85 }));
  await encode(medium().resize(128, 128, SHRINK)).toBuffer();
  await encode(medium()).toBuffer();
  const square = medium().flatten({ background: BLACK }).resize(512, 512, { fit: "contain", background: BLACK });
  await square.jpeg({ quality: 85 }).toBuffer();
}

async function answer(line) {
  const { files, at_once } = JSON.parse(line);
  const waiting = files.map((file) => readFileSync(file));
  const began = performance.now();
  const before = process.cpuUsage();
  const work = async () => { while (waiting.length) await derive(waiting.pop()); };
  await Promise.all(Array.from({ length: at_once }, work));
  const used = process.cpuUsage(before);
  console.log(JSON.stringify({ s: (performance.now() - began) / 1e3, cpu_s: (used.user + used.system) / 1e6 }));
}

(async () => { for await (const line of createInterface({ input: process.stdin })) await answer(line); })();
