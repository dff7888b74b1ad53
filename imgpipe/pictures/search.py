"""Find pictures by the words of their names and captions, alike on both databases.

The words are split here, not by the databases, whose ideas of a word differ. They are kept in the table
``image_words`` by the picture's position, which stands in the order of the ids: so a database walks a
common word from the newest picture on, and stops at the end of a page. A rare one is looked up instead:
SQLite's index of words is in that order anyway, PostgreSQL has to be told which way to go.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVarTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    TableClause,
    TextClause,
    column,
    false,
    func,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session

from imgpipe.database.models import Image

_place: ColumnElement[int] = Image.__table__.c.position
Columns = TypeVarTuple("Columns")
WORD_LENGTH = 64
QUERY_WORDS = 16
SAMPLE = 1000
# Scripts that put no blank between words: every character counts as one.
_UNSPACED = re.compile("([\u2e80-\u303f\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


def split(text: str) -> list[str]:
    """Return the words of a text: letters and digits, without accents, in lower case, in their order."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in plain if not unicodedata.combining(char)).casefold()
    spaced = _UNSPACED.sub(r" \1 ", bare)
    return [word[:WORD_LENGTH] for word in "".join(c if c.isalnum() else " " for c in spaced).split()]


def enter(session: Session, position: int, name: str, caption: str | None = None) -> None:
    """Note the words of a picture in place of those noted before; part of the caller's transaction."""
    leave(session, position)
    enter_all(session, [(position, name, caption)])


def enter_all(session: Session, pictures: Iterable[tuple[int, str, str | None]]) -> None:
    """Note the words of pictures, each its position, name and caption, of which none are noted yet."""
    join: Callable[[list[str]], str | list[str]] = " ".join if _is_sqlite(session) else list
    rows = [
        {"position": position, "words": join(sorted(set(split(f"{name} {caption or ''}"))))}
        for position, name, caption in pictures
    ]
    columns = "rowid, words) VALUES (:position, :words"
    if not _is_sqlite(session):
        columns = "position, words) VALUES (:position, array_to_tsvector(:words)"
    session.execute(text(f"INSERT INTO image_words ({columns})"), rows)


def leave(session: Session, position: int) -> None:
    """Forget the words of a picture; part of the caller's transaction."""
    key = "rowid" if _is_sqlite(session) else "position"
    session.execute(text(f"DELETE FROM image_words WHERE {key} = :position"), {"position": position})


def narrow(
    statement: "Select[*Columns]", query: str, session: Session
) -> "tuple[Select[*Columns], ColumnElement[int]]":
    """Keep the pictures that have every word of the query, its last one as a prefix.

    Returns the statement and the column that the database can order matches by without sorting them.
    """
    words = split(query)[:QUERY_WORDS]
    if not words:
        return statement.where(false()), _place
    found, match = _match(words, session)
    position = found.c[0]
    if _is_sqlite(session) or _is_common(session, found, match):
        return statement.join(found, position == _place).where(match), position
    # The planner takes every word for a common one, and would walk past a million pictures to fill a page.
    holders = select(position).where(match).scalar_subquery()
    return statement.where(_place == func.any(func.array(holders))), _place


def _match(words: list[str], session: Session) -> tuple[TableClause, TextClause]:
    *whole, prefix = words
    if _is_sqlite(session):
        name, match = "rowid", "image_words MATCH :words"
        asked = " ".join([*(f'"{word}"' for word in whole), f'"{prefix}"*'])
    else:
        name, match = "position", "image_words.words @@ CAST(:words AS tsquery)"
        asked = " & ".join([*(f"'{word}'" for word in whole), f"'{prefix}':*"])
    found = table("image_words", column(name, BigInteger), column("words"))
    return found, text(match).bindparams(words=asked)


def _is_common(session: Session, found: TableClause, match: TextClause) -> bool:
    """Tell whether so many of the newest pictures match that a walk from the newest on soon fills a page."""
    newest = select(found).order_by(found.c[0].desc()).limit(SAMPLE).subquery("image_words")
    count = session.scalar(select(func.count()).select_from(newest).where(match))
    return (count or 0) >= SAMPLE // 20


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
