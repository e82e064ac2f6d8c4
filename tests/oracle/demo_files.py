"""The demo world's landed files in plain Python: csv, json and pyarrow read them, nothing of the project does."""

from __future__ import annotations

import csv
import gzip
import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tests.oracle.brute_force import Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SKEW = timedelta(minutes=10)
BOT = re.compile("bot|crawler|spider|headless|monitoring", re.IGNORECASE)
_TEXTS = ("event_name", "user_id", "anonymous_id", "session_id", "experiment_id", "variation_id", "url")


def landed_events(landing: Path, first_day: date) -> list[Event]:
    """Every event that counts, one an event id: valid by the rules, and from no bot or employee."""
    kept: dict[tuple[date, str], Event] = {}
    filtered: set[tuple[date, str]] = set()
    for path in sorted(landing.rglob("*")):
        if not path.is_file():
            continue
        arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
        for row in _rows(path):
            event = _event(row, first_day, arrived)
            if event is None:
                continue
            key = event.day, event.event_id
            if _filtered(row):
                filtered.add(key)
            # Copies contradict each other in their properties alone, which no measure looks at.
            assert kept.setdefault(key, event) == event
    return [event for key, event in kept.items() if key not in filtered]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows as flat dictionaries; what does not parse is left out."""
    if path.suffix == ".parquet":
        for row in pq.read_table(path).to_pylist():
            yield row | {"properties": json.loads(row["properties"] or "{}")}
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = next(lines)
            for line in lines:
                if len(line) == len(header):
                    row = {name: cell or None for name, cell in zip(header, line, strict=True)}
                    yield row | {"properties": json.loads(row["properties"] or "{}")}
    else:
        try:
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except EOFError:  # the file that was cut off: unreadable as a whole
            return
        for line in text.decode().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                properties = row.get("properties") or {}
                named = {
                    name: properties[name] for name in ("experiment_id", "variation_id") if name in properties
                }
                yield row | row.get("context", {}) | named | {"properties": properties}


def _event(row: dict[str, Any], first_day: date, arrived: datetime) -> Event | None:
    at = _instant(row.get("occurred_at"))
    if at is None or not row.get("event_id") or at.date() < first_day or at > arrived + SKEW:
        return None
    value = row.get("value")
    if value is not None and not _is_number(value, quoted="context" not in row):
        return None
    texts = {name.removeprefix("event_"): row.get(name) for name in _TEXTS}
    if any(text is not None and not isinstance(text, str) for text in texts.values()):
        return None
    return Event(
        event_id=str(row["event_id"]),
        at=at,
        value=None if value is None else str(value),
        context=(
            ("platform", row.get("platform") or "unknown"),
            ("country", row.get("country") or "unknown"),
        ),
        **texts,
    )


def _instant(value: Any) -> datetime | None:
    """Naive UTC; none for what is no instant or says no offset."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    known = isinstance(at, datetime) and at.tzinfo is not None
    return at.astimezone(UTC).replace(tzinfo=None) if known else None


def _is_number(value: Any, *, quoted: bool) -> bool:
    """CSV quotes everything; in JSON a number in quotes is text."""
    if isinstance(value, bool) or (isinstance(value, str) and not quoted):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _filtered(row: dict[str, Any]) -> bool:
    return bool(BOT.search(row.get("user_agent") or "")) or row["properties"].get("internal") == "true"
