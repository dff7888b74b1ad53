// A depth log, or two on one depth.
import { address, downloads, get, save } from "./api.js";
import { colours, draw, drawHistogram, LEFT, OVERVIEW, trackAt } from "./chart.js";
import { depthsOf, factor, inUnit, UNITS } from "./depths.js";
import { button, held, make, select, sentence, soon } from "./dom.js";
import { listen } from "./gestures.js";
import { tilesOf } from "./tiles.js";

const SCALES = [10, 20, 50, 100, 200, 500, 1000];
const PX_M = 0.0254 / 96; // a CSS pixel on paper
const ACROSS = { degrees: ["0°", "90°", "180°", "270°", "360°"], compass: ["N", "E", "S", "W", "N"] };
const PANS = { ArrowUp: -0.15, ArrowDown: 0.15, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity };
const ZOOMS = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };

const heads = make("div.heads", { style: `padding-left: ${LEFT}px` });
const canvas = make("canvas.log", { tabIndex: 0, role: "slider", ariaOrientation: "vertical" });
const reading = make("output");
const swatch = make("img", { alt: "Colours from the least value to the greatest" });
const legend = make("span.legend");
const histogram = make("canvas.histogram", { width: 64, height: 32, role: "img", ariaLabel: "How often each grey is there" });
const byTape = make("input", { type: "checkbox" });
const png = make("a.button", "Download PNG");

let form, logs, maps, lut, tape, depths, unit;
let tracks = [];

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
		place.replaceChildren(...head, form, make("div.viewer", heads, canvas, make("div.under", reading, legend)));
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
	const units = UNITS.filter((one) => one !== own);
	const others = names.filter((one) => one !== log);
	return make("form.tools", { method: "dialog", onchange: ({ target }) => (CHANGES[target.name] ?? rebuild)() },
		field("From", input("from", depth)), field("To", input("to", depth)),
		button("+", () => depths.zoom(2), { ariaLabel: "Zoom in" }), button("−", () => depths.zoom(0.5), { ariaLabel: "Zoom out" }), button("Whole log", () => depths.zoom(0)),
		field("Scale", choice("scale", ["", "1:"], ...SCALES.map((one) => [one, `1:${one}`]))),
		field("Unit", choice("unit", ["", own ?? "as stored"], ...units), !own),
		field("Colours", choice("map", ...maps.flatMap(({ name }) => [name, [`${name}_r`, `${name} reversed`]]))),
		field("Contrast", choice("contrast", ["", "as stored"], "linear", "equalize")),
		field("Window", input("window", { ...depth, min: 0, placeholder: "whole log" })),
		field("Percentiles", input("percentiles", { placeholder: "2,98", pattern: "[0-9.]+,[0-9.]+" })), histogram,
		field("Across", choice("across", ["", "columns"], "degrees", ["compass", "N E S W"])),
		field("Beside it", choice("beside", ["", "–"], ...others), !others.length),
		field("Tape", byTape), png, button("Figure", figure), button("Copy link", copyLink));
}

export function leave() {
	for (const tiles of tracks) tiles.stop();
}

const CHANGES = { "": unmeasured, from: typed, to: typed, scale: toScale, map: recolour, across: label, beside };

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
	byTape.checked = false;
	build(from, to);
	recolour();
}

function build(from, to) {
	leave();
	const { contrast, window, percentiles, unit: wanted } = values();
	const linear = contrast === "linear";
	const stretch = contrast && { contrast, window, percentiles: linear ? percentiles : "" };
	unit = wanted || logs[0].depth_unit || "";
	tracks = logs.map((log) => {
		const how = { ...stretch, unit: log.depth_unit ? unit : "", mask: log.holes ? "true" : "" };
		return tilesOf(inUnit(log, how.unit), how, changed);
	});
	depths = depthsOf(tracks, redraw);
	depths.show(from, to);
	Object.assign(canvas, { ariaValueMin: depths.least, ariaValueMax: depths.most });
	form.window.parentElement.hidden = !contrast;
	form.percentiles.parentElement.hidden = !linear;
	tape = null;
	label();
}

const values = () => Object.fromEntries(new FormData(form));

function rebuild() {
	const [before, { from, to }] = [unit, depths.rows()];
	build();
	depths.show(from * factor(before, unit), to * factor(before, unit));
}

async function beside() {
	const field = form.beside;
	const { value } = field;
	const second = value ? await getLog(value).catch(changed) : null;
	if (field !== form.beside || value !== field.value) return;
	logs = [logs[0], second].filter(Boolean);
	rebuild();
}

function label() {
	const marks = ACROSS[form.across.value] ?? [];
	heads.replaceChildren(...logs.map(({ log }) =>
		make("div", logs.length > 1 && make("b", log), make("div.marks", marks.map((one) => make("span", one))))));
	remember();
}

const high = () => canvas.clientHeight;

function typed() {
	depths.show(form.from.value, form.to.value);
}

// How long a pixel is in the log to that on paper.
const ratio = () => (depths.span() * factor(unit || "m", "m")) / high() / PX_M;

