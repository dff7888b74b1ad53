// The controls over a log: what its view is, how it is shown, what is done with it.
import { button, make } from "./dom.js";

export const METRES = { m: 1, ft: 0.3048, in: 0.0254, "0.1in": 0.00254 };
const SCALES = [10, 20, 50, 100, 200, 500, 1000];

const choice = (pairs) => make("select", null, pairs.map(([value, text = value]) => make("option", { value }, text)));
const number = (attributes) => make("input", { type: "number", step: "any", ...attributes });
const others = (all, own) => all.filter((one) => one !== own).map((one) => [one]);

/** Make them; `acts` hear of changes and presses by name, `build` of what asks for other pixels. */
export function controls(log, names, maps, acts) {
  const texts = {};
  const made = {};
  const field = (name, text, input, act = acts[name]) => {
    input.addEventListener("change", act);
    made[name] = input;
    return (texts[name] = make("label", { class: "field" }, text, input));
  };
  const press = (name, text, attributes) => (made[name] = button(text, acts[name], attributes));
  const zoom = (text, factor, words) => button(text, () => acts.zoom(factor, 0.5), { "aria-label": words });
  made.histogram = make("canvas", { class: "histogram", width: 64, height: 32, role: "img", "aria-label": "How often each grey is there" });
  made.save = make("a", { class: "button" }, "Download PNG");
  const element = make("div", { class: "tools" },
    field("from", "From", number(), acts.range), field("to", "To", number(), acts.range),
    zoom("+", 2, "Zoom in"), zoom("−", 0.5, "Zoom out"), zoom("Whole log", 0, null),
    field("scale", "Scale", choice([["", "1:"], ...SCALES.map((one) => [one, `1:${one}`])])),
    field("unit", "Unit", choice([["", log.depth_unit ?? "as stored"], ...others(Object.keys(METRES), log.depth_unit)]), acts.build),
    field("map", "Colours", choice(maps.flatMap(({ name }) => [[name], [`${name}_r`, `${name} reversed`]]))),
    field("contrast", "Contrast", choice([["", "as stored"], ["linear"], ["equalize"]]), acts.build),
    field("window", "Window", number({ min: 0, placeholder: "whole log" }), acts.build),
    field("percentiles", "Percentiles", make("input", { placeholder: "2,98", pattern: "[0-9.]+,[0-9.]+" }), acts.build),
    made.histogram,
    field("across", "Across", choice([["columns"], ["degrees"], ["compass", "N E S W"]])),
    field("beside", "Beside it", choice([["", "–"], ...others(names, log.log)])),
    press("tapes", "Tape", { "aria-pressed": "false" }), made.save, press("figure", "Figure"), press("link", "Copy link"));
  texts.unit.hidden = !log.depth_unit;
  texts.beside.hidden = names.length < 2;
  const { map, contrast, window, percentiles, across, unit, beside } = made;
  return { ...made, element, texts, fields: { map, contrast, window, percentiles, across, unit, beside } };
}
