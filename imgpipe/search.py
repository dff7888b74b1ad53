"""Find pictures by the words of their names and captions, alike on both databases.

The words are split here, not by the databases, whose ideas of a word differ. They are kept in the table
``image_words`` by the picture's position, which stands in the order of the ids: so a database walks a
common word from the newest picture on, and stops at the end of a page.
"""

import re
import unicodedata

from sqlalchemy import BigInteger, ColumnElement, Select, column, false, table, text
from sqlalchemy.orm import Session

from imgpipe.models import Image

WORD_LENGTH = 64
QUERY_WORDS = 16
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
    words = sorted(set(split(f"{name} {caption or ''}")))
    if _is_sqlite(session):
        insert = text("INSERT INTO image_words (rowid, words) VALUES (:position, :words)")
        session.execute(insert, {"position": position, "words": " ".join(words)})
    else:
        insert = text(
            "INSERT INTO image_words (position, words) VALUES (:position, array_to_tsvector(:words))"
        )
        session.execute(insert, {"position": position, "words": words})


def leave(session: Session, position: int) -> None:
    """Forget the words of a picture; part of the caller's transaction."""
    key = "rowid" if _is_sqlite(session) else "position"
    session.execute(text(f"DELETE FROM image_words WHERE {key} = :position"), {"position": position})


def narrow(
    statement: "Select[Image]", query: str, session: Session
) -> "tuple[Select[Image], ColumnElement[int]]":
    """Keep the pictures that have every word of the query, its last one as a prefix.

    Returns the statement and the column that the database can order matches by without sorting them.
    """
    words = split(query)[:QUERY_WORDS]
    if not words:
        return statement.where(false()), Image.__table__.c.position
    *whole, prefix = words
    if _is_sqlite(session):
        found = table("image_words", column("rowid", BigInteger))
        match, asked = (
            "image_words MATCH :words",
            " ".join([*(f'"{word}"' for word in whole), f'"{prefix}"*']),
        )
    else:
        found = table("image_words", column("position", BigInteger))
        match = "image_words.words @@ CAST(:words AS tsquery)"
        asked = " & ".join([*(f"'{word}'" for word in whole), f"'{prefix}':*"])
    (position,) = found.c
    joined = statement.join(found, position == Image.position)
    return joined.where(text(match).bindparams(words=asked)), position


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
