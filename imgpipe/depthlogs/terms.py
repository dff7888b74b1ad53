"""Say how the values of an upload become greys: as the upload wishes, and as its log has it already."""

from dataclasses import dataclass, replace
from typing import Any

from imgpipe.database.depthmodels import DepthLog
from imgpipe.errors import Conflict
from imgpipe.scanlines.realcells import Rules
from imgpipe.scanlines.scale import Scale, Wanted


@dataclass(frozen=True, slots=True)
class Terms:
    """How to read an upload; what is None is left to the log, or plain.

    ``scale`` maps true values to greys or is to be found in them, ``nulls`` are values that stand for holes,
    with ``missing`` an empty cell is one, too; ``depth_unit`` is that of the depths, ``value_unit`` that of
    the true values, which a log has from its first upload.
    """

    scale: Scale | Wanted | None = None
    nulls: tuple[float, ...] | None = None
    missing: bool = False
    depth_unit: str | None = None
    value_unit: str | None = None

    @property
    def rules(self) -> Rules:
        """Say what a cell may be."""
        return Rules(self.scale is not None, self.nulls or (), self.missing)

    def columns(self) -> dict[str, Any]:
        """Return what a log keeps of them."""
        scale = self.scale if isinstance(self.scale, Scale) else None
        return {
            "value_min": scale and scale.value_min,
            "value_max": scale and scale.value_max,
            "value_unit": self.value_unit,
            "nulls": None if self.nulls is None else list(self.nulls),
            "depth_unit": self.depth_unit,
        }


def scale_of(log: DepthLog) -> Scale | None:
    """Return the scale of a log, None where the values are the greys."""
    if log.value_min is None or log.value_max is None:
        return None
    return Scale(log.value_min, log.value_max)


def agreed(terms: Terms, log: DepthLog | None) -> Terms:
    """Fill in from the log what the upload leaves out; a scale that is to be found has been found there.

    Raises: ``Conflict`` that names both where they differ.
    """
    if log is None or not log.uploads:
        return terms
    known = scale_of(log)
    wanted = known if known and isinstance(terms.scale, Wanted) else terms.scale
    nulls = None if log.nulls is None else tuple(log.nulls)
    return replace(
        terms,
        scale=_agree("scale", wanted, known, log.name),
        nulls=_agree("null", terms.nulls, nulls, log.name),
        value_unit=log.value_unit or terms.value_unit,
        depth_unit=_agree("depth_unit", terms.depth_unit, log.depth_unit, log.name),
    )


def _agree(parameter: str, wanted: Any, known: Any, name: str) -> Any:
    if wanted is None or wanted == known:
        return known
    sent, stored = _show(wanted), _show(known)
    raise Conflict(
        f"{parameter}: the log {name} has {stored}, the upload {sent}.",
        details={"parameter": parameter, "stored": stored, "sent": sent},
    )


def _show(value: Any) -> str:
    """Write a value as it is sent."""
    if isinstance(value, Scale):
        return f"{value.value_min!r}:{value.value_max!r}"
    if isinstance(value, Wanted):
        return f"p{float(value.low):g}:p{float(value.high):g}"
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    return "none" if value is None else str(value)
