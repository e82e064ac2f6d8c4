"""The metric table and its relatives: result rows as the cells a reader sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.scorecards import format as fmt
from analysis.scorecards import wording
from analysis.scorecards.headline import (
    SEQUENTIAL_METHODS,
    absolute_interval_of,
    direction_sign,
    half_width,
    held_interval_of,
    interval_of,
    too_early,
)
from analysis.scorecards.inputs import MetricView
from analysis.scorecards.intervals import Axis, Bar, Tick, axis_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]
ROLES = ("primary", "guardrail", "secondary")
DATA_FIELDS = (
    "n",
    "n_open",
    "mean",
    "lift_abs",
    "lift_abs_low",
    "lift_abs_high",
    "lift_rel",
    "lift_rel_low",
    "lift_rel_high",
    "seq_rel_low",
    "seq_rel_high",
    "p_value",
    "p_adjusted",
    "seq_p_value",
    "power",
    "effect_size",
    "prob_beat",
    "expected_loss",
)
_AXIS_STRETCH = 4.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What an interval says, for colour, sign and word alike: ``tone`` is good, bad or unclear."""

    tone: str
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class Cells:
    """One comparison as text. ``row`` is the result row itself, for data attributes."""

    row: Row
    arm: str
    ok: bool
    why: str
    means: tuple[str, str]
    lift: str
    lift_interval: str
    absolute: str
    absolute_interval: str
    sequential_interval: str
    p: str
    p_adjusted: str
    n: str
    n_control: str
    n_open: str
    power: str
    mde: str
    effect: str
    effect_size: str
    prob_beat: str
    prob_best: str
    expected_loss: str
    cuped: str
    reading: Reading
    bar: Bar | None
    spoken: str

    @property
    def data(self) -> list[tuple[str, str]]:
        """The row's numbers as attribute pairs, exact, so that a page can be read back."""
        return [
            (name.replace("_", "-"), repr(self.row[name]))
            for name in DATA_FIELDS
            if self.row.get(name) is not None
        ]


@dataclass(frozen=True, slots=True)
class MetricBlock:
    """A metric with one `Cells` per arm that is compared with the control."""

    metric: MetricView
    href: str
    role: str
    window: str
    margin: str
    cells: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class RoleGroup:
    """The metrics of one role."""

    role: str
    title: str
    blocks: Sequence[MetricBlock]


@dataclass(frozen=True, slots=True)
class MetricTable:
    """All metrics on one axis."""

    groups: Sequence[RoleGroup]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]
    level: str
    sequential: bool
    any_open: int = 0
    notes: Sequence[str] = field(default_factory=tuple)


def tick_labels(axis: Axis) -> list[tuple[Tick, str]]:
    """The axis' ticks with their labels in per cent."""
    decimals = fmt.decimals_for(axis.reach * 50, 1)
    return [(tick, fmt.plain(tick.value * 100, decimals, signed=True) + "%") for tick in axis.ticks]


def reading(
    row: Row, *, sequential: bool, alpha: float, margin: float | None = None, role: str = ""
) -> Reading:
    """What the intervals say: better, worse or unclear; for guardrails, whether harm is shown or excluded."""
    guardrail = role == "guardrail"
    low, high = interval_of(row, sequential=sequential or guardrail)
    if low is None and high is None:
        low, high = absolute_interval_of(row, sequential=sequential or guardrail)
        margin = None
    if low is None and high is None:
        return Reading("unclear", "·", "unclear")
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    sign = direction_sign(row.get("direction"))
    worst, best = (low, high) if sign > 0 else (-high, -low)
    mark = "▲" if low > 0 else "▼"
    if guardrail and margin is not None:
        if worst > -margin:
            return Reading("good", "✓", "within margin")
        return Reading("bad", mark, "harmed") if best < -margin else Reading("unclear", "·", "not yet safe")
    if worst <= 0 <= best or (sequential and row.get("seq_crossed") is False):
        return Reading("unclear", "·", "no harm seen" if guardrail else "unclear")
    if not sequential and not guardrail and (row.get("p_adjusted") or 0.0) > alpha:
        return Reading("unclear", "·", "unclear after correction")
    return Reading("good", mark, "better") if worst > 0 else Reading("bad", mark, "worse")


