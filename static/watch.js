// Live status: long polls on two connections at most, however many pictures are being processed.
import { get } from "./api.js";

const CONNECTIONS = 2;
const PAUSE_MS = { least: 500, most: 15_000 };
const waiting = new Map(); // id -> {seen, updates}
let running = 0;

/** Whether there is more to come; a caption may be written anew while the picture itself is done. */
export const busy = ({ status, caption_status, caption_error }) => status === "processing" || (caption_status === "pending" && !caption_error);

/** Call `update` with the picture as it changes, until it is done; with null when it is gone. */
export function watch(id, update) {
  add(id, false, [update]);
  if (running < CONNECTIONS) run();
}

function add(id, seen, updates) {
  const before = waiting.get(id)?.updates ?? [];
  waiting.set(id, { seen, updates: [...before, ...updates] });
}

async function run() {
  running += 1;
  let pause_ms = PAUSE_MS.least;
  while (waiting.size) {
    const [[id, watched]] = waiting;
    waiting.delete(id);
    const useful = await poll(id, watched);
    if (!useful) await new Promise((resolve) => { setTimeout(resolve, pause_ms); });
    pause_ms = useful ? PAUSE_MS.least : Math.min(pause_ms * 2, PAUSE_MS.most);
  }
  running -= 1;
}

/** Poll one picture; false when there was no answer, or one at once and no news: slow down. */
async function poll(id, { seen, updates }) {
  const wait_s = seen ? 20 : 2; // the first look is short: thumbnails come before captions
  const began_ms = performance.now();
  const image = await get(`api/images/${id}`, { wait: wait_s }).then(({ data }) => data, (error) => error);
  if (image.status === 401) return true;
  if (image.image_id || image.status === 404) updates.forEach((update) => update(image.image_id ? image : null));
  if (image.status === 404 || (image.image_id && !busy(image))) return true;
  add(id, Boolean(image.metadata), updates);
  return performance.now() - began_ms > (wait_s - 1) * 1000;
}
