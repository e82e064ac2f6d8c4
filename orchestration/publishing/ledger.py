"""The publication ledger: every publication's rows as they were shown, append-only, and what they were made from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fairsplit.orchestration.catalogue.loading import definition_files
from fairsplit.orchestration.provenance.code_hash import code_hash, commit, publication_hash
from fairsplit.orchestration.warehouse.opening import add_columns, has_table
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

_HASHED = "count(*), coalesce(sum(hash(t)), 0)::varchar"
_SHOWN = ("comparisons", "validity", "decisions", "allocations", "next_actions")


def fingerprint(connection: duckdb.DuckDBPyConnection, catalog: Path) -> str:
    """What a publication depends on: days built, files known, definitions, code, and certifications.

    Args:
        connection: On the warehouse.
        catalog: The catalogue's folder.

    Returns:
        Equal for two states of which one publication serves both.
    """
    position = connection.execute("select max(position) from landing.manifest").fetchall()[0][0]
    digest = hashlib.md5(
        f"{frontier(connection)}|{position}|{publication_hash()}".encode(), usedforsecurity=False
    )
    for name, content in definition_files(catalog).items():
        digest.update(name.encode())
        digest.update(content)
    if has_table(connection, "landing", "findings"):
        findings = connection.execute("from landing.findings order by all").fetchall()
        digest.update(repr(findings).encode() if findings else b"")
    for schema, table in (("journal", "certificates"), ("results", "aa_certification")):
        if has_table(connection, schema, table):
            found = connection.execute(f"select {_HASHED} from {schema}.{table} as t").fetchall()
            digest.update(repr(found).encode())
    return digest.hexdigest()


def last_fingerprint(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The fingerprint of the newest publication; none before the first."""
    if not has_table(connection, "journal", "publications"):
        return None
    rows = connection.execute(
        "select fingerprint from journal.publications order by publication desc limit 1"
    ).fetchall()
    return rows[0][0] if rows else None


def record_publication(
    connection: duckdb.DuckDBPyConnection, catalog: Path, at: datetime, exports: str, site: str
) -> int:
    """Append the newest cut-off's rows as shown, with the knowledge cut-off and the commit, in one transaction.

    Args:
        connection: A writer; the versions named are in force.
        catalog: The catalogue's folder.
        at: When it was published; naive UTC.
        exports: Version of the allocation configs.
        site: Version of the site.

    Returns:
        The publication's number. Publishing again from the same state adds nothing and returns the last one.
    """
    _prepare(connection)
    note_tables(connection)
    mark = fingerprint(connection, catalog)
    number = int(
        connection.execute("select coalesce(max(publication), 0) from journal.publications").fetchall()[0][0]
    )
    if last_fingerprint(connection) == mark:
        return number
    number += 1
    connection.execute("begin")
    connection.execute(
        """insert into journal.publications
           select ?, ?, ?, (select max(position) from landing.manifest), ?, ?, ?, ?, ?""",
        [number, at, frontier(connection), commit(), code_hash(), exports, site, mark],
    )
    for table in _SHOWN:
        connection.execute(
            f"""insert into journal.published_{table} by name
                select {number}::bigint as publication, * from results.{table}
                where cut_off = (select cut_off from journal.publications where publication = {number})"""
        )
    connection.execute("commit")
    return number


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists journal")
    connection.execute(
        """create table if not exists journal.publications (
               publication bigint primary key, published_at timestamp, cut_off date, manifest_position bigint,
               commit varchar, code_hash varchar, exports_version varchar, site_version varchar, fingerprint varchar)"""
    )
    for table in _SHOWN:
        connection.execute(
            f"""create table if not exists journal.published_{table} as
                select 0::bigint as publication, * from results.{table} limit 0"""
        )
        # Earlier publications keep what they showed: columns that came later are empty there.
        shown = connection.execute(f"describe results.{table}").fetchall()
        add_columns(connection, f"journal.published_{table}", {row[0]: row[1] for row in shown})


def note_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep rows and a hash of each table that pages and configs are made from, as it is now.

    Args:
        connection: A writer; what is published shows these tables.
    """
    connection.execute(
        'create table if not exists journal.tables ("table" varchar primary key, "rows" bigint, hash varchar)'
    )
    for table in _noted(connection):
        connection.execute(
            f"insert or replace into journal.tables select ?, {_HASHED} from {table} as t", [table]
        )


def altered_tables(connection: duckdb.DuckDBPyConnection, catalog: Path) -> list[str]:
    """Tables that are no longer as they were noted; none while something is outstanding that may have moved them."""
    if not has_table(connection, "journal", "tables") or not is_published(connection, catalog):
        return []
    present = set(_noted(connection))
    return [
        table
        for table, *noted in connection.execute('from journal.tables order by "table"').fetchall()
        if table in present
        and list(connection.execute(f"select {_HASHED} from {table} as t").fetchall()[0]) != noted
    ]


def _noted(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """select schema_name || '.' || table_name from duckdb_tables()
           where schema_name = 'main' and table_name like 'fct\\_%' escape '\\'
               or schema_name = 'results' and list_contains(?, table_name)
           order by all""",
        [list(_SHOWN)],
    ).fetchall()
    return [table for (table,) in rows]


def is_published(connection: duckdb.DuckDBPyConnection, catalog: Path) -> bool:
    """Whether the newest publication shows the warehouse, the definitions and the code as they are now."""
    return last_fingerprint(connection) == fingerprint(connection, catalog)
