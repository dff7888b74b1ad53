"""Answer a request that comes again under the same ``Idempotency-Key`` with its first answer."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from flask import Response, request
from sqlalchemy.orm import Session

from imgpipe.api.http import keys
from imgpipe.api.http.requests import verify_body
from imgpipe.database import replays
from imgpipe.database.models import Replay
from imgpipe.database.replays import Seal
from imgpipe.errors import IdempotencyMismatch, InvalidParameter, Repeated

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
Made = TypeVar("Made")


class Answer(NamedTuple):
    """What is sent, and what is kept to be sent again."""

    body: Any
    status: int
    location: str | None = None


def answer_once(
    content: Callable[[], Iterable[str | bytes]],
    make: Callable[[Seal], Made],
    shape: Callable[[Made], Answer],
    streamed: bool = False,
) -> Response:
    """Make what is asked for and answer; under a key that was answered before, make nothing.

    ``content`` is what makes two requests the same; of a ``streamed`` body it is known, and its digest
    compared, only after ``make`` has read it. ``make`` calls the seal it is given inside the
    transaction that makes the thing, so that the answer is kept if and only if the thing is.
    Raises: ``InvalidParameter``, ``IdempotencyMismatch``, ``DigestMismatch``.
    """
    if not streamed:
        verify_body()
    key = _key()
    if key is None:
        return _respond(shape(make(_verify)))
    if kept := replays.find(key):
        return _replay(kept, content())
    try:
        return _respond(shape(make(_keeping(key, content, shape))))
    except Repeated:
        kept = replays.find(key)
        assert kept is not None
        return _replay(kept, content())


def amend(response: Response, answer: Answer) -> Response:
    """Answer otherwise than at first, now that more is known, and keep that to be given again."""
    body = json.dumps(answer.body)
    if key := _key():
        replays.amend(key, answer.status, body)
    response.set_data(body)
    response.status_code = answer.status
    return response


def free() -> None:
    """Keep no answer to the present request, which ended badly after all."""
    if key := _key():
        replays.forget(key)


def _key() -> str | None:
    """Name the answer to the present request among those kept; None where it brings no key."""
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        return None
    if not _KEY.fullmatch(sent):
        raise InvalidParameter("Idempotency-Key: expected 1 to 255 printable ASCII characters")
    return _digest([str(request.endpoint), keys.identity(), sent])


def _keeping(key: str, content: Callable[[], Iterable[str | bytes]], shape: Callable[[Made], Answer]) -> Seal:
    def seal(session: Session, made: Any) -> None:
        verify_body()
        answer = shape(made)
        replays.keep(
            session, key, _fingerprint(content()), answer.status, json.dumps(answer.body), answer.location
        )

    return seal


def _verify(_session: Session, _made: object) -> None:
    """Keep nothing; but a body that was read by now must be what it was said to be."""
    verify_body()


def _fingerprint(content: Iterable[str | bytes]) -> str:
    return _digest([request.path, *content])


def _digest(parts: Iterable[str | bytes]) -> str:
    """Hash texts so that their borders count."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()


def _respond(answer: Answer) -> Response:
    response = Response(json.dumps(answer.body), answer.status, mimetype="application/json")
    if answer.location:
        response.headers["Location"] = answer.location
    return response


def _replay(kept: Replay, content: Iterable[str | bytes]) -> Response:
    if kept.fingerprint != _fingerprint(content):
        raise IdempotencyMismatch
    response = _respond(Answer(json.loads(kept.body), kept.status, kept.location))
    response.headers["Idempotent-Replayed"] = "true"
    return response
