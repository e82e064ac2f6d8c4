"""What dbt's docs say of each metric beside its description: its SQL, its window, and the experiments that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue import MetricDefinition
    from fairsplit.analysis.catalogue.measures import Measure
    from fairsplit.orchestration.catalogue.loading import Definitions


def metric_notes(definitions: Definitions) -> dict[str, str]:
    """Markdown for under each metric's description, by its name."""
    used: dict[str, list[str]] = {}
    for experiment in definitions.catalogue.experiments.values():
        # dbt's page lies in a folder beside the experiments' own.
        link = f"[{experiment.id}](../experiments/{safe_name(experiment.id)}.html)"
        for role, use in experiment.metric_uses:
            used.setdefault(use.metric, []).append(f"{link} ({role})")
    return {
        name: _note(metric, definitions.measures, used.get(name, []))
        for name, metric in definitions.metrics.items()
    }


def _note(metric: MetricDefinition, measures: Mapping[str, Measure], used: list[str]) -> str:
    better = "less is better" if sign_of(metric.direction) < 0 else "more is better"
    named = (*metric.funnel, metric.numerator, metric.denominator or "")
    parts = [name for name in named if name in measures]
    return "\n".join(
        [
            "",
            f"- **Kind** {metric.kind.replace('_', ' ')}, in {metric.unit or 'its own unit'}; {better}",
            f"- **Window** {fmt.window(metric.window_start, metric.window_end)}",
            *(f"- **Measure** {_measure(measures[name])}" for name in dict.fromkeys(parts)),
            f"- **Used by** {', '.join(used) or 'no experiment'}",
        ]
    )


def _measure(measure: Measure) -> str:
    expression = " ".join(measure.expr.split())
    return f"`{measure.agg}` of `{expression.replace('`', '')}` over `stg_events`"
