"""Record for the webhooks that a log was stored, in the transaction that makes it visible."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from imgpipe.database import outbox
from imgpipe.database.depthmodels import DepthLog
from imgpipe.extensions import parts

STORED = "log.stored"


def record(session: Session, number: int) -> None:
    """Put the event into the outbox, with the log as it is now."""
    if urls := parts.settings.webhook_urls:
        statement = select(DepthLog).where(DepthLog.number == number)
        log = session.scalars(statement.execution_options(populate_existing=True)).one()
        outbox.put(session, urls, STORED, log.name, parts.show_log(log))
