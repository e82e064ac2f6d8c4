"""`fairsplit erase`: remove one person from everything that holds rows of single units."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from analysis.errors import Problem
from orchestration.cli import app
from orchestration.errors import OrchestrationError
from orchestration.paths import Home

#: Tables that tell a run which units to compute anew: after it they still name the one that was erased.
_ONE_RUN = ("int_touched_exposures", "int_value_scope", "int_open_scope")


@app.command(epilog="Example: `fairsplit erase user-3bd8dd93`")
def erase(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="A user, anonymous or session id.")],
) -> None:
    """Remove a person from lake, quarantine, lists, facts and exports, log it, and publish without them.

    The log keeps hashes of the ids only, so that later files and rebuilds leave the person out too. Older versions of
    the exports are removed, for they list the unit. Files in `landing/` are the landing party's and stay.
    """
    from orchestration.dbt import ensure_manifest
    from orchestration.exporting import remove_versions
    from orchestration.ingest.erasing import erase as remove
    from orchestration.outstanding import frontier
    from orchestration.runs import execute
    from orchestration.unit_lists import forget, rows_on_lists
    from orchestration.warehouse import reader, writer

    home = Home.from_environment()
    with reader(home.warehouse) as connection:
        built = frontier(connection)
    if built is None:
        raise OrchestrationError(Problem("no day has been built yet", hint="run `fairsplit run` first"))
    with writer(home.warehouse) as connection:
        linked = connection.execute(
            "select anonymous_id from int_identity_links where user_id = ?", [unit]
        ).fetchall()
        ids = [unit, *(one for (one,) in linked)]
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = remove(home.root, connection, unit, now, is_known=bool(rows_on_lists(home, ids)))
    rows += forget(home, ids)
    if not rows:
        raise OrchestrationError(
            Problem(
                "nothing of that unit is in the lake, in quarantine or on a list",
                "UNIT",
                unit,
                hint="ids are case-sensitive",
            )
        )
    print(f"{rows:,} rows removed; rebuilding what they touched", file=sys.stderr)
    ensure_manifest(home)
    execute(home, "daily", (built, built))
    remove_versions(home)
    with writer(home.warehouse) as connection:
        for scratch in _ONE_RUN:
            connection.execute(f"delete from {scratch}")
        connection.execute("checkpoint")
    print(f"{rows} rows of the unit were erased")
