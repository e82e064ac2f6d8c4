"""A bandit's page: how the weights moved, which arm may be best, and what moving them has earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import metric_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BanditPanel:
    """One bandit as texts.

    Attributes:
        arms: Labels, one column each.
        weights: Day from which a set of weights was in force, and the share of each arm.
        chances: Chance to be best of each arm; empty where the data are not valid or too few.
        following: The share of each arm that the newest cut-off proposes; empty where the weights stay.
        earned: What the moved shares have earned beside equal ones, as sentences.
    """

    arms: Sequence[str]
    weights: Sequence[tuple[str, Sequence[str]]]
    chances: Sequence[str]
    following: Sequence[str]
    earned: Sequence[str]


def bandit_panel(
    experiment: ExperimentView,
    metrics: Mapping[str, MetricView],
    allocations: Sequence[Row],
    current: Sequence[Row],
    *,
    valid: bool,
    by_context: bool = False,
) -> BanditPanel | None:
    """The panel of one bandit; nothing without rows.

    Args:
        experiment: The definition.
        metrics: By name.
        allocations: Rows of ``results.allocations``, every cut-off.
        current: Comparison rows at the newest cut-off, the reward's among them.
        valid: Whether every check passes; without that nothing is said of chances and earnings.
        by_context: Whether contexts may have shares of their own: effects over everybody do not say what those earned.
    """
    days: dict[Any, dict[str, Row]] = {}
    for row in allocations:
        days.setdefault(row["cut_off"], {})[row["variant_id"]] = row
    if not days:
        return None
    arms = [arm.id for arm in experiment.arms]
    weights: list[tuple[str, list[str]]] = []
    for day in sorted(days):
        shares = [fmt.percent(days[day][arm]["weight"]) for arm in arms]
        if not weights or weights[-1][1] != shares:
            weights.append((fmt.day(day), shares))
    newest = days[max(days)]
    reward = allocations[0]["metric"]
    rows = [row for row in current if row["metric"] == reward]
    known = valid and any(row["p_best"] is not None for row in newest.values())
    follows = valid and all(row["next_weight"] is not None for row in newest.values())
    return BanditPanel(
        arms=[arm.label for arm in experiment.arms],
        weights=weights,
        chances=[fmt.probability(newest[arm]["p_best"]) for arm in arms] if known else (),
        following=[fmt.percent(newest[arm]["next_weight"]) for arm in arms] if follows else (),
        earned=_earned(arms, metric_view(metrics, reward), newest, rows) if valid and not by_context else (),
    )


def _earned(
    arms: Sequence[str], metric: MetricView, newest: dict[str, Row], current: Sequence[Row]
) -> list[str]:
    """Reward beside equal shares and beside the best arm, from the weighted differences to the control.

    Both sums compare equal numbers of units, so the control's own level falls out, and with it every season.
    """
    lifts = {row["variant_id"]: row["lift_abs"] if row["comparison"] else 0.0 for row in current}
    if any(lifts.get(arm) is None for arm in arms):
        return []
    counts = {arm: newest[arm]["n"] for arm in arms}
    total = sum(counts.values())
    gain = sum((counts[arm] - total / len(arms)) * lifts[arm] for arm in arms)
    best = max(lifts.values(), key=lambda lift: sign_of(metric.direction) * lift)
    missed = sum(counts[arm] * (best - lifts[arm]) for arm in arms)
    name, units = metric.label.lower(), fmt.count(total)
    moved, ideal = (fmt.plain(value, 0, signed=True) for value in (gain, gain + missed))
    return [
        f"Beside equal shares, moving them has changed the sum of {name} by about {moved} over {units} units.",
        f"Had every unit got the arm that looks best now, it would be about {ideal}: learning took the rest.",
    ]
