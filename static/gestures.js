// Fingers, mouse and wheel; places {x, y} in CSS px from the element's corner.

function place({ clientX, clientY, currentTarget }) {
	const { left, top } = currentTarget.getBoundingClientRect();
	return { x: clientX - left, y: clientY - top };
}

function middle(pressed) {
	const [a, b = a] = pressed.values();
	return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)) };
}

// `drag` and `pinch` hear where it was before, too; a false `press` is none.
export function listen(element, { press, drag, pinch, hover, release, wheel, twice }) {
	const pressed = new Map();
	element.onpointerdown = (event) => {
		if (press(place(event), event) === false) return;
		element.setPointerCapture(event.pointerId);
		pressed.set(event.pointerId, place(event));
	};
	element.onpointermove = (event) => {
		if (!pressed.has(event.pointerId)) return void hover?.(place(event));
		const before = middle(pressed);
		pressed.set(event.pointerId, place(event));
		if (pressed.size > 1) pinch(middle(pressed), before);
		else drag(middle(pressed), before, event);
	};
	element.onpointerup = element.onpointercancel = (event) => {
		if (pressed.delete(event.pointerId)) release?.(event);
	};
	element.ondblclick = (event) => twice?.(place(event));
	element.onwheel = (event) => wheel(event.deltaY * [1, 16, element.clientHeight][event.deltaMode], place(event), event);
}
