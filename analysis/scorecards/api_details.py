"""Answers of the read API about one experiment beside its results: funnels, series over time, sample sizes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView
    from fairsplit.analysis.scorecards.scorecard import Facts

Row = dict[str, Any]


def funnels(facts: Facts, whole: Sequence[Row]) -> list[Row]:
    """Units that reached each step of a funnel metric, by variant, and the share that was lost on the way there.

    Args:
        facts: The experiment's rows.
        whole: Result rows of all units at the cut-off: how many units a metric counts.
    """
    counted = {(row["metric"], row["variant_id"]): row["n"] for row in whole}
    lines: dict[tuple[str, str], list[Row]] = {}
    for row in facts.funnels:
        lines.setdefault((row["metric"], row["variant_id"]), []).append(row)
    found = []
    for (metric, variant), steps in sorted(lines.items()):
        before = units = counted.get((metric, variant)) or 0
        told = []
        for step in sorted(steps, key=lambda row: int(row["position"])):
            lost = 1 - step["units"] / before if before else None
            told.append(
                {
                    "position": step["position"],
                    "step": step["step"],
                    "units": step["units"],
                    "drop_off_rate": lost,
                }
            )
            before = step["units"]
        found.append({"metric_name": metric, "variant": variant, "sample_size": units, "steps": told})
    return found


def series(facts: Facts, analysis: str) -> Iterator[Row]:
    """The result of every arm and metric at every cut-off, over all units, oldest first."""
    for row in facts.history:
        if row["segment"] == "all" and row.get("analysis", "default") == analysis:
            yield {
                "cut_off": row["cut_off"],
                "metric_name": row["metric"],
                "variant": row["variant_id"],
                "sample_size": row["n"],
                "mean_value": row["mean"],
                "difference": row["lift_abs"],
                "lower": row.get("lift_abs_low"),
                "upper": row.get("lift_abs_high"),
                "sequential_lower": row.get("seq_low"),
                "sequential_upper": row.get("seq_high"),
                "p_value": row["p_value"],
                "status": row["status"],
            }


def exposures(facts: Facts) -> list[Row]:
    """Units first exposed on each day, by variant."""
    days: dict[tuple[Any, str], int] = {}
    for row in facts.exposures:
        if row.get("segment", "all") == "all":
            key = (row["exposure_day"], row["variant_id"])
            days[key] = days.get(key, 0) + row["units"]
    return [{"day": day, "variant": arm, "units": units} for (day, arm), units in sorted(days.items())]


def sample_sizes(view: ExperimentView, compared: Sequence[Row]) -> list[Row]:
    """Units that an arm needs for the planned power, of each primary metric.

    What has come in over the share of the planned information that it is: covariates, several arms and the method are
    counted as the plan counts them. Without a minimum effect nothing says how many units are needed.
    """
    asked = {use.metric: use for use in view.metrics if use.role == "primary"}
    found = []
    for row in compared:
        use = asked.get(row["metric"])
        if use is None:
            continue
        states = use.minimum_effect is not None or use.minimum_effect_absolute is not None
        fraction = row.get("information_fraction")
        known = states and fraction is not None and math.isfinite(fraction) and fraction > 0
        found.append(
            {
                "metric_name": row["metric"],
                "variant": row["variant_id"],
                "sample_size": row["n"],
                "required_sample_size": math.ceil(row["n"] / fraction) if known else None,
                "minimum_difference": row.get("minimum_abs"),
                "reason": None if known else "no_information_yet" if states else "no_minimum_effect",
            }
        )
    return found
