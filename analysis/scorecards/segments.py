"""The primary metric by segment, and under analyses that count other units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import cells, tick_labels, typical_axis
from fairsplit.analysis.scorecards.headline import SEQUENTIAL_METHODS
from fairsplit.analysis.scorecards.selection import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.comparisons import Cells, MetricTable
    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView
    from fairsplit.analysis.scorecards.intervals import Axis, Tick

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SegmentLevel:
    """One level of a segment with its comparisons."""

    level: str
    cells: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class SegmentPanel:
    """One segment of the first primary metric; undeclared segments are exploratory."""

    name: str
    declared: bool
    levels: Sequence[SegmentLevel]


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
            )
            for name, levels in sorted(
                panels.items(), key=lambda item: (item[0] not in experiment.segments, item[0])
            )
        ],
        axis=axis,
        ticks=tick_labels(axis),
    )


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
