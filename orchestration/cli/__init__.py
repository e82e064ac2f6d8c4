"""The `fairsplit` command: one module a command, imported only when it is called."""

from __future__ import annotations

import errno
import gc
import importlib
import sys

from fairsplit.analysis.errors import FairsplitError, Problem
from fairsplit.orchestration.cli.once import App
from fairsplit.orchestration.home.disk import HINT

app = App(
    name="fairsplit",
    help="Experiments as code, in batch: raw events in; trustworthy scorecards and allocation configs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

USAGE_ERROR = 2
_WAREHOUSE_HINT = (
    "nothing was published; `fairsplit status` says where the home stands,"
    " `fairsplit fsck` whether it is sound"
)
#: Commands whose module has their name: it is imported alone, the others' imports cost half a second.
_OWN_MODULE = frozenset(
    {
        "analyze",
        "assign",
        "certify",
        "erase",
        "export",
        "fsck",
        "plan",
        "prune",
        "segments",
        "share",
        "simulate",
        "validate",
    }
)


@app.callback()
def _commands() -> None:
    # A group even where a single command has been imported.
    pass


def main() -> None:
    """Run the command line; bad input prints one clear message and exits with 1, never a traceback."""
    # A run imports some ten thousand classes that it keeps; looking through them for garbage costs a second and a half.
    gc.set_threshold(100_000, 50, 100)
    _register(sys.argv[1:2])
    try:
        app()
    except FairsplitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"error: {_of_the_machine(error)}", file=sys.stderr)
        sys.exit(1)
    except _engine_errors() as error:
        print(f"error: {_of_the_engine(error)}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        # Typer exits with 2 on misuse; here every kind of bad input is 1.
        sys.exit(1 if stop.code == USAGE_ERROR else stop.code)


def _engine_errors() -> tuple[type[Exception], ...]:
    """DuckDB's errors, where the command has imported it: most do not."""
    engine = sys.modules.get("duckdb")
    return (engine.Error,) if engine else ()


def _of_the_engine(error: Exception) -> Problem:
    """What DuckDB says of the warehouse, or of the disk under it."""
    from fairsplit.orchestration.home.disk import of_a_full_disk
    from fairsplit.orchestration.project import Home

    words = str(error).splitlines()[0]
    refused = Problem("the warehouse refused", value=words, hint=_WAREHOUSE_HINT)
    return of_a_full_disk(Home.from_environment().root, words) or refused


def _of_the_machine(error: OSError) -> Problem:
    """A full disk, a missing permission, a folder in place of a file: what, where, and what to do."""
    what = (error.strerror or str(error) or type(error).__name__).lower()
    hint = {
        errno.ENOSPC: HINT,
        errno.EDQUOT: HINT,
        errno.EACCES: "run as the owner of the home, or set FAIRSPLIT_HOME",
        errno.EPERM: "run as the owner of the home, or set FAIRSPLIT_HOME",
        errno.EROFS: "set FAIRSPLIT_HOME to a folder that can be written",
    }.get(error.errno or 0, "")
    return Problem(what, where=str(error.filename or ""), hint=hint)


def _register(words: list[str]) -> None:
    """Import the command's module; late, so that imports can point here."""
    own = [word for word in words if word in _OWN_MODULE]
    importlib.import_module(f"fairsplit.orchestration.cli.{own[0] if own else 'commands'}")
