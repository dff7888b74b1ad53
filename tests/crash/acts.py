"""Name what the service does to disk and database, each as a short play that can be recorded."""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imgpipe.storage.protocol import MARK
from tests.crash.service import CAPTIONER, Service, digest
from tests.factories import jpeg, png, transparent_png

CAPTIONED = {"IMGPIPE_CAPTIONER": CAPTIONER}
Play = Callable[[Service], None]


def nothing(service: Service) -> None:
    """Do nothing."""


def nothing_wrong(service: Service) -> Iterator[str]:
    """Find nothing wrong."""
    return iter(())


@dataclass(frozen=True)
class Act:
    """One play: ``prepare`` comes before what is recorded, ``resume`` after a crash, as an operator would.

    ``look`` yields what is wrong before anything is resumed.
    """

    name: str
    play: Play
    options: Mapping[str, str] = field(default_factory=dict)
    prepare: Play = nothing
    resume: Play = nothing
    look: Callable[[Service], Iterator[str]] = nothing_wrong

    @property
    def discards(self) -> bool:
        """Tell whether originals are thrown away."""
        return self.options.get("IMGPIPE_ORIGINALS") == "discard"


def take_in(service: Service) -> None:
    first = service.upload(jpeg(64, 48), "boat.jpg")
    second = service.upload(png(40, 30), "house.png")
    service.work()
    service.look(first)
    service.look(second)


def two(service: Service) -> None:
    for data, name in ((jpeg(64, 48), "boat.jpg"), (transparent_png(30, 20), "house.png")):
        service.upload(data, name)
    service.work()


def remove(service: Service) -> None:
    first, second = (item["image_id"] for item in listed(service))
    service.comment(first, "nice")
    service.delete(first)
    service.comment(second, "nicer")
    third = service.upload(png(20, 20))
    service.delete(third)
    service.work()


def listed(service: Service) -> list[dict[str, str]]:
    items: list[dict[str, str]] = (service.client.get("/api/images").json or {})["data"]
    return items


def twins(service: Service) -> None:
    """The same bytes twice: one payment."""
    ids = [service.upload(png(33, 21)), service.upload(png(33, 21))]
    service.work()
    for image_id in ids:
        service.look(image_id)


def lose_original(service: Service) -> None:
    """Make a picture fail, as its original is away for the moment."""
    image_id = service.upload(png(36, 24), "gone.png")
    original = next((service.folder / "data" / "media" / "originals").rglob(f"{image_id}*"))
    away = service.folder / "data" / "away"
    original.rename(away)
    service.work()
    away.rename(original)
    service.look(image_id)


def try_again(service: Service) -> None:
    [failed] = listed(service)
    service.retry(failed["image_id"])
    service.work()
    service.look(failed["image_id"])


ROWS = {n / 10: bytes((n * 7 + k) % 256 for k in range(5)) for n in range(30)}
MORE = {n / 10 + 1: bytes((n * 5 + k) % 256 for k in range(5)) for n in range(40)}


def keep_logs(service: Service) -> None:
    service.store("well", ROWS)
    service.store("well", MORE)
    service.store("shaft", ROWS)
    service.drop("well")
    service.store("well", MORE)


FILES = {"a.jpg": jpeg(50, 40), "b.png": png(41, 31), "c.png": png(42, 31), "twin.png": png(42, 31)}


def lay_out(service: Service) -> None:
    place = beside(service)
    for name, data in FILES.items():
        (place / name).write_bytes(data)


def beside(service: Service) -> Path:
    """Return a folder that no crash touches."""
    place = service.folder.parent / "beside"
    place.mkdir(exist_ok=True)
    return place


def import_all(service: Service) -> None:
    sha256 = sorted({digest(data) for data in FILES.values()})
    service.command("images", "import", "--queue-only", str(beside(service)), sha256=sha256)
    service.work()


