"""Say something about a picture, and read what others said."""

from uuid import UUID

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.exc import IntegrityError

from imgpipe.clock import utc_now
from imgpipe.database import paging
from imgpipe.database.engine import writing
from imgpipe.database.models import Comment, new_id
from imgpipe.database.paging import Page
from imgpipe.database.replays import Seal
from imgpipe.errors import ImageNotFound, InvalidParameter, NotFound
from imgpipe.pictures import gallery
from imgpipe.text import clean_text

MAX_LENGTH = 10_000
_OF_IMAGE: Select[Comment] = select(Comment).where(Comment.image_id == bindparam("image_id"))


def add(image_id: UUID, text: object, seal: Seal | None = None) -> Comment:
    """Store a comment of 1 to 10,000 characters that is not blank.

    Raises: ``ImageNotFound``, ``InvalidParameter``.
    """
    if not isinstance(text, str) or not clean_text(text).strip() or len(text) > MAX_LENGTH:
        raise InvalidParameter(f"text: expected 1 to {MAX_LENGTH} characters that are not blank")
    now = utc_now()
    comment = Comment(id=new_id(), image_id=image_id, text=clean_text(text), edited_at=now)
    try:
        with writing(durable=True) as session:
            session.add(comment)
            session.flush()
            if seal:
                seal(session, comment)
    except IntegrityError as error:  # the picture is not there, or no longer
        raise ImageNotFound from error
    return comment


def remove(image_id: UUID, comment_id: UUID) -> None:
    """Delete a comment. Raises: ``ImageNotFound``, ``NotFound``."""
    with writing(durable=True) as session:
        ours = (Comment.id == comment_id) & (Comment.image_id == image_id)
        removed = session.scalar(delete(Comment).where(ours).returning(Comment.id))
    if removed is None:
        gallery.find(image_id)
        raise NotFound("There is no such comment on this picture.")


def page(image_id: UUID, limit: int, cursor: str | None = None) -> Page[Comment]:
    """List the comments of a picture, newest first. Raises: ``ImageNotFound``, ``InvalidCursor``."""
    gallery.find(image_id)
    return paging.fetch(_OF_IMAGE, {"image_id": image_id}, limit, cursor, Comment.id)
