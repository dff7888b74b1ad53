// Drag, pinch, wheel and keys, turned into pan, zoom and go to. Places are parts of the height, 0 to 1.
const KEYS = { ArrowUp: -0.15, ArrowDown: 0.15, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity };
const ZOOMS = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };

/** Listen on `canvas`; left of `overview_px` a press means "go there". */
export function listen(canvas, overview_px, { pan, zoom, goTo, point }) {
  const pressed = new Map(); // pointer id -> y
  let inOverview = false;
  const part = (event) => event.offsetY / canvas.clientHeight;
  const spread = () => Math.max(10, Math.max(...pressed.values()) - Math.min(...pressed.values()));

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, event.offsetY);
    inOverview = event.offsetX < overview_px;
    if (inOverview) goTo(part(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    point(event.offsetX, part(event));
    if (!pressed.has(event.pointerId)) return;
    const before = { y: pressed.get(event.pointerId), spread: spread() };
    pressed.set(event.pointerId, event.offsetY);
    if (inOverview) goTo(part(event));
    else if (pressed.size > 1) zoom(spread() / before.spread, part(event));
    else pan((before.y - event.offsetY) / canvas.clientHeight);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pressed.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => point(-1));

  canvas.addEventListener("wheel", (event) => {
    const delta_px = event.deltaY * [1, 16, canvas.clientHeight][event.deltaMode];
    const zooming = event.ctrlKey || event.metaKey;
    const moved = zooming ? zoom(1.004 ** -delta_px, part(event)) : pan(delta_px / canvas.clientHeight);
    if (moved || zooming) event.preventDefault(); // at the end the page scrolls on
  }, { passive: false });

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS || event.key in ZOOMS)) return;
    event.preventDefault();
    if (event.key in KEYS) pan(KEYS[event.key]);
    else zoom(ZOOMS[event.key], 0.5);
  });
}
