import { get } from "./api.js";
import { count, counted, find, soon } from "./dom.js";

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
	find("p", place).textContent = success
		? `${count(success)} ready (${success_rate} %). One took ${Number((average_ms / 1000).toPrecision(2))} s of work on average, without waiting.`
		: "None is ready.";
	place.hidden = false;
}

export const refresh = soon(load, 1000);