def _means(control: float | None, arm: float | None, divisor: float, unit: str, kind: str) -> tuple[str, str]:
    """The control's value without its unit, and the arm's with it: a unit is read once."""
    before, after = (
        fmt.amount(None if value is None else value / divisor, unit, kind) for value in (control, arm)
    )
    return before.partition(" ")[0], after


def cells(
    row: Row,
    control: Row | None,
    metric: MetricView,
    arm: str,
    axis: Axis,
    *,
    sequential: bool,
    alpha: float,
    margin: float | None = None,
    valid: bool = True,
) -> Cells:
    """One comparison as text, by the rules of `format`."""
    ok = row["status"] == "ok"
    low, high = row.get("lift_rel_low"), row.get("lift_rel_high")
    half = half_width(low, high)
    bounded = row.get("lift_rel_bounded") is not False
    abs_low, abs_high = row.get("lift_abs_low"), row.get("lift_abs_high")
    abs_half = half_width(abs_low, abs_high)
    seq_low, seq_high = held_interval_of(row)

    before = control.get("mean") if control else None
    divisor, unit = fmt.time_unit(metric.unit, before)

    def diff(value: float | None) -> str:
        scale = None if abs_half is None else abs_half / divisor
        return fmt.amount(
            None if value is None else value / divisor, unit, metric.kind, signed=True, scale=scale
        )

    lift = fmt.percent(row.get("lift_rel"), signed=True, half_width=half)
    between = fmt.bounds(low, high, half_width=half) if bounded else "no bounds"
    loss = row.get("expected_loss")
    said = reading(row, sequential=sequential, alpha=alpha, margin=margin, role=row.get("role", ""))
    if not valid:
        said = Reading("unclear", "✕", "not valid")
    bar = None
    if ok and row.get("lift_rel") is not None:
        bar = axis.bar(row["lift_rel"], low, high, (seq_low, seq_high) if sequential else (None, None))
    return Cells(
        row=row,
        arm=arm,
        ok=ok,
        why="" if ok else wording.reason(row.get("reason") or row["status"]),
        means=_means(before, row.get("mean"), divisor, unit, metric.kind),
        lift=lift,
        lift_interval=between,
        absolute=diff(row.get("lift_abs")),
        absolute_interval=fmt.between(diff(abs_low), diff(abs_high)),
        sequential_interval=_sequential_words(row, seq_low, seq_high) if ok and sequential else "",
        p=fmt.p_value(row.get("p_value")),
        p_adjusted=fmt.p_value(row.get("p_adjusted")),
        n=fmt.count(row.get("n")),
        n_control=fmt.count(control.get("n") if control else None),
        n_open=fmt.count(row.get("n_open")),
        power="" if row.get("power") is None else fmt.probability(row["power"]),
        mde=fmt.percent(row.get("mde_rel"), signed=False),
        effect=str(row.get("effect_label") or fmt.MISSING),
        effect_size=fmt.plain(row.get("effect_size"), 3),
        prob_beat=fmt.probability(row.get("prob_beat")),
        prob_best=fmt.probability(row.get("prob_best")),
        expected_loss=fmt.risk(None if loss is None else loss / divisor, unit, metric.kind),
        cuped=fmt.percent(row.get("variance_reduction"), half_width=0.02) if row.get("cuped") else "",
        reading=said,
        bar=bar,
        spoken=f"{metric.label}, {arm}: {lift}, interval {between}, {said.word}",
    )


