// The statistics: one line, the figures behind it.
import { get } from "./api.js";
import { atMost, count, counted, duration, find, terms } from "./dom.js";

const place = find("#stats");

let asked = 0;
let shown = 0;

export async function load() {
  const number = ++asked;
  const { data } = await get("api/stats").catch(() => ({}));
  if (!data || number < shown) return; // a later question was answered first
  shown = number;
  find("summary", place).textContent = line(data);
  find("dl", place).replaceChildren(...terms(figures(data)));
  place.hidden = false;
}

export const refresh = atMost(load, 1000);

function line({ total, processing, failed }) {
  const parts = [counted(total, "picture"), processing && `${count(processing)} processing`, failed && `${count(failed)} failed`];
  return parts.filter(Boolean).join(", ");
}

function figures({ success, processing, failed, success_rate, avg_processing_time_ms: average_ms }) {
  return [
    ["Ready", success ? `${count(success)} (${success_rate} %)` : "0"],
    ["Processing", count(processing)],
    ["Failed", count(failed)],
    ["Average work on a picture that is ready, without waiting", average_ms === null ? "–" : duration(average_ms)],
  ];
}
