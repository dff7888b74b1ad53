// A picture fitted, zoomed, moved, swiped. `scale` is CSS px a pixel of it.
import { show as load } from "./api.js";
import { find, make } from "./dom.js";
import { listen } from "./gestures.js";

const MOST = 8; // screen pixels a pixel
const STEP = 1.5;
const SWIPE_PX = 50;
const MEDIUM_PX = 512;

const sheet = make("div.sheet");
export const element = make("div.stage", sheet);
let picture = null;
let stop = new AbortController();
let [scale, left, top, swiped_px] = [1, 0, 0, 0];
let fitted = true;
let turn, tell;

// `turned` hears of swipes, -1 or 1, `told` of the zoom.
export function hear(turned, told) {
	[turn, tell] = [turned, told];
}

export function show(shown) {
	stop.abort();
	stop = new AbortController();
	for (const img of sheet.children) {
		img.onload = img.onerror = null;
		img.removeAttribute("src");
	}
	picture = typeof shown === "string" ? null : shown;
	sheet.replaceChildren();
	sheet.hidden = !picture;
	find("p", element)?.remove();
	if (!picture) {
		element.append(make("p.note", shown));
		return tell(null);
	}
	const opaque = picture.format === "jpg";
	sheet.classList.toggle("chequered", !opaque);
	sheet.style.backgroundColor = (opaque && picture.color) || "";
	put(picture.medium, picture.alt, sharpen);
	fit();
}

function put(link, alt, onload) {
	const img = make("img", { alt, draggable: false, onload });
	img.onerror = () => img.remove(); // discarded, or of an unknown kind
	sheet.append(img);
	load(img, link, stop.signal);
}

function sharpen() {
	const [medium, second] = sheet.children;
	const longest_px = Math.max(picture.width, picture.height) * Math.min(1, scale * devicePixelRatio);
	if (second || !medium?.complete || longest_px <= MEDIUM_PX) return;
	put(picture.original, "", () => { medium.hidden = true; sheet.lastChild.alt = medium.alt; });
}

const whole = () => Math.min(1, element.clientWidth / picture.width, element.clientHeight / picture.height);

export function fit() {
	if (!picture) return;
	fitted = true;
	scale = whole();
	move(0, 0);
}

export function zoom(factor, x = element.clientWidth / 2, y = element.clientHeight / 2) {
	if (!picture) return;
	const wanted = Math.min(Math.max(MOST / devicePixelRatio, 2 * whole()), Math.max(whole(), scale * factor));
	fitted = wanted === whole();
	[left, top] = [x - ((x - left) * wanted) / scale, y - ((y - top) * wanted) / scale];
	scale = wanted;
	move(0, 0);
}

export const zoomIn = () => zoom(STEP);
export const zoomOut = () => zoom(1 / STEP);

export const real = (x, y) => zoom(1 / devicePixelRatio / scale, x, y);

function move(dx, dy) {
	const kept = (start, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, start)));
	const [width, height] = [picture.width * scale, picture.height * scale];
	left = kept(left + dx, width, element.clientWidth);
	top = kept(top + dy, height, element.clientHeight);
	const transform = `translate(${left + swiped_px}px, ${top}px)`;
	Object.assign(sheet.style, { width: `${width}px`, height: `${height}px`, transform });
	element.classList.toggle("zoomed", !fitted);
	sheet.classList.toggle("pixels", scale * devicePixelRatio >= 3);
	tell(scale * devicePixelRatio);
	sharpen();
}

new ResizeObserver(() => {
	if (fitted) fit();
	else if (picture) move(0, 0);
}).observe(element);

listen(element, {
	press: (_, { button }) => Boolean(picture) && button <= 0,
	drag({ x, y }, before, { pointerType }) {
		if (!fitted) return move(x - before.x, y - before.y);
		if (pointerType === "mouse") return;
		swiped_px += x - before.x;
		move(0, 0);
	},
	pinch({ x, y, spread }, before) {
		swiped_px = 0;
		zoom(spread / before.spread, x, y);
		if (!fitted) move(x - before.x, y - before.y);
	},
	release({ type }) {
		const swiped = swiped_px;
		swiped_px = 0;
		if (picture) move(0, 0);
		if (type === "pointerup" && Math.abs(swiped) > SWIPE_PX) turn(swiped < 0 ? 1 : -1);
	},
	wheel(px, { x, y }, event) {
		event.preventDefault();
		zoom(1.0025 ** -(px * (event.ctrlKey ? 3 : 1)), x, y);
	},
	twice({ x, y }) {
		if (!fitted || !picture) fit();
		else if (whole() < 1 / devicePixelRatio) real(x, y);
		else zoom(2, x, y);
	},
});
