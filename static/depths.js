// Depths as numbers: their units, and which of them are in view.
const METRES = { m: 1, ft: 0.3048, in: 0.0254, "0.1in": 0.00254 };
const LEAST_ROWS = 8;

export const UNITS = Object.keys(METRES);

export const factor = (unit, wanted) => (unit && wanted ? METRES[unit] / METRES[wanted] : 1);

export function inUnit(log, wanted) {
	const exact = (depth) => depth && Number((depth * factor(log.depth_unit, wanted)).toPrecision(14));
	return { ...log, depth_min: exact(log.depth_min), depth_max: exact(log.depth_max), depth_step: exact(log.depth_step) };
}

// Of logs side by side, by their tiles. A `part` is one of the view's height; moves tell whether there was one.
export function depthsOf(all, changed) {
	const step = Math.min(...all.map((one) => one.step));
	const half = step / 2; // a row reaches so far above and below its depth
	const top = Math.min(...all.map((one) => one.top));
	const bottom = Math.max(...all.map((one) => one.top + one.extent));
	const [extent, least, most] = [bottom - top, top + half, bottom - half];
	const digits = Number(step.toPrecision(4)).toFixed(9).replace(/0+$/, "").split(".")[1].length;
	let [from, to] = [top, bottom]; // the edges of the first and the last row in view
	const exact = (depth) => Number(depth.toFixed(digits + 3));
	const text = (depth) => depth.toFixed(digits);
	const edges = () => ({ from, to });
	const rows = () => ({ from: exact(from + half), to: exact(to - half) });
	const span = () => to - from;
	const at = (part) => from + part * span();
	return { least, most, text, edges, rows, span, at, show, pan, zoom, centre };

	function move(upper, lower) {
		const before = String([from, to]);
		const size = Math.min(extent, Math.max(Math.abs(lower - upper) || 0, step * LEAST_ROWS));
		const first = Math.min(Math.max((upper + lower - size) / 2 || 0, top), bottom - size);
		[from, to] = [exact(first + half) - half, exact(first + size - half) + half];
		changed();
		return String([from, to]) !== before;
	}

	// What is not told is the log's own bound.
	function show(first, last) {
		return move(Number(first || least) - half, Number(last || most) + half);
	}

	function pan(part) {
		const by = Math.max(-extent, Math.min(extent, part * span()));
		return move(from + by, to + by);
	}

	// By 0 to the whole log.
	function zoom(by, part = 0.5) {
		const size = by ? span() / by : extent;
		return move(at(part) - part * size, at(part) + (1 - part) * size);
	}

	function centre(part) {
		return pan((top + part * extent - from) / span() - 0.5);
	}
}