def _sequential_words(row: Row, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return too_early(row) if (row.get("segment") or "all") == "all" else ""
    return fmt.bounds(low, high, half_width=half_width(low, high))


def metric_view(metrics: Mapping[str, MetricView], name: str) -> MetricView:
    """The metric's view; a metric that is no longer defined is shown by its name."""
    return metrics.get(name) or MetricView(name=name, label=name)


def metric_href(name: str, links: Mapping[str, str]) -> str:
    """Where dbt docs describe the metric, relative to a scorecard; empty when the docs are not published."""
    return f"../{links['dbt']}#!/metric/metric.fairsplit.{name}" if "dbt" in links else ""


def shared_axis(rows: Sequence[Row], *, sequential: bool) -> Axis:
    """One axis for all rows: it fits the primary metrics whole and others up to four times as wide."""

    def bounds(row: Row) -> tuple[float | None, float | None]:
        return interval_of(row, sequential=sequential)

    known = [row for row in rows if row["status"] == "ok" and row.get("lift_rel") is not None]
    main = [bounds(row) for row in known if row.get("role") == "primary"] or [bounds(row) for row in known]
    widest = max((abs(end) for pair in main for end in pair if end is not None), default=0.0)
    fitting = [
        pair
        for pair in (bounds(row) for row in known)
        if all(end is not None and abs(end) <= _AXIS_STRETCH * widest for end in pair)
    ]
    return axis_for([*main, *fitting])


def typical_axis(rows: Sequence[Row], *, sequential: bool) -> Axis:
    """One axis that fits three in four intervals and every estimate; wide intervals are cut with an arrow."""
    known = [row for row in rows if row["status"] == "ok" and row.get("lift_rel") is not None]
    ends = [[abs(end) for end in interval_of(row, sequential=sequential) if end is not None] for row in known]
    reaches = sorted(max(pair) for pair in ends if pair)
    if not reaches:
        return axis_for([])
    reach = max(reaches[(3 * len(reaches) - 1) // 4], *(abs(row["lift_rel"]) for row in known))
    return axis_for([(-reach, reach)])


def build_table(
    experiment: ExperimentView,
    metrics: Mapping[str, MetricView],
    rows: Sequence[Row],
    links: Mapping[str, str],
    *,
    valid: bool,
) -> MetricTable:
    """The metric table from the rows of the whole population and the default analysis.

    Args:
        experiment: The definition.
        metrics: Metric views by name.
        rows: Current comparisons (segment ``all``, analysis ``default``), the control's own rows included.
        links: Parts of the site that exist.
        valid: Whether no check fails; where one does, no arm is called better or worse.
    """
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    compared = [row for row in rows if row.get("comparison") is not None]
    controls = {row["metric"]: row for row in rows if row.get("comparison") is None}
    axis = shared_axis(compared, sequential=sequential)
    by_metric: dict[str, list[Row]] = {}
    for row in compared:
        by_metric.setdefault(row["metric"], []).append(row)
    arm_names = {arm.id: arm.label for arm in experiment.arms}
    order = {arm.id: place for place, arm in enumerate(experiment.arms)}
    groups: list[RoleGroup] = []
    for role in ROLES:
        blocks: list[MetricBlock] = []
        for declared in (entry for entry in experiment.metrics if entry.role == role):
            view = metric_view(metrics, declared.metric)
            own = sorted(
                by_metric.get(declared.metric, []), key=lambda row: order.get(row["variant_id"], 999)
            )
            margin = declared.non_inferiority_margin
            blocks.append(
                MetricBlock(
                    metric=view,
                    href=metric_href(view.name, links),
                    role=role,
                    window=view.window,
                    margin=_margin_words(declared.minimum_effect, margin),
                    cells=[
                        cells(
                            row,
                            controls.get(declared.metric),
                            view,
                            arm_names.get(row["variant_id"]) or str(row["variant_id"]),
                            axis,
                            sequential=sequential,
                            alpha=experiment.plan.alpha,
                            margin=margin,
                            valid=valid,
                        )
                        for row in own
                    ],
                )
            )
        if blocks:
            groups.append(RoleGroup(role, wording.ROLE_TITLES[role], blocks))
    return MetricTable(
        groups=groups,
        axis=axis,
        ticks=tick_labels(axis),
        level=_levels(compared),
        sequential=sequential,
        any_open=max((row.get("n_open") or 0 for row in rows), default=0),
    )


def _levels(rows: Sequence[Row]) -> str:
    """The level of the intervals, or its range where corrections differ."""
    known = [row["ci_level"] for row in rows if row.get("ci_level") is not None]
    low, high = wording.level(min(known, default=None)), wording.level(max(known, default=None))
    return low if low == high else f"{low} to {high}"


def _margin_words(minimum_effect: float | None, margin: float | None) -> str:
    parts = []
    if minimum_effect is not None:
        parts.append(f"smallest effect of interest {fmt.setting(minimum_effect)}")
    if margin is not None:
        parts.append(f"margin {fmt.setting(margin)}")
    return ", ".join(parts)
