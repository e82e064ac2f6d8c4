"""The hero's figures: both arms, the sample, the guardrails, and what the arm would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.effects import effect_of
from fairsplit.analysis.judgement.wording import listed
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.impact import eligible_a_month, impact_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.comparisons import Cells, MetricTable
    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]
_SAFE = frozenset({"within_margin", "no_harm_seen", "better"})
_HARMED = frozenset({"harmed", "worse"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure under the gauge: its name, its value, and a line that qualifies it."""

    name: str
    value: str
    note: str = ""


def figures(
    experiment: ExperimentView,
    leading: Cells,
    metric: MetricView,
    table: MetricTable,
    exposures: Sequence[Row],
) -> list[Figure]:
    """What one knows after five seconds beside the verdict; of a comparison that could be computed.

    Args:
        experiment: The definition.
        leading: The comparison that the headline speaks of.
        metric: Its metric.
        table: All metrics, for the guardrails of the same arm.
        exposures: Daily exposures of the whole population.
    """
    control = next((arm.label for arm in experiment.arms if arm.is_control), "Control")
    found = [
        Figure(metric.label, f"{leading.means[0]} → {leading.means[1]}", f"{control} → {leading.arm}"),
        Figure(
            "Units", f"{leading.n_control} and {leading.n}", f"{control} and {leading.arm}, windows closed"
        ),
    ]
    guarded = _guardrails(table, leading.row["variant_id"])
    if guarded:
        found.append(guarded)
    difference = effect_of(leading.row, lasting=table.sequential, relative=False)
    month = eligible_a_month(experiment, exposures)
    found += [
        Figure(name, value, interval)
        for name, value, interval in impact_lines(difference, metric, leading.arm, month)
    ]
    return found


def _guardrails(table: MetricTable, arm: str) -> Figure | None:
    """How many guardrails of the arm are safe, and which are not."""
    cells = [
        (block.metric.label, cell)
        for group in table.groups
        for block in group.blocks
        for cell in block.cells
        if group.role == "guardrail" and cell.row["variant_id"] == arm
    ]
    if not cells:
        return None
    # As in the decision: data that do not meet what the test requires show neither harm nor safety.
    sound = [(label, cell) for label, cell in cells if cell.row.get("requirements_met") is not False]
    harmed = [label for label, cell in sound if cell.row.get("finding") in _HARMED]
    safe = [label for label, cell in sound if cell.ok and cell.row.get("finding") in _SAFE]
    open_ones = [label for label, _ in cells if label not in harmed and label not in safe]
    parts = [
        f"{listed(labels)} {word}"
        for labels, word in ((harmed, "harmed"), (open_ones, "not yet safe"))
        if labels
    ]
    return Figure("Guardrails", f"{fmt.count(len(safe))} of {fmt.count(len(cells))} safe", "; ".join(parts))
