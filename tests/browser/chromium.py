"""A tab of Chromium, as a hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Download, Page

from tests.browser.acts import until
from tests.browser.hands import Hand, Place


class Chromium(Hand):
    """A page of Playwright's; its context has the size of the device."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._downloads: list[Download] = []
        page.on("download", self._download)

    def _download(self, one: Download) -> None:
        self._downloads.append(one)

    def hold(self, device: str) -> None:
        self.device = device

    def visit(self, url: str) -> None:
        self._page.goto("about:blank")
        self._page.goto(url)

    def travel(self, steps: int) -> None:
        if steps < 0:
            self._page.go_back()
        else:
            self._page.go_forward()

    def ask(self, expression: str) -> Any:
        wrapped = f"Promise.resolve({expression}).then(one => JSON.stringify(one ?? null))"
        return json.loads(self._page.evaluate(wrapped))

    def press(self, *keys: str) -> None:
        self._page.keyboard.press("+".join(keys))

    def type(self, text: str) -> None:
        self._page.keyboard.type(text)

    def choose(self, selector: str, *files: Path) -> None:
        self._page.set_input_files(selector, list(files))

    def saved(self, name: str) -> Path:
        until(self._page, lambda: bool(self._downloads))
        found = self._downloads.pop()
        assert found.suggested_filename == name
        return Path(found.path())

    def mouse(self, *places: Place, down: bool = True, times: int = 1) -> None:
        (x, y), *rest = places
        self._page.mouse.move(x, y)
        if not down:
            return
        if not rest:
            self._page.mouse.click(x, y, click_count=times)
            return
        self._page.mouse.down()
        for place in rest:
            self._page.mouse.move(*place)
        self._page.mouse.up()

    def wheel(self, x: float, y: float, down_px: int) -> None:
        self._page.mouse.move(x, y)
        self._page.mouse.wheel(0, down_px)

    def touch(self, *fingers: Sequence[Place], pause_ms: int = 0) -> None:
        for number, places in enumerate(zip(*fingers, strict=True)):
            self._touch("touchMove" if number else "touchStart", places)
        self._page.wait_for_timeout(pause_ms)
        self._touch("touchEnd", [])

    def _touch(self, kind: str, places: Sequence[Place]) -> None:
        points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
