"""The page of the programme: `results.programme` and the experiments behind it, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import metric_view
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fairsplit.analysis.scorecards.inputs import ExperimentView, SiteInputs

Row = dict[str, Any]
OUTCOMES: Final = {"won": "Won", "lost": "Lost", "flat": "No clear difference"}
_TONES: Final = {"won": "good", "lost": "bad"}
#: Bars on the calendar: those that run now and then the newest.
_MOST_BARS: Final = 60
#: What a date takes of the calendar's width, in %.
_LABEL_WIDTH: Final = 15.0
_TITLES: Final = {
    "days_to_decision": "Time to decision",
    "decided_within_48_hours": "Decided within 48 hours",
    "decided_within_plan": "Decided within plan",
    "win_rate": "Win rate",
    "losing_exposure": "Exposure given to losing arms",
    "saved_by_stopping": "Saved by stopping",
    "saved_by_weights": "Saved by bandits",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its row, and as words."""

    row: Row
    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Part:
    """The experiments of one owner or area."""

    name: str
    experiments: Figure
    running: Figure
    win_rate: Figure


@dataclass(frozen=True, slots=True)
class Worth:
    """What has shipped on one metric, all together."""

    figure: Figure
    metric: str
    shipped: str


@dataclass(frozen=True, slots=True)
class Span:
    """One experiment on the calendar; `left`, `width` and `now` in % of its width."""

    name: str
    href: str
    dates: str
    tone: str
    left: float
    width: float
    planned: float


@dataclass(frozen=True, slots=True)
class Calendar:
    """Starts and ends: bars, months in % of the width, today, and how many are not drawn."""

    spans: Sequence[Span]
    months: Sequence[tuple[float, str]]
    today: float
    left_out: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One experiment that is over or decided, as the archive keeps it."""

    name: str
    href: str
    hypothesis: str
    outcome: str
    tone: str
    likely: str
    metric: str
    owner: str
    area: str
    dates: str
    searched: str


@dataclass(frozen=True, slots=True)
class Programme:
    """Everything on the page; without figures none has been judged yet."""

    figures: Sequence[Figure]
    worth: Sequence[Worth]
    owners: Sequence[Part]
    areas: Sequence[Part]
    calendar: Calendar | None
    archive: Sequence[Entry]


def figures_of(rows: Sequence[Row]) -> dict[tuple[str, str, str], Row]:
    """Rows of `results.programme` by figure, scope and level."""
    return {(row["figure"], row["scope"], row["level"]): row for row in rows}


def document(inputs: SiteInputs) -> Row:
    """The rows behind the page, as ``api/programme.json``."""

    def plain(rows: Sequence[Row]) -> list[Row]:
        return [{key: value for key, value in row.items() if key not in _STAMPS} for row in rows]

    return {
        "computed_at": inputs.cut_off.isoformat(),
        "figures": plain(inputs.programme.to_dicts()),
        "experiments": plain(inputs.programme_experiments.to_dicts()),
    }


_STAMPS: Final = ("cut_off", "code_hash")


def build(inputs: SiteInputs) -> Programme:
    """The page's content."""
    rows = figures_of(inputs.programme.to_dicts())
    lines = [] if inputs.programme_experiments.is_empty() else inputs.programme_experiments.to_dicts()
    views = {view.id: view for view in inputs.experiments}
    lines = [line for line in lines if line["experiment_id"] in views]
    return Programme(
        figures=[figure(rows[name, "all", "all"]) for name in _TITLES if (name, "all", "all") in rows],
        worth=[_worth(inputs, row) for (name, *_), row in sorted(rows.items()) if name == "cumulative_worth"],
        owners=_parts(rows, "owner"),
        areas=_parts(rows, "area"),
        calendar=_calendar(lines, views, inputs.cut_off),
        archive=_archive(lines, views, inputs),
    )


def figure(row: Row) -> Figure:
    """A figure in words: value, and what it was made of."""
    name = str(row["figure"])
    value, note = _words(row)
    return Figure(row, _TITLES.get(name, name), value, note)


def sentence(rows: dict[tuple[str, str, str], Row]) -> str:
    """The programme in a sentence, for a digest; empty before anything is decided."""
    time, won = (rows.get((name, "all", "all")) for name in ("days_to_decision", "win_rate"))
    if time is None or won is None or not won["base"]:
        return ""
    half = f", half of all experiments within {_days(time['value'])}" if time["value"] is not None else ""
    value, _ = _words(won)
    ends = f"{fmt.setting(won['low'])} to {fmt.setting(won['high'])}"
    return f"{fmt.count(won['base'])} decided so far{half}; win rate {value} ({ends})."


def _days(value: float) -> str:
    return f"{fmt.count(value)} {'day' if value == 1 else 'days'}"


