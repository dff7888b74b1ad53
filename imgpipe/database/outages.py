"""Judge what the database raised by what its driver says: is it away for now, or is the fault ours?"""

import logging

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from imgpipe.errors import Busy

# https://www.sqlite.org/rescode.html, the low byte: busy, locked, no memory, read-only, input/output,
# corrupt, full, can't open, locking protocol, not a database. Of none of them a picture is guilty.
_SQLITE = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})
# https://www.postgresql.org/docs/15/errcodes-appendix.html, whole classes: connection, resources (a full disk
# is one), operator intervention, system; and single ones: read-only, serialisation, deadlock, lock.
_CLASSES = ("08", "53", "57", "58")
_DEADLOCK = "40P01"
_STATES = frozenset({"25006", "40001", _DEADLOCK, "55P03"})


def is_away(error: BaseException) -> bool:
    """Tell whether the database can't serve now: lost, locked, full or read-only; anything else is a bug."""
    if isinstance(error, TimeoutError | Busy):  # every connection is in use, or others write for too long
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    number = getattr(error.orig, "sqlite_errorcode", None)
    if number is not None:
        return number & 0xFF in _SQLITE
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state.startswith(_CLASSES) or state in _STATES
    # Without a code nobody has answered: libpq has none for a server that can't be reached.
    return isinstance(error, OperationalError | InterfaceError)


def warn(log: logging.Logger, error: BaseException, then: str = "") -> None:
    """Log an outage; of a deadlock say so as an error, for two of our own transactions were at fault."""
    line = f"{reason(error)}{then and f'; {then}'}"
    if getattr(getattr(error, "orig", None), "sqlstate", None) == _DEADLOCK:
        log.error("two transactions locked each other out: %s", line)
    else:
        log.warning("the database is away: %s", line)


def reason(error: BaseException) -> str:
    """Return the driver's own first line: SQLAlchemy's would carry the statement and its values."""
    lines = str(getattr(error, "orig", None) or "").splitlines()
    return lines[0] if lines else type(error).__name__