def export(form: str) -> Play:
    def play(service: Service) -> None:
        service.command("images", "export", str(service.folder / "out"), "--format", form)

    return play


def exported_before(service: Service) -> None:
    two(service)
    for form in ("imagefolder", "webdataset"):
        export(form)(service)
    service.upload(png(37, 23), "new.png")
    service.work()


def told_lies(service: Service) -> Iterator[str]:
    """Whatever lies in the export's folder is whole: each line has its file, each shard can be read."""
    out = service.folder / "out"
    index = out / "metadata.jsonl"
    for line in index.read_text().splitlines() if index.exists() else ():
        named = out / json.loads(line)["file_name"]
        if not named.is_file() or not named.stat().st_size:
            yield f"the export names {named.name}, which is not there"
    for shard in out.glob("*.tar"):
        try:
            with tarfile.open(shard) as archive:
                archive.getnames()
        except tarfile.TarError as error:
            yield f"{shard.name} can't be read: {error}"


def furnish_another(service: Service) -> None:
    """Lay another installation beside this one."""
    (beside(service) / "other").mkdir()
    shutil.copytree(service.folder / "data", beside(service) / "other" / "data")
    other = Service(beside(service) / "other", {}).start()
    for number in range(3):
        other.upload(COPIED[number])
    other.work()
    other.stop()


COPIED = [png(50 + number, 40) for number in range(3)]


def copy(service: Service) -> None:
    other = beside(service) / "other" / "data"
    source = f"sqlite:///{other / 'imgpipe.db'}"
    sha256 = [digest(data) for data in COPIED]
    service.command("copy", "--from", source, "--media", str(other / "media"), sha256=sha256)


def copy_unless_done(service: Service) -> None:
    if not listed(service):
        copy(service)


def forget_database(service: Service) -> None:
    service.stop()
    for path in (service.folder / "data").glob("imgpipe.db*"):
        path.unlink()
    (service.folder / "data" / "media" / MARK).unlink()
    service.reopen()


def begin(service: Service) -> None:
    service.start()


def start(service: Service) -> None:
    service.start()
    service.upload(png(12, 12))
    service.work()


def caption_anew(service: Service) -> None:
    service.command("images", "caption", "--all", eager=True)
    for item in listed(service):
        service.look(item["image_id"])


def damage(service: Service) -> None:
    """Leave the doctor something of each kind to do."""
    two(service)
    media = service.folder / "data" / "media"
    next((media / "derivatives").rglob("*small*")).unlink()
    litter = media / "originals" / "00"
    litter.mkdir(exist_ok=True)
    (litter / f"{'0' * 32}.part").write_bytes(b"half")


def mend(service: Service) -> None:
    service.app.test_cli_runner().invoke(args=["doctor", "--fix"])


ACTS = (
    Act("take in, keep", take_in),
    Act("take in, caption", take_in, CAPTIONED),
    Act("take in, zip", take_in, CAPTIONED | {"IMGPIPE_ORIGINALS": "zip"}),
    Act("take in, discard", take_in, CAPTIONED | {"IMGPIPE_ORIGINALS": "discard"}),
    Act("twins", twins, CAPTIONED),
    Act("delete", remove, prepare=two),
    Act("retry", try_again, CAPTIONED, prepare=lose_original),
    Act("depth logs", keep_logs),
    Act("import", import_all, prepare=lay_out, resume=import_all),
    Act(
        "imagefolder",
        export("imagefolder"),
        prepare=exported_before,
        resume=export("imagefolder"),
        look=told_lies,
    ),
    Act(
        "webdataset",
        export("webdataset"),
        prepare=exported_before,
        resume=export("webdataset"),
        look=told_lies,
    ),
    Act("copy", copy, prepare=furnish_another, resume=copy_unless_done),
    Act("first start", start, prepare=forget_database, resume=begin),
    Act("caption anew", caption_anew, CAPTIONED, prepare=two),
    Act("doctor", mend, prepare=damage, resume=mend),
)
