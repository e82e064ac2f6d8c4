"""The metric table and its relatives: result rows as the cells a reader sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.effects import Effect, effect_of, too_early
from fairsplit.analysis.judgement.wording import unmet_text
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.headline import SEQUENTIAL_METHODS, effect_figures, in_reading_unit
from fairsplit.analysis.scorecards.inputs import MetricView
from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick, axis_for
from fairsplit.analysis.scorecards.strata import pooled_words, strata_notes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentMetric, ExperimentView

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
    "corrected_lift",
    "corrected_low",
    "corrected_high",
    "heterogeneity_p_value",
    "shrunken_lift",
    "power",
    "effect_size",
    "prob_beat",
    "expected_loss",
)
_AXIS_STRETCH = 2.0


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
    credible_interval: str
    corrected: tuple[str, str]
    shrunken: tuple[str, str]
    cuped: str
    unused: str
    unmet: str
    pooled: str
    reading: Reading
    bar: Bar | None
    spoken: str

    @property
    def data(self) -> list[tuple[str, str]]:
        """The row's numbers as attribute pairs, exact, so that a page can be read back."""
        return [
            (name.replace("_", "-"), repr(self.row[name]))
            for name in DATA_FIELDS
            if _known(self.row.get(name))
        ]


def _known(value: float | None) -> bool:
    """Whether a page has a number for it: a bound that does not exist is left out."""
    return value is not None and math.isfinite(value)


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

    @property
    def judged(self) -> bool:
        """Whether any metric has a row: else the page lists what will be measured, without a grid of blanks."""
        return any(block.cells for group in self.groups for block in group.blocks)


def tick_labels(axis: Axis) -> list[tuple[Tick, str]]:
    """The axis' ticks with their labels in per cent."""
    decimals = fmt.decimals_for(axis.reach * 50, 1)
    return [(tick, fmt.plain(tick.value * 100, decimals, signed=True) + "%") for tick in axis.ticks]


def reading(row: Row) -> Reading:
    """What the judgement found, as colour, sign and word: whether it is better, and which way it moved."""
    tone, mark, word = wording.FINDINGS.get(row.get("finding") or "unclear", ("unclear", "·", "unclear"))
    if row.get("below_minimum") and row.get("role") == "primary":
        word = wording.BELOW_MINIMUM.get(row.get("finding") or "unclear", word)
    moved = "▲" if (row.get("lift_abs") or 0.0) > 0 else "▼"
    return Reading(tone, moved if mark == "moved" else mark, word)


def _difference(row: Row, value: str, ends: str, metric: MetricView, before: float | None) -> tuple[str, str]:
    """A difference of the row and its interval as text; empty where the row has none."""
    if row.get(value) is None or (row.get(f"{ends}_low") is None and row.get(f"{ends}_high") is None):
        return "", ""
    effect = Effect(row[value], row.get(f"{ends}_low"), row.get(f"{ends}_high"), relative=False)
    return effect_figures(*in_reading_unit(effect, metric, before))


def _means(control: float | None, arm: float | None, divisor: float, unit: str, kind: str) -> tuple[str, str]:
    """The control's value without its unit, and the arm's with it, to the same decimals: a unit is read once."""
    values = [None if value is None else value / divisor for value in (control, arm)]
    # Two digits of a tenth: three of the smaller value.
    tenth = min((abs(value) / 10 for value in values if value), default=None)
    before, after = (
        fmt.percent(value, half_width=tenth)
        if fmt.is_rate(kind, unit)
        else fmt.amount(value, unit, kind, scale=tenth)
        for value in values
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
    valid: bool = True,
    alone: bool = False,
    alpha: float = 0.05,
) -> Cells:
    """One comparison as text, by the rules of `format`.

    An axis that several metrics share is of relative lifts; `alone` draws a difference on the axis from `own_axis`.
    `alpha` is the level at which units of all phases thrown together would be called different.
    """
    ok = row["status"] == "ok"
    before = row.get("control_mean")
    if before is None and control:
        before = control.get("mean")
    divisor, unit = fmt.time_unit(metric.unit, before)
    effect, shown = in_reading_unit(effect_of(row, lasting=False), metric, before)
    lasting = in_reading_unit(effect_of(row, lasting=True), metric, before)[0] if sequential else None
    difference = in_reading_unit(effect_of(row, lasting=False, relative=False), metric, before)[0]
    lift, between = effect_figures(effect, shown)
    absolute, absolute_between = effect_figures(difference, shown)
    loss = row.get("expected_loss")
    said = reading(row) if valid else Reading("unclear", "✕", "not valid")
    bar = None
    if ok and effect is not None and (effect.relative or alone):
        fits = lasting is not None and lasting.relative == effect.relative
        outer = (lasting.low, lasting.high) if lasting and fits else (None, None)
        bar = axis.bar(effect.value, effect.low, effect.high, outer)
    return Cells(
        row=row,
        arm=arm,
        ok=ok,
        why="" if ok else wording.reason(row.get("reason") or row["status"]),
        means=_means(before, row.get("mean"), divisor, unit, metric.kind),
        lift=lift,
        lift_interval=between,
        absolute=absolute,
        absolute_interval=absolute_between,
        sequential_interval=_sequential_words(row, lasting, shown) if ok and lasting else "",
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
        credible_interval=_difference(row, "lift_abs", "credible", metric, before)[1],
        corrected=_difference(row, "corrected_lift", "corrected", metric, before),
        shrunken=_difference(row, "shrunken_lift", "shrunken", metric, before),
        cuped=fmt.percent(row.get("variance_reduction"), half_width=0.02) if row.get("cuped") else "",
        unused=wording.UNUSED_COVARIATES.get(row.get("covariate_status") or "", ""),
        unmet=unmet_text(row),
        pooled=pooled_words(row, alpha) if ok and valid else "",
        reading=said,
        bar=bar,
        spoken=f"{metric.label}, {arm}: {lift}, interval {between}, {said.word}",
    )


