"""Lay down what people add to pictures, and what finds alike ones: labels, earlier captions, hashes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from imgpipe.database.models import Base, Json, time_of


class Label(Base):
    """One label in use, or once in use, and how many pictures have it."""

    __tablename__ = "labels"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    pictures: Mapped[int] = mapped_column(BigInteger, default=0)


Index("ix_labels_pictures_name", Label.pictures, Label.name)


class LabelledPicture(Base):
    """A picture that has a label, by its position: what has a label can be walked newest first.

    The labels themselves stand in the picture's row, in their order. No foreign key: both change in one
    transaction, and looking the other way would need another index.
    """

    __tablename__ = "labelled_pictures"
    __table_args__ = ({"sqlite_with_rowid": False},)

    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class EarlierCaption(Base):
    """A caption that another one has taken the place of; the id tells when."""

    __tablename__ = "earlier_captions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[dict[str, Any] | None] = mapped_column(Json)

    @property
    def replaced_at(self) -> datetime:
        """Return the id's own millisecond."""
        return time_of(self.id)


Index("ix_earlier_captions_image_id_id", EarlierCaption.image_id, EarlierCaption.id)


class HashBand(Base):
    """A quarter of a picture's perceptual hash: which quarter, its 16 bits, and the hash that it is of.

    Two hashes that differ in few bits have some quarter in which they differ in fewer still, so that the
    alike ones are found by looking up a handful of quarters.
    """

    __tablename__ = "hash_bands"
    __table_args__ = ({"sqlite_with_rowid": False},)

    band: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
