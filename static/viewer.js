// A depth log, or two on one depth.
import { address, downloads, get, save } from "./api.js";
import { colours, draw, drawHistogram, LEFT, OVERVIEW, trackAt } from "./chart.js";
import { button, copy, held, make, select, sentence, soon } from "./dom.js";
import { listen } from "./gestures.js";
import { tilesOf } from "./tiles.js";

const METRES = { m: 1, ft: 0.3048, in: 0.0254, "0.1in": 0.00254 };
const SCALES = [10, 20, 50, 100, 200, 500, 1000];
const LEAST_ROWS = 8;
const PX_M = 0.0254 / 96; // a CSS pixel on paper
const ACROSS = { degrees: ["0°", "90°", "180°", "270°", "360°"], compass: ["N", "E", "S", "W", "N"] };
const HELP = "Drag or scroll to move (two fingers on a touch screen), pinch or Ctrl + scroll to zoom, Shift + drag to measure; ? lists the keys.";
const PANS = { ArrowUp: -0.15, ArrowDown: 0.15, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity };
const ZOOMS = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };

const heads = make("div.heads");
const canvas = make("canvas.log", { tabIndex: 0, role: "slider", ariaOrientation: "vertical", "aria-describedby": "help" });
const reading = make("output");
const swatch = make("img", { alt: "Colours from the least value to the greatest" });
const legend = make("span.legend");
const histogram = make("canvas.histogram", { width: 64, height: 32, role: "img", ariaLabel: "How often each grey is there" });
const tapes = button("Tape", () => measuring(!byTape()), { ariaPressed: "false" });
const png = make("a.button", "Download PNG");
const byTape = () => tapes.ariaPressed === "true";

let form, logs, maps, lut, tape, view; // `view`: {from, to}, the edges of its rows
let tracks = [];
let step, half, top, bottom, extent, unit, digits;

heads.style.paddingLeft = `${LEFT}px`;

export async function open(place, name, query) {
	const head = [make("a", { href: "#/logs" }, "All logs"), make("h1", name)];
	const note = make("p.note", { role: "status" }, "Loading…");
	place.replaceChildren(...head, note);
	try {
		const [log, second, { data: all }, { data: found }] = await Promise.all([
			getLog(name), query.beside ? getLog(query.beside).catch(() => null) : null,
			get("api/frames/logs", { limit: 200 }), get("api/frames/colormaps"),
		]);
		if (!note.isConnected) return;
		[logs, maps] = [[log, second].filter(Boolean), found];
		form = controls(log, all.map((one) => one.log));
		begin(log, query);
		place.replaceChildren(...head, form, make("div.viewer", heads, canvas, make("div.under", reading, legend)), make("p.soft", { id: "help" }, HELP));
	} catch (error) {
		note.textContent = sentence(error, "The depth-log part");
	}
}

const getLog = async (name) => (await get(`api/frames/logs/${encodeURIComponent(name)}`)).data;

function controls({ log, depth_unit: own }, names) {
	const field = (text, input, hidden = false) => make("label.field", { hidden }, text, input);
	const choice = (name, ...options) => select({ name }, options);
	const input = (name, more) => make("input", { name, ...more });
	const depth = { type: "number", step: "any" };
	const units = Object.keys(METRES).filter((one) => one !== own);
	const others = names.filter((one) => one !== log);
	return make("form.tools", { onsubmit: (event) => event.preventDefault(), onchange: ({ target }) => (CHANGES[target.name] ?? rebuild)() },
		field("From", input("from", depth)), field("To", input("to", depth)),
		button("+", () => zoom(2), { ariaLabel: "Zoom in" }), button("−", () => zoom(0.5), { ariaLabel: "Zoom out" }), button("Whole log", () => zoom(0)),
		field("Scale", choice("scale", ["", "1:"], ...SCALES.map((one) => [one, `1:${one}`]))),
		field("Unit", choice("unit", ["", own ?? "as stored"], ...units), !own),
		field("Colours", choice("map", ...maps.flatMap(({ name }) => [name, [`${name}_r`, `${name} reversed`]]))),
		field("Contrast", choice("contrast", ["", "as stored"], "linear", "equalize")),
		field("Window", input("window", { ...depth, min: 0, placeholder: "whole log" })),
		field("Percentiles", input("percentiles", { placeholder: "2,98", pattern: "[0-9.]+,[0-9.]+" })), histogram,
		field("Across", choice("across", ["", "columns"], "degrees", ["compass", "N E S W"])),
		field("Beside it", choice("beside", ["", "–"], ...others), !others.length),
		tapes, png, button("Figure", figure), button("Copy link", copyLink));
}

export function leave() {
	for (const { tiles } of tracks) tiles.want([]);
}

const CHANGES = { from: typed, to: typed, scale: toScale, map: recolour, across: label, beside };

