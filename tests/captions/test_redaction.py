"""What a provider says is kept, what it must not say is not."""

import json

import pytest

from imgpipe.captions.redaction import RAW_BYTES, hide_key, redact, redact_json

KEY = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.mark.parametrize(
    "said",
    [
        f"bad key {KEY}",
        f"bad key '{KEY}'.",
        f"bad key ...{KEY[-10:]}",
        f"bad key {KEY[5:13]}",
        "bad key hf_Ab***Yz",
        "bad key sk-other",
        f"bad key\n{KEY}\n{KEY}",
    ],
)
def test_a_key_whole_cut_or_masked_is_hidden(said: str) -> None:
    hidden = redact(said, KEY, 500)
    assert hidden.split() == ["bad", "key", *["[hidden]"] * hidden.count("[hidden]")]


def test_a_key_cut_by_the_limit_is_hidden_too() -> None:
    assert KEY[:9] not in redact("x" * 489 + " " + KEY, KEY, 500)


def test_a_data_uri_is_hidden() -> None:
    said = "cannot read data:image/jpeg;charset=x;base64,/9j/4AAQ+SkZJRg== sorry"
    assert redact(said, KEY, 500) == "cannot read [data URI] sorry"


def test_a_short_key_is_hidden_only_where_it_stands_alone() -> None:
    assert hide_key("key abc, not abcd", "abc") == "key [hidden], not abcd"


def test_no_key_hides_nothing() -> None:
    assert hide_key("plain words", "") == "plain words"


def test_keys_are_hidden_in_names_and_values_at_any_depth() -> None:
    assert KEY not in json.dumps(redact_json({KEY: [{"a": f"x {KEY}"}, KEY, 1, None]}, KEY))


@pytest.mark.parametrize(
    "value", [["a" * 3000] * 100, list(range(50_000)), ['"\\' * 1500] * 9, "\u00e9" * 10**6]
)
def test_a_raw_answer_is_at_most_16_kib(value: object) -> None:
    assert len(json.dumps(redact_json(value, KEY))) <= RAW_BYTES


def test_a_small_raw_answer_stays_whole() -> None:
    raw = {"id": "1", "choices": [{"message": {"content": "A dog"}}], "usage": {"total": 7}}
    assert redact_json(raw, KEY) == raw
