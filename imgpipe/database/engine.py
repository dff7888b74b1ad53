"""Connect to the database, and open its transactions."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from importlib import import_module
from threading import Lock
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, Insert, event, func, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from imgpipe.database.models import Base
from imgpipe.database.pool import Pool
from imgpipe.database.sqlitefile import SqliteFile, sqlite
from imgpipe.errors import Busy
from imgpipe.settings import Settings


class _Session(FlaskSession):
    """Let go of a connection that was lost after its last query: by then the answer is made."""

    def close(self) -> None:
        try:
            super().close()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            super().close()


db = SQLAlchemy(model_class=Base, session_options={"class_": _Session, "expire_on_commit": False})

# Who finds SQLite's write lock taken sleeps and looks again; a process's own threads rather queue up here.
_writer = Lock()
# How long a writer waits for the others before it gives up.
BUSY_S = 30
# What SQLite's write-ahead log is cut back to once it has been copied.
JOURNAL_BYTES = 64 << 20
RECYCLE_S = 1800
RETRY_AFTER_S = 2
# What libpq does to a server that is silently gone: by its own defaults it would wait for minutes.
# (https://www.postgresql.org/docs/15/libpq-connect.html) The URL's own parameters have precedence.
PSYCOPG: Mapping[str, Any] = {
    "application_name": "imgpipe",
    "connect_timeout": 3,  # s
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    # Plans that know the words searched for; and nothing is kept that a pooler in between would mix up.
    "prepare_threshold": None,
}


def engine_options(settings: Settings) -> dict[str, Any]:
    """Choose the pool, and on SQLite the driver: one connection for every thread that may want one."""
    options: dict[str, Any] = {
        "pool_size": settings.web_threads + settings.workers + settings.caption_workers + 4,
        "max_overflow": 8,
        "poolclass": Pool,
        "pool_use_lifo": True,  # the last one back has the pages and statements at hand
        "hide_parameters": True,  # values are the users' affair, not the log's
    }
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return options | {"module": sqlite}
    # A connection that the server or a firewall closed meanwhile is replaced before it is used.
    options |= {"pool_pre_ping": True, "pool_recycle": RECYCLE_S}
    if url.drivername == "postgresql+psycopg":
        chosen = {name: value for name, value in PSYCOPG.items() if name not in url.query}
        options["connect_args"] = chosen
    return options


def listen(engine: Engine) -> None:
    """Give every SQLite connection its pragmas, and let us, not the driver, begin transactions."""
    if engine.dialect.name == "sqlite":
        file = SqliteFile(engine.url.database)
        event.listen(engine, "do_connect", file.refuse_other)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "connect", file.remember)
        event.listen(engine, "checkout", file.refuse_another)
        event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    pragmas = (
        f"busy_timeout = {BUSY_S * 1000}",
        "journal_mode = WAL",
        f"journal_size_limit = {JOURNAL_BYTES}",
        "foreign_keys = ON",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("alone"):
        return
    if options.get("writes"):
        _synchronize(connection, "FULL" if options.get("durable") else "NORMAL")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


def _synchronize(connection: Connection, how: str) -> None:
    """Say what a commit waits for: in WAL mode NORMAL loses only the latest, and only with the power."""
    if connection.info.get("synchronous") != how:
        connection.exec_driver_sql(f"PRAGMA synchronous = {how}")
        connection.info["synchronous"] = how


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for this process's other writers. Raises: ``Busy`` after as long as SQLite itself would wait."""
    if not _writer.acquire(timeout=BUSY_S):
        raise Busy(retry_after_s=RETRY_AFTER_S)
    try:
        yield
    finally:
        _writer.release()


def shorten_journal() -> None:
    """Copy SQLite's write-ahead log into the database and cut it off, as far as nobody has to wait for it."""
    if db.engine.dialect.name != "sqlite":
        return
    db.session.rollback()
    with closing(db.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # gives up where anybody is at work
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")


def insert_if_new(model: type[Base], **values: Any) -> Insert:
    """Return an INSERT that does nothing where a value that must be unique is there already.

    Each dialect has its own; the one that is not in use is not even loaded.
    """
    dialect = import_module(f"sqlalchemy.dialects.{db.engine.dialect.name}")
    statement: Insert = dialect.insert(model).values(**values).on_conflict_do_nothing()
    return statement


@contextmanager
def asking(engine: Engine | None = None) -> Iterator[Connection]:
    """Connect for one statement that reads: without session or transaction, which cost more than it does."""
    engine = engine or db.engine
    alone = {"alone": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with engine.connect() as connection:
        yield connection.execution_options(**alone)


@contextmanager
def reading() -> Iterator[Session]:
    """Read in a transaction that ends with the block: a longer one keeps SQLite's log from being emptied."""
    session = db.session()
    session.rollback()
    try:
        yield session
    finally:
        session.rollback()


@contextmanager
def writing(*, durable: bool) -> Iterator[Session]:
    """Open a write transaction that commits at the end of the block, or rolls back.

    On SQLite it takes the write lock at once (BEGIN IMMEDIATE): a read that turns into a write later
    fails under load whatever the timeout. ``durable`` promises that the commit outlives a power cut;
    work that would only be done again does without, on SQLite: PostgreSQL's workers outlive their server,
    and a claim that it forgot would be handed out twice. Whatever was read before is forgotten.
    """
    session = db.session()
    session.rollback()
    with _turn() if session.get_bind().dialect.name == "sqlite" else nullcontext():
        session.connection(execution_options={"writes": True, "durable": durable})
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


def lock_name(session: Session, name: str) -> None:
    """Hold off whoever locks the same name, until the transaction ends; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
