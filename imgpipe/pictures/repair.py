"""Write what the doctor finds out about pictures on which nobody works."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import writing
from imgpipe.database.models import Image
from imgpipe.pictures import events, tallies, thumbnails

log = logging.getLogger(__name__)


def fail(image_id: UUID, code: str, sentence: str) -> None:
    """End a successful picture at rest as failed: files are lost that can't be made again."""
    now = utc_now()
    at_rest = (Image.id == image_id) & (Image.status == "success") & Image.stage.is_(None)
    failed = {"status": "failed", "error": sentence, "error_code": code, "caption_status": "skipped"}
    with writing(durable=True) as session:
        statement = update(Image).where(at_rest).values(**failed, processed_at=now, changed_at=now)
        worked_ms = session.scalar(statement.returning(Image.worked_ms))
        if worked_ms is not None:
            tallies.count(session, success=-1, failed=1, worked_ms=-worked_ms)
            events.record(session, image_id, "image.failed")
    if worked_ms is not None:
        log.warning("failed %s: %s: %s", image_id, code, sentence)


def forget_originals(ids: Collection[UUID]) -> None:
    """Say of the originals of pictures at rest that they are not kept."""
    ours = Image.id.in_(ids) & Image.stage.is_(None)
    with writing(durable=True) as session:
        kept = (ours, Image.original_key.is_not(None))
        sizes = update(Image).where(*kept).values(original_key=None, changed_at=utc_now())
        tallies.count(session, stored_bytes=-sum(session.scalars(sizes.returning(Image.size_bytes))))


def replace_thumbnails(
    image_id: UUID, made: Sequence[Mapping[str, Any]], names: Collection[str] | None = None
) -> Collection[str]:
    """Put these in the place of the thumbnails of these names, or of all; returns the keys no longer named.

    Of a picture that is gone those are the new ones.
    """
    given = {thumbnail["key"] for thumbnail in made}
    with writing(durable=True) as session:
        there = session.scalar(select(Image.id).where(Image.id == image_id).with_for_update())
        if there is None:
            return given
        former = thumbnails.replace(session, image_id, made, names)
        tallies.count(session, stored_bytes=former.grown_bytes)
    return set(former.keys) - given
