"""LAS and DLIS files, good and bad, read by a child process: rows, or a sentence, and nothing in between."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from dliswriter import enums
from numpy.typing import NDArray

from imgpipe.errors import InvalidLog
from imgpipe.wells import reading
from imgpipe.wells.reading import Extract, Limits
from tests.wells.files import dlis, encrypted, image_las

DEPTHS = [2889.4, 2889.6, 2889.8, 2890.0]
IMAGE = np.random.default_rng(1).normal(100, 20, (4, 12)).round(3)
INDEX = np.array(DEPTHS)


@contextmanager
def opened(file: bytes | Path, channel: str | None = None) -> Iterator[Extract]:
    data = file if isinstance(file, bytes) else file.read_bytes()
    kind = reading.recognise(data[: reading.HEAD_BYTES])
    assert kind is not None
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    with reading.opened(io.BytesIO(data), kind, channel, folder) as extract:
        yield extract


def rows(extract: Extract) -> tuple[list[float], NDArray[np.float64]]:
    blocks = list(extract.blocks())
    return [d for depths, _ in blocks for d in depths.tolist()], np.concatenate([v for _, v in blocks])


def refusal(file: bytes | Path, channel: str | None = None) -> str:
    with pytest.raises(InvalidLog) as refused, opened(file, channel):
        pass
    assert "/dev/fd" not in refused.value.message
    return refused.value.message


def test_the_columns_of_a_las_array_become_rows_of_values() -> None:
    image = IMAGE.copy()
    image[1, 3] = -999.25
    with opened(image_las(DEPTHS, image)) as extract:
        depths, values = rows(extract)
        assert (extract.frame.unit, extract.channel.name, extract.channel.shape) == ("M", "AMP", (12,))
    image[1, 3] = np.nan
    assert depths == DEPTHS
    assert np.array_equal(values, image, equal_nan=True)


def test_a_las_that_runs_upwards_is_turned_round() -> None:
    with opened(image_las(DEPTHS[::-1], IMAGE[::-1])) as extract:
        depths, values = rows(extract)
        assert extract.frame.direction == "decreasing"
    assert depths == DEPTHS
    assert np.array_equal(values, IMAGE)


def test_the_values_of_a_dlis_channel_come_as_they_are(tmp_path: Path) -> None:
    channels = {"DEPTH": INDEX.astype(np.float32), "AMP": IMAGE.astype(np.float32), "GR": INDEX}
    with opened(dlis(tmp_path / "a.dlis", {"MAIN": channels})) as extract:
        depths, values = rows(extract)
        assert (extract.frame.name, extract.frame.unit, extract.channel.kind) == ("MAIN", "m", "float32")
    assert depths == DEPTHS
    assert np.array_equal(values, IMAGE.astype(np.float32))


def test_a_dlis_in_inches_that_runs_upwards_says_so(tmp_path: Path) -> None:
    file = dlis(
        tmp_path / "a.dlis",
        {"MAIN": {"TDEP": INDEX[::-1] * 10, "AMP": (IMAGE[::-1] * 100).astype(np.int16)}},
        unit=enums.Unit.INCH,
    )
    with opened(file, "MAIN/AMP") as extract:
        depths, values = rows(extract)
    assert depths == sorted((INDEX * 10).tolist())
    assert np.array_equal(values, (IMAGE * 100).astype(np.int16))


def test_a_frame_is_listed_with_all_there_is_to_know(tmp_path: Path) -> None:
    file = dlis(tmp_path / "a.dlis", {"MAIN": {"DEPTH": INDEX, "AMP": IMAGE, "GR": INDEX}})
    with file.open("rb") as stream:
        (frame,) = reading.inspect(stream, "dlis", tmp_path)
    assert (frame.name, frame.index, frame.index_type, frame.unit) == ("MAIN", "DEPTH", "depth", "m")
    assert (frame.direction, frame.spacing, frame.rows) == ("increasing", 0.2, 4)
    assert (frame.first, frame.last, frame.problem) == (2889.4, 2890.0, None)
    assert [channel.describe() for channel in frame.channels] == ["AMP (12)", "GR (1)"]
    assert (frame.channels[0].minimum, frame.channels[0].maximum) == (IMAGE.min(), IMAGE.max())


def test_what_is_asked_for_is_chosen_and_what_is_not_one_is_told(tmp_path: Path) -> None:
    channels = {"DEPTH": INDEX, "AMP": IMAGE, "GR": INDEX, "TT": IMAGE[:, :5]}
    file = dlis(tmp_path / "a.dlis", {"MAIN": channels})
    with opened(file, "TT") as extract:
        assert extract.channel.width == 5
    assert refusal(file) == "There are several images in the file; choose one by channel: MAIN/AMP, MAIN/TT."
    assert refusal(file, "GR") == (
        "The channel GR has one value at a depth. Images in the file: AMP (12), TT (5)."
    )
    assert refusal(file, "X").startswith("There is no channel X in the file, but AMP (12), GR (1), TT (5).")


def test_an_index_of_time_is_refused(tmp_path: Path) -> None:
    file = dlis(
        tmp_path / "a.dlis",
        {"MAIN": {"TIME": INDEX, "AMP": IMAGE}},
        unit=enums.Unit.SECOND,
        index_type=enums.FrameIndexType.NON_STANDARD,
    )
    assert refusal(file) == "The index TIME of the frame MAIN is time (s), not depth."


def test_a_las_that_turns_back_is_refused_by_row() -> None:
    message = refusal(image_las([1.0, 2.0, 1.5, 3.0], IMAGE))
    assert message == "The index DEPT does not run one way: 2.0 is followed by 1.5 in row 3."


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_dlis_that_ends_early_is_refused(tmp_path: Path, share: float) -> None:
    image = np.random.default_rng(1).normal(0, 1, (400, 12))
    whole = dlis(tmp_path / "a.dlis", {"MAIN": {"DEPTH": np.arange(400.0), "AMP": image}}).read_bytes()
    assert refusal(whole[: int(len(whole) * share)])


def test_encrypted_rows_are_refused(tmp_path: Path) -> None:
    file = dlis(tmp_path / "a.dlis", {"MAIN": {"DEPTH": INDEX, "AMP": IMAGE}}).read_bytes()
    assert refusal(encrypted(file))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"~Version\n", "las"),
        (b"\xef\xbb\xbf# a comment\n\n ~V\n", "las"),
        (b"   1V1.00RECORD 8192DEFAULT", "dlis"),
        (b"depth,a,b\n1,2,3\n", None),
        (b"", None),
        (b"\x89PNG\r\n", None),
    ],
)
def test_files_are_known_by_their_beginning(head: bytes, kind: str | None) -> None:
    assert reading.recognise(head) == kind


# What a file may cost


def test_a_reader_without_enough_memory_is_a_refusal(tmp_path: Path) -> None:
    file = io.BytesIO(image_las(DEPTHS, IMAGE))
    with pytest.raises(InvalidLog, match="its reader died of it"):
        reading.inspect(file, "las", tmp_path, Limits(memory_bytes=40 << 20))
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    values = np.zeros((60_000, 40), int)
    file = io.BytesIO(image_las(list(range(60_000)), values))
    with pytest.raises(InvalidLog, match=r"takes longer than 1 s to read|its reader died of it"):
        reading.inspect(file, "las", tmp_path, Limits(seconds=1))


def test_a_child_process_gets_nothing_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "lasio.py").write_text("raise SystemExit('not the reader')")
    (frame,) = reading.inspect(io.BytesIO(image_las(DEPTHS, IMAGE)), "las", tmp_path)
    assert frame.rows == 4
