"""`fairsplit erase`: remove one person from everything that holds rows of single units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, say, table
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.privacy.erasure import Erasure
from fairsplit.orchestration.project import Home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.orchestration.privacy.places import Places


@app.command(epilog="Example: `fairsplit erase user-3bd8dd93 --dry-run`")
def erase(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="A user, anonymous or session id.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed; without it, it is removed.")
    ] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Write the database anew: no byte of the deleted rows is left.")
    ] = False,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Remove a person from lake, quarantine, lists, facts and exports, log it, and publish without them.

    Unlike `prune`, this is no dry run unless asked. The log keeps hashes of the ids only, so that later files and
    rebuilds leave the person out too. Older versions of the exports and `copies/` are removed, for they hold the unit;
    `strays/` is searched. Files in `landing/` are the landing party's and stay.
    """
    from fairsplit.orchestration.privacy.erasure import carry_out
    from fairsplit.orchestration.privacy.owed import pay
    from fairsplit.orchestration.privacy.places import find_places
    from fairsplit.orchestration.warehouse.opening import reader
    from fairsplit.orchestration.warehouse.outstanding import frontier

    if not unit.strip():
        raise OrchestrationError(Problem("is empty", "UNIT", repr(unit), "the id of one unit"))
    home = Home.from_environment()
    finished = None if dry_run else pay(home, say)
    if finished is not None and finished.unit == unit:
        print("the unit is erased")
        return
    with reader(home.warehouse) as connection:
        if frontier(connection) is None:
            raise OrchestrationError(Problem("no day has been built yet", hint="run `fairsplit run` first"))
        places = find_places(home, connection, unit)
    if places.is_empty:
        raise OrchestrationError(
            Problem(
                "nothing of that unit is in the lake, in quarantine, on a list or among the strays",
                "UNIT",
                unit,
                hint="ids are case-sensitive",
            )
        )
    if not dry_run:
        places = carry_out(home, Erasure(unit, places.person.ids, compacts=compact), say)
    report = _report(home, places)
    if output is ReportFormat.json:
        print_json({"erased": not dry_run, **report})
        return
    print(_text(report))
    said = "dry run: nothing was erased; leave out --dry-run to erase them"
    print(said if dry_run else f"{report['rows']} rows of the unit were erased")


def _report(home: Home, places: Places) -> dict[str, Any]:
    person = places.person
    return {
        "lake": [{"kind": kind, "id": one, "rows": rows} for (kind, one), rows in person.lake.items()],
        "quarantine": person.refused,
        "lists": [{"experiment_id": path.stem, "rows": rows} for path, rows in places.lists.items()],
        "strays": [
            {"path": path.relative_to(home.root).as_posix(), "rows": rows}
            for path, rows in places.strays.items()
        ],
        "exports": places.versions,
        "copies": places.copies,
        "rows": person.rows + sum(places.lists.values()) + sum(places.strays.values()),
    }


def _text(report: Mapping[str, Any]) -> str:
    rows = [("lake", f"{row['kind']} {row['id']}", row["rows"]) for row in report["lake"]]
    rows.append(("quarantine", "", report["quarantine"]))
    rows += [("list", row["experiment_id"], row["rows"]) for row in report["lists"]]
    rows += [("strays", row["path"], row["rows"]) for row in report["strays"]]
    for place in ("list", "strays"):
        if all(row[0] != place for row in rows):
            rows.append((place, "", 0))
    rows.append(("exports", "versions: one is published without the unit, the others go", report["exports"]))
    rows.append(("copies", "files: all go", report["copies"]))
    return table(("place", "of", "rows"), rows)
