// The stage of a picture: fitted, zoomed, moved, swiped. Sizes in CSS px, `scale` in CSS px a pixel of the picture.
import { show } from "./api.js";
import { make } from "./dom.js";
import { pinch } from "./gestures.js";

const MOST = 8; // screen pixels a pixel
const STEP = 1.5;
const SWIPE_PX = 50;
const MEDIUM_PX = 512;

export class Stage {
  #picture = null;
  #stop = new AbortController();
  #view = { scale: 1, x: 0, y: 0 };
  #fitted = true;
  #pressed = new Map(); // pointer id -> {x, y}
  #swiped_px = 0;
  #sheet = make("div", { class: "sheet" });

  /** `turn` hears of a swipe, -1 or 1; `tell` of the zoom, in screen pixels a pixel, null without a picture. */
  constructor(turn, tell) {
    Object.assign(this, { turn, tell });
    this.element = make("div", { class: "stage" }, this.#sheet);
    new ResizeObserver(() => this.#picture && (this.#fitted ? this.fit() : this.#move(0, 0))).observe(this.element);
    this.#listen();
  }

  /** Show {width, height, format, alt, medium, original, color}, or words where there is no picture. */
  show(picture) {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#picture = typeof picture === "string" ? null : picture;
    this.#sheet.replaceChildren();
    this.#sheet.hidden = !this.#picture;
    this.element.querySelector("p")?.remove();
    if (!this.#picture) {
      this.element.append(make("p", { class: "note" }, picture));
      return this.tell(null);
    }
    this.#sheet.classList.toggle("chequered", picture.format !== "jpg");
    this.#sheet.style.backgroundColor = picture.format === "jpg" ? picture.color ?? "" : "";
    this.#put(picture.medium, () => this.#sharpen());
    this.fit();
  }

  #put(link, then) {
    const img = make("img", { alt: this.#sheet.children.length ? "" : this.#picture.alt, draggable: "false" });
    img.onload = then;
    img.onerror = () => img.remove(); // discarded, or of a kind that this browser cannot show
    this.#sheet.append(img);
    show(img, link, this.#stop.signal);
    this.#stop.signal.addEventListener("abort", () => { img.onerror = img.onload = null; img.removeAttribute("src"); });
  }

  /** Fetch the original once the medium no longer has a pixel for each of the screen's. */
  #sharpen() {
    const { width, height, original } = this.#picture ?? {};
    const reached = this.#view.scale * devicePixelRatio * Math.max(width, height) > MEDIUM_PX;
    const [medium, second] = this.#sheet.children;
    if (!original || second || !medium?.complete || !reached || Math.max(width, height) <= MEDIUM_PX) return;
    this.#put(original, () => { medium.hidden = true; this.#sheet.lastChild.alt = medium.alt; });
  }

  #whole() {
    const { clientWidth, clientHeight } = this.element;
    return Math.min(1, clientWidth / this.#picture.width, clientHeight / this.#picture.height);
  }

  #most = () => Math.max(MOST / devicePixelRatio, 2 * this.#whole());

  fit() {
    if (!this.#picture) return;
    this.#fitted = true;
    this.#view.scale = this.#whole();
    this.#move(0, 0);
  }

  /** Zoom by a factor about a place of the stage, its middle where none is given. */
  zoom(factor, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2) {
    if (!this.#picture) return;
    const { scale } = this.#view;
    const wanted = Math.min(this.#most(), Math.max(this.#whole(), scale * factor));
    this.#fitted = wanted === this.#whole();
    this.#view = { scale: wanted, x: x - ((x - this.#view.x) * wanted) / scale, y: y - ((y - this.#view.y) * wanted) / scale };
    this.#move(0, 0);
  }

  zoomIn = () => this.zoom(STEP);
  zoomOut = () => this.zoom(1 / STEP);

  toggle(x, y) {
    if (!this.#picture) return;
    const real = 1 / devicePixelRatio;
    if (!this.#fitted) this.fit();
    else this.zoom((real > this.#whole() ? real : 2 * this.#whole()) / this.#view.scale, x, y);
  }

  real() {
    if (this.#picture) this.zoom(1 / devicePixelRatio / this.#view.scale);
  }

  #move(dx, dy) {
    const { width, height } = this.#picture;
    const { scale } = this.#view;
    const kept = (start, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, start)));
    this.#view.x = kept(this.#view.x + dx, width * scale, this.element.clientWidth);
    this.#view.y = kept(this.#view.y + dy, height * scale, this.element.clientHeight);
    const { style } = this.#sheet;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    style.transform = `translate(${this.#view.x + this.#swiped_px}px, ${this.#view.y}px)`;
    this.element.classList.toggle("zoomed", !this.#fitted);
    this.#sheet.classList.toggle("pixels", scale * devicePixelRatio >= 3);
    this.tell(scale * devicePixelRatio);
    this.#sharpen();
  }

  #listen() {
    const on = (name, act, options) => this.element.addEventListener(name, act, options);
    on("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.#at(event);
      this.zoom(1.0025 ** -(event.deltaY * [1, 16, 400][event.deltaMode] * (event.ctrlKey ? 3 : 1)), x, y);
    }, { passive: false });
    on("dblclick", (event) => {
      const { x, y } = this.#at(event);
      this.toggle(x, y);
    });
    on("pointerdown", (event) => this.#press(event));
    on("pointermove", (event) => this.#pressed.has(event.pointerId) && this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.#release(event));
  }

  #at({ clientX, clientY }) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #press(event) {
    if (!this.#picture || event.button > 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.#pressed.set(event.pointerId, this.#at(event));
  }

  #drag(event) {
    const before = pinch(this.#pressed);
    const { x, y } = this.#pressed.get(event.pointerId);
    const now = this.#at(event);
    this.#pressed.set(event.pointerId, now);
    if (this.#pressed.size > 1) {
      const after = pinch(this.#pressed);
      this.#swiped_px = 0;
      this.zoom(after.spread / before.spread, after.x, after.y);
      if (!this.#fitted) this.#move(after.x - before.x, after.y - before.y);
    } else if (!this.#fitted) this.#move(now.x - x, now.y - y);
    else if (event.pointerType !== "mouse") {
      this.#swiped_px += now.x - x;
      this.#move(0, 0);
    }
  }

  #release(event) {
    if (!this.#pressed.delete(event.pointerId)) return;
    const swiped_px = this.#swiped_px;
    this.#swiped_px = 0;
    if (this.#picture) this.#move(0, 0);
    if (event.type === "pointerup" && Math.abs(swiped_px) > SWIPE_PX) this.turn(swiped_px < 0 ? 1 : -1);
  }
}
