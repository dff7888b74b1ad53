"""Compare a history with what it may be: nothing lost, nothing back, nothing twice, nothing paid in vain.

What was told to have happened, has; what was told not to, has not; all else did altogether or not at all, at
any time after it was sent, for a process that was stopped may do it when nobody waits any more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from math import inf

from tests.crash.history import Deed, History, Seen
from tests.crash.paid import sentence

CALLS = 3
LATE_NS = 10 * 10**9  # until a process that goes on has made the call it was about to make
ALLOWED = (0, 200, 201, 202, 204, 400, 404, 409, 503)


def faults(history: History) -> Iterator[str]:
    """Yield what can't be."""
    return _Check(history).faults()


class _Check:
    """Hold the history by picture and by what it says of it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._deeds: dict[str, list[Deed]] = defaultdict(list)
        for deed in history.deeds:
            self._deeds[deed.what].append(deed)
        self._about: dict[str, list[Deed]] = defaultdict(list)
        for deed in history.deeds:
            self._about[deed.about].append(deed)
        self._known = {str(deed.told): deed for deed in reversed(self._deeds["upload"]) if deed.done}

    def faults(self) -> Iterator[str]:
        yield from chain(
            self._answers(),
            self._ids(),
            self._presence(),
            self._walks(),
            self._pictures(),
            self._strangers(),
            self._comments(),
            self._logs(),
            self._turns(),
            self._payments(),
            self._fences(),
            self._history.end.faults,
        )

    def _answers(self) -> Iterator[str]:
        for deed in self._history.deeds:
            if deed.status not in ALLOWED:
                yield f"an answer that nobody is promised: {deed}"

    def _ids(self) -> Iterator[str]:
        """One id for one picture, and one picture for one key."""
        orders: dict[str, set[str]] = defaultdict(set)
        ids: dict[str, set[str]] = defaultdict(set)
        for order, deeds in self._orders().items():
            for deed in deeds:
                if deed.done:
                    orders[deed.told].add(order)
                    ids[order].add(deed.told)
        yield from (
            f"{image_id} was told of {len(of)} uploads" for image_id, of in orders.items() if len(of) > 1
        )
        yield from (f"one upload is told to be {sorted(of)}" for of in ids.values() if len(of) > 1)

    def _orders(self) -> dict[str, list[Deed]]:
        """Put uploads together of which only one may count."""
        orders: dict[str, list[Deed]] = defaultdict(list)
        for number, deed in enumerate(self._deeds["upload"]):
            orders[deed.key or f"#{number}"].append(deed)
        return orders

    def _presence(self) -> Iterator[str]:
        """Between its 202 and its 204 a picture is there, and never afterwards."""
        for image_id, upload in self._known.items():
            gone = min((d.ended for d in self._deletions(image_id) if d.done), default=inf)
            going = min((d.began for d in self._deletions(image_id) if not d.refused), default=inf)
            for deed in self._about[image_id]:
                if deed.status == 404 and deed.began > upload.ended and deed.ended < going:
                    yield f"{image_id} is lost to {deed}"
                if deed.done and deed.what in ("look", "comment") and deed.began > gone and not deed.key:
                    yield f"{image_id} was deleted and is back: {deed}"

    def _deletions(self, image_id: str) -> list[Deed]:
        return [deed for deed in self._about[image_id] if deed.what == "delete"]

    def _walks(self) -> Iterator[str]:
        """Whatever had its 202 before a walk began is in it once, unless somebody has begun to delete it."""
        last = Deed("walk", began=inf, status=200, told=self._history.end.walk)
        going = {
            image_id: min((d.began for d in self._deletions(image_id) if not d.refused), default=inf)
            for image_id in self._known
        }
        for walk in [*(deed for deed in self._deeds["walk"] if deed.done), last]:
            counts = Counter(walk.told)
            yield from (f"a walk came by {each} {count} times" for each, count in counts.items() if count > 1)
            for image_id, upload in self._known.items():
                if upload.ended < walk.began and going[image_id] > walk.ended and image_id not in counts:
                    yield f"a walk missed {image_id}"

    def _pictures(self) -> Iterator[str]:
        """Each is there as it was sent, with its own caption, and what was deleted is not."""
        found = self._history.end.pictures
        for image_id, upload in self._known.items():
            deletions = [deed for deed in self._deletions(image_id) if not deed.refused]
            if image_id in found:
                yield from self._wrong(image_id, found[image_id], upload)
            elif not deletions:
                yield f"{image_id} is lost"
            if image_id in found and any(deed.done for deed in deletions):
                yield f"{image_id} was deleted and is there at the end"

    def _wrong(self, image_id: str, seen: Seen, upload: Deed) -> Iterator[str]:
        if seen.sent != upload.sent:
            yield f"{image_id} has the bytes of {seen.sent} instead of {upload.sent}"
        told = [d.told["caption"] for d in self._looks(image_id) if d.told.get("caption_status") == "done"]
        if any(caption != seen.caption for caption in told):
            yield f"the caption of {image_id} was {told[0]!r} and is {seen.caption!r}"

    def _looks(self, image_id: str) -> list[Deed]:
        return [deed for deed in self._about[image_id] if deed.what == "look" and deed.done]

    def _strangers(self) -> Iterator[str]:
        """Pictures that nobody was told of come from uploads without a clear answer, at most one of each."""
        possible: Counter[int] = Counter()
        for deeds in self._orders().values():
            if not any(deed.done for deed in deeds) and any(deed.unclear for deed in deeds):
                possible[deeds[0].sent] += 1
        found = self._history.end.pictures
        strangers = Counter(seen.sent for image_id, seen in found.items() if image_id not in self._known)
        for number, count in strangers.items():
            if count > possible[number]:
                yield f"{count} pictures of {number} are there untold, instead of {possible[number]}"
        for image_id, seen in found.items():
            yield from (f"{image_id}: {fault}" for fault in seen.faults)
            if seen.status != "success":
                yield f"{image_id} ends as {seen.status}"
            if seen.caption not in (None, sentence(seen.sent)):
                yield f"{image_id}, which is {seen.sent}, is called {seen.caption!r}"

    def _comments(self) -> Iterator[str]:
        for image_id, seen in self._history.end.pictures.items():
            deeds = [deed for deed in self._about[image_id] if deed.what == "comment"]
            sure = {deed.sent for deed in deeds if deed.done}
            perhaps = {deed.sent for deed in deeds if deed.unclear}
            there = set(seen.comments)
            if len(there) < len(seen.comments) or not sure <= there <= sure | perhaps:
                yield f"the comments on {image_id} are {seen.comments} instead of {sorted(sure)}"

    def _logs(self) -> Iterator[str]:
        """A log is what its owner last made of it, or what nobody answered for; ``None`` is no log at all."""
        for log in {deed.about for deed in self._deeds["store"]}:
            changes = [deed for deed in self._about[log] if deed.what in ("store", "drop")]
            reads = [deed for deed in self._about[log] if _reads(deed)]
            end = Deed("read", log, began=inf, status=200, told=self._history.end.logs.get(log))
            for read in [*reads, end]:
                if read.told not in _values(changes, read):
                    yield f"the log {log} was found as {read.told} by {read}, not as {_values(changes, read)}"

    def _turns(self) -> Iterator[str]:
        """What failed stays so, unless it is tried again; and so does what succeeded."""
        for image_id in self._known:
            looks = sorted((d.began, d.ended, d.told["status"]) for d in self._looks(image_id))
            if image_id in self._history.end.pictures:
                looks.append((inf, inf, self._history.end.pictures[image_id].status))
            for (began, ended, status), (later, latest, other) in pairwise(looks):
                turns = status != "processing" and other != status and ended < later
                if turns and not self._is_retried(image_id, began, latest):
                    yield f"{image_id} was {status} and became {other} by itself"

    def _is_retried(self, image_id: str, since: float, until: float) -> bool:
        """Tell whether a retry may have taken effect between two moments."""
        retries = [deed for deed in self._about[image_id] if deed.what == "retry" and not deed.refused]
        return any(deed.began < until and (deed.unclear or deed.ended > since) for deed in retries)

    def _payments(self) -> Iterator[str]:
        """Three calls at most for each picture and each retry, and none while an answer is known."""
        calls: dict[int, list[dict[str, int]]] = defaultdict(list)
        for payment in self._history.payments:
            calls[payment["number"]].append(payment)
        uploads: Counter[int] = Counter()
        for deeds in self._orders().values():
            uploads[deeds[0].sent] += any(not deed.refused for deed in deeds)
        for retry in self._deeds["retry"]:
            if not retry.refused and retry.about in self._known:
                uploads[self._known[retry.about].sent] += 1
        for number, made in calls.items():
            if len(made) > CALLS * uploads[number]:
                yield f"{number} was paid for {len(made)} times in {uploads[number]} pictures and retries"
        for image_id, upload in self._known.items():
            known, forgotten = self._knows(image_id)
            late = [call for call in calls[upload.sent] if known < call["at"] < forgotten]
            late = [call for call in late if not self._was_stopped(call, known)]
            if late:
                yield f"{upload.sent} was paid for {len(late)} times after {image_id} had its caption"

    def _was_stopped(self, call: dict[str, int], known: float) -> bool:
        """Tell whether its process may have been stopped between noting the call and making it."""
        return any(
            blow["stopped"] == call["pid"] and blow["began"] < known and call["at"] < blow["ended"] + LATE_NS
            for blow in self._history.blows
        )

    def _knows(self, image_id: str) -> tuple[float, float]:
        """Return since when a caption was seen, and from when on the picture may be deleted."""
        told = [d.ended for d in self._looks(image_id) if d.told.get("caption_status") == "done"]
        going = [deed.began for deed in self._deletions(image_id) if not deed.refused]
        return min(told, default=inf), min(going, default=inf)

    def _fences(self) -> Iterator[str]:
        for (image_id, attempt), count in Counter(self._history.results).items():
            if count > 1:
                yield f"{count} results of {image_id} were written behind fence {attempt}"


def _reads(deed: Deed) -> bool:
    """Tell whether a deed says what a log is; where none is found it tells ``None``."""
    return (deed.what == "read" and deed.done) or (deed.what in ("read", "drop") and deed.status == 404)


def _values(changes: Iterable[Deed], read: Deed) -> set[int | None]:
    """Return what a register may hold: the last change before the read, those during it, the unclear ones."""
    begun = [deed for deed in changes if deed.began < read.ended and not deed.refused]
    settled = [deed for deed in begun if deed.done and deed.ended < read.began]
    last = max(settled, key=lambda deed: deed.ended, default=None)
    open_ones = [deed for deed in begun if deed.unclear or (deed.done and deed.ended >= read.began)]
    values: set[int | None] = {None if deed.what == "drop" else deed.sent for deed in open_ones}
    values.add(None if last is None or last.what == "drop" else last.sent)
    return values
