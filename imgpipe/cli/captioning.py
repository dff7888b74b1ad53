"""``images caption`` and ``images label``: have captions made anew, or rewrite them; label many pictures."""

from collections.abc import Iterator
from typing import Any

import click
from flask.cli import with_appcontext

from imgpipe.cli.images import chosen
from imgpipe.cli.work import drain, echo_line, faults_reported, interruptible
from imgpipe.datasets import runs
from imgpipe.datasets.runs import Change, Rewriting, Run
from imgpipe.datasets.selection import Selection
from imgpipe.extensions import parts
from imgpipe.pictures import recaption
from imgpipe.pictures.labels import split

SHOWN = 20


@click.command("caption")
@click.option("--missing", "which", flag_value="missing", help="those that have none")
@click.option("--failed", "which", flag_value="failed", help="those whose caption failed")
@click.option("--all", "which", flag_value="all", help="all of them")
@chosen
@click.option("--prompt", default="", help="ask so; may use {original_name} and {labels}")
@click.option("--model", default="", help="ask this model")
@click.option("--overwrite-human", is_flag=True, help="also where a person wrote the caption")
@click.option("--sample", type=click.IntRange(1), help="only so many of them")
@click.option(
    "--dry-run", is_flag=True, help="write nothing; with --sample ask, and show what would be written"
)
@click.option("--prefix", default="", help="ask nobody: put this before each caption")
@click.option("--suffix", default="", help="ask nobody: put this behind each caption")
@click.option("--replace", "replacements", nargs=2, multiple=True, metavar="A B", help="ask nobody: B for A")
@with_appcontext
def caption_images(
    which: str | None,
    labels: tuple[str, ...],
    q: str,
    sample: int | None,
    dry_run: bool,
    prefix: str,
    suffix: str,
    replacements: tuple[tuple[str, str], ...],
    **wish: Any,
) -> None:
    """Caption finished pictures anew, or rewrite their captions; nothing else of them changes.

    What a person wrote is only overwritten by a machine with --overwrite-human. A run that was interrupted
    goes on when the same command is given again.
    """
    selection = Selection(labels=labels, q=q)
    if prefix or suffix or replacements:
        return _rewrite(selection, Rewriting(prefix, suffix, replacements), dry_run)
    if which is None:
        raise click.UsageError("Say which: --missing, --failed or --all.")
    run = Run(which, selection, {name: value for name, value in wish.items() if value}, sample)
    return _caption(run, dry_run)


def _rewrite(selection: Selection, rewriting: Rewriting, dry_run: bool) -> None:
    if any(not old for old, _ in rewriting.replacements):
        raise click.UsageError("--replace: there must be something to replace.")
    with faults_reported():
        _show(runs.rewrite(selection, rewriting, dry_run=dry_run), "captions", dry_run)


def _caption(run: Run, dry_run: bool) -> None:
    if parts.captioner is None:
        raise click.ClickException("No captioner is configured; set IMGPIPE_CAPTIONER.")
    with faults_reported():
        recaption.refuse_unable(run.wish)
        if left := recaption.waiting(run.key):
            click.echo(f"{left:,} pictures of an interrupted run are still queued; going on with them.")
        else:
            model = run.wish.get("model") or parts.captioner.model
            count = run.count()
            click.echo(
                f"{count:,} pictures: {count:,} calls to {parts.captioner.provider} ({model}), "
                "fewer where the same bytes have that caption, more where calls fail."
            )
            if dry_run:
                return _preview(run)
            click.echo(f"{run.start():,} pictures are queued.")
    return drain() if not dry_run else None


def _preview(run: Run) -> None:
    if run.sample is None:
        click.echo("With --sample N, N of them are asked for and shown.")
        return
    with interruptible():
        for change in runs.preview(run):
            show_change(change)


def show_change(change: Change) -> None:
    """Show what is there and what would be, one above the other."""
    click.echo(f"{change.image_id} {_plain(change.name)}")
    click.echo(f"  is:  {_plain(change.before or '')}")
    click.echo(f"  new: {_plain(change.after or '')}" if not change.fault else f"  {_plain(change.fault)}")


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _show(changes: Iterator[Change], what: str, dry_run: bool) -> None:
    """Show the first changes, tell every fault, count the rest."""
    changed = failed = 0
    for change in changes:
        if change.fault:
            echo_line(f"{change.image_id}: {change.fault}")
        elif changed < SHOWN:
            show_change(change)
        failed += change.fault is not None
        changed += change.fault is None
    would = "would change" if dry_run else "changed"
    click.echo(f"{changed:,} {what} {would}" + (f", {failed:,} failed" if failed else ""))
    if failed:
        raise click.exceptions.Exit(1)


@click.command("label")
@click.option("--add", multiple=True, metavar="LABEL", help="add this; repeated or with commas: several")
@click.option("--remove", multiple=True, metavar="LABEL", help="take this away")
@click.option("--id", "ids", type=click.UUID, multiple=True, help="only this picture; repeated: only these")
@click.option("--all", "everything", is_flag=True, help="all pictures")
@chosen
@click.option("--dry-run", is_flag=True, help="only show what would change")
@with_appcontext
def label_images(
    add: tuple[str, ...], remove: tuple[str, ...], everything: bool, dry_run: bool, **query: Any
) -> None:
    """Add labels to finished pictures, or take some away."""
    if not (add or remove):
        raise click.UsageError("Say what: --add or --remove.")
    if not everything and not any(query.values()):
        raise click.UsageError("Say which: --id, --label, --q or --all.")
    with faults_reported():
        changes = runs.label(Selection(**query), split(add), split(remove), dry_run=dry_run)
        _show(changes, "pictures", dry_run)
