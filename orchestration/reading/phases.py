"""A bandit's figures computed anew: from the exact sums of each phase and the shares that were then in force."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.reading.formula import Step
from fairsplit.orchestration.reading.results import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    import duckdb

Row = dict[str, Any]

_BY_PHASE = """
    with known as (
        select phase, variant_id, sum(n)::bigint as n, sum(sum_y)::hugeint as sum_y
        from int_increments
        where experiment_id = $e and metric = $m and part = 'entered' and day <= $d
        group by phase, variant_id
    )
    select
        w.phase, p.start_at, w.variant_id, w.weight as share,
        coalesce(known.n, 0) as n, coalesce(known.sum_y, 0) as sum_y
    from catalog.phase_weights as w
    inner join catalog.phases as p on w.experiment_id = p.experiment_id and w.phase = p.phase
    left join known on w.phase = known.phase and w.variant_id = known.variant_id
    where w.experiment_id = $e and p.start_at <= $d
    order by w.phase, w.variant_id
"""


@dataclass(frozen=True, slots=True)
class _Score:
    """An arm's mean score per unit of a phase; `units` are those of all arms."""

    phase: int
    start: datetime
    share: float
    units: int
    value: float
    formula: str


def phase_sums(
    connection: duckdb.DuckDBPyConnection, experiment: str, metric: str, cut_off: date
) -> list[Row]:
    """Share, units and exact sum of each arm in each phase that had begun, of closed windows.

    Args:
        connection: On the warehouse.
        experiment: A bandit.
        metric: One of its metrics.
        cut_off: The last day that counts.
    """
    return rows_of(connection, _BY_PHASE, {"e": experiment, "m": metric, "d": cut_off})


def phase_steps(
    sums: Iterable[Row], scale: int, arm: str, control: str, row: Mapping[str, Any]
) -> list[Step]:
    """Mean, difference and lift of one arm by adaptive weights, beside the published ones (decision 0406).

    Args:
        sums: From `phase_sums`.
        scale: What the sums are stored times.
        arm: The arm.
        control: The control.
        row: The arm's row of `results.comparisons`.
    """
    if row["status"] != "ok":
        return []
    phases: defaultdict[int, dict[str, Row]] = defaultdict(dict)
    for one in sums:
        phases[one["phase"]][one["variant_id"]] = one
    own, base = _scores(phases, scale, arm), _scores(phases, scale, control)
    steps = [Step(f"score in phase {one.phase}", one.formula, one.value) for one in own]
    if arm == control:
        alone = _steady([(one, 1 / one.share) for one in own])
        mean = _weighted([(h, one.units, one.value) for h, one in zip(alone, own, strict=True)])
        return [*steps, Step("mean", _words("score", "sqrt(share)"), mean, row["mean"])]
    of_control = {one.phase: one for one in base}
    pairs = [(one, of_control[one.phase]) for one in own if one.phase in of_control]
    steady = _steady([(one, 1 / one.share + 1 / two.share) for one, two in pairs])
    weights = [(h, one.units) for h, (one, _) in zip(steady, pairs, strict=True)]
    gaps = [one.value - two.value for one, two in pairs]
    difference = _weighted([(*weight, gap) for weight, gap in zip(weights, gaps, strict=True)])
    baseline = _weighted([(*weight, two.value) for weight, (_, two) in zip(weights, pairs, strict=True)])
    h = "(1 / share + 1 / control's share)^-1/2"
    steps += [
        Step("difference", _words("(score - control's score)", h), difference, row["lift_abs"]),
        Step("control's mean", _words("control's score", h), baseline, row["control_mean"]),
        Step("mean", f"{baseline:.10g} + {difference:.10g}", baseline + difference, row["mean"]),
    ]
    if row["lift_rel"] is not None:
        size = abs(baseline)
        steps.append(
            Step("relative lift", f"{difference:.10g} / {size:.10g}", difference / size, row["lift_rel"])
        )
    return steps


def _scores(phases: Mapping[int, Mapping[str, Row]], scale: int, arm: str) -> list[_Score]:
    """Known rewards predict a phase's, and its own residuals over the share correct the prediction."""
    found, seen_n, seen_y = [], 0, 0
    for number, arms in sorted(phases.items()):
        one = arms[arm]
        units = sum(other["n"] for other in arms.values() if other["share"] > 0)
        share, n, y = one["share"], one["n"], one["sum_y"] / scale
        if share == 0 or units == 0 or seen_n + n == 0:
            continue
        centre = seen_y / seen_n if seen_n else y / n
        value = centre + (y - n * centre) / (units * share)
        text = f"{centre:.10g} + ({y:.10g} - {n} x {centre:.10g}) / ({units} x {share:.4g})"
        found.append(_Score(number, one["start_at"], share, units, value, text))
        seen_n, seen_y = seen_n + n, seen_y + y
    return found


def _steady(parts: Sequence[tuple[_Score, float]]) -> list[float]:
    """Inverse^-1/2 of each score, the inverse averaged over the units of a phase's leaves."""
    total: defaultdict[datetime, float] = defaultdict(float)
    units: defaultdict[datetime, int] = defaultdict(int)
    for one, inverse in parts:
        total[one.start] += one.units * inverse
        units[one.start] += one.units
    return [1 / math.sqrt(total[one.start] / units[one.start]) for one, _ in parts]


def _weighted(parts: Sequence[tuple[float, int, float]]) -> float:
    return sum(h * units * value for h, units, value in parts) / sum(h * units for h, units, _ in parts)


def _words(what: str, weight: str) -> str:
    return f"sum of h x units x {what} / sum of h x units over the phases, h = {weight}"
