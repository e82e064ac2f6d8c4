"""The primary metric by segment, and under analyses that count other units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import cells, tick_labels, typical_axis
from fairsplit.analysis.scorecards.headline import SEQUENTIAL_METHODS
from fairsplit.analysis.scorecards.selection import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.comparisons import Cells, MetricTable
    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView
    from fairsplit.analysis.scorecards.intervals import Axis, Tick

Row = dict[str, Any]
#: Adjusted level at which a page says that an effect differs between levels.
DIFFERS_BELOW = 0.05


@dataclass(frozen=True, slots=True)
class SegmentLevel:
    """One level of a segment with its comparisons."""

    level: str
    cells: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class SegmentPanel:
    """One segment of the first primary metric; undeclared segments are exploratory.

    Attributes:
        name: The segment.
        declared: Whether the experiment declares it.
        levels: Largest first.
        differs: For each arm whether its effect differs between the levels, in words.
        shrunken: Whether any level has an effect drawn in towards the others.
    """

    name: str
    declared: bool
    levels: Sequence[SegmentLevel]
    differs: Sequence[str]
    shrunken: bool


@dataclass(frozen=True, slots=True)
class Segments:
    """All segments on one axis."""

    metric: str
    panels: Sequence[SegmentPanel]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


def segment_panels(
    experiment: ExperimentView, metric: MetricView, current: Sequence[Row], *, valid: bool
) -> Segments | None:
    """Every segment of a metric on one axis, declared ones first; None without any."""
    rows = [
        row
        for row in current
        if row["metric"] == metric.name
        and row.get("segment") != "all"
        and row.get("analysis", "default") == experiment.analysis
    ]
    compared = [row for row in rows if row.get("comparison") is not None]
    if not compared:
        return None
    sequential = experiment.plan.method in SEQUENTIAL_METHODS
    axis = typical_axis(compared, sequential=sequential)
    controls = {(row["segment"], row["segment_level"]): row for row in rows if row.get("comparison") is None}
    arm_names = {arm.id: arm.label for arm in experiment.arms}
    order = {arm.id: place for place, arm in enumerate(experiment.arms)}
    panels: dict[str, dict[str, list[Row]]] = {}
    for row in compared:
        panels.setdefault(row["segment"], {}).setdefault(str(row["segment_level"]), []).append(row)
    return Segments(
        metric=metric.label,
        panels=[
            SegmentPanel(
                name=name,
                declared=name in experiment.segments,
                levels=[
                    SegmentLevel(
                        level or "(not set)",
                        [
                            cells(
                                row,
                                controls.get((name, row["segment_level"])),
                                metric,
                                arm_names.get(row["variant_id"]) or str(row["variant_id"]),
                                axis,
                                sequential=sequential,
                                valid=valid,
                            )
                            for row in sorted(
                                levels[level], key=lambda row: order.get(row["variant_id"], 999)
                            )
                        ],
                    )
                    for level in sorted(
                        levels, key=lambda level: (-max(r.get("n") or 0 for r in levels[level]), level)
                    )
                ],
                differs=_differs(levels, arm_names, order) if valid else [],
                shrunken=valid
                and any(row.get("shrunken_lift") is not None for one in levels.values() for row in one),
            )
            for name, levels in sorted(
                panels.items(), key=lambda item: (item[0] not in experiment.segments, item[0])
            )
        ],
        axis=axis,
        ticks=tick_labels(axis),
    )


def _differs(
    levels: Mapping[str, Sequence[Row]], arm_names: Mapping[str, str], order: Mapping[str, int]
) -> list[str]:
    """Cochran's Q between the levels of each arm, in words."""
    tested = {
        row["variant_id"]: row
        for rows in levels.values()
        for row in rows
        if row.get("heterogeneity_p_value") is not None
    }
    found = []
    for arm in sorted(tested, key=lambda arm: order.get(arm, 999)):
        row = tested[arm]
        adjusted = row["heterogeneity_p_adjusted"]
        said = (
            "the effect differs between the levels"
            if adjusted <= DIFFERS_BELOW
            else "no sign that the effect differs between the levels"
        )
        statistic, df = fmt.plain(row["heterogeneity_statistic"], 1), fmt.count(row["heterogeneity_df"])
        p, p_adjusted = (fmt.p_value(one) for one in (row["heterogeneity_p_value"], adjusted))
        found.append(
            f"{arm_names.get(arm) or arm}: {said} (Q = {statistic} on {df} degrees of freedom, p = {p}, "
            f"{p_adjusted} over all segments and arms)."
        )
    return found


def other_analyses(
    experiment: ExperimentView, metric: MetricView, current: Sequence[Row], table: MetricTable, *, valid: bool
) -> list[tuple[str, Cells]]:
    """The primary metric under other analyses that count other units, to be read beside the default."""
    rows = [
        row
        for row in current
        if row["metric"] == metric.name
        and row.get("segment") == "all"
        and row.get("analysis", "default") != experiment.analysis
    ]
    controls = {row["analysis"]: row for row in rows if row.get("comparison") is None}
    names = {arm.id: arm.label for arm in experiment.arms}
    declared = {
        row["variant_id"]: row.get("n")
        for row in whole(current, experiment.analysis)
        if row["metric"] == metric.name
    }
    differing = {row["analysis"] for row in rows if row.get("n") != declared.get(row["variant_id"])}
    return [
        (
            wording.words(row["analysis"], wording.ANALYSES),
            cells(
                row,
                controls.get(row["analysis"]),
                metric,
                names.get(row["variant_id"]) or str(row["variant_id"]),
                table.axis,
                sequential=table.sequential,
                valid=valid,
            ),
        )
        for row in rows
        if row.get("comparison") is not None and row["analysis"] in differing
    ]
