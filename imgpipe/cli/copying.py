"""``copy``: take over another installation, for example when SQLite has become too small."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from imgpipe import config, installation
from imgpipe.cli.work import faults_reported, interruptible
from imgpipe.datasets import copying
from imgpipe.extensions import parts
from imgpipe.storage.local import LocalStorage

SHOWN = 20
Folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("copy")
@click.option(
    "--from", "url", required=True, metavar="URL", help="the other database, e.g. sqlite:////…/imgpipe.db"
)
@click.option("--media", type=Folder, help="the other media/ folder; without it files must be here already")
@click.option("--allow-missing", is_flag=True, help="copy also where files of the other are lost")
@with_appcontext
def copy_installation(url: str, media: Path | None, allow_missing: bool) -> None:
    """Copy all rows of another database, and the files they name, into this empty installation.

    Stop both services first. The other installation stays as it is. First it is made sure that every file
    is there; rows come last and all at once. The same command goes on after an interruption, and changes
    nothing where all is done.
    """
    given = {"DATABASE_URL": url, "IMGPIPE_DATA_DIR": str(parts.settings.data_dir)}
    origin = LocalStorage(media) if media else None
    with interruptible(), faults_reported(), copying.opening(config.load(given).database_url) as source:
        keys, wanted = copying.keys(source), copying.take_stock(source)
        missing = _look_for(keys, origin)
        if missing and not allow_missing:
            raise click.ClickException(_nowhere(missing, "Nothing was copied", media))
        _copy(source, origin, set(keys) - set(missing), wanted)
        found = copying.our_stock()
    told = f"{found.total:,} rows, {len(keys) - len(missing):,} files, {found.bytes:,} bytes"
    if found != wanted:
        raise click.ClickException(
            f"There were {wanted.total:,} rows, {wanted.bytes:,} bytes; here are {told}."
        )
    if missing:
        raise click.ClickException(_nowhere(missing, f"Copied: {told}", media))
    click.echo(f"Copied: {told}, as many as there.")


def _look_for(keys: list[str], origin: LocalStorage | None) -> list[str]:
    with click.progressbar(keys, label="looking") as bar:
        return [key for key in bar if copying.is_nowhere(key, origin)]


def _copy(source: Connection, origin: LocalStorage | None, keys: set[str], wanted: copying.Stock) -> None:
    with click.progressbar(sorted(keys), label="files  ") as bar:
        for key in bar:
            copying.fetch(key, origin)
    if copying.our_stock() != wanted:  # else an earlier run came that far
        with click.progressbar(length=wanted.total, label="rows   ") as bar:
            copying.copy_rows(source, bar.update)
    installation.take_over()


def _nowhere(missing: list[str], outcome: str, media: Path | None) -> str:
    hint = "" if media else " Name the other media/ folder with --media."
    shown = [f"{len(missing):,} files are nowhere.{hint} {outcome}.", *missing[:SHOWN]]
    return "\n".join(shown + [f"… and {len(missing) - SHOWN:,} more"] * (len(missing) > SHOWN))
