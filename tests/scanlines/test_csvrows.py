from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.scanlines import csvrows, realcells, scale
from imgpipe.scanlines.faults import Faults
from imgpipe.scanlines.realcells import Rules
from imgpipe.scanlines.rows import Rows

DEPTHS = np.array([9000.1, 9000.2, 1e-7])
GREY = np.array([[0, 128, 255], [1, 2, 3], [254, 0, 7]], np.uint8)
HOLES = np.array([[False, True, False], [True, True, True], [False, False, False]])


def test_rows_are_written_as_they_came() -> None:
    assert csvrows.header(3) == b"depth,p1,p2,p3\n"
    assert csvrows.lines(Rows(DEPTHS, GREY), csvrows.spell(None)) == (
        b"9000.1,0,128,255\n9000.2,1,2,3\n1e-07,254,0,7\n"
    )


def test_holes_are_written_as_asked() -> None:
    written = csvrows.lines(Rows(DEPTHS, GREY, HOLES), csvrows.spell(None), "-999.25")
    assert written.splitlines()[:2] == [b"9000.1,0,-999.25,255", b"9000.2,-999.25,-999.25,-999.25"]


def test_a_unit_stands_in_the_header() -> None:
    assert csvrows.header(1, "ft") == b"depth[ft],p1\n"


@given(st.floats(-1e4, 1e4, allow_nan=False), st.floats(1e-3, 1e4))
def test_true_values_read_by_the_same_scale_are_the_same_greys(low: float, span: float) -> None:
    kept = scale.between(low, low + span)
    written = csvrows.lines(Rows(DEPTHS, GREY, HOLES), csvrows.spell(kept), "")
    faults = Faults()
    values, blank = realcells.parse_lines(
        written, 2, ["depth", "a", "b", "c"], Rules(real=True, missing=True), faults
    )
    assert (faults.count, blank, values.depths.tolist()) == (0, 0, DEPTHS.tolist())
    grey, holes, clipped = kept.to_grey(values.values)
    assert (grey.tolist(), clipped) == (np.where(HOLES, 0, GREY).tolist(), 0)
    assert holes is not None
    assert holes.tolist() == HOLES.tolist()


def test_true_values_ascend() -> None:
    spelled = [float(text) for text in csvrows.spell(scale.between(-0.1, 0.3))]
    assert (spelled[0], spelled[-1]) == (-0.1, 0.3)
    assert all(one < other for one, other in pairwise(spelled))
