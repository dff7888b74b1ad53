// Rows of pictures: all of them are laid out, only those near the window have elements.
const GAP = 12;
const FOOT = 28; // px for the words under a picture
const HEAD = 34; // px for a date over it
const HIGH = { wide: 200, narrow: 116, from: 720 }; // px; the narrow one below a width of `from`
const STRETCH = { full: 1.15, most: 1.35 }; // of that height: what closes a row, what a row may grow to
const FLING = 0.6; // windows a frame, from which on pictures only pass by

/** Cut items into rows from number `first` on, beginning at `top`; full rows are exactly `width` wide. */
function layOut(items, first, top, width) {
  const high = width < HIGH.from ? HIGH.narrow : HIGH.wide;
  const rows = [];
  let [begin, sum] = [first, 0];
  for (let n = first; n < items.length; n += 1) {
    if (n > begin && starts(items, n) && items[begin].day === items[n - 1].day && sum * high > width * 0.6) close(n);
    sum += items[n].ratio; // a day shorter than a row shares it
    if (heightOf(n + 1) <= high * STRETCH.full) close(n + 1);
  }
  if (begin < items.length) close(items.length);
  return rows;

  function heightOf(end) {
    return (width - GAP * (end - begin - 1)) / sum;
  }

  function close(end) {
    const height = heightOf(end) <= high * STRETCH.most ? heightOf(end) : high;
    const headed = items.slice(begin, end).some((_, k) => starts(items, begin + k));
    rows.push({ top, height, begin, end, head: headed ? HEAD : 0, first: items[begin] });
    top += rows.at(-1).head + height + FOOT + GAP;
    [begin, sum] = [end, 0];
  }
}

const starts = (items, n) => n === 0 || items[n].day !== items[n - 1].day;

const bottom = (row) => row.top + row.head + row.height + FOOT;

export class Mosaic {
  items = [];
  #rows = [];
  #made = new Map(); // id -> element, of what is near
  #width = 0;
  #seen_px = 0; // where the list was at the last drawing
  #frame = 0;
  #later = 0;
  #calm = 0;

