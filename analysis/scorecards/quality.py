"""The data-quality page: what was read, what became of it, and which days are there."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fairsplit.analysis.scorecards.inputs import SiteInputs

Row = dict[str, Any]
PARTS = ("rows_read", "accepted", "duplicates", "quarantined")
#: Files on the page itself; the rest is in a script beside it, from which the page's own one turns the leaves.
FILES_SHOWN = 50
#: Bars that a reader tells apart: more days than that are drawn as weeks, more weeks as months of four.
_MOST_BARS = 120
_NAMED_GAPS = 12


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
    """One bar of calendar days between the first and the last; one without events is there too.

    `height` is its size relative to the axis, `left` and `share` its place in the row of bars, in %.
    """

    day: str
    iso: str
    rows: int | None
    rows_words: str
    height: float
    left: float
    share: float


@dataclass(frozen=True, slots=True)
class DayChart:
    """Events by day: bars, the labelled places of both axes in %, and the days without events.

    `each` says how many days a bar stands for.
    """

    bars: Sequence[DayLine]
    upwards: Sequence[tuple[float, str]]
    along: Sequence[tuple[float, str]]
    each: int
    days: int
    gaps: Sequence[str]
    gaps_left_out: int


@dataclass(frozen=True, slots=True)
class QualityView:
    """The data-quality page."""

    totals: Sequence[tuple[str, str, int]]
    conserved: bool
    known: bool
    findings: Sequence[tuple[str, str]]
    files: Sequence[FileLine]
    more_files: bool
    number_of_files: int
    reasons: Sequence[ReasonLine]
    days: DayChart | None


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
    newest_first = reversed(lines)
    return sorted(newest_first, key=lambda line: line.conserved)


def files_script(inputs: SiteInputs) -> str:
    """All files as the data page's script reads them; empty where the page itself has them all."""
    lines = _files(inputs.file_accounts.to_dicts())
    if len(lines) <= FILES_SHOWN:
        return ""
    rows = [[line.name, line.arrived, *(value for _, value in line.values), line.conserved] for line in lines]
    return f'"use strict";\nwindow.landedFiles = {json.dumps(rows, ensure_ascii=False, separators=(",", ":"))};\n'


def _days(rows: Sequence[Row]) -> DayChart | None:
    known = {row["event_day"]: int(row["rows"]) for row in rows}
    if not known:
        return None
    first, last = min(known), max(known)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    each = next((step for step in (1, 7) if len(days) <= step * _MOST_BARS), 28)
    parts = [days[start : start + each] for start in range(0, len(days), each)]
    sums = [sum(known.get(day, 0) for day in part) for part in parts]
    step = _round_step(max(sums) or 1)
    top = step * math.ceil(max(*sums, 1) / step)
    width = 100 / len(parts)
    bars = []
    for place, (part, total) in enumerate(zip(parts, sums, strict=True)):
        words = fmt.count(total) if total else "no events"
        places = [round(value, 3) for value in (100 * total / top, width * place, 0.8 * width)]
        bars.append(DayLine(fmt.day_range(part[0], part[-1]), part[0].isoformat(), total, words, *places))
    gaps = [fmt.day(day) for day in days if not known.get(day)]
    return DayChart(
        bars=bars,
        upwards=[
            (round(100 - 100 * step * mark / top, 3), fmt.count(step * mark))
            for mark in range(round(top / step) + 1)
        ],
        along=_along(parts, width),
        each=each,
        days=len(days),
        gaps=gaps[:_NAMED_GAPS],
        gaps_left_out=max(len(gaps) - _NAMED_GAPS, 0),
    )


def _along(parts: Sequence[Sequence[date]], width: float) -> list[tuple[float, str]]:
    """Up to five labels below the bars, each in the middle of the first bar that it names."""
    every = max(math.ceil(len(parts) / 5), 1)
    return [
        (round((place + 0.4) * width, 3), fmt.day(parts[place][0])) for place in range(0, len(parts), every)
    ]


def _round_step(top: float) -> int:
    """A round distance between three to five marks up to `top`.

    >>> _round_step(44_900), _round_step(7), _round_step(1)
    (10000, 2, 1)
    """
    power = 10.0 ** math.floor(math.log10(top / 4)) if top > 4 else 1.0
    return int(
        next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= top / 5 and power * size % 1 == 0)
    )


def build(inputs: SiteInputs) -> QualityView:
    """The page from the accounts, the quarantine's counts and the event days."""
    files = _files(inputs.file_accounts.to_dicts())
    totals = {part: sum(dict(line.values)[part] for line in files) for part in PARTS}
    reasons: dict[str, int] = {}
    for row in inputs.quarantine.to_dicts():
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + int(row["rows"])
    top = max(reasons.values(), default=1)
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
        files=files[:FILES_SHOWN],
        more_files=len(files) > FILES_SHOWN,
        number_of_files=len(files),
        reasons=[
            ReasonLine(reason.replace("_", " "), fmt.count(rows), round(100 * rows / top, 2))
            for reason, rows in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        ],
        days=_days(inputs.days.to_dicts()),
    )
