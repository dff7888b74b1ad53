// Live status by long polls.
import { get } from "./api.js";

const CONNECTIONS = 2;
const PAUSE_MS = 3000;
const waiting = new Map();
let running = 0;

export const busy = ({ status, caption_status, caption_error }) => status === "processing" || (caption_status === "pending" && !caption_error);

// Tell `update` of a picture until it is done; null when it is gone.
export function watch(id, update) {
	add(id, false, [update]);
	if (running < CONNECTIONS) run();
}

function add(id, seen, updates) {
	waiting.set(id, { seen, updates: [...(waiting.get(id)?.updates ?? []), ...updates] });
}

async function run() {
	running += 1;
	while (waiting.size) {
		const [[id, watched]] = waiting;
		waiting.delete(id);
		if (!(await poll(id, watched))) await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
	}
	running -= 1;
}

// False where there was no news at once: slow down.
async function poll(id, { seen, updates }) {
	const wait = seen ? 20 : 2; // s; thumbnails come before captions
	const began_ms = performance.now();
	const { data, status } = await get(`api/images/${id}`, { wait }).catch((error) => error);
	const gone = status === 404;
	if (data || gone) updates.forEach((update) => update(data ?? null));
	if (gone || status === 401 || (data && !busy(data))) return true;
	add(id, Boolean(data?.metadata), updates);
	return performance.now() - began_ms > (wait - 1) * 1000;
}
