"""The journal of erasures beside the warehouse: hashes only, so that nobody comes back when the warehouse is lost."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from fairsplit.analysis.catalogue.yaml_source import read_regular
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.lines import append_lines, split_torn
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

#: Number of the erasure, when (naive UTC, ISO), SHA-256 of kind and id, SHA-256 of the bare id.
Row: TypeAlias = tuple[int, str, str, str]

JOURNAL = "erasures.ndjson"
_HASH = re.compile("[0-9a-f]{64}")
_FIELDS = ("erasure", "erased_at", "id_hash", "token_hash")


def note_erasure(home: Path, rows: Iterable[Row]) -> None:
    """Append hashes to the journal, durably and before the warehouse's transaction ends: too many lose nothing."""
    append_lines(home / JOURNAL, journal_lines(rows))


def journal_lines(rows: Iterable[Row]) -> list[str]:
    """Rows as the journal has them."""
    return [json.dumps(dict(zip(_FIELDS, row, strict=True))) for row in rows]


def read_erasures(home: Path) -> tuple[list[Row], list[Problem]]:
    """The journal's rows, and each line that is none; a torn last line never was one.

    Raises:
        OrchestrationError: What has its name is no file: whoever was erased would come back unseen.
    """
    try:
        content = read_regular(home / JOURNAL)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        hint = "put the file back, from a backup"
        words = error.strerror or ""
        raise OrchestrationError(
            Problem("the journal of erasures cannot be read", JOURNAL, words, hint=hint)
        ) from error
    rows: list[Row] = []
    problems: list[Problem] = []
    lines = split_torn(content.decode("utf-8", "replace"))[0]
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            erasure, at, id_hash, token_hash = (row[name] for name in _FIELDS)
            moment = datetime.fromisoformat(at).isoformat()
            is_entry = bool(_HASH.fullmatch(id_hash) and _HASH.fullmatch(token_hash))
        except (ValueError, KeyError, TypeError):
            is_entry = False
        if is_entry:
            rows.append((int(erasure), moment, id_hash, token_hash))
        else:
            problems.append(Problem("not an entry of the journal of erasures", f"{JOURNAL}:{number}"))
    return rows, problems


def restore_erasures(cursor: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Put what the journal knows and the warehouse does not into `landing.erasures`."""
    known = set(cursor.execute("select id_hash, token_hash from landing.erasures").fetchall())
    for row in read_erasures(home)[0]:
        if row[2:] not in known:
            cursor.execute("insert into landing.erasures values (?, ?, ?, ?)", row)