def _sequential_words(row: Row, effect: Effect, metric: MetricView) -> str:
    if effect.has_interval:
        return effect_figures(effect, metric)[1]
    return too_early(row) if (row.get("segment") or "all") == "all" else ""


def metric_view(metrics: Mapping[str, MetricView], name: str) -> MetricView:
    """The metric's view; a metric that is no longer defined is shown by its name."""
    return metrics.get(name) or MetricView(name=name, label=name)


def metric_href(name: str, links: Mapping[str, str]) -> str:
    """Where dbt docs describe the metric, relative to a scorecard; empty when the docs are not published."""
    return f"../{links['dbt']}#!/metric/metric.fairsplit.{name}" if "dbt" in links else ""


def shared_axis(rows: Sequence[Row], *, sequential: bool) -> Axis:
    """One axis for all rows: it fits the primary metrics whole and others up to twice as wide."""

    def bounds(row: Row) -> tuple[float | None, float | None]:
        effect = effect_of(row, lasting=sequential)
        return (effect.low, effect.high) if effect and effect.relative else (None, None)

    known = [row for row in rows if row["status"] == "ok" and bounds(row) != (None, None)]
    main = [bounds(row) for row in known if row.get("role") == "primary"] or [bounds(row) for row in known]
    widest = max((abs(end) for pair in main for end in pair if end is not None), default=0.0)
    fitting = [
        pair
        for pair in (bounds(row) for row in known)
        if all(end is not None and abs(end) <= _AXIS_STRETCH * widest for end in pair)
    ]
    return axis_for([*main, *fitting])


def own_axis(
    row: Row, control: Row | None, metric: MetricView, *, sequential: bool
) -> tuple[Axis, list[tuple[Tick, str]]] | None:
    """An axis for one comparison with its labelled ticks, in the form that it is told in; None without an effect."""
    before = control.get("mean") if control else None
    effect, shown = in_reading_unit(effect_of(row, lasting=False), metric, before)
    lasting = in_reading_unit(effect_of(row, lasting=sequential), metric, before)[0]
    if effect is None:
        return None
    told = [one for one in (effect, lasting) if one is not None and one.relative == effect.relative]
    axis = axis_for(
        [(one.low, one.high) for one in told] if effect.low is not None else [(0.0, effect.value)]
    )
    if effect.relative:
        return axis, tick_labels(axis)
    return axis, [
        (tick, fmt.amount(tick.value, shown.unit, metric.kind, signed=True, scale=axis.reach))
        for tick in axis.ticks
    ]


def typical_axis(rows: Sequence[Row], *, sequential: bool) -> Axis:
    """One axis that fits three in four intervals and every estimate; wide intervals are cut with an arrow."""
    effects = [effect_of(row, lasting=sequential) for row in rows if row["status"] == "ok"]
    known = [effect for effect in effects if effect and effect.relative]
    ends = [[abs(end) for end in (effect.low, effect.high) if end is not None] for effect in known]
    reaches = sorted(max(pair) for pair in ends if pair)
    if not reaches:
        return axis_for([])
    reach = max(reaches[(3 * len(reaches) - 1) // 4], *(abs(effect.value) for effect in known))
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
            blocks.append(
                MetricBlock(
                    metric=view,
                    href=metric_href(view.name, links),
                    role=role,
                    window=view.window,
                    margin=_asked(declared, view),
                    cells=[
                        cells(
                            row,
                            controls.get(declared.metric),
                            view,
                            arm_names.get(row["variant_id"]) or str(row["variant_id"]),
                            axis,
                            sequential=sequential,
                            valid=valid,
                            alpha=experiment.plan.alpha,
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
        notes=strata_notes(compared, arm_names),
        any_open=max((row.get("n_open") or 0 for row in rows), default=0),
    )


def _levels(rows: Sequence[Row]) -> str:
    """The level of the intervals, or its range where corrections differ."""
    known = [row["ci_level"] for row in rows if row.get("ci_level") is not None]
    low, high = wording.level(min(known, default=None)), wording.level(max(known, default=None))
    return low if low == high else f"{low} to {high}"


def _asked(declared: ExperimentMetric, metric: MetricView) -> str:
    """What is asked of a metric: the smallest effect of interest and the margin, as they were declared."""
    asked = (
        ("smallest effect of interest", declared.minimum_effect, declared.minimum_effect_absolute),
        ("margin", declared.non_inferiority_margin, declared.non_inferiority_margin_absolute),
    )
    return ", ".join(
        f"{name} {_size(share, amount, metric)}"
        for name, share, amount in asked
        if share is not None or amount is not None
    )


def _size(share: float | None, amount: float | None, metric: MetricView) -> str:
    """A declared size: a share of the control, or an amount without a sign in the metric's unit."""
    if amount is None:
        return fmt.setting(share)
    return fmt.amount(amount, metric.unit, metric.kind, signed=True).removeprefix("+")
