"""Carry one event to one target: signed, within ten seconds, following nobody elsewhere."""

import time
from collections.abc import Sequence

from imgpipe.database.outbox import target_of
from imgpipe.outbound import Request
from imgpipe.webhooks import signature
from imgpipe.webhooks.queue import Message

DEADLINE_S = 10.0


class Sender:
    """Know the targets' addresses, which the database does not, and the secret."""

    def __init__(self, urls: Sequence[str], secret: str, deadline_s: float = DEADLINE_S) -> None:
        self._urls = {target_of(url): url for url in urls}
        self._secret = secret
        self._deadline_s = deadline_s

    @property
    def targets(self) -> Sequence[str]:
        """Name the targets of the present configuration."""
        return list(self._urls)

    def deliver(self, message_id: str, message: Message) -> str | None:
        """Try once; return None when the target took it (any 2xx), else why not, without its address."""
        from imgpipe.transport import exchange

        signed = signature.headers(self._secret, message_id, int(time.time()), message.body)
        headers = {"Content-Type": "application/json", **signed}
        request = Request("POST", self._urls[message.target], headers, message.body.encode())
        try:
            answer = exchange(request, self._deadline_s, body_bytes=0)
        except TimeoutError:
            return f"no answer within {self._deadline_s:g} s"
        except (OSError, ValueError) as error:  # whose text would carry the address, and its secrets
            return type(error).__name__
        return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"
