// Drag, pinch, wheel and keys, turned into pan, zoom and go to. Places are parts of the height, 0 to 1.
import { held } from "./dom.js";

const KEYS = { ArrowUp: -0.15, ArrowDown: 0.15, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity };
const ZOOMS = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };

/** Listen on `canvas`; left of `overview_px` a press means "go there". One finger scrolls the page, two move the log. */
export function listen(canvas, overview_px, { pan, zoom, goTo, point, measuring, measure }) {
  const pressed = new Map(); // pointer id -> {x, y}
  let inOverview = false;
  let begun = null; // where a measurement began
  const part = (event) => event.offsetY / canvas.clientHeight;
  const place = ({ offsetX: x, offsetY: y }) => ({ x, y });

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, place(event));
    inOverview = event.offsetX < overview_px;
    begun = measuring(event) && !inOverview ? part(event) : null;
    if (inOverview) goTo(part(event));
    else point(event.offsetX, part(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pressed.has(event.pointerId)) return point(event.offsetX, part(event));
    const before = pinch(pressed);
    pressed.set(event.pointerId, place(event));
    const now = pinch(pressed);
    const moved = (before.y - now.y) / canvas.clientHeight;
    if (pressed.size > 1) {
      pan(moved);
      zoom(now.spread / before.spread, now.y / canvas.clientHeight);
    } else if (inOverview) goTo(part(event));
    else if (begun !== null) measure(begun, part(event));
    else if (event.pointerType === "touch") point(event.offsetX, part(event));
    else pan(moved);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pressed.delete(event.pointerId));
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(-1));
  for (const name of ["touchstart", "touchmove"]) {
    canvas.addEventListener(name, (event) => event.touches.length > 1 && event.cancelable && event.preventDefault(), { passive: false });
  }

  canvas.addEventListener("wheel", (event) => {
    const delta_px = event.deltaY * [1, 16, canvas.clientHeight][event.deltaMode];
    const zooming = held(event);
    const moved = zooming ? zoom(1.004 ** -delta_px, part(event)) : pan(delta_px / canvas.clientHeight);
    if (moved || zooming) event.preventDefault(); // at the end the page scrolls on
  }, { passive: false });

  canvas.addEventListener("keydown", (event) => {
    if (held(event) || event.altKey || !(event.key in KEYS || event.key in ZOOMS)) return;
    event.preventDefault();
    if (event.key in KEYS) pan(KEYS[event.key]);
    else zoom(ZOOMS[event.key], 0.5);
  });
}

/** Return the middle of the fingers of a Map, and how far apart they are. */
export function pinch(pressed) {
  const [a, b = a] = pressed.values();
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)) };
}
