"""Keep what the benchmarks measure: medians of interleaved rounds, beside their peers and their targets.

    python -m benchmarks.results             prints every row as a table, losses in bold, and draws bars
    python -m benchmarks.results --readme    writes both into the README

Rows and bars lie in bench/results.json and .png; a benchmark that is run again replaces its own rows.
``BENCH_TINY=1`` makes everything small, to see that it runs: its figures mean nothing, and lie in tiny.*.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from imgpipe.clock import utc_now

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench"
TINY = bool(os.environ.get("BENCH_TINY"))
NAME = "tiny" if TINY else "results"
REACHED, MISSED, PALE = "#2a7f8e", "#c8452f", "#555555"
Measured = TypeVar("Measured")


def amount(full: int, tiny: int) -> int:
    """Return how much to take: ``full``, or ``tiny`` under BENCH_TINY."""
    return tiny if TINY else full


ROUNDS = amount(5, 2)


@dataclass(frozen=True)
class Row:
    """One figure: ``value`` is ours / theirs, or ours where there is no peer; ``less`` is better or more."""

    figure: str
    peer: str
    unit: str
    ours: float
    theirs: float | None
    value: float
    least: float
    most: float
    rounds: int
    target: float | None
    less: bool
    by_cpu: float | None

    @property
    def reach(self) -> float:
        """Return how much of the target is reached; 1 is all of it, and what has no target reaches it."""
        return self._share(self.value)

    @property
    def spread(self) -> tuple[float, float]:
        """Return ``reach`` in the worst and in the best round."""
        worst, best = sorted((self._share(self.least), self._share(self.most)))
        return worst, best

    @property
    def lost(self) -> bool:
        """Tell whether the target is missed."""
        return self.reach < 1

    def _share(self, value: float) -> float:
        if self.target is None:
            return 1
        return self.target / value if self.less else value / self.target


def in_turn(
    contenders: Mapping[str, Callable[[], Measured]], rounds: int = ROUNDS
) -> dict[str, list[Measured]]:
    """Let every contender measure itself once a round, in one order and then in the other."""
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            found[name].append(contenders[name]())
    return found


def record(
    figure: str,
    ours: Sequence[float],
    unit: str,
    *,
    peer: str = "",
    theirs: Sequence[float] = (),
    target: float | None = None,
    less: bool = False,
    by_cpu: float | None = None,
) -> Row:
    """Print and keep a row; ``ours`` and ``theirs`` have a value a round, ``by_cpu`` is the ratio of CPU."""
    values = [one / other for one, other in zip(ours, theirs, strict=True)] if peer else list(ours)
    row = Row(
        figure=figure,
        peer=peer,
        unit=unit,
        ours=median(ours),
        theirs=median(theirs) if peer else None,
        value=median(values),
        least=min(values),
        most=max(values),
        rounds=len(values),
        target=target,
        less=less,
        by_cpu=by_cpu,
    )
    _keep(row)
    print(f"  {figure:44}{_text(row)}")
    return row


def read() -> list[Row]:
    """Return the rows that are kept, in the order in which they were measured first."""
    path = FOLDER / f"{NAME}.json"
    return [Row(**row) for row in json.loads(path.read_text())] if path.exists() else []


def _keep(row: Row) -> None:
    rows = {(kept.figure, kept.peer): kept for kept in read()} | {(row.figure, row.peer): row}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(json.dumps([asdict(kept) for kept in rows.values()], indent=1))


def _text(row: Row) -> str:
    told = [f"{_number(row.ours):>7} {row.unit}"]
    if row.theirs is not None:
        told.append(f"{row.peer} {_number(row.theirs)}: {_value(row)}")
    if row.by_cpu is not None:
        told.append(f"by CPU {_number(row.by_cpu)} x")
    if row.target is not None:
        told.append(_goal(row) + (", MISSED" if row.lost else ""))
    return ", ".join(told) + _rounds(row)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _value(row: Row) -> str:
    return _number(row.value) + (" x" if row.peer else "")


def _rounds(row: Row) -> str:
    return f" ({_number(row.least)} to {_number(row.most)})" if row.rounds > 1 else ""


def _goal(row: Row) -> str:
    return "" if row.target is None else f"at {'most' if row.less else 'least'} {row.target:g}"


def table(rows: Sequence[Row]) -> str:
    """Write the rows in Markdown, what missed its target in bold."""
    lines = ["| figure | ours | peer | ratio (least to most), by CPU | target |", "|---|---|---|---|---|"]
    for row in rows:
        peer = "" if row.theirs is None else f"{row.peer} {_number(row.theirs)}"
        by_cpu = "" if row.by_cpu is None else f", {_number(row.by_cpu)} x"
        bold = "**" if row.lost else ""
        told = f"{bold}{_value(row)}{bold}{_rounds(row)}{by_cpu}"
        lines.append(f"| {row.figure} | {_number(row.ours)} {row.unit} | {peer} | {told} | {_goal(row)} |")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """Say when and where it was, and how many targets were missed."""
    aims = [row for row in rows if row.target is not None]
    lost = sum(row.lost for row in aims)
    where = f"{utc_now():%Y-%m-%d} on {os.cpu_count()} cores"
    return f"Measured {where}: {len(aims)} targets, {lost} of them missed."


def in_readme(rows: Sequence[Row], text: str) -> str:
    """Return the README's text with the bars, and the table of what has a target, between its two marks."""
    start, end = "<!-- bench -->", "<!-- /bench -->"
    before, rest = text.split(start)
    _, after = rest.split(end)
    shown = table([row for row in rows if row.target is not None])
    bars = "![How far each target is reached](docs/images/bench.png)"
    folded = f"<details><summary>The same as a table</summary>\n\n{shown}\n\n</details>"
    return f"{before}{start}\n{summary(rows)} Red is missed.\n\n{bars}\n\n{folded}\n{end}{after}"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw a bar for each row with a target: how far it is reached, with its spread, losses in red."""
    shown = [row for row in reversed(rows) if row.target is not None]
    figure = Figure(figsize=(10, 1 + 0.26 * len(shown)), layout="constrained")
    axes: Any = figure.subplots()
    reaches = [row.reach for row in shown]
    names = [f"{row.figure}  ·  {row.peer}" if row.peer else row.figure for row in shown]
    around = [
        [row.reach - row.spread[0] for row in shown],
        [row.spread[1] - row.reach for row in shown],
    ]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.barh(names, reaches, color=[MISSED if row.lost else REACHED for row in shown], height=0.7)
    axes.errorbar(reaches, names, xerr=around, fmt="none", ecolor=PALE, elinewidth=1)
    axes.axvline(1, color="black", linewidth=1)
    for name, row in zip(names, shown, strict=True):
        words = f" {_value(row)} ({_goal(row)})"
        axes.text(max(row.spread[1], 1), name, words, va="center", fontsize="x-small", color=PALE)
    axes.set_xlabel("share of the target that is reached; red is missed, lines are the spread of the rounds")
    axes.tick_params(axis="y", labelsize="small")
    axes.margins(y=0.01)
    axes.set_xlim(right=axes.get_xlim()[1] * 2)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main() -> None:
    rows = read()
    print(table(rows))
    print(f"\n{summary(rows)}", file=sys.stderr)
    draw(rows, FOLDER / f"{NAME}.png")
    if sys.argv[1:] == ["--readme"]:
        draw(rows, ROOT / "docs" / "images" / "bench.png")
        readme = ROOT / "README.md"
        readme.write_text(in_readme(rows, readme.read_text()))


if __name__ == "__main__":
    main()
