"""Flags and segments as runs have seen them: each state once, so that their pages tell what changed and when."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.metrics import canonical_hash
from fairsplit.orchestration.reading.results import rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue

_TABLE = "journal.named_definitions"
_LONGEST = 200


def note_named(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, now: datetime) -> int:
    """Append every flag and segment that differs from what was last seen of it, one that has gone as such.

    Args:
        connection: A writer.
        catalogue: The catalogue as it is now.
        now: The clock, naive UTC.

    Returns:
        How many rows were appended.
    """
    connection.execute("create schema if not exists journal")
    connection.execute(
        f"""create table if not exists {_TABLE} (
                seen_at timestamp, kind varchar, id varchar, definition_hash varchar, definition varchar)"""
    )
    # The last line of each holds.
    last = {
        (kind, name): mark
        for kind, name, mark in connection.execute(
            f"select kind, id, definition_hash from {_TABLE} order by rowid"
        ).fetchall()
    }
    now_there = {
        (kind, item.id): item.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for kind, items in (("flag", catalogue.flags), ("segment", catalogue.segments))
        for item in items.values()
    }
    # One whose file is broken is not gone.
    gone = {key for key in last.keys() - now_there.keys() if key[1] not in catalogue.broken}
    rows = [(key, facts) for key, facts in (*now_there.items(), *((key, {}) for key in sorted(gone)))]
    new = [
        [now, *key, canonical_hash(facts), json.dumps(facts, sort_keys=True, ensure_ascii=False)]
        for key, facts in rows
        if last.get(key) != canonical_hash(facts)
    ]
    if new:
        connection.executemany(f"insert into {_TABLE} values (?, ?, ?, ?, ?)", new)
    return len(new)


def named_histories(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """What changed of each flag and segment, oldest first, by kind (``flag``, ``segment``) and id.

    Args:
        connection: On the warehouse.
    """
    if not has_table(connection, *_TABLE.split(".")):
        return {}
    seen: dict[tuple[str, str], list[tuple[datetime, dict[str, Any]]]] = {}
    for row in rows_of(connection, f"from {_TABLE} order by rowid"):
        seen.setdefault((row["kind"], row["id"]), []).append((row["seen_at"], json.loads(row["definition"])))
    return {
        key: [
            (states[0][0], "first seen"),
            *((after[0], _difference(before[1], after[1])) for before, after in pairwise(states)),
        ]
        for key, states in seen.items()
    }


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    if not after:
        return "removed"
    return "; ".join(_changed(before, after))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key}: {_text(before.get(key))} → {_text(after.get(key))}"


def _text(value: Any) -> str:
    text = "default" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
