"""Work in the foreground: a bar that shows how far it is, a stop that loses nothing, faults in one line."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click
from sqlalchemy.exc import SQLAlchemyError

from imgpipe import logs
from imgpipe.database import outages
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.pictures import queue

LOOK_S = 0.1
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block, give back what this process claimed, and leave it at once.

    Threads that wait for a captioner would otherwise be waited for.
    """
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        parts.jobs.close()
        click.echo("\nInterrupted. Nothing is lost; the same command goes on from here.", err=True)
        logs.flush()
        os._exit(INTERRUPTED)
    finally:
        parts.jobs.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def faults_reported() -> Iterator[None]:
    """End the command with one line when database or storage is away, or something is refused."""
    try:
        yield
    except ImgpipeError as error:
        raise click.ClickException(error.message) from error
    except SQLAlchemyError as error:
        if not outages.is_away(error):
            raise
        raise click.ClickException(f"The database can't be used: {outages.reason(error)}") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error


def drain() -> None:
    """Let this process work until the queue is empty, with a progress bar."""
    with interruptible(), faults_reported():
        left = queue.queued()
        if not left:
            click.echo("Nothing is queued.")
            return
        parts.jobs.start()
        with click.progressbar(length=left, label="processing", show_pos=True) as bar:
            while left:
                for lane in queue.LANES:
                    parts.jobs.wake(lane)
                time.sleep(LOOK_S)
                before, left = left, queue.queued()
                bar.update(max(0, before - left))


def echo_line(line: str) -> None:
    """Write one line on stderr above the bar; what could turn the terminal upside down is replaced."""
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    clear = "\r\033[K" if sys.stdout.isatty() else ""
    click.echo(clear + plain, err=True)
