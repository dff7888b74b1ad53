"""Tell which installation this database belongs to."""

from flask import Flask
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Installation


class Identity:
    """Ask the database once a process, with a connection of its own, and remember the answer."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._id: str | None = None

    def __call__(self) -> str:
        """Return the id. Raises: what a database that is away raises."""
        if self._id is None:
            with self._app.app_context(), db.engine.connect() as connection:
                self._id = connection.scalars(select(Installation.id)).one()
        return self._id
