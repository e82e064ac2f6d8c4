"""What a contextual bandit's policy says, in sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.judgement.wording import listed, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.catalogue.metrics import MetricDefinition

#: Why there is no policy, for people.
UNLEARNED = {
    "insufficient_sample": "an arm, or one of the parts that judge the others, has too few units with a closed window",
    "zero_variance": "all rewards are equal",
    "one_arm": "one arm alone takes part",
}


def reasoning(
    policy: Mapping[str, Any], leaves: Sequence[Mapping[str, Any]], metric: MetricDefinition
) -> str:
    """Why the policy is recommended or not, with its figures.

    Args:
        policy: A row of `POLICIES`.
        leaves: Its rows of `POLICY_LEAVES`.
        metric: The reward.
    """
    if policy["status"] in UNLEARNED:
        return f"No policy is learned yet: {UNLEARNED[policy['status']]}."

    def amount(value: float) -> str:
        return percent(value, signed=False) if metric.kind in SHARES else f"{value:.4g}".replace("-", "−")

    def gap(value: float) -> str:
        text = f"{100 * value:+.3g} percentage points" if metric.kind in SHARES else f"{value:+.4g}"
        return text.replace("-", "−")

    earns = (
        f"Chosen by {listed(list(policy['features']))}, arms are worth {amount(policy['value'])} per unit, and"
        f" {policy['best_arm']} for everybody {amount(policy['best_arm_value'])}: {gap(policy['gap'])}"
    )
    if policy["status"] == "not_better":
        if len(leaves) == 1:
            return f"{earns}. No context is seen in which another arm than {leaves[0]['variant_id']} is worth more."
        return (
            f"{earns}. That is not sure: with every look counted it may be {gap(policy['gap_bound'])}, so it falls"
            f" short by {gap(policy['shortfall']).lstrip('+')}. The weights go on as those of one arm for all."
        )
    gets = listed([f"{leaf['variant_id']} for {context_text(leaf['conditions'])}" for leaf in leaves])
    return f"{earns}, with every look counted at least {gap(policy['gap_bound'])}. So {gets}."


def context_text(conditions: str) -> str:
    """A leaf's conditions for people: ``platform ios or web``, ``everybody else``.

    Args:
        conditions: The JSON of `POLICY_LEAVES`.
    """
    asked = json.loads(conditions)
    return " and ".join(f"{name} {' or '.join(levels)}" for name, levels in asked.items()) or "everybody else"
