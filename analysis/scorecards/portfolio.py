"""The portfolio: one line per experiment, and the counts above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.scorecards import format as fmt
from analysis.scorecards import headline, lessons, wording
from analysis.scorecards.comparisons import tick_labels
from analysis.scorecards.intervals import Axis, Bar, Tick, axis_for
from analysis.scorecards.lessons import Effect, Lessons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.scorecards.inputs import FailedDefinition
    from analysis.scorecards.scorecard import Scorecard

VERDICTS = {
    "win": "Win",
    "loss": "Loss",
    "harm": "Harm",
    "clean": "Clean A/A",
    "investigate": "Investigate",
    "flat": "No clear difference",
    "running": "Keep running",
    "extend": "Extend",
    "modify": "Modify",
    "too_early": "Too early",
    "invalid": "Not valid",
    "no_data": "No data",
    "none": "Undecided",
    "broken": "Broken definition",
}
_TYPICAL = 0.9


@dataclass(frozen=True, slots=True)
class Summary:
    """One experiment on the index. ``low``, ``lift`` and ``high`` are relative lifts of the leading arm."""

    id: str
    name: str
    href: str
    status: str
    owner: str
    type: str
    tone: str
    code: str
    verdict: str
    worst: str
    validity: str
    metric: str
    lift: float | None
    low: float | None
    high: float | None
    lift_words: str
    units: int
    days: int
    days_left: int | None
    start: str
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A summary with its bar on the axis that all experiments share."""

    summary: Summary
    bar: Bar | None
    spoken: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The index page."""

    lines: Sequence[Line]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]
    tiles: Sequence[tuple[str, str, str]]
    statuses: Sequence[str]
    verdicts: Sequence[tuple[str, str]]
    lessons: Lessons | None


def summarise(card: Scorecard, *, href: str) -> Summary:
    """The index line of one scorecard."""
    row = card.primary.row if card.primary else None
    low, high = headline.interval_of(row, sequential=card.table.sequential) if row else (None, None)
    worst, validity = headline.validity_words([check.row for check in card.checks])
    lift = row.get("lift_rel") if row else None
    planned = card.experiment.plan.max_duration_days
    running = card.experiment.status == "running"
    return Summary(
        id=card.experiment.id,
        name=card.experiment.name,
        href=href,
        status=card.experiment.status,
        owner=card.experiment.owner,
        type=wording.words(card.experiment.type, wording.TYPES),
        tone=card.headline.tone,
        code=card.headline.code,
        verdict=VERDICTS.get(card.headline.code, card.headline.verdict),
        worst=worst,
        validity=validity,
        metric=card.primary_name,
        lift=lift,
        low=low,
        high=high,
        lift_words=fmt.percent(lift, signed=True, half_width=headline.half_width(low, high)),
        units=card.units,
        days=card.days,
        days_left=max(round(planned - card.days), 0) if running and planned is not None else None,
        start=card.experiment.start.date().isoformat(),
        effect=_effect(card, href) if worst != "fail" else None,
    )


def _effect(card: Scorecard, href: str) -> Effect | None:
    """The leading arm's effect in the good direction; an A/A experiment has none to learn from."""
    row = card.primary.row if card.primary else None
    if row is None or card.experiment.type == "aa":
        return None
    error = lessons.standard_error(row)
    if error is None:
        return None
    sign = headline.direction_sign(row.get("direction"))
    start = card.experiment.start.date().isoformat()
    return Effect(card.experiment.name, href, start, sign * row["lift_rel"], error)


def summarise_failed(failed: FailedDefinition, *, href: str) -> Summary:
    """The index line of a definition that did not load."""
    return Summary(
        id=failed.file,
        name=failed.file,
        href=href,
        status="failed",
        owner="",
        type="",
        tone="blocked",
        code="broken",
        verdict=VERDICTS["broken"],
        worst="fail",
        validity=wording.counted(len(failed.problems), "problem"),
        metric="",
        lift=None,
        low=None,
        high=None,
        lift_words=fmt.MISSING,
        units=0,
        days=0,
        days_left=None,
        start="",
    )


def _axis(summaries: Sequence[Summary]) -> Axis:
    """Wide enough for nine in ten intervals; the rest are cut with an arrow."""
    reaches = sorted(
        max(abs(s.low), abs(s.high)) for s in summaries if s.low is not None and s.high is not None
    )
    if not reaches:
        return axis_for([])
    reach = reaches[min(int(len(reaches) * _TYPICAL), len(reaches) - 1)]
    return axis_for([(-reach, reach)])


def build(summaries: Sequence[Summary]) -> Portfolio:
    """The index: running experiments first, then by name."""
    axis = _axis(summaries)
    ordered = sorted(summaries, key=lambda s: (s.status != "running", s.name.casefold(), s.id))
    codes = [s.code for s in summaries]
    decided = sum(codes.count(code) for code in ("win", "loss", "harm", "flat"))
    wins = codes.count("win")
    attention = sum(s.worst == "fail" for s in summaries)
    tiles = [
        (
            "Experiments",
            fmt.count(len(summaries)),
            f"{sum(s.status == 'running' for s in summaries)} running",
        ),
        (
            "Decided",
            fmt.count(decided),
            f"{fmt.count(wins)} won, {codes.count('loss') + codes.count('harm')} lost",
        ),
        ("Win rate", fmt.setting(wins / decided) if decided else fmt.MISSING, "of decided experiments"),
        ("Need attention", fmt.count(attention), "not valid, or broken"),
    ]
    return Portfolio(
        lines=[
            Line(
                s,
                axis.bar(s.lift, s.low, s.high) if s.lift is not None else None,
                f"{s.metric}: {s.lift_words}",
            )
            for s in ordered
        ],
        axis=axis,
        ticks=tick_labels(axis),
        tiles=tiles,
        statuses=sorted({s.status for s in summaries}),
        lessons=lessons.build([s.effect for s in summaries if s.effect]),
        verdicts=[(code, words) for code, words in VERDICTS.items() if code in codes],
    )
