"""`fairsplit schedule …`: the next posts, the calendar, and what somebody fixes in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, table
from fairsplit.orchestration.cli.once import App

commands = App(help="Content schedules: what is posted when.", no_args_is_help=True)
app.add_typer(commands, name="schedule")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The content schedule.")]


class CalendarFormat(StrEnum):
    """What the calendar is printed as."""

    ics = "ics"
    csv = "csv"
    json = "json"


@commands.command("next", epilog="Example: `fairsplit schedule next --hours 24`")
def next_posts(
    schedule: Annotated[
        str | None, typer.Argument(metavar="ID", help="One schedule; all if left out.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=24 * 14, help="How far ahead to look.")] = 24,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"], help="From when on, UTC; now if left out."),
    ] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Show what is posted next."""
    begin = at or datetime.now(UTC).replace(tzinfo=None)
    found = [row for row in _posts(schedule) if begin <= row["post_at"] < begin + timedelta(hours=hours)]
    if output is ReportFormat.json:
        print_json(found)
        return
    header = ["post at (UTC)", "schedule", "experiment", "variant", "source", "post"]
    lines = [
        [
            f"{row['post_at']:%Y-%m-%d %H:%M}",
            row["schedule_id"],
            row["experiment_id"],
            row["variant_id"],
            row["source"],
            row["text"] or row["media"] or "",
        ]
        for row in found
    ]
    print(table(header, lines) if lines else f"nothing is posted in the next {hours} hours")


@commands.command(epilog="Example: `fairsplit schedule calendar threads_lab --format ics > threads_lab.ics`")
def calendar(
    schedule: _Id,
    output: Annotated[
        CalendarFormat, typer.Option("--format", help="A calendar file, CSV, or JSON.")
    ] = CalendarFormat.ics,
) -> None:
    """Print every planned post."""
    from fairsplit.analysis.scheduling.calendar_file import as_csv, as_ics

    rows = _posts(schedule)
    if output is CalendarFormat.json:
        print_json(rows)
    else:
        print(as_ics(schedule, rows) if output is CalendarFormat.ics else as_csv(rows), end="")


@commands.command(
    epilog="Example: `fairsplit schedule override threads_lab --at 2026-02-03T17:00:00Z --experiment hook --variant a "
    "--reason 'launch day'`"
)
def override(
    schedule: _Id,
    at: Annotated[datetime, typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ"], help="The instant, UTC.")],
    reason: Annotated[
        str, typer.Option(help="Why; kept in the file and shown in the calendar. Required.")
    ] = "",
    experiment: Annotated[
        str | None, typer.Option(help="What is posted; with neither experiment nor variant nothing is.")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Which arm is posted.")] = None,
) -> None:
    """Fix a post, or keep a time free; the rest of the week is planned around it by the next run."""
    from fairsplit.orchestration.scheduling.overriding import add_override

    add_override(schedule, at, experiment, variant, reason)
    print(f"{schedule}: {f'{experiment}:{variant}' if experiment else 'nothing'} at {at.isoformat()}Z")


def _posts(schedule: str | None) -> list[dict[str, Any]]:
    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.scheduling.overriding import planned_posts
    from fairsplit.orchestration.warehouse.opening import reader

    with reader(Home.from_environment().warehouse) as connection:
        return planned_posts(connection, schedule)
