"""``run``: serve with gunicorn, as the checkout's ``make run`` does."""

import os
import sys

import click


@click.command("run")
def run() -> None:
    """Serve on HOST and PORT until it is stopped; the database is brought up to date first."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:imgpipe.serving", "imgpipe.wsgi:app"]
    os.execv(sys.executable, gunicorn)
