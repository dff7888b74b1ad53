"""Write rows as the CSV that they could be uploaded as again."""

from collections.abc import Sequence

from imgpipe.scanlines.rows import Rows
from imgpipe.scanlines.scale import Scale

GREYS = 256


def header(width: int, depth_unit: str | None = None) -> bytes:
    """Return the first line: ``depth``, or with its unit ``depth[ft]``, and a name for each pixel."""
    depth = "depth" if depth_unit is None else f"depth[{depth_unit}]"
    return (",".join([depth, *(f"p{number}" for number in range(1, width + 1))]) + "\n").encode()


def spell(scale: Scale | None) -> list[str]:
    """Return what is written for each grey: the grey, or where there is a scale its true value."""
    greys = range(GREYS)
    return list(map(str, greys)) if scale is None else list(map(repr, scale.to_values().tolist()))


def lines(rows: Rows, spelled: Sequence[str], hole: str = "") -> bytes:
    """Write rows with the cells of ``spell``, and ``hole`` for what is none."""
    texts = [*spelled, hole]
    places = rows.grey.astype(int)
    if rows.holes is not None:
        places[rows.holes] = GREYS
    written = [
        ",".join([repr(depth), *map(texts.__getitem__, line)])
        for depth, line in zip(rows.depths.tolist(), places.tolist(), strict=True)
    ]
    return "".join(f"{line}\n" for line in written).encode()
