"""The portfolio: one line per experiment, and the counts above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.effects import effect_of
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import headline, lessons, programme, shipped, wording
from fairsplit.analysis.scorecards.comparisons import tick_labels
from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick, axis_for
from fairsplit.analysis.scorecards.shipped import Shipment, ShipmentLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.comparisons import Cells
    from fairsplit.analysis.scorecards.inputs import FailedDefinition
    from fairsplit.analysis.scorecards.lessons import Lessons
    from fairsplit.analysis.scorecards.scorecard import Scorecard

Row = dict[str, Any]
VERDICTS = {
    "win": "Win",
    "loss": "Loss",
    "harm": "Harm",
    "unsafe": "May not be safe",
    "clean": "Clean A/A",
    "investigate": "Investigate",
    "flat": "No clear difference",
    "running": "Keep running",
    "extend": "Extend",
    "modify": "Change is ready",
    "too_early": "Too early",
    "invalid": "Not valid",
    "no_data": "No data",
    "none": "Undecided",
    "broken": "Broken definition",
}
_TYPICAL = 0.9
#: Rows that a browser lays out at first; it takes longer over a thousand than a reader waits.
ROWS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """One experiment on the index.

    ``low``, ``lift`` and ``high`` are relative lifts of the leading arm, None where it is told in the metric's unit.
    ``days_left`` of the plan and ``to_power``, how many days of the intake so far are missing to the planned power, are
    None where nobody waits: nothing runs or it is decided; the second also where the plan states no smallest effect.
    ``dependence`` tells which other experiment its split depends on.
    """

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
    to_power: int | None = None
    shipment: Shipment | None = None
    dependence: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A summary with its bar on the axis that all experiments share."""

    summary: Summary
    bar: Bar | None
    spoken: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The index page; `shown` are the lines that stand there before somebody asks for all."""

    lines: Sequence[Line]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]
    tiles: Sequence[tuple[str, str, str]]
    statuses: Sequence[str]
    verdicts: Sequence[tuple[str, str]]
    lessons: Lessons | None
    shipments: Sequence[ShipmentLine]
    dependent: Sequence[Summary]
    shown: int = ROWS_SHOWN


def summarise(card: Scorecard, *, href: str) -> Summary:
    """The index line of one scorecard."""
    row = card.primary.row if card.primary else None
    told, told_in = headline.in_reading_unit(
        effect_of(row, lasting=card.table.sequential) if row else None,
        card.primary_metric,
        row.get("control_mean") if row else None,
    )
    drawn = told if told and told.relative else None
    worst, validity = headline.validity_words([check.row for check in card.checks])
    planned = card.experiment.plan.max_duration_days
    waiting = card.experiment.status == "running" and card.undecided
    return Summary(
        id=card.experiment.id,
        name=card.experiment.name,
        href=href,
        status=card.experiment.status,
        owner=card.experiment.owner,
        type=wording.words(card.experiment.type, wording.TYPES),
        tone=card.headline.tone,
        code=card.headline.code,
        verdict=card.headline.verdict.removesuffix("."),
        worst=worst,
        validity=validity,
        metric=card.primary_metric.label,
        lift=drawn.value if drawn else None,
        low=drawn.low if drawn else None,
        high=drawn.high if drawn else None,
        lift_words=headline.effect_figures(told, told_in)[0],
        units=card.units,
        days=card.days,
        days_left=max(round(planned - card.days), 0) if waiting and planned is not None else None,
        start=card.experiment.start.date().isoformat(),
        to_power=card.to_power if waiting else None,
        shipment=_shipment(card, href, valid=worst != "fail"),
        dependence=next(
            (c.sentence for c in card.checks if c.row["check"] == "overlap" and c.status == "warn"), ""
        ),
    )


def _primary_cells(card: Scorecard) -> list[Cells]:
    """The arms' cells of the first primary metric."""
    return [
        cell
        for group in card.table.groups
        for block in group.blocks
        for cell in block.cells
        if cell.row.get("role") == "primary" and block.metric.label == card.primary_metric.label
    ]


def _shipment(card: Scorecard, href: str, *, valid: bool) -> Shipment | None:
    """The shipped variant, None when none is or when it is the control."""
    arm = next(
        (arm for arm in card.experiment.arms if arm.id == card.experiment.shipped and not arm.is_control),
        None,
    )
    if arm is None:
        return None
    cell = next((cell for cell in _primary_cells(card) if cell.row["variant_id"] == arm.id), None)
    row = cell.row if cell and cell.ok else {}
    return Shipment(
        name=card.experiment.name,
        href=href,
        arm=arm.label,
        metric=card.primary_metric.label,
        unit=str(row.get("unit") or ""),
        kind=card.primary_metric.kind,
        gain=row.get("lift_abs"),
        measured=cell.lift if cell and cell.ok else fmt.MISSING,
        valid=valid,
    )


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


def build(
    summaries: Sequence[Summary],
    figures: Mapping[tuple[str, str, str], Row],
    experiments: Sequence[Row],
) -> Portfolio:
    """The index: running experiments first, then by name.

    Args:
        summaries: A line for every experiment.
        figures: Rows of ``results.programme`` by figure, scope and level.
        experiments: Rows of ``results.programme_experiments``.
    """
    axis = _axis(summaries)
    ordered = sorted(summaries, key=lambda s: (s.status != "running", s.name.casefold(), s.id))
    codes = [s.code for s in summaries]
    attention = sum(s.worst == "fail" for s in summaries)
    learned = lessons.build(experiments, figures, {s.id: (s.name, s.href) for s in summaries})
    win_rate = programme.figure(figures["win_rate", "all", "all"]) if figures else None
    outcomes = [row["outcome"] for row in experiments]
    tiles = [
        (
            "Experiments",
            fmt.count(len(summaries)),
            f"{sum(s.status == 'running' for s in summaries)} running",
        ),
        (
            "Decided",
            fmt.count(win_rate.row["base"]) if win_rate else fmt.MISSING,
            f"{fmt.count(outcomes.count('won'))} won, {fmt.count(outcomes.count('lost'))} lost",
        ),
        (
            "Win rate",
            win_rate.value if win_rate else fmt.MISSING,
            win_rate.note if win_rate else "of decided experiments",
        ),
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
        lessons=learned,
        shipments=shipped.lines([s.shipment for s in summaries if s.shipment], learned),
        dependent=[s for s in ordered if s.dependence],
        verdicts=[(code, words) for code, words in VERDICTS.items() if code in codes],
    )