function toScale() {
	if (form.scale.value) depths.zoom(ratio() / form.scale.value);
	form.scale.value = "";
}

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
	const { from, to } = depths.edges();
	for (const tiles of tracks) tiles.show(from, to, high() * devicePixelRatio);
	changed();
	tell();
});

new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").onchange = redraw;

function changed(error, part) {
	if (error) reading.textContent = sentence(error, part);
	else draw(canvas, tracks, depths.edges(), lut, tape);
	canvas.ariaBusy = tracks.some((tiles) => tiles.missing().length);
	const greys = tracks[0].best("0/0")?.pixels;
	if (greys) drawHistogram(histogram, greys);
}

function tell() {
	const [from, to] = Object.values(depths.rows()).map(depths.text);
	form.from.value = from;
	form.to.value = to;
	form.scale.options[0].textContent = `1:${Number(ratio().toPrecision(3))}`;
	Object.assign(canvas, { ariaValueNow: depths.at(0.5), ariaValueText: `${from} to ${to}` });
	remember();
}

const remember = soon(keep, 200);

function keep() {
	if (!canvas.checkVisibility() || !location.hash.startsWith("#/logs/")) return; // on the way back
	const { from, to } = depths.rows();
	const [{ log }] = logs;
	const said = Object.entries({ ...values(), from, to }).filter(([, value]) => value !== "");
	history.replaceState(null, "", `#/logs/${encodeURIComponent(log)}?${new URLSearchParams(said)}`);
	downloads(png, address("api/frames", { ...asked(), format: "png", max_rows: 100_000 }), `${log} ${from} to ${to}.png`);
}

function asked() {
	const { from: depth_min, to: depth_max } = depths.rows();
	return { ...tracks[0].how, log: logs[0].log, depth_min, depth_max, colormap: form.map.value, mask: "" };
}

async function figure() {
	const { log, ...how } = asked();
	const named = new URLSearchParams(logs.map((one) => ["log", one.log]));
	const scale = unit && `1:${Math.max(1, Math.round(ratio()))}`; // there is none without a unit
	await save(address(`api/frames/figure?${named}`, { ...how, format: "pdf", scale }), `${log}.pdf`).catch((error) => changed(error, "Drawing figures"));
}

function copyLink({ target }) {
	keep();
	document.oncopy = ({ clipboardData }) => { // also without TLS
		clipboardData.setData("text/plain", location.href);
		return false;
	};
	target.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
	document.oncopy = null;
	setTimeout(() => { target.textContent = "Copy link"; }, 2000);
}

function unmeasured() {
	tape = null;
	redraw();
}

function measure(from, to) {
	tape = { from, to };
	redraw();
	reading.textContent = `${depths.text(Math.abs(to - from))} ${unit} from ${depths.text(from)} to ${depths.text(to)}`;
}

function point({ x, y }) {
	const at = trackAt(canvas, tracks.length, x);
	const found = at && tracks[at.n].look(depths.at(y / high()), at.across);
	reading.textContent = found ? told(found, logs[at.n]) : "";
}

function told({ depth, column, width, grey, exact: sure }, { value_min: least, value_max: most, value_unit = "" }) {
	const about = sure ? "" : "≈ "; // rows averaged, or not evenly spaced
	const value = most === undefined ? grey : `${Number((least + (grey / 255) * (most - least)).toPrecision(4))} ${value_unit}`.trim();
	const where = form.across.value ? `azimuth ${Math.round(((column + 0.5) / width) * 360)}°` : `column ${column + 1}`;
	return `depth ${about}${depths.text(depth)}${unit && ` ${unit}`}, ${where}, ${grey === null ? "a hole" : `value ${about}${value}`}`;
}

const pull = ({ y }, before) => depths.pan((before.y - y) / high());
const goTo = ({ y }) => depths.centre(y / high());
let drags = pull;

// One finger scrolls the page, two move the log.
listen(canvas, {
	press(at, { shiftKey, pointerType }) {
		const begun = depths.at(at.y / high());
		if (at.x < OVERVIEW) drags = goTo;
		else if (shiftKey || byTape.checked) drags = ({ y }) => measure(begun, depths.at(y / high()));
		else drags = pointerType === "touch" ? point : pull;
		(drags === goTo ? goTo : point)(at);
	},
	drag: (now, before) => drags(now, before),
	pinch(now, before) {
		pull(now, before);
		depths.zoom(now.spread / before.spread, now.y / high());
	},
	hover: point,
	wheel(px, { y }, event) {
		const zooms = held(event);
		if (zooms) depths.zoom(1.004 ** -px, y / high());
		if (zooms || depths.pan(px / high())) event.preventDefault(); // at the end the page scrolls on
	},
});
canvas.onpointerleave = ({ pointerType }) => { if (pointerType === "mouse") reading.textContent = ""; };
canvas.ontouchstart = canvas.ontouchmove = (event) => {
	if (event.touches.length > 1 && event.cancelable) event.preventDefault();
};
canvas.onkeydown = (event) => {
	const { key } = event;
	if (held(event) || event.altKey || !(key in PANS || key in ZOOMS)) return;
	event.preventDefault();
	if (key in PANS) depths.pan(PANS[key]);
	else depths.zoom(ZOOMS[key]);
};
