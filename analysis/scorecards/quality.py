"""The data-quality page: what was read, what became of it, and which days are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import SiteInputs

Row = dict[str, Any]
PARTS = ("rows_read", "accepted", "duplicates", "quarantined")


@dataclass(frozen=True, slots=True)
class FileLine:
    """One landed file: its counts, and whether they add up."""

    name: str
    arrived: str
    values: Sequence[tuple[str, int]]
    conserved: bool


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """Why rows were set aside, with the width of its bar in per cent."""

    reason: str
    rows: str
    width: float


@dataclass(frozen=True, slots=True)
class DayLine:
    """One calendar day between the first and the last; a day without events is there too.

    `width` is its size relative to the fullest day, `left` and `share` its place in the row of days, in %.
    """

    day: str
    iso: str
    rows: int | None
    rows_words: str
    width: float
    left: float
    share: float


@dataclass(frozen=True, slots=True)
class QualityView:
    """The data-quality page."""

    totals: Sequence[tuple[str, str, int]]
    conserved: bool
    known: bool
    findings: Sequence[tuple[str, str]]
    files: Sequence[FileLine]
    reasons: Sequence[ReasonLine]
    days: Sequence[DayLine]
    missing_days: int


def _files(rows: Sequence[Row]) -> list[FileLine]:
    lines = []
    for row in rows:
        values = [(part, int(row[part] or 0)) for part in PARTS]
        read, *parts = (value for _, value in values)
        arrived = row.get("arrived_at")
        lines.append(
            FileLine(
                name=str(row.get("path") or row["file_hash"][:16]),
                arrived=fmt.instant(arrived) if arrived else "",
                values=values,
                conserved=read == sum(parts),
            )
        )
    return lines


def _days(rows: Sequence[Row]) -> list[DayLine]:
    known = {row["event_day"]: int(row["rows"]) for row in rows}
    if not known:
        return []
    first, last = min(known), max(known)
    top = max(known.values()) or 1
    lines = []
    number = (last - first).days + 1
    for offset in range(number):
        day = first + timedelta(days=offset)
        rows_of = known.get(day)
        words = fmt.count(rows_of) if rows_of else "no events"
        width, left, share = 100 * (rows_of or 0) / top, 100 * offset / number, 80 / number
        places = [round(value, 3) for value in (width, left, share)]
        lines.append(DayLine(fmt.day(day), day.isoformat(), rows_of, words, *places))
    return lines


def build(inputs: SiteInputs) -> QualityView:
    """The page from the accounts, the quarantine's counts and the event days."""
    files = _files(inputs.file_accounts.to_dicts())
    totals = {part: sum(dict(line.values)[part] for line in files) for part in PARTS}
    reasons: dict[str, int] = {}
    for row in inputs.quarantine.to_dicts():
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + int(row["rows"])
    top = max(reasons.values(), default=1)
    days = _days(inputs.days.to_dicts())
    names = {
        "rows_read": "Rows read",
        "accepted": "Accepted",
        "duplicates": "Duplicates",
        "quarantined": "Quarantined",
    }
    return QualityView(
        totals=[(names[part], fmt.count(totals[part]), totals[part]) for part in PARTS],
        conserved=all(line.conserved for line in files),
        known=bool(files),
        findings=[(row["subject"], row["message"]) for row in inputs.landing_findings.to_dicts()],
        files=files,
        reasons=[
            ReasonLine(reason.replace("_", " "), fmt.count(rows), round(100 * rows / top, 2))
            for reason, rows in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        ],
        days=days,
        missing_days=sum(not line.rows for line in days),
    )
