"""The page of searches over variants: what was tried, the surface through it, and what would be tried next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.judgement.effects import Effect
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import metric_view
from fairsplit.analysis.scorecards.headline import effect_figures
from fairsplit.analysis.scorecards.intervals import axis_for
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs
    from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick

Row = dict[str, Any]
#: Why a search proposes nothing.
ENDED: Final = {
    "batch_not_measured": "no arm of its newest batch is measured yet",
    "batches_done": "as many batches as were asked for are tried",
    "nothing_to_gain": "no point is expected to gain what was asked for",
    "all_tried": "every point of its grid is tried",
    "part_failed": "its method gave no answer",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One point: an arm that was tried, a proposal, or a place on a cut through the surface."""

    name: str
    href: str
    parameters: str
    observed: str
    mean: str
    interval: str
    gain: str
    bar: Bar | None
    spoken: str
    is_best: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One search on one axis of differences from the control."""

    id: str
    metric: str
    unit: str
    direction: str
    tried: Sequence[Line]
    proposed: Sequence[Line]
    cuts: Sequence[tuple[str, Sequence[Line]]]
    ended: str
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


def build(inputs: SiteInputs) -> list[Panel]:
    """The page's content, by search."""
    rows = inputs.search.to_dicts()
    known = {experiment.id for experiment in inputs.experiments}
    names = list(dict.fromkeys(row["search_id"] for row in rows))
    return [_panel(name, [row for row in rows if row["search_id"] == name], inputs, known) for name in names]


def document(inputs: SiteInputs) -> Row:
    """The rows of all searches, as ``api/search.json``."""
    rows = [
        {
            **{key: value for key, value in row.items() if key not in {"cut_off", "code_hash"}},
            "parameters": json.loads(row["parameters"]) if row["parameters"] is not None else None,
        }
        for row in inputs.search.to_dicts()
    ]
    return {"computed_at": inputs.cut_off.isoformat(), "searches": rows}


def _panel(name: str, rows: Sequence[Row], inputs: SiteInputs, known: set[str]) -> Panel:
    metric = metric_view(inputs.metrics, rows[0]["metric"])
    axis = axis_for((row["low"], row["high"]) for row in rows if row["low"] is not None)
    kinds = {
        kind: [row for row in rows if row["kind"] == kind and row["status"] == "ok"]
        for kind in ("tried", "proposed", "surface")
    }
    ended = next((row["reason"] for row in rows if row["status"] != "ok"), None)
    axes = list(dict.fromkeys(row["axis"] for row in kinds["surface"]))
    cuts = [
        (one, [_line(row, metric, axis, known, only=one) for row in kinds["surface"] if row["axis"] == one])
        for one in axes
    ]
    return Panel(
        id=name,
        metric=metric.label,
        unit=metric.unit,
        direction=metric.direction,
        tried=[_line(row, metric, axis, known) for row in kinds["tried"]],
        proposed=[_line(row, metric, axis, known) for row in kinds["proposed"]],
        cuts=cuts,
        ended="" if ended is None else ENDED[ended],
        axis=axis,
        ticks=[
            (tick, "0" if tick.value == 0 else fmt.amount(tick.value, metric.unit, metric.kind, signed=True))
            for tick in axis.ticks
        ],
    )


def _line(row: Row, metric: MetricView, axis: Axis, known: set[str], only: str | None = None) -> Line:
    values = json.loads(row["parameters"])
    words = (
        str(values[only]) if only is not None else ", ".join(f"{key} {one}" for key, one in values.items())
    )
    mean, interval = fmt.MISSING, ""
    if row["mean"] is not None and max(abs(row["low"]), abs(row["high"])) < axis.reach / 1_000:
        mean, interval = fmt.amount(0.0, metric.unit, metric.kind), "the control itself"
    elif row["mean"] is not None:
        mean, interval = effect_figures(Effect(row["mean"], row["low"], row["high"], relative=False), metric)

    def amount(value: float | None, *, signed: bool) -> str:
        return fmt.MISSING if value is None else fmt.amount(value, metric.unit, metric.kind, signed=signed)

    gain = amount(row["expected_improvement"], signed=True)
    if row["of_minimum"] is not None:
        gain += f" ({fmt.probability(row['of_minimum'])} of the smallest that matters)"
    arm = row["variant_id"]
    return Line(
        name=f"batch {row['batch']}: {arm}" if arm is not None else f"batch {row['batch']}",
        href=f"experiments/{safe_name(row['experiment_id'])}.html"
        if arm and row["experiment_id"] in known
        else "",
        parameters=words,
        observed=amount(row["observed"], signed=True),
        mean=mean,
        interval=interval,
        gain=gain,
        bar=None if row["mean"] is None else axis.bar(row["mean"], row["low"], row["high"]),
        spoken=f"{words}: {mean}, interval {interval}",
        is_best=bool(row["is_best"]),
    )
