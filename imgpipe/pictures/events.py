"""Record what happened to a picture for the webhooks, in the transaction in which it happens."""

from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from imgpipe.database import outbox
from imgpipe.database.models import Image
from imgpipe.extensions import parts

Kind = Literal["image.succeeded", "image.failed", "image.captioned", "image.deleted"]


def record(session: Session, image_id: UUID, *kinds: Kind) -> None:
    """Put events about a picture, as it is now, into the outbox; one that is to be deleted, before it is."""
    urls = parts.settings.webhook_urls
    image = session.get(Image, image_id, populate_existing=True) if urls and kinds else None
    if image is not None:
        shown = parts.show_image(image)
        for kind in kinds:
            outbox.put(session, urls, kind, str(image_id), shown)
