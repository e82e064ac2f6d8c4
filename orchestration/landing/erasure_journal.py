"""The journal of erasures beside the warehouse: hashes only, so that nobody comes back when the warehouse is lost."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

JOURNAL = "erasures.ndjson"
_FIELDS = ("erasure", "erased_at", "id_hash", "token_hash")


def note_erasure(home: Path, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Append hashes to the journal, durably and before the warehouse's transaction ends: too many lose nothing."""
    with (home / JOURNAL).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(zip(_FIELDS, row, strict=True))) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


def restore_erasures(cursor: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Put what the journal knows and the warehouse does not into `landing.erasures`; a torn last line counts not."""
    path = home / JOURNAL
    if not path.exists():
        return
    known = set(cursor.execute("select id_hash, token_hash from landing.erasures").fetchall())
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (row["id_hash"], row["token_hash"]) not in known:
            cursor.execute(
                "insert into landing.erasures values (?, ?, ?, ?)", [row[name] for name in _FIELDS]
            )