function begin({ log, value_min, value_max, value_unit }, { from, to, scale, ...fields }) {
	for (const [name, value] of Object.entries(fields)) {
		const field = form.elements.namedItem(name);
		if (field) field.value = value;
		if (field?.selectedIndex < 0) field.selectedIndex = 0;
	}
	const [least, most] = value_max === undefined ? [0, 255] : [value_min, value_max];
	legend.replaceChildren(least, swatch, `${most} ${value_unit ?? ""}`);
	reading.textContent = "";
	Object.assign(canvas, { ariaLabel: `Depths of ${log}`, ariaBusy: "true" });
	measuring(false);
	build();
	start(from, to);
	recolour();
}

function start(from = top + half, to = bottom - half) {
	view = fit(Number(from) - half, Number(to) + half);
}

function build() {
	leave();
	const { contrast, window, percentiles, unit: wanted } = values();
	const linear = contrast === "linear";
	const stretch = contrast && { contrast, window, percentiles: linear ? percentiles : "" };
	unit = wanted || logs[0].depth_unit || "";
	tracks = logs.map((log) => {
		const how = { ...stretch, unit: log.depth_unit ? unit : "", mask: log.holes ? "true" : "" };
		return { tiles: tilesOf(inUnit(log, how.unit), how, changed), keys: [] };
	});
	const all = tracks.map(({ tiles }) => tiles);
	step = Math.min(...all.map((one) => one.step));
	half = step / 2; // a row reaches so far above and below its depth
	top = Math.min(...all.map((one) => one.top));
	bottom = Math.max(...all.map((one) => one.top + one.extent));
	extent = bottom - top;
	digits = Number(step.toPrecision(4)).toFixed(9).replace(/0+$/, "").split(".")[1].length;
	Object.assign(canvas, { ariaValueMin: top + half, ariaValueMax: bottom - half });
	form.window.parentElement.hidden = !contrast;
	form.percentiles.parentElement.hidden = !linear;
	tape = null;
	label();
}

const values = () => Object.fromEntries(new FormData(form));

function inUnit(log, wanted) {
	const factor = wanted ? METRES[log.depth_unit] / METRES[wanted] : 1;
	const exact = (depth) => depth && Number((depth * factor).toPrecision(14));
	return { ...log, depth_min: exact(log.depth_min), depth_max: exact(log.depth_max), depth_step: exact(log.depth_step) };
}

function rebuild() {
	const [before, { from, to }] = [unit, rows()];
	build();
	const factor = before && unit ? METRES[before] / METRES[unit] : 1;
	start(from * factor, to * factor);
	redraw();
}

async function beside() {
	const [log] = logs;
	const { value } = form.beside;
	const second = value ? await getLog(value).catch(changed) : null;
	if (log !== logs[0]) return;
	logs = [log, second].filter(Boolean);
	rebuild();
}

function label() {
	const marks = ACROSS[form.across.value] ?? [];
	heads.replaceChildren(...logs.map(({ log }) =>
		make("div", logs.length > 1 && make("b", log), make("div.marks", marks.map((one) => make("span", one))))));
	remember();
}

const high = () => canvas.clientHeight;
const span = () => view.to - view.from;
const depthAt = (y) => view.from + (y / high()) * span();

function pan(part) {
	const by = Math.max(-extent, Math.min(extent, part * span()));
	return go(view.from + by, view.to + by);
}

// Zoom about `y`; by 0 to the whole log.
function zoom(factor, y = high() / 2) {
	const part = y / high();
	const after = factor ? span() / factor : extent;
	go(depthAt(y) - part * after, depthAt(y) + (1 - part) * after);
}

function typed() {
	go(form.from.valueAsNumber - half, form.to.valueAsNumber + half);
}

// How long a pixel is in the log to that on paper.
const ratio = () => (span() * METRES[unit || "m"]) / high() / PX_M;

function toScale() {
	if (form.scale.value) zoom(ratio() / form.scale.value);
	form.scale.value = "";
}

function go(from, to) {
	const before = view;
	view = fit(from, to);
	redraw();
	return before.from !== view.from || before.to !== view.to;
}

const exact = (depth) => Number(depth.toFixed(digits + 3));

function fit(from, to) {
	const size = Math.min(extent, Math.max(Math.abs(to - from) || 0, step * LEAST_ROWS));
	const first = Math.min(Math.max((from + to - size) / 2 || 0, top), bottom - size);
	return { from: exact(first + half) - half, to: exact(first + size - half) + half };
}

const rows = () => ({ from: exact(view.from + half), to: exact(view.to - half) });

async function recolour() {
	const { value } = form.map;
	const reversed = value.endsWith("_r");
	const { preview } = maps.find(({ name }) => value === (reversed ? `${name}_r` : name));
	const found = await colours(preview);
	if (value !== form.map.value) return;
	lut = reversed ? found.toReversed() : found;
	swatch.src = preview;
	swatch.className = reversed ? "turned" : "";
	redraw();
}

const redraw = soon(() => {
	if (!lut || !high()) return;
	for (const track of tracks) {
		track.keys = track.tiles.visible(view.from, view.to, high() * devicePixelRatio);
		track.tiles.want(track.keys);
	}
	changed();
	tell();
});

new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").onchange = redraw;

