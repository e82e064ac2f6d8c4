"""The `fairsplit` command: one module a command, imported only when it is called."""

from __future__ import annotations

import sys

import click
import typer

from analysis.errors import FairsplitError

app = typer.Typer(
    name="fairsplit",
    help="Experiments as code, in batch: raw events in; trustworthy scorecards and allocation configs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """Run the command line; bad input prints one clear message and exits with 1, never a traceback."""
    from orchestration.cli import commands  # noqa: F401, PLC0415  (registers; late so that --help stays quick)

    try:
        code = app(standalone_mode=False)
    except FairsplitError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except click.ClickException as error:
        error.show()
        code = 1
    except (click.Abort, KeyboardInterrupt):
        print("stopped; rerun the same command to go on from where it was", file=sys.stderr)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