  /** `tile` creates, fills, dates and loads elements; `below` hears how many px are laid out below the window. */
  constructor(list, tile, below) {
    Object.assign(this, { list, tile, below });
    for (const name of ["scroll", "resize"]) addEventListener(name, () => this.#soon(), { passive: true });
    new ResizeObserver(() => list.clientWidth !== this.#width && this.arrange()).observe(list);
  }

  /** Lay out again from item `first` on; what the reader sees stays where it is. */
  arrange(first = 0) {
    this.#width = this.list.clientWidth;
    if (!this.#width) return;
    const anchor = first ? null : this.#anchor();
    const kept = Math.max(0, Math.min(this.#rowOf(first - 1), this.#rows.length - 1));
    const { begin, top } = (first && this.#rows[kept]) || { begin: 0, top: 0 };
    this.#rows.splice(first ? kept : 0, Infinity, ...layOut(this.items, begin, top, this.#width));
    this.list.style.height = `${this.#rows.length ? bottom(this.#rows.at(-1)) : 0}px`;
    const n = anchor ? this.items.indexOf(anchor.first) : -1;
    if (n >= 0) scrollBy(0, this.#rows[this.#rowOf(n)].top - anchor.top);
    this.#draw();
  }

  clear() {
    this.items = [];
    this.#rows = [];
    this.#made.clear();
    this.list.replaceChildren();
  }

  remove(n) {
    const [{ id }] = this.items.splice(n, 1);
    this.#made.get(id)?.remove();
    this.#made.delete(id);
    this.arrangeSoon();
  }

  arrangeSoon() {
    this.#later ||= requestAnimationFrame(() => { this.#later = 0; this.arrange(); });
  }

  element = (id) => this.#made.get(id);

  refresh(item) {
    const element = this.#made.get(item.id);
    if (!element) return;
    this.tile.fill(element, item);
    this.tile.load(element, item);
  }

  reveal(n) {
    const row = this.#rows[this.#rowOf(n)];
    const top = this.#top() + row.top - 8;
    const over = this.#top() + bottom(row) + 8 - innerHeight;
    if (top < 0) scrollBy(0, top);
    else if (over > 0) scrollBy(0, over);
    this.#draw();
    return this.#made.get(this.items[n].id);
  }

  /** Return the number of the item `rows` rows below item `n`, nearest to its middle. */
  beside(n, rows) {
    const at = this.#rowOf(n);
    const row = this.#rows[Math.min(this.#rows.length - 1, Math.max(0, at + rows))];
    const middles = (places) => places.map(({ left, width }) => left + width / 2);
    const wanted = middles(this.#places(this.#rows[at]))[n - this.#rows[at].begin];
    const far = middles(this.#places(row)).map((middle) => Math.abs(middle - wanted));
    return row.begin + far.indexOf(Math.min(...far));
  }

  #top = () => this.list.getBoundingClientRect().top;

  #anchor() {
    const top = this.#top();
    return (top < 0 && this.#rows[lowest(this.#rows, (row) => bottom(row) > -top)]) || null;
  }

  #rowOf = (n) => lowest(this.#rows, (row) => row.end > n);

  #places({ begin, end, height }) {
    let left = 0;
    return this.items.slice(begin, end).map(({ ratio }) => {
      const place = { left, width: ratio * height };
      left += place.width + GAP;
      return place;
    });
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #draw() {
    if (!this.list.checkVisibility()) return;
    const top = this.#top();
    const flung = Math.abs(top - this.#seen_px) > innerHeight * FLING;
    this.#seen_px = top;
    clearTimeout(this.#calm);
    if (flung) this.#calm = setTimeout(() => this.#draw(), 90);
    this.#show(this.#near(-top), flung);
    this.drawn?.();
    this.below((this.#rows.length ? bottom(this.#rows.at(-1)) : 0) + top - innerHeight);
  }

  #near(top) {
    const from = lowest(this.#rows, (row) => bottom(row) > top - innerHeight);
    const to = lowest(this.#rows, (row) => row.top > top + 2 * innerHeight);
    const focus = this.list.contains(document.activeElement) ? document.activeElement.closest("li").n : -1;
    const kept = this.#rowOf(focus);
    const own = focus < 0 || (kept >= from && kept < to) ? [] : this.#rows.slice(kept, kept + 1);
    const near = this.#rows.slice(from, to);
    return kept < from ? [...own, ...near] : [...near, ...own];
  }

  #show(rows, flung) {
    const wanted = new Set(rows.flatMap(({ begin, end }) => this.items.slice(begin, end).map(({ id }) => id)));
    for (const [id, element] of this.#made) {
      if (wanted.has(id)) continue;
      this.#made.delete(id);
      element.remove();
    }
    let next = this.list.firstChild;
    for (const row of rows) {
      const places = this.#places(row);
      places.forEach((place, k) => {
        const element = this.#place(row, k, places);
        if (element === next) next = next.nextSibling;
        else this.list.insertBefore(element, next);
        if (!flung) this.tile.load(element, this.items[row.begin + k]);
      });
    }
  }

  #place(row, k, places) {
    const n = row.begin + k;
    const item = this.items[n];
    const element = this.#made.get(item.id) ?? this.tile.create(item);
    this.#made.set(item.id, element);
    element.n = n;
    const { left, width } = places[k];
    const next = places.find((_, later) => later > k && starts(this.items, row.begin + later));
    this.tile.date(element, starts(this.items, n) ? item.day : "", (next ? next.left - GAP : this.#width) - left);
    const { style } = element;
    style.transform = `translate(${left}px, ${row.top}px)`;
    style.width = `${width}px`;
    style.paddingTop = `${row.head}px`;
    style.setProperty("--high", `${row.height}px`);
    return element;
  }
}

/** Return the lowest index from which on `test` holds; the list's length where it never does. */
function lowest(list, test) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
