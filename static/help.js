import { ask, make, terms } from "./dom.js";

const KEYS = {
	Everywhere: { "?": "List the keys", Esc: "Close, or select none" },
	Pictures: {
		"← → ↑ ↓ Home End": "Go from picture to picture", Enter: "Open", "Space, long press": "Select",
		"Shift + arrows, Shift + click, another long press": "Select a range", "Ctrl + A": "Select all that are loaded",
		Delete: "Delete what is selected", "/": "Search",
	},
	"One picture": {
		"← →": "Previous, next", "+ − 0 1": "Zoom in, out, whole picture, pixel by pixel", i: "Fold the facts",
		e: "Edit the caption", l: "Add a label", c: "Comment", "Ctrl + Enter": "Save, send", Delete: "Delete the picture",
	},
	"Depth log": {
		"↑ ↓ Page up, Page down, drag, wheel, two fingers": "Move", "Home End": "Top, bottom",
		"+ − 0, Ctrl + wheel, pinch": "Zoom in, out, whole log", "Shift + drag": "Measure",
	},
};

const section = ([part, keys]) => make("section", make("h3", part), make("dl", terms(Object.entries(keys))));

export const open = () => ask("keys", "Keys", make("button", "Close"), make("div", Object.entries(KEYS).map(section)));
