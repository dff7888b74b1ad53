"""``copy``: take over another installation, for example when SQLite has become too small."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from imgpipe import config, installation
from imgpipe.datasets import copying
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.storage.local import LocalStorage

Folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("copy")
@click.option(
    "--from", "url", required=True, metavar="URL", help="the other database, e.g. sqlite:////…/imgpipe.db"
)
@click.option("--media", type=Folder, help="the other media/ folder; without it files must be here already")
@with_appcontext
def copy_installation(url: str, media: Path | None) -> None:
    """Copy all rows of another database, and the files they name, into this empty installation.

    Stop both services first. The other installation stays as it is. Rows come last and all at once:
    after an interruption the same command goes on.
    """
    given = {"DATABASE_URL": url, "IMGPIPE_DATA_DIR": str(parts.settings.data_dir)}
    try:
        with copying.opening(config.load(given).database_url) as source:
            missing = _copy(source, LocalStorage(media) if media else None)
    except ImgpipeError as error:
        raise click.ClickException(error.message) from error
    if missing:
        raise click.ClickException("\n".join(["Done, but these files are nowhere:", *missing]))


def _copy(source: Connection, origin: LocalStorage | None) -> list[str]:
    """Copy files, then rows; return the keys of the files that are nowhere."""
    with click.progressbar(copying.keys(source), label="files") as bar:
        missing = [key for key in bar if not copying.fetch(key, origin)]
    with click.progressbar(length=copying.count_rows(source), label="rows ") as bar:
        copying.copy_rows(source, bar.update)
    installation.take_over()
    return missing
