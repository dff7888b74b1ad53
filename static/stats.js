import { get } from "./api.js";
import { count, counted, duration, find, soon, terms } from "./dom.js";

const place = find("#stats");
let asked = 0;
let shown = 0;

export async function load() {
	const number = ++asked;
	const { data } = await get("api/stats").catch(() => ({}));
	if (!data || number < shown) return;
	shown = number;
	const { total, success, processing, failed, success_rate, avg_processing_time_ms: average_ms } = data;
	const line = [counted(total, "picture"), processing && `${count(processing)} processing`, failed && `${count(failed)} failed`];
	find("summary", place).textContent = line.filter(Boolean).join(", ");
	find("dl", place).replaceChildren(...terms([
		["Ready", success ? `${count(success)} (${success_rate} %)` : 0],
		["Processing", count(processing)],
		["Failed", count(failed)],
		["Average work on a picture that is ready, without waiting", average_ms === null ? "–" : duration(average_ms)],
	]));
	place.hidden = false;
}

export const refresh = soon(load, 1000);
