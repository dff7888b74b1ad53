// The controls over a log: what its view is, how it is shown, what is done with it.
import { make, select } from "./dom.js";

export const METRES = { m: 1, ft: 0.3048, in: 0.0254, "0.1in": 0.00254 };
const SCALES = [10, 20, 50, 100, 200, 500, 1000];

const field = (text, input, hidden = false) => make("label.field", { hidden }, text, input);
const number = (name, more = {}) => make("input", { name, type: "number", step: "any" }, more);
const choice = (name, ...options) => select({ name }, options);

export function controls({ log, depth_unit: own }, names, maps, zooms, histogram, acts, changed) {
	const units = Object.keys(METRES).filter((one) => one !== own);
	const others = names.filter((one) => one !== log);
	const all = make("form.tools",
		field("From", number("from")), field("To", number("to")), zooms,
		field("Scale", choice("scale", ["", "1:"], ...SCALES.map((one) => [one, `1:${one}`]))),
		field("Unit", choice("unit", ["", own ?? "as stored"], ...units.map((one) => [one])), !own),
		field("Colours", choice("map", ...maps.flatMap(({ name }) => [[name], [`${name}_r`, `${name} reversed`]]))),
		field("Contrast", choice("contrast", ["", "as stored"], ["linear"], ["equalize"])),
		field("Window", number("window", { min: 0, placeholder: "whole log" })),
		field("Percentiles", make("input", { name: "percentiles", placeholder: "2,98", pattern: "[0-9.]+,[0-9.]+" })), histogram,
		field("Across", choice("across", ["", "columns"], ["degrees"], ["compass", "N E S W"])),
		field("Beside it", choice("beside", ["", "–"], ...others.map((one) => [one])), !others.length), acts);
	all.onsubmit = (event) => event.preventDefault();
	all.onchange = ({ target }) => changed(target.name);
	return all;
}
