"""``webhooks``: what is on its way, and sending it anew."""

import json

import click
from flask.cli import AppGroup

from imgpipe.cli.work import faults_reported
from imgpipe.database.outbox import target_of
from imgpipe.extensions import parts
from imgpipe.webhooks import queue

webhooks = AppGroup("webhooks", help="Look after the events that are on their way.")


@webhooks.command("list")
def list_waiting() -> None:
    """List the events that are not delivered yet, oldest first; a target is shown by its number."""
    numbers = {target_of(url): number for number, url in enumerate(parts.settings.webhook_urls, 1)}
    with faults_reported():
        for row in queue.waiting():
            state = "given up" if row.due_at is None else "running" if row.running else "waiting"
            target = numbers.get(row.target, "?")
            told = f"{row.id}  {json.loads(row.body)['type']:<16}  {row.subject}  target {target}"
            click.echo(f"{told}  {state} after {row.attempt} tries  {row.error or ''}".rstrip())


@webhooks.command("replay")
def replay() -> None:
    """Make every event that waits or was given up due at once, for three more days."""
    with faults_reported():
        click.echo(f"{queue.replay():,} events are due.")
