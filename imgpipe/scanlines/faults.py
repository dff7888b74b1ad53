"""Keep what is wrong with a CSV: the first faults in full, the rest as a number."""

from imgpipe.errors import InvalidCsv
from imgpipe.text import clean_text

LISTED = 20
# Past so many there is nothing left to learn, and a hostile file must not buy minutes of explaining.
COUNTED = 100_000
_FOUND_LENGTH = 40


class Faults:
    """Collect faults in the order of the lines; the header is line 1."""

    def __init__(self) -> None:
        self.count = 0
        self._listed: list[dict[str, str | int | None]] = []

    def note(self, line: int, column: str | None, found: str, expected: str) -> None:
        """Count one fault and list it while there is room; ``column`` is None for a whole line.

        Raises: InvalidCsv at the 100,000th, so that ``more`` is then a lower bound.
        """
        self.count += 1
        if len(self._listed) < LISTED:
            where = None if column is None else show(column)
            self._listed.append({"line": line, "column": where, "found": show(found), "expected": expected})
        if self.count >= COUNTED:
            self.refuse()

    def refuse(self) -> None:
        """Do nothing when there was no fault.

        Raises: InvalidCsv whose sentence tells the first fault, with ``details`` as in the contract.
        """
        if self.count:
            first = self._listed[0]
            where = f"line {first['line']}" + (f", column {first['column']}" if first["column"] else "")
            raise InvalidCsv(
                f"The CSV cannot be read as a depth log: {where}: "
                f"found '{first['found']}', expected {first['expected']}.",
                details={"errors": self._listed, "more": self.count - len(self._listed)},
            )


def show(text: str) -> str:
    """Shorten foreign text to 40 characters and make what cannot be printed visible as an escape."""
    short = text[:_FOUND_LENGTH]
    return clean_text(short if short.isprintable() else repr(short)[1:-1], _FOUND_LENGTH)
