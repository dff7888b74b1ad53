"""Say what clients were promised, and whether the service on what is left of a disk keeps it.

What was answered has happened. What was asked for and not answered has happened altogether or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash.service import Event, Scripted, Service, digest
from tests.factories import png

CALLS = 3
Rows = dict[float, bytes]
NAMES = ("small", "medium", "square")
LITTER = ("orphan files", "dead depth imports")


@dataclass
class Told:
    """What clients know, and at most one thing that was asked for without an answer."""

    pictures: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    captions: dict[str, str | None] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[str, Rows] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    open: Event = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    loose: set[str] = field(default_factory=set)  # pictures by commands, which tell no ids

    @classmethod
    def by(cls, events: Iterable[Event]) -> "Told":
        """Sum up what was told in this order."""
        told = cls()
        for event in events:
            for kind, value in event.items():
                getattr(told, f"_{kind}")(value)
        return told

    def _called(self, jpeg: str) -> None:
        self.calls[jpeg] += 1

    def _asked(self, event: Event) -> None:
        self.open = event

    def _seen(self, event: Event) -> None:
        if event["status"] == "failed":
            self.failed.add(event["id"])
        if event["caption_status"] == "done":
            self.captions[event["id"]] = event["caption"]

    def _told(self, event: Event) -> None:
        self.open = {}
        getattr(self, f"_told_{event['what']}", lambda event: None)(event)

    def _told_upload(self, event: Event) -> None:
        self.pictures[event["id"]] = event["sha256"][0]

    def _told_images(self, event: Event) -> None:
        self.loose.update(event.get("sha256", ()))

    _told_copy = _told_images

    def _told_delete(self, event: Event) -> None:
        self.pictures.pop(event["id"], None)
        self.captions.pop(event["id"], None)
        self.comments.pop(event["id"], None)
        self.deleted.add(event["id"])

    def _told_retry(self, event: Event) -> None:
        self.failed.discard(event["id"])

    def _told_comment(self, event: Event) -> None:
        self.comments.setdefault(event["id"], []).append(event["text"])

    def _told_store(self, event: Event) -> None:
        self.logs[event["log"]] = merged(self.logs.get(event["log"], {}), event)

    def _told_drop(self, event: Event) -> None:
        self.logs.pop(event["log"], None)

    def asks(self, what: str) -> Event:
        """Return what was asked for and not answered if it is of this kind, else nothing."""
        return self.open if self.open.get("what") == what else {}


def merged(rows: Rows, event: Event) -> Rows:
    """Put the rows of a CSV over those of a log, in the order of depth."""
    new = {float(depth): bytes.fromhex(pixels) for depth, pixels in event["rows"].items()}
    return dict(sorted((rows | new).items()))


def broken(service: Service, told: Told, discards: bool = False) -> Iterator[str]:
    """Start a service, let it do all its work, and yield what it does not keep.

    With ``discards`` originals are not kept once a picture is done.
    """
    service.start()
    calls: Counter[str] = Counter()
    Scripted.tell = staticmethod(lambda event: calls.update([event["called"]]))
    left = service.work_to_the_end()
    if left:
        yield f"{left} pictures are stuck"
    new = service.upload(png(1, 1))
    service.work()
    told.pictures[new] = digest(png(1, 1))
    with service.in_a_while():  # the lease of whoever died has run out
        yield from _ill(service)
    yield from _wrong_pictures(service, told, discards)
    yield from _wrong_calls(told, calls)
    yield from _wrong_logs(service, told)


def walk(service: Service, **query: Any) -> list[Event]:
    """List all pictures, page by page."""
    items: list[Event] = []
    url: str | None = "/api/images"
    query = {"limit": 2, **query}
    while url:
        answer = service.client.get(url, query_string=query or None)
        assert answer.status_code == 200, answer.text
        body: Event = answer.json or {}
        items += body["data"]
        url, query = body["next"], {}
    return items


def _wrong_pictures(service: Service, told: Told, discards: bool) -> Iterator[str]:
    listed = walk(service)
    found = {item["image_id"]: item for item in listed}
    if len(found) != len(listed):
        yield "the walk gives a picture twice"
    yield from _wrong_sums(service, listed)
    deleting = told.asks("delete").get("id")
    for image_id in told.pictures:
        if image_id not in found and image_id != deleting:
            yield f"{image_id} is lost, though its upload was answered"
    for image_id in told.deleted & set(found):
        yield f"{image_id} is there, though its deletion was answered"
    extra = Counter(
        found[image_id]["sha256"] for image_id in found.keys() - told.pictures.keys() - told.deleted
    )
    allowed = told.loose.union(*(event.get("sha256", ()) for event in [told.open]))
    for sha256, count in extra.items():
        if sha256 not in allowed or count > 1:
            yield f"{count} pictures of {sha256[:8]} that nobody sent"
    for sha256 in told.loose - set(extra):
        yield f"{sha256[:8]} is lost, though the import had ended"
    for image_id, item in found.items():
        yield from _wrong_picture(service, item, told, discards)
        if told.pictures.get(image_id, item["sha256"]) != item["sha256"]:
            yield f"{image_id} has other bytes"


def _wrong_picture(service: Service, item: Event, told: Told, discards: bool) -> Iterator[str]:
    image_id = item["image_id"]
    if item["status"] == "failed" and image_id in told.failed:
        return
    if item["status"] != "success":
        yield f"{image_id} is {item['status']}: {item['error_code']}"
        return
    original = service.client.get(item["original_url"])
    if original.status_code == 200:
        if digest(original.data) != item["sha256"]:
            yield f"the original of {image_id} has changed"
    elif not discards or original.status_code != 404:
        yield f"the original of {image_id} is gone: {original.status_code}"
    for name in NAMES:
        answer = service.client.get(item["thumbnails"][name])
        if answer.status_code != 200 or digest(answer.data)[:32] != answer.get_etag()[0]:
            yield f"{name} of {image_id} is wrong: {answer.status_code}"
    if image_id in told.captions and item["caption"] != told.captions[image_id]:
        yield f"the caption of {image_id} has changed"
    words = (item["caption"] or item["original_name"]).split()
    if image_id not in {match["image_id"] for match in walk(service, limit=500, q=" ".join(words))}:
        yield f"{image_id} is not found by its words"
    if image_id in told.comments or told.asks("comment"):
        yield from _wrong_comments(service, image_id, told)


def _wrong_comments(service: Service, image_id: str, told: Told) -> Iterator[str]:
    answer = service.client.get(f"/api/images/{image_id}/comments").json or {}
    texts = sorted(comment["text"] for comment in answer["data"])
    expected = sorted(told.comments.get(image_id, []))
    asked = told.asks("comment")
    perhaps = sorted([*expected, asked["text"]]) if asked.get("id") == image_id else expected
    if texts not in (expected, perhaps):
        yield f"the comments on {image_id} are {texts} instead of {expected}"


def _wrong_sums(service: Service, listed: list[Event]) -> Iterator[str]:
    stats: Event = (service.client.get("/api/stats").json or {})["data"]
    counted = Counter(item["status"] for item in listed)
    kept = {"success": stats["success"], "failed": stats["failed"], "processing": stats["processing"]}
    if +Counter(kept) != counted or stats["total"] != len(listed):
        yield f"the statistics say {kept}, there are {dict(counted)}"


def _wrong_calls(told: Told, calls: Counter[str]) -> Iterator[str]:
    """A caption costs at most three calls, and none once its answer has been seen."""
    for jpeg, count in (told.calls + calls).items():
        if count > CALLS:
            yield f"{count} calls for the caption of {jpeg[:8]}"
    answered = {str(text).rpartition(" ")[2] for text in told.captions.values()}
    for jpeg in calls.keys() & answered:
        yield f"another call for {jpeg[:8]}, whose caption had been seen"


def _wrong_logs(service: Service, told: Told) -> Iterator[str]:
    dropping, storing = told.asks("drop").get("log"), told.asks("store")
    for log in {*told.logs, *filter(None, [storing.get("log")])}:
        rows = told.logs.get(log, {})
        expected: list[Mapping[float, bytes]] = [rows]
        if log == dropping:
            expected.append({})
        if log == storing.get("log"):
            expected.append(merged(rows, storing))
        found = read_log(service, log)
        if found not in expected:
            yield f"the log {log} has {len(found)} rows instead of {[len(rows) for rows in expected]}"


def read_log(service: Service, log: str) -> Rows:
    """Return all rows of a log as they were sent; empty when there is none."""
    query: dict[str, Any] = {"log": log, "depth_min": -1e9, "depth_max": 1e9}
    answer = service.client.get("/api/frames", query_string=query | {"limit": 10_000})
    if answer.status_code == 404:
        return {}
    depths = [frame["depth"] for frame in (answer.json or {})["data"]["frames"]]
    pixels = service.client.get("/api/frames", query_string=query | {"format": "raw", "pixels": "source"})
    width = int(pixels.headers["X-Frame-Width"])
    rows = [pixels.data[start : start + width] for start in range(0, len(pixels.data), width)]
    return dict(zip(depths, rows, strict=True))


def _ill(service: Service) -> Iterator[str]:
    """Nothing but litter may be wrong, and mending leaves nothing that is."""
    runner = service.app.test_cli_runner()
    first = runner.invoke(args=["doctor"])
    for line in first.output.splitlines()[1:]:
        name, _, rest = line.partition("  ")
        found = rest.split()[:1]
        if found and found[0].isdigit() and int(found[0]) and name not in LITTER:
            yield f"the doctor finds {line}"
    if first.exit_code == 0:
        return
    runner.invoke(args=["doctor", "--fix"])
    again = runner.invoke(args=["doctor"])
    if again.exit_code:
        yield f"the doctor does not mend all: {again.output}"
