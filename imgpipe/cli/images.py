"""``images``: import folders, work off the queue, caption anew, export a data set."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from imgpipe.cli.work import drain, echo_line, faults_reported, interruptible
from imgpipe.datasets import exporting, finding, importing, samples, selection
from imgpipe.datasets.finding import Passed
from imgpipe.datasets.importing import Texts
from imgpipe.datasets.samples import Recipe
from imgpipe.datasets.selection import Selection, read_split
from imgpipe.extensions import parts, present_app

images = AppGroup("images", help="Work on pictures.")


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose pictures."""
    q = click.option("--q", default="", help="only with these words in name or caption, the last a prefix")
    label = click.option(
        "--label", "labels", multiple=True, help="only with this label; repeated: all of them"
    )
    return label(q(command))


@images.command("import")
@click.argument(
    "places", metavar="DIR…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--queue-only", is_flag=True, help="leave the processing to a running server")
@click.pass_context
def import_images(ctx: click.Context, places: tuple[Path, ...], queue_only: bool) -> None:
    """Take in all pictures below DIR that aren't in yet; run it again after an interruption.

    Captions and labels come along from a .txt beside a picture, or from a metadata.jsonl. Exit code 1 when
    any failed, each of which is told in a line, or when there was none.
    """
    app = present_app()
    take_in = importing.take_in if queue_only else importing.take_in_and_process
    new = known = failed = 0
    with interruptible(), faults_reported():
        if not queue_only:
            parts.jobs.start()
        passed, texts = Passed(), Texts()
        length = sum(1 for _ in finding.find(places, passed))
        outcomes = take_in(app, finding.find(places), texts)
        with closing(outcomes), click.progressbar(length=length, label="importing", show_pos=True) as bar:
            for outcome in outcomes:
                for told in filter(None, (outcome.fault, outcome.note)):
                    echo_line(f"{outcome.path}: {told}")
                failed += outcome.fault is not None
                known += outcome.known and outcome.fault is None
                new += not outcome.known and outcome.fault is None
                bar.update(1)
    _show_skipped(passed, texts)
    if not length:
        raise click.ClickException("No picture was found.")
    click.echo(f"{new:,} new, {known:,} already in, {failed:,} failed")
    ctx.exit(1 if failed else 0)


def _show_skipped(passed: Passed, texts: Texts) -> None:
    for path, count in texts.unused():
        echo_line(f"{path}: {count:,} lines name no picture that was found below its folder")
    for link in passed.links:
        echo_line(f"{link}: a link to a folder, which is not followed; name the folder itself")
    if str(passed):
        echo_line(str(passed))


@images.command("process")
def process_images() -> None:
    """Work in the foreground until nothing is left in the queue."""
    drain()


@images.command("export")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(sorted(exporting.FORMATS)), required=True)
@click.option("--size", type=click.Choice(samples.SIZES), default=samples.SIZES[0], show_default=True)
@chosen
@click.option(
    "--status",
    type=click.Choice(("success", "failed")),
    default="success",
    show_default=True,
    help="failed ones have no squares, but their originals can be looked at",
)
@click.option("--captioned", is_flag=True, help="only pictures that have a caption")
@click.option("--exclude-near-duplicates", "distinct", is_flag=True, help="no two that look alike")
@click.option("--prefix", default="", help="put before every caption")
@click.option(
    "--split", default="", metavar="NAME=SHARE,…", help="train=0.9,val=0.1: by content, for ever so"
)
@click.option("--after", type=click.UUID, help="go on behind this image_id")
@click.option("--limit", type=click.IntRange(1), help="at most so many")
@click.pass_context
def export_images(
    ctx: click.Context, /, out: Path, form: str, size: str, prefix: str, split: str, **query: Any
) -> None:
    """Write the successful pictures with their captions to OUT as a data set to train on.

    An earlier export in OUT is replaced once the new one is complete. size=original carries EXIF and GPS.
    """
    if query["status"] == "failed" and size != samples.ORIGINAL:
        raise click.UsageError("--status failed goes with --size original.")
    written = missing = 0
    with faults_reported():
        recipe = Recipe(Selection(**query), size, prefix, read_split(split) if split else ())
        with (
            closing(exporting.export(out, form, recipe)) as exported,
            click.progressbar(length=selection.count(recipe.chosen), label="exporting", show_pos=True) as bar,
        ):
            for sample in exported:
                lost = sample.data is None and form != "jsonl"
                if lost:
                    echo_line(f"{sample.row.id}: its file is missing; `doctor --fix` may bring it back")
                missing += lost
                written += not lost
                bar.update(1)
    click.echo(f"{written:,} pictures in {out}" + (f", {missing:,} missing" if missing else ""))
    ctx.exit(1 if missing else 0)
