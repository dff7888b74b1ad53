"""Pages are cut by key; whatever the length of a list and of a page, a walk sees each row exactly once."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, delete, select

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, position_of
from imgpipe.database.paging import Page, fetch
from imgpipe.errors import InvalidCursor


@pytest.fixture(autouse=True)
def in_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def fill(numbers: set[int]) -> list[UUID]:
    """Replace all rows by those of uploads in these milliseconds; returns the ids, newest first."""
    ids = sorted((UUID(int=number << 80 | 0x7 << 76 | 0x2 << 62) for number in numbers), reverse=True)
    with writing(durable=False) as session:
        session.execute(delete(Image))
        for id in ids:
            fixed = {"original_name": "a", "format": "jpg", "sha256": "0", "status": "success"}
            image = Image(id=id, position=position_of(id), size_bytes=1, changed_at=utc_now(), **fixed)
            image.caption_status = "skipped"
            session.add(image)
    return ids


def page(limit: int, cursor: str | None = None) -> Page[Image]:
    statement: Select[Image] = select(Image)
    return fetch(statement, {}, limit, cursor, Image.id)


def walk(limit: int) -> list[Page[Image]]:
    pages = [page(limit)]
    while pages[-1].next:
        pages.append(page(limit, pages[-1].next))
    return pages


@settings(max_examples=25, deadline=None)
@given(numbers=st.sets(st.integers(1, 2**47), max_size=25), limit=st.integers(1, 9))
def test_a_walk_sees_every_row_once_and_leads_back_the_same_way(numbers: set[int], limit: int) -> None:
    ids = fill(numbers)
    pages = walk(limit)
    assert [image.id for page in pages for image in page.items] == ids
    assert all(len(page.items) == limit for page in pages[:-1])
    back = [pages[-1]]
    while back[-1].previous:
        back.append(page(limit, back[-1].previous))
    assert [[image.id for image in page.items] for page in back] == [
        [image.id for image in page.items] for page in reversed(pages)
    ]
    db.session.remove()


def test_rows_that_go_while_one_walks_make_no_gap() -> None:
    ids = fill(set(range(1, 10)))
    first = page(3)
    with writing(durable=False) as session:
        session.execute(delete(Image).where(Image.id.in_([ids[2], ids[4]])))
    assert [image.id for image in page(9, first.next).items] == [ids[3], *ids[5:]]


def test_a_cursor_survives_its_row() -> None:
    ids = fill({1, 2, 3})
    first = page(1)
    fill({1, 2})
    assert [image.id for image in page(5, first.next).items] == ids[1:]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text("ABCDabcd0189-_=.", min_size=68, max_size=68))
def test_no_text_made_up_passes_for_a_cursor(text: str) -> None:
    if text:
        with pytest.raises(InvalidCursor):
            page(1, text)


@pytest.mark.parametrize("place", range(68))
def test_a_cursor_with_one_letter_changed_is_refused(place: int) -> None:
    fill({1, 2})
    cursor = page(1).next
    assert cursor is not None
    other = "B" if cursor[place] == "A" else "A"
    with pytest.raises(InvalidCursor):
        page(1, cursor[:place] + other + cursor[place + 1 :])
