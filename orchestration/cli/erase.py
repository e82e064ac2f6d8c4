"""`fairsplit erase`: remove one person from everything that holds rows of single units."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.errors import Problem
from orchestration.cli import app
from orchestration.cli.formats import FormatOption, ReportFormat, print_json, table
from orchestration.errors import OrchestrationError
from orchestration.paths import Home

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from orchestration.ingest.erasing import Person

#: Tables that tell a run which units to compute anew: after it they still name the one that was erased.
_ONE_RUN = ("int_touched_exposures", "int_value_scope", "int_open_scope")


@app.command(epilog="Example: `fairsplit erase user-3bd8dd93 --dry-run`")
def erase(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="A user, anonymous or session id.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed; without it, it is removed.")
    ] = False,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Remove a person from lake, quarantine, lists, facts and exports, log it, and publish without them.

    Unlike `prune`, this is no dry run unless asked. The log keeps hashes of the ids only, so that later files and
    rebuilds leave the person out too. Older versions of the exports are removed, for they list the unit. Files in
    `landing/` are the landing party's and stay.
    """
    from orchestration.ingest.erasing import erase as remove
    from orchestration.ingest.erasing import find
    from orchestration.outstanding import frontier
    from orchestration.unit_lists import forget, rows_on_lists
    from orchestration.warehouse import reader, writer

    home = Home.from_environment()
    with reader(home.warehouse) as connection:
        built = frontier(connection)
        if built is None:
            raise OrchestrationError(Problem("no day has been built yet", hint="run `fairsplit run` first"))
        person = find(connection, home.root, unit)
    lists = rows_on_lists(home, person.ids)
    if not person.rows and not lists:
        raise OrchestrationError(
            Problem(
                "nothing of that unit is in the lake, in quarantine or on a list",
                "UNIT",
                unit,
                hint="ids are case-sensitive",
            )
        )
    if not dry_run:
        with writer(home.warehouse) as connection:
            now = datetime.now(UTC).replace(tzinfo=None)
            person = remove(home.root, connection, unit, now, is_known=bool(lists))
        lists = forget(home, person.ids)
        print("the rows are removed; rebuilding what they touched", file=sys.stderr)
        _rebuild(home, built)
    report = _report(person, lists)
    if output is ReportFormat.json:
        print_json({"erased": not dry_run, **report})
        return
    print(_text(report))
    said = "dry run: nothing was erased; leave out --dry-run to erase them"
    print(said if dry_run else f"{report['rows']} rows of the unit were erased")


def _rebuild(home: Home, built: date) -> None:
    from orchestration.dbt import ensure_manifest
    from orchestration.exporting import publish_without
    from orchestration.runs import execute
    from orchestration.warehouse import writer

    ensure_manifest(home)
    execute(home, "daily", (built, built))
    with writer(home.warehouse) as connection:
        for scratch in _ONE_RUN:
            connection.execute(f"delete from {scratch}")
        publish_without(home, connection)
        connection.execute("checkpoint")


def _report(person: Person, lists: Mapping[Path, int]) -> dict[str, Any]:
    return {
        "lake": [{"kind": kind, "id": one, "rows": rows} for (kind, one), rows in person.lake.items()],
        "quarantine": person.refused,
        "lists": [{"experiment_id": path.stem, "rows": rows} for path, rows in lists.items()],
        "rows": person.rows + sum(lists.values()),
    }


def _text(report: Mapping[str, Any]) -> str:
    rows = [("lake", f"{row['kind']} {row['id']}", row["rows"]) for row in report["lake"]]
    rows.append(("quarantine", "", report["quarantine"]))
    rows += [("list", row["experiment_id"], row["rows"]) for row in report["lists"]]
    return table(("place", "of", "rows"), rows)
