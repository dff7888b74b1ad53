"""Text from outside becomes safe for both databases and strict JSON, and stays as it was otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.text import NAME_LENGTH, clean_json, clean_text, display_name

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=20,
)


def is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


@given(st.text(alphabet=st.characters()))
def test_cleaned_text_can_be_stored_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    assert is_storable(cleaned)
    assert clean_text(cleaned) == cleaned


@given(ANYTHING)
def test_any_value_becomes_strict_json(value: object) -> None:
    text = json.dumps(clean_json(value), allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    assert is_storable(text)


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Zürich\n\t图片 🎈 \u200d é"
    assert clean_text(text) == text


def test_text_is_cut_at_its_limit_after_cleaning() -> None:
    assert clean_text("\0\0abcdef", 3) == "abc"


def test_what_is_nested_too_deep_becomes_null() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert json.dumps(clean_json(value)).count("[") == 20


@given(st.text(alphabet=st.characters(), max_size=600))
def test_a_display_name_is_never_empty_long_or_a_path(raw: str) -> None:
    name = display_name(raw, "image.jpg")
    assert 0 < len(name) <= NAME_LENGTH
    assert not set(name) & set("/\\\0\r\n\u202e\u2066")
    assert name.strip() == name
    assert is_storable(name)


@pytest.mark.parametrize("raw", [None, "", "/", "a/", "..", "\0", "\u202e", "   "])
def test_a_name_of_which_nothing_is_left_becomes_the_fallback(raw: str | None) -> None:
    assert display_name(raw, "image.png") == "image.png"