def _words(row: Row) -> tuple[str, str]:
    """Value and note of a figure."""
    value, low, high, n, base = (row[name] for name in ("value", "low", "high", "n", "base"))
    match row["figure"]:
        case "days_to_decision":
            said = f"{fmt.count(n)} of {fmt.count(base)} are decided"
            if low is not None and high is not None:
                said = f"a quarter within {fmt.count(low)}, three within {fmt.count(high)}; {said}"
            words = (fmt.MISSING if value is None else _days(value), said)
        case "decided_within_48_hours" | "decided_within_plan" | "win_rate":
            ends = f"95% interval {fmt.setting(low)} to {fmt.setting(high)}"
            said = f"{fmt.count(n)} of {fmt.count(base)}; {ends}" if base else "none decided yet"
            words = (fmt.setting(value), said)
        case "losing_exposure":
            words = (fmt.setting(value), f"{fmt.count(n)} of {fmt.count(base)} units")
        case "saved_by_stopping" | "saved_by_weights":
            words = (f"{fmt.count(value)} units", "that losing arms would have had")
        case "cumulative_worth":
            half = (high - low) / 2
            said = f"95% interval {fmt.bounds(low, high, half_width=half)}"
            words = (fmt.percent(value, signed=True, half_width=half), said)
        case _:
            words = (fmt.count(value), "")
    return words


def _worth(inputs: SiteInputs, row: Row) -> Worth:
    label = metric_view(inputs.metrics, row["level"]).label
    return Worth(figure(row), label, fmt.count(row["n"]))


def _parts(rows: dict[tuple[str, str, str], Row], scope: str) -> list[Part]:
    levels = sorted(level for figure, of, level in rows if (figure, of) == ("experiments", scope))
    return [
        Part(
            level or "none named",
            *(figure(rows[name, scope, level]) for name in ("experiments", "running", "win_rate")),
        )
        for level in levels
    ]


def _href(identity: str) -> str:
    return f"experiments/{safe_name(identity)}.html"


def _last_day(line: Row, today: date) -> date:
    """The last day of an experiment: the planned one, but never before its start nor, while it runs, before today."""
    ends: date = line["ends_on"] or line["decided_on"] or today
    running = line["status"] == "running"
    begun: date = line["started_on"]
    return max(ends, begun, today) if running else max(ends, begun)


def _calendar(lines: Sequence[Row], views: dict[str, ExperimentView], today: date) -> Calendar | None:
    ordered = sorted(
        lines,
        key=lambda line: (
            line["status"] != "running",
            -line["started_on"].toordinal(),
            line["experiment_id"],
        ),
    )
    shown = sorted(ordered[:_MOST_BARS], key=lambda line: (line["started_on"], line["experiment_id"]))
    if not shown:
        return None
    first: date = min(line["started_on"] for line in shown)
    last = max(today, *(_last_day(line, today) for line in shown))
    days = (last - first).days + 1

    def place(day: date) -> float:
        return round(100 * (day - first).days / days, 3)

    spans = []
    for line in shown:
        end = _last_day(line, today)
        width = 100 * ((end - line["started_on"]).days + 1) / days
        spans.append(
            Span(
                name=views[line["experiment_id"]].name,
                href=_href(line["experiment_id"]),
                dates=fmt.day_range(line["started_on"], end),
                tone=_TONES.get(
                    line["outcome"] or "", "waiting" if line["started_on"] > today else "unclear"
                ),
                left=place(line["started_on"]),
                width=round(width, 3),
                planned=round(
                    width if end <= today else max(place(today) - place(line["started_on"]), 0.0), 3
                ),
            )
        )
    return Calendar(spans, _months(first, last, days), place(today), len(ordered) - len(shown))


def _months(first: date, last: date, days: int) -> list[tuple[float, str]]:
    """The first day, and up to seven first days of months."""
    count = (last.year - first.year) * 12 + last.month - first.month
    every = max(math.ceil(count / 7), 1)
    marks = [(0.0, fmt.day(first))]
    for offset in range(every, count + 1, every):
        year, month = divmod(first.year * 12 + first.month - 1 + offset, 12)
        day = first.replace(year=year, month=month + 1, day=1)
        marks.append((round(100 * (day - first).days / days, 3), fmt.day(day).partition(" ")[2]))
    # The first day's label takes its place: a month that begins beside it has none.
    return [mark for mark in marks if mark[0] == 0 or mark[0] > _LABEL_WIDTH]


def _archive(lines: Sequence[Row], views: dict[str, ExperimentView], inputs: SiteInputs) -> list[Entry]:
    entries = []
    over = [line for line in lines if line["outcome"] or line["status"] not in {"draft", "running", "paused"}]
    for line in sorted(over, key=lambda line: (line["started_on"], line["experiment_id"]), reverse=True):
        view = views[line["experiment_id"]]
        outcome = OUTCOMES.get(line["outcome"] or "", "Undecided" if line["valid"] else "Not valid")
        metric = metric_view(inputs.metrics, line["metric"]).label if line["metric"] else ""
        half = None if line["likely"] is None else (line["likely_high"] - line["likely_low"]) / 2
        entries.append(
            Entry(
                name=view.name,
                href=_href(view.id),
                hypothesis=view.hypothesis,
                outcome=outcome,
                tone=_TONES.get(line["outcome"] or "", "unclear" if line["valid"] else "blocked"),
                likely="" if half is None else fmt.percent(line["likely"], signed=True, half_width=half),
                metric=metric,
                owner=view.owner,
                area=line["area"],
                dates=fmt.day_range(line["started_on"], _last_day(line, inputs.cut_off)),
                searched=" ".join((view.id, *view.tags)).lower(),
            )
        )
    return entries
