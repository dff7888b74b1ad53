"""Add up what was tried, over all runs, and print it as one table: ``python -m tests.crash.figures``."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / ".figures" / "crash.json"
# What is told of each kind; ``=`` is counted anew by every run, all others are added up.
KINDS: Mapping[str, tuple[str, ...]] = {
    "crash points": ("boundaries=", "worlds", "different worlds", "broken"),
    "failing calls": ("tried", "broken"),
    "state machine": ("examples", "steps", "broken"),
    "history": ("events", "blows", "calls", "broken"),
    "kills": ("kills", "answers", "lost"),
    "mutants": ("tried=", "killed="),
}


def add(kind: str, about: str, **numbers: int) -> None:
    """Add the numbers of one test to those of all runs."""
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        figures = json.loads(file.read() or "{}")
        kept = figures.setdefault(kind, {}).setdefault(about, {})
        for name, number in numbers.items():
            name = name.replace("_", " ")
            counted_anew = f"{name}=" in KINDS[kind]
            kept[name] = number if counted_anew else kept.get(name, 0) + number
        file.truncate(0)
        file.write(json.dumps(figures, indent=1))


def kept(kind: str, about: str) -> dict[str, int]:
    """Return what earlier runs have added up."""
    figures = json.loads(FILE.read_text()) if FILE.exists() else {}
    numbers: dict[str, int] = figures.get(kind, {}).get(about, {})
    return numbers


def table() -> str:
    """Return a line for each kind: its sums, and how many tests brought them."""
    figures = json.loads(FILE.read_text()) if FILE.exists() else {}
    lines = []
    for kind, names in KINDS.items():
        parts = figures.get(kind, {})
        plain = [name.rstrip("=") for name in names]
        sums = (sum(part.get(name, 0) for part in parts.values()) for name in plain)
        told = ", ".join(f"{number:,} {name}" for name, number in zip(plain, sums, strict=True))
        lines.append(f"{kind:<14} {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
