"""What could be done next, and what each act is expected to gain, as lines of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import metric_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NextAction:
    """One act: its code, its name, its reason, what it is expected to gain, and the command that does it."""

    code: str
    name: str
    sentence: str
    gain: str
    chance: str
    command: str


def next_action_lines(
    experiment: ExperimentView, metrics: Mapping[str, MetricView], rows: Sequence[Row]
) -> list[NextAction]:
    """The acts that are open, in the order in which they are advised.

    Args:
        experiment: Its view.
        metrics: Metric views by name.
        rows: Its rows of ``results.next_actions`` at the newest cut-off.
    """
    return [
        NextAction(
            row["action"],
            wording.NEXT_ACTIONS[row["action"]],
            row["sentence"],
            _gain(row, metric_view(metrics, row["metric"])),
            "" if row["chance"] is None else fmt.percent(row["chance"]),
            f"fairsplit experiment accept {experiment.id} --action {row['action']} --reason '…'",
        )
        for row in rows
    ]


def _gain(row: Row, metric: MetricView) -> str:
    if row["gain"] is None:
        return f"not computed: {wording.words(row['reason'], wording.REASONS)}"
    text = fmt.amount(row["gain"], metric.unit, metric.kind, signed=True)
    if row["gain_low"] is None:
        return text
    low, high = (
        fmt.amount(row[end], metric.unit, metric.kind, signed=True) for end in ("gain_low", "gain_high")
    )
    return f"{text} ({low} to {high})"
