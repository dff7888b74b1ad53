"""Offer the command line: ``flask --app wsgi …``."""

import time

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from imgpipe import captioning, config, lifecycle
from imgpipe.extensions import parts

LOOK_S = 0.1


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    app.cli.add_command(show_config)
    app.cli.add_command(images)


@click.command("config")
@with_appcontext
def show_config() -> None:
    """Print every option with its present value, secrets masked."""
    for variable, value, help in config.table(parts.settings):
        click.echo(f"{variable:<26} {value or '(empty)':<40} {help}")


images = AppGroup("images", help="Work on pictures.")


@images.command("caption")
@click.option("--missing", "which", flag_value="missing", help="those that have none")
@click.option("--failed", "which", flag_value="failed", help="those whose caption failed")
@click.option("--all", "which", flag_value="all", help="all of them")
def caption_images(which: str | None) -> None:
    """Caption finished pictures anew; nothing but their caption changes."""
    if which is None:
        raise click.UsageError("Say which: --missing, --failed or --all.")
    if parts.captioner is None:
        raise click.ClickException("No captioner is configured; set IMGPIPE_CAPTIONER.")
    click.echo(f"{captioning.again(which)} pictures are queued.")
    _drain()


@images.command("process")
def process_images() -> None:
    """Work in the foreground until nothing is left in the queue."""
    _drain()


def _drain() -> None:
    """Let this process work until the queue is empty, with a progress bar."""
    parts.jobs.start()
    left = lifecycle.queued()
    with click.progressbar(length=left, label="processing") as bar:
        while left:
            for lane in lifecycle.LANES:
                parts.jobs.wake(lane)
            time.sleep(LOOK_S)
            before, left = left, lifecycle.queued()
            bar.update(max(0, before - left))
    parts.jobs.close()
