"""``doctor``: what is wrong with this installation, and what can be mended."""

import sys

import click
from flask.cli import with_appcontext

from imgpipe import doctor
from imgpipe.cli.work import faults_reported


@click.command("doctor")
@click.option("--fix", is_flag=True, help="mend what can be mended")
@click.pass_context
@with_appcontext
def examine(ctx: click.Context, fix: bool) -> None:
    """Compare database and storage; exit code 1 when something is wrong and not mended."""
    click.echo(f"{'':<22} {'found':>7} {'mended':>7}")
    left = 0
    with faults_reported():
        for report in doctor.examine(fix, _show_progress):
            left += report.left
            click.echo(
                f"{report.check.name:<22} {report.found:>7,} {report.mended:>7,}  {_explain(report)}".rstrip()
            )
    if left:
        if not fix:
            click.echo("Run it again with --fix to mend this.")
        ctx.exit(1)


def _show_progress(report: doctor.Report) -> None:
    """Write over the last line of a terminal; a file gets the result alone."""
    if sys.stderr.isatty():
        line = f"{report.check.name}: {report.found:,} found, {report.mended:,} mended …"
        click.echo(f"\r{line:<78}\r", err=True, nl=False)


def _explain(report: doctor.Report) -> str:
    examples = ", ".join(report.examples) + (", …" if report.found > len(report.examples) else "")
    return f"{report.check.remedy}: {examples}" if report.mended else examples
