"""`fairsplit run` and `fairsplit backfill`: the pipeline's job, launched from the command line."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import say
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home, catalog_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.project import Engine

SAID_AT_ONCE = 10
"""Findings on the command line."""


def take_events(source: Path, home: Home) -> int:
    """Copy event files into the landing folder, keeping their modification times (their arrival).

    Args:
        source: A file or a folder.
        home: Prepared home.

    Returns:
        How many files were copied; files already there with the same size and time are not copied again.

    Raises:
        OrchestrationError: There is nothing at that path.
    """
    if not source.exists():
        raise OrchestrationError(Problem("no such file or folder", where="--events", value=str(source)))
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    copied = 0
    for path in files:
        target = home.landing / (path.name if source.is_file() else path.relative_to(source))
        stat = path.stat()
        if target.exists() and (target.stat().st_size, target.stat().st_mtime_ns) == (
            stat.st_size,
            stat.st_mtime_ns,
        ):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # A half-copied file must not look like a landed one: copy under a name that ingest skips, then rename.
        partial = target.with_name(f".{target.name}.part")
        shutil.copy2(path, partial)
        partial.replace(target)
        copied += 1
    return copied


@app.command(epilog="Example: `fairsplit run --events exports/2026-01`")
def run(
    events: Annotated[Path | None, typer.Option(help="File or folder of events to land first.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make the demo world first when nothing has landed.")
    ] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(help="Landed file to take again, by its present time and the present definitions."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="`duckdb` or `spark`: what builds the tables, if not what the project says."),
    ] = None,
) -> None:
    """Take new files, materialise every outstanding day up to the last complete one, publish."""
    # Before anything is imported that takes seconds: somebody waits.
    started = time.monotonic()
    home = Home.from_environment().prepare()
    chosen = _engine(engine) if engine else None
    say(f"taking what has landed in {home.landing}")
    from fairsplit.orchestration.publishing.ledger import is_published
    from fairsplit.orchestration.warehouse.opening import writer
    from fairsplit.orchestration.warehouse.outstanding import outstanding_days

    if events is not None:
        say(f"{take_events(events, home)} new files copied to {home.landing}")
    elif demo and not any(home.landing.iterdir()):
        from fairsplit.orchestration.cli.simulate import write_world

        write_world(home.root)
    if again:
        _ask_again(home, again)
    from fairsplit.orchestration.running.runs import execute

    with _alone(home):
        execute(home, "land")
        with writer(home.warehouse) as connection:
            days = outstanding_days(connection, published=is_published(connection, catalog_dir()))
        _say_findings(home)
        if days is None:
            say("nothing is outstanding: no new file, no complete new day, no changed definition")
        else:
            build(home, days, after="land", engine=chosen)
    _report(home, started)


@app.command(epilog="Example: `fairsplit backfill 2026-01-05 2026-01-11`")
def backfill(
    first: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="First day.")],
    last: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Last day, included.")],
) -> None:
    """Materialise a range of days, a month at a time; a day that is built already comes out the same."""
    days = first.date(), last.date()
    _require_order(*days)
    started = time.monotonic()
    home = Home.from_environment().prepare()
    say(f"{days[0]} to {days[1]}, in {home.root}")
    with _alone(home):
        build(home, days)
        _say_findings(home)
    _report(home, started)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """The home ready for a run, and no second command that runs it.

    Raises:
        OrchestrationError: Another `fairsplit run` or `backfill` goes on: who and since when.
    """
    from fairsplit.orchestration.home.intents import in_hand
    from fairsplit.orchestration.home.migrating import migrate
    from fairsplit.orchestration.privacy.owed import pay
    from fairsplit.orchestration.warehouse.dbt import ensure_manifest

    with in_hand(home, "run"):
        ensure_manifest(home, say)
        migrate(home, say)
        pay(home, say)
        yield


def _engine(name: str) -> Engine:
    from fairsplit.analysis.catalogue.project import ENGINES

    for engine in ENGINES:
        if name == engine:
            return engine
    raise OrchestrationError(Problem("no such engine", "--engine", name, rule=" or ".join(ENGINES)))


def _ask_again(home: Home, names: list[str]) -> None:
    """Remember landed files that the next ingest is to take again, whoever runs it."""
    from fairsplit.orchestration.landing import open_landing, rejudging
    from fairsplit.orchestration.warehouse.opening import writer

    paths = []
    for name in names:
        path = Path(name) if Path(name).is_absolute() else home.landing / name
        if not path.is_file() or not path.is_relative_to(home.landing):
            rule = "a file of the landing folder, by its path below it"
            raise OrchestrationError(Problem("no such landed file", where="--again", value=name, rule=rule))
        paths.append(path.relative_to(home.landing).as_posix())
    with writer(home.warehouse) as connection:
        open_landing(connection, home.root)
        with connection.cursor() as cursor:
            rejudging.ask(cursor, paths)


def _say_findings(home: Home) -> None:
    """A line for each source and file that something is wrong with; of very many the newest."""
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.landing import landing_findings
    from fairsplit.orchestration.warehouse.opening import reader

    thresholds = read_definitions().catalogue.project.thresholds
    with reader(home.warehouse) as connection:
        findings = landing_findings(connection, thresholds.quarantine_warn)
    for finding in findings[:SAID_AT_ONCE]:
        say(f"warning: {finding}")
    if len(findings) > SAID_AT_ONCE:
        more = f"{len(findings) - SAID_AT_ONCE} more are listed by the check files_are_readable"
        say(f"warning: {more} and on the data page")


def build(
    home: Home, days: tuple[date, date], *, after: str | None = None, engine: Engine | None = None
) -> None:
    """Materialise a range, a piece after the other, each with its lines of progress; on a cluster at once."""
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.running.runs import execute
    from fairsplit.orchestration.warehouse.outstanding import pieces

    is_one_piece = (engine or read_definitions().catalogue.project.engine) == "spark"
    for first, last in [days] if is_one_piece else pieces(days):
        say(f"building {first} to {last}")
        execute(home, "daily", (first, last), after=after, engine=engine)
        after = "land"


def _require_order(first: date, last: date) -> None:
    if last < first:
        raise OrchestrationError(
            Problem(
                "the range is empty",
                where="FROM TO",
                value=f"{first} {last}",
                rule="FROM must not be after TO",
            )
        )


def _report(home: Home, started: float) -> None:
    say(f"finished in {time.monotonic() - started:.1f} s")
    index = home.site / "current" / "index.html"
    if index.exists():
        print(index)
    else:
        say(
            "nothing is published yet: no day is complete as far as the landed files tell; see `fairsplit status`"
        )