function changed(error, part) {
	if (error) reading.textContent = sentence(error, part);
	else draw(canvas, tracks, view, lut, tape);
	canvas.ariaBusy = tracks.some(({ tiles }) => tiles.missing().length);
	const greys = tracks[0].tiles.best("0/0")?.pixels;
	if (greys) drawHistogram(histogram, greys);
}

function tell() {
	const [from, to] = Object.values(rows()).map((depth) => depth.toFixed(digits));
	form.from.value = from;
	form.to.value = to;
	form.scale.options[0].textContent = `1:${Number(ratio().toPrecision(3))}`;
	Object.assign(canvas, { ariaValueNow: (view.from + view.to) / 2, ariaValueText: `${from} to ${to}` });
	remember();
}

const remember = soon(keep, 200);

function keep() {
	if (!canvas.checkVisibility()) return;
	const { from, to } = rows();
	const [{ log }] = logs;
	const said = Object.entries({ ...values(), from, to }).filter(([, value]) => value !== "");
	history.replaceState(null, "", `#/logs/${encodeURIComponent(log)}?${new URLSearchParams(said)}`);
	downloads(png, address("api/frames", { ...asked(), format: "png", max_rows: 100_000 }), `${log} ${from} to ${to}.png`);
}

function asked() {
	const { from: depth_min, to: depth_max } = rows();
	return { ...tracks[0].tiles.how, log: logs[0].log, depth_min, depth_max, colormap: form.map.value, mask: "" };
}

async function figure() {
	const { log, ...how } = asked();
	const named = new URLSearchParams(logs.map((one) => ["log", one.log]));
	const scale = unit && `1:${Math.max(1, Math.round(ratio()))}`; // there is none without a unit
	await save(address(`api/frames/figure?${named}`, { ...how, format: "pdf", scale }), `${log}.pdf`).catch((error) => changed(error, "Drawing figures"));
}

async function copyLink({ target }) {
	keep();
	target.textContent = (await copy(location.href)) ? "Copied" : "Copy the address above";
	setTimeout(() => { target.textContent = "Copy link"; }, 2000);
}

function measuring(on) {
	tapes.ariaPressed = on;
	canvas.classList.toggle("measuring", on);
	tape = null;
	redraw();
}

function measure(from, to) {
	tape = { from, to };
	redraw();
	reading.textContent = `${Math.abs(to - from).toFixed(digits)} ${unit} from ${from.toFixed(digits)} to ${to.toFixed(digits)}`;
}

function point({ x, y }) {
	const at = x >= LEFT ? trackAt(canvas, tracks.length, x) : null;
	const { tiles, keys } = tracks[at?.n ?? 0];
	const found = at && tiles.look(depthAt(y), at.across, keys);
	reading.textContent = found ? told(found, tiles.log) : "";
}

function told({ depth, column, width, grey, exact: sure }, { value_min: least, value_max: most, value_unit = "" }) {
	const about = sure ? "" : "≈ "; // rows averaged, or not evenly spaced
	const value = most === undefined ? grey : `${Number((least + (grey / 255) * (most - least)).toPrecision(4))} ${value_unit}`.trim();
	const where = form.across.value ? `azimuth ${Math.round(((column + 0.5) / width) * 360)}°` : `column ${column + 1}`;
	return `depth ${about}${depth.toFixed(digits)}${unit && ` ${unit}`}, ${where}, ${grey === null ? "a hole" : `value ${about}${value}`}`;
}

let drags = pull;

function pull({ y }, before) {
	return pan((before.y - y) / high());
}

function goTo({ y }) {
	pan((top + (y / high()) * extent - view.from) / span() - 0.5);
}

// One finger scrolls the page, two move the log.
listen(canvas, {
	press(at, { shiftKey, pointerType }) {
		const begun = depthAt(at.y);
		if (at.x < OVERVIEW) drags = goTo;
		else if (shiftKey || byTape()) drags = ({ y }) => measure(begun, depthAt(y));
		else drags = pointerType === "touch" ? point : pull;
		(drags === goTo ? goTo : point)(at);
	},
	drag: (now, before) => drags(now, before),
	pinch(now, before) {
		pull(now, before);
		zoom(now.spread / before.spread, now.y);
	},
	hover: point,
	wheel(px, { y }, event) {
		const zooms = held(event);
		if (zooms) zoom(1.004 ** -px, y);
		if (zooms || pan(px / high())) event.preventDefault(); // at the end the page scrolls on
	},
});
canvas.onpointerleave = ({ pointerType }) => { if (pointerType === "mouse") reading.textContent = ""; };
for (const name of ["touchstart", "touchmove"]) {
	canvas.addEventListener(name, (event) => { if (event.touches.length > 1 && event.cancelable) event.preventDefault(); }, { passive: false });
}
canvas.onkeydown = (event) => {
	const { key } = event;
	if (held(event) || event.altKey || !(key in PANS || key in ZOOMS)) return;
	event.preventDefault();
	if (key in PANS) pan(PANS[key]);
	else zoom(ZOOMS[key]);
};
