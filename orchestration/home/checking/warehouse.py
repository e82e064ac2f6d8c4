"""The warehouse: every block that holds rows, the accounts of landed rows, and tables against what was published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import duckdb

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.home.damage import Damage
from fairsplit.orchestration.home.migrating import is_computed
from fairsplit.orchestration.publishing.ledger import altered_tables, is_published
from fairsplit.orchestration.quality import conservation_problems
from fairsplit.orchestration.warehouse.dbt import manifest_path
from fairsplit.orchestration.warehouse.opening import any_schema, has_table
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_KEPT_HINT = "it cannot be computed from the lake: restore a backup"
_COMPUTED_HINT = "`fairsplit fsck --repair` builds it anew"
_JUDGED: Final = ("comparisons", "validity", "decisions", "allocations", "next_actions")


def unreadable_tables(path: Path) -> list[tuple[str, str, str]]:
    """Schema and name of tables of which a block cannot be read, with the engine's words.

    Raises:
        OrchestrationError: The file cannot be opened at all, or another process holds it.
    """
    with any_schema(path) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal order by all"
        ).fetchall()
    damaged = []
    waiting = list(reversed(tables))
    while waiting:
        # A block that cannot be read makes the connection unusable: what is left is read by another.
        with any_schema(path) as connection:
            while waiting:
                schema, table = waiting.pop()
                try:
                    connection.execute(
                        f'select count(*), bit_xor(hash(t)) from "{schema}"."{table}" as t'
                    ).fetchall()
                except duckdb.Error as error:
                    damaged.append((schema, table, str(error).splitlines()[0]))
                    break
    return damaged


def of_blocks(damaged: list[tuple[str, str, str]]) -> list[Damage]:
    """One damage a table; computed ones can be built anew."""
    return [
        Damage(
            Problem(
                "a table cannot be read",
                f"{schema}.{table}",
                words,
                hint=_COMPUTED_HINT if is_computed(schema, table) else _KEPT_HINT,
            ),
            rebuilds=is_computed(schema, table),
        )
        for schema, table, words in damaged
    ]


def find(home: Home, connection: duckdb.DuckDBPyConnection, catalog: Path) -> list[Damage]:
    """Rows that do not add up, tables that are missing, and tables that are not as they were published.

    Args:
        home: The home.
        connection: A writer on a warehouse that can be read.
        catalog: The catalogue's folder.
    """
    found = [Damage(problem) for problem in conservation_problems(connection) if not _is_of_the_lake(problem)]
    if frontier(connection) is None or not is_published(connection, catalog):
        # What is outstanding, a new model for one, is no damage.
        return found
    for schema, table in _expected(home):
        if not has_table(connection, schema, table):
            problem = Problem("a table is missing", f"{schema}.{table}", hint=_COMPUTED_HINT)
            found.append(Damage(problem, rebuilds=True))
    rule = "as it was when it was published"
    found += [
        Damage(Problem("a table was changed", table, rule=rule, hint=_COMPUTED_HINT), rebuilds=True)
        for table in altered_tables(connection, catalog)
        if has_table(connection, *table.split("."))
    ]
    return found


def _is_of_the_lake(problem: Problem) -> bool:
    """The lake's own check says more of it."""
    return problem.where.startswith("lake/")


def _expected(home: Home) -> list[tuple[str, str]]:
    """Tables that a built home has."""
    manifest = manifest_path(home)
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values() if manifest.exists() else ()
    models = [node["name"] for node in nodes if node["resource_type"] == "model"]
    return [*(("main", name) for name in sorted(models)), *(("results", name) for name in _JUDGED)]
