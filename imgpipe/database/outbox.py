"""Write events into the outbox in the transaction of what happened: none is lost, none invented."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.models import Delivery, new_id


def put(session: Session, urls: Iterable[str], kind: str, subject: str, data: Mapping[str, Any]) -> None:
    """Put an event on its way to every one of ``urls``; ``subject`` is whose events stay in order."""
    now = utc_now()
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = json.dumps({"type": kind, "timestamp": timestamp, "data": data}, allow_nan=False)
    rows = [
        {"id": new_id(), "target": target_of(url), "subject": subject, "body": body}
        | {"created_at": now, "due_at": now, "attempt": 0, "tries": 0, "running": False}
        for url in urls
    ]
    if rows:
        session.execute(insert(Delivery), rows)


def target_of(url: str) -> str:
    """Return the name under which a target's deliveries are kept: its URL may carry a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]
