"""The chance of each arm to be the best of all, for experiments with more than two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.statistics.bayes_normal import normal_best

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
_FEWEST = 3


def with_best(rows: Sequence[Row], metric: str, allocations: Sequence[Row] = ()) -> list[Row]:
    """The rows, those of one metric with `prob_best`: under flat priors the chance that no arm is better.

    A bandit has one such chance: the one that sets its weights.

    An arm that was adjusted by a covariate counts with its adjusted mean, and every arm with the share of its
    variance that is left.

    Args:
        rows: One row per metric and arm.
        metric: The metric that decides.
        allocations: Rows of ``results.allocations`` of a bandit, every cut-off; of others none.
    """
    if allocations:
        day = max(row["cut_off"] for row in allocations)
        chances = {
            (row["metric"], row["variant_id"]): row["p_best"] for row in allocations if row["cut_off"] == day
        }
        return [row | {"prob_best": chances.get((row["metric"], row["variant_id"]))} for row in rows]
    arms = [row for row in rows if row["metric"] == metric]
    control = next((row for row in arms if row.get("comparison") is None), None)
    usable = [row for row in arms if row["status"] == "ok" and (row.get("std_error") or 0) > 0]
    if control is None or len(usable) < _FEWEST or len(usable) != len(arms):
        return list(rows)
    sign = sign_of(control.get("direction"))
    removed = [row["variance_reduction"] for row in arms if row.get("cuped") and row["variance_reduction"]]
    left = math.sqrt(1 - sum(removed) / len(removed)) if removed else 1.0
    means = [
        sign * (control["mean"] + row["lift_abs"] if row.get("lift_abs") is not None else row["mean"])
        for row in arms
    ]
    found = normal_best(means, [left * row["std_error"] for row in arms]).p_best
    best = {id(row): float(chance) for row, chance in zip(arms, found, strict=True)}
    return [row | {"prob_best": best[id(row)]} if id(row) in best else row for row in rows]
