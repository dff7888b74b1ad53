"""Tell the time. Everything that decides by the time asks here, so that a test can own the clock."""

from collections.abc import Callable
from datetime import UTC, datetime

_read: Callable[[], datetime] | None = None


def utc_now() -> datetime:
    """Return the present, aware, in UTC."""
    return _read() if _read else datetime.now(UTC)


def replace(read: Callable[[], datetime] | None) -> None:
    """Have this process take the time from ``read`` from now on; None is the machine's own clock."""
    global _read
    _read = read
