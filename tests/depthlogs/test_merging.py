"""Uploads laid over blocks: what is there afterwards is what a dictionary would hold."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgpipe.depthlogs.blocks import Found
from imgpipe.depthlogs.lines import Lines, block_rows, lines_of
from imgpipe.depthlogs.merging import divide, merge

WIDE = 10_000  # so that few rows make a block
FULL = block_rows(WIDE)
Model = dict[float, int]


def upload(depths: Sequence[float], value: int) -> list[Lines]:
    """Return rows of one value in the parts in which they are staged."""
    ascending = np.array(sorted(set(depths)), np.float64)
    parts = [ascending[start : start + FULL] for start in range(0, len(ascending), FULL)]
    return [lines_of(part, np.full((len(part), WIDE), value, np.uint8)) for part in parts]


def found(blocks: Sequence[Lines]) -> list[Found]:
    return [
        Found(n, len(block), float(block.depths[0]), float(block.depths[-1]), block.width, block.mixed, 0)
        for n, block in enumerate(blocks)
    ]


def lay(blocks: list[Lines], new: list[Lines]) -> tuple[list[Lines], set[int]]:
    """Return the blocks afterwards, ascending, and which of those before were replaced."""
    taken: set[int] = set()

    def take(block: Found) -> Lines:
        assert block.id not in taken
        taken.add(block.id)
        return blocks[block.id]

    written = list(merge(new, found(blocks), take))
    kept = [block for n, block in enumerate(blocks) if n not in taken]
    return sorted([*kept, *written], key=lambda block: float(block.depths[0])), taken


runs = st.builds(
    lambda start, count, step: [start + n * step for n in range(count)],
    st.integers(-200, 200).map(float),
    st.integers(1, 3 * FULL),
    st.sampled_from([0.25, 1.0, 7.0]),
)


@settings(max_examples=30)
@given(st.lists(runs, min_size=1, max_size=5))
def test_what_is_there_is_what_was_laid_down_last(uploads: list[list[float]]) -> None:
    blocks: list[Lines] = []
    model: Model = {}
    for value, depths in enumerate(uploads, 1):
        blocks, _ = lay(blocks, upload(depths, value))
        model |= dict.fromkeys(depths, value)
        assert all(len(block) <= FULL for block in blocks)
        every = np.concatenate([block.depths for block in blocks])
        assert every.tolist() == sorted(model)
        values = np.concatenate([block.source[:, 0] for block in blocks])
        assert values.tolist() == [model[depth] for depth in sorted(model)]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_every_depth_belongs_to_one_place_and_own_rows_to_their_block(depths: list[float]) -> None:
    blocks = [upload(sorted(set(depths))[n : n + 3], 1)[0] for n in range(0, len(set(depths)), 3)]
    places = divide(found(blocks)).of(np.array(sorted(depths)))
    assert (np.diff(places) >= 0).all()
    for number, block in enumerate(blocks):
        assert (divide(found(blocks)).of(block.depths) == 2 * number + 1).all()


def test_a_block_that_no_row_falls_into_stays_as_it_is() -> None:
    blocks, _ = lay([], upload([float(n) for n in range(3 * FULL)], 1))
    after, taken = lay(blocks, upload([0.5, 2.0 * FULL + 0.5], 2))
    assert taken == {0, 2}
    assert after[0].depths[1] == 0.5


def test_widths_that_differ_lie_in_one_block_and_come_back_as_they_were() -> None:
    narrow = lines_of(np.arange(4.0), np.full((4, 3), 5, np.uint8))
    wide = lines_of(np.array([1.0, 2.5]), np.full((2, 7), 6, np.uint8))
    (block,) = merge([wide], found([narrow]), lambda _: narrow)
    assert block.widths.tolist() == [3, 7, 3, 7, 3]
    assert (block.width, block.mixed) == (7, True)
    (again,) = merge(
        [lines_of(np.array([1.0, 2.5]), np.zeros((2, 3), np.uint8))], found([block]), lambda _: block
    )
    assert (again.width, again.mixed) == (3, False)
