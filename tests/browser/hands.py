"""What a visitor's hands do, in either engine, at a desk or on a phone."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
_PATIENCE_S = 30
Place = tuple[float, float]
_MIDDLE = """one => {
  const {top, bottom, left, right} = one.getBoundingClientRect();
  const seen = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
  if (!seen) one.scrollIntoView({block: "center", inline: "center"});
  const box = one.getBoundingClientRect();
  return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
}"""


class Hand(ABC):
    """One tab: goes to addresses, runs scripts, points and types."""

    device = "desk"

    @abstractmethod
    def hold(self, device: str) -> None:
        """Sit down at a desk, or take a phone: the size of the window, and whether a click is a touch."""

    @abstractmethod
    def visit(self, url: str) -> None:
        """Go to an address, also where only its hash is another."""

    @abstractmethod
    def travel(self, steps: int) -> None:
        """Go back (-1) or forward (1)."""

    @abstractmethod
    def ask(self, expression: str) -> Any:
        """Return what an expression is, by way of JSON; a promise is waited for."""

    @abstractmethod
    def press(self, *keys: str) -> None:
        """Press keys, all but the last held meanwhile."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Type where the keyboard is."""

    @abstractmethod
    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""

    @abstractmethod
    def saved(self, name: str) -> Path:
        """Wait until a file of this name is downloaded, and return where it is."""

    @abstractmethod
    def mouse(self, *places: Place, down: bool = True, times: int = 1) -> None:
        """Move the mouse through places, its button down from the first on, or click there."""

    @abstractmethod
    def wheel(self, x: float, y: float, down_px: int) -> None:
        """Turn the wheel at a place."""

    @abstractmethod
    def touch(self, *fingers: Sequence[Place], pause_ms: int = 0) -> None:
        """Put fingers down, take each along its places, lift them after a pause."""

    def expect(self, expression: str, wanted: object = True) -> None:
        """Wait until an expression is what is wanted."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(AssertionError):
                if self.ask(expression) == wanted:
                    return
            time.sleep(0.05)
        assert self.ask(expression) == wanted, expression

    def middle(self, selector: str, number: int = 0) -> Place:
        """Bring an element into view and return where its middle is."""
        x, y = self.ask(f"({_MIDDLE})(document.querySelectorAll({json.dumps(selector)})[{number}])")
        return x, y

    def click(self, selector: str, number: int = 0) -> None:
        """Click, or tap, the middle of an element."""
        place = self.middle(selector, number)
        if self.device == "phone":
            self.touch([place])
        else:
            self.mouse(place)

    def fill(self, selector: str, value: str) -> None:
        """Give a field a value, as one who picks it."""
        self.ask(
            f"(one => {{ one.value = {json.dumps(value)}; for (const kind of ['input', 'change'])"
            f" one.dispatchEvent(new Event(kind, {{bubbles: true}})) }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
