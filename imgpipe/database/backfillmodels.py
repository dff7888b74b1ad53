"""Lay down the table of how far added sizes of thumbnails have got."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from imgpipe.database.models import Base


class Backfill(Base):
    """A table of sizes, the newest being in force, and how far the pictures have got what is new in it.

    ``last_id``: all pictures up to it were looked at. ``due_at`` is as for pictures; None once all is done.
    """

    __tablename__ = "backfills"

    recipe: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    begun_at: Mapped[datetime]
    last_id: Mapped[UUID]
    seen: Mapped[int]
    made: Mapped[int]
    due_at: Mapped[datetime | None]
    attempt: Mapped[int]
    crashes: Mapped[int]
    running: Mapped[bool]
