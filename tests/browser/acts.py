"""What a visitor does that Playwright has no word for."""

import base64
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Page

from tests.servers import Server

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "device_scale_factor": 2,
}
PATIENCE_S = 90  # for a machine that has much else to do
_FRAMES = """() => new Promise(done => {
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)));
})"""
CARRIED = """files => {  // name -> base64, as something dragged
  const transfer = new DataTransfer();
  for (const [name, data] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  return transfer;
}"""


def encoded(files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files, name to content, so that a script can be given them."""
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """Drag files, name to content, from outside onto the page and let go."""
    page.locator("#csv" if "#/logs" in page.url else "#stats summary").wait_for(state="attached")
    transfer = page.evaluate_handle(CARRIED, encoded(files))
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    assert page.evaluate("document.body.className") == "over"
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})


def frames(page: Page) -> None:
    """Wait until what was done has been drawn, and what that set off as well."""
    page.evaluate(_FRAMES)


def until(page: Page, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds that Playwright cannot look at itself."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def names(page: Page) -> list[str]:
    """List the words under the pictures near the window, as they stand."""
    return page.locator("#tiles .label").all_inner_texts()


def scroll_to_the_end(page: Page, step_px: int = 1500) -> list[str]:
    """Scroll down until the gallery says that there is no more; returns the words met, each once."""
    page.wait_for_selector("#tiles li")
    met: dict[str, None] = {}

    def at_end() -> bool:
        met.update(dict.fromkeys(names(page)))
        page.evaluate(f"scrollBy(0, {step_px})")
        frames(page)
        below_px = page.evaluate("document.documentElement.scrollHeight - innerHeight - scrollY")
        return below_px <= 2 and "more below" not in page.inner_text("#more")

    until(page, at_end)
    return list(met | dict.fromkeys(names(page)))


def comment(server: Server, image_id: str, text: str) -> None:
    """Write a comment past the page."""
    response = requests.post(f"{server.url}/api/images/{image_id}/comments", json={"text": text}, timeout=10)
    assert response.status_code == 201, response.text


def axe_faults(page: Page) -> list[tuple[str, list[str]]]:
    """Let axe-core look at the page, its colours in both themes; returns (rule, elements) of all findings."""
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    page.emulate_media(color_scheme="dark")
    found += page.evaluate("axe.run({runOnly: ['color-contrast']})")["violations"]
    page.emulate_media(color_scheme="light")
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def touch(page: Page, *steps: list[tuple[float, float]]) -> None:
    """Put fingers down at the first places, take them through the others, and lift them."""
    session = page.context.new_cdp_session(page)
    for number, fingers in enumerate(steps):
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(fingers)]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
