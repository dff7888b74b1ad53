"""Run migrations under one lock, so that several starters may upgrade one database at once."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from imgpipe.database.engine import db

LOCK = 0x696D6770  # "imgp", a key of our own among PostgreSQL's advisory locks


def _is_modelled(name: str | None, type_: str, parents: object) -> bool:
    """Leave the index of words out of comparisons: no model describes it, each database has its own."""
    return type_ != "table" or not str(name).startswith("image_words")


def run() -> None:
    engine = db.engine
    with engine.connect().execution_options(writes=True, durable=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=engine.dialect.name == "sqlite",
            transactional_ddl=True,
            compare_type=True,
            include_name=_is_modelled,
        )
        with context.begin_transaction():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            context.run_migrations()


assert current_app
run()
