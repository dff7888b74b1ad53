import pytest

from imgpipe.wells.choosing import choose
from imgpipe.wells.contents import Channel, Frame, Refusal
from imgpipe.wells.las import group_elements

AMP, TT = Channel("AMP", "", (200,), "float32"), Channel("TT", "", (200, 1), "int16")
GR, TEXT = Channel("GR", "gAPI", (), "float32"), Channel("NOTE", "", (), "text")
CUBE, WIDE = Channel("WAVE", "", (8, 512), "float32"), Channel("WIDE", "", (10_001,), "float32")


def frame(name: str, *channels: Channel) -> Frame:
    return Frame(name, "DEPT", "depth", "m", list(channels))


def refusal(wanted: str | None, *frames: Frame) -> str:
    with pytest.raises(Refusal) as refused:
        choose(frames, wanted)
    return str(refused.value)


def test_the_only_image_needs_no_name() -> None:
    assert choose([frame("A", GR), frame("B", GR, AMP, CUBE, TEXT)], None) == (1, 1)


def test_an_image_is_chosen_by_channel_or_by_frame_and_channel() -> None:
    frames = [frame("A", AMP), frame("B", AMP, TT)]
    assert choose(frames, "B/AMP") == (1, 0)
    assert choose(frames, "TT") == (1, 1)


def test_two_channels_of_a_name_have_to_be_told_apart_by_frame() -> None:
    message = "There are several channels AMP in the file; choose one by channel: A/AMP, B/AMP."
    assert refusal("AMP", frame("A", AMP), frame("B", AMP)) == message


def test_two_frames_of_a_name_cannot_be_told_apart() -> None:
    message = (
        "There are several channels A/AMP in the file, and frames of the same name among them: A/AMP, A/AMP."
    )
    assert refusal("A/AMP", frame("A", AMP), frame("A", AMP)) == message


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        (GR, "has one value at a depth"),
        (TEXT, "is text"),
        (CUBE, "has 8 x 512 values at a depth, where a log has one row"),
        (WIDE, "has more than 10,000 values at a depth"),
    ],
)
def test_a_channel_that_is_no_image_is_refused_with_the_reason(channel: Channel, problem: str) -> None:
    message = f"The channel {channel.name} {problem}. Images in the file: AMP (200)."
    assert refusal(channel.name, frame("A", channel, AMP)) == message


def test_a_file_without_an_image_says_what_it_has() -> None:
    message = "There is no image in the file; its channels are GR (1), NOTE (text), WAVE (8 x 512)."
    assert refusal(None, frame("A", GR, TEXT, CUBE)) == message
    assert refusal(None) == "There is no image in the file; its channels are none."


def test_a_long_list_is_cut() -> None:
    assert refusal("X", frame("A", *[GR] * 15)).endswith("GR (1) and 3 more.")


def test_elements_are_put_in_order_and_other_columns_stay_alone() -> None:
    names = ["GR", "AMP[2]", "AMP[0]", "GR", "AMP[1]", "T [1]", "T [2]"]
    assert group_elements(names) == [("GR", [0]), ("AMP", [2, 4, 1]), ("GR", [3]), ("T", [5, 6])]


@pytest.mark.parametrize("form", ["AMP{}", "AMP{:03}", "AMP_{:03}", "AMP {}", "AMP-{:02}"])
@pytest.mark.parametrize("first", [0, 1])
def test_many_numbered_columns_side_by_side_are_an_array_too(form: str, first: int) -> None:
    names = ["GR", *(form.format(number) for number in range(first, first + 40)), "RT10", "RT20"]
    assert group_elements(names) == [
        ("GR", [0]),
        ("AMP", list(range(1, 41))),
        ("RT10", [41]),
        ("RT20", [42]),
    ]


NUMBERED = [f"AMP{number}" for number in range(1, 41)]


@pytest.mark.parametrize(
    "names",
    [
        [f"CAL{number}" for number in range(1, 7)],
        [*NUMBERED, "AMP"],
        [*NUMBERED, "AMP[0]"],
        [*NUMBERED, "AMP_041", "AMP041"],
        [*NUMBERED[:20], "GR", *NUMBERED[20:]],
        NUMBERED[::-1],
        NUMBERED[1:],
        [*NUMBERED[:9], *NUMBERED[10:]],
        [f"{number:03}" for number in range(1, 41)],
    ],
    ids=["few", "one without", "brackets too", "twice", "apart", "backwards", "from 2", "a gap", "no name"],
)
def test_numbers_that_leave_a_doubt_make_no_array(names: list[str]) -> None:
    grouped = dict(group_elements(names))
    assert [len(places) for places in grouped.values()] == [1] * len(names)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["A[0]", "A[2]"], r"The column A\[1\] is missing in the LAS file."),
        (["A[0]", "A[0]"], r"The column A\[0\] comes twice in the LAS file."),
    ],
)
def test_an_array_with_a_gap_or_a_repetition_is_refused(names: list[str], problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        group_elements(names)
