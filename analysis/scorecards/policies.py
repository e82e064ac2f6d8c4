"""Who gets what: a contextual bandit's policy on its page and in the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.judgement.policy_wording import context_text
from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyPanel:
    """One policy as texts.

    Attributes:
        sentence: What it says and why; with a closed gate that nothing is said.
        leaves: Context, arm, units and their share, difference to the next best arm, chance, next weights.
        coefficients: Term, and each arm's coefficient with its interval.
        arms: Labels of the arms, one column each.
        better: Whether it beats one arm for all.
    """

    sentence: str
    leaves: Sequence[Sequence[str]]
    coefficients: Sequence[Sequence[str]]
    arms: Sequence[str]
    better: bool


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Rows of ``results.policies``, ``policy_leaves`` and ``policy_coefficients`` of one experiment and cut-off."""

    policy: Row
    leaves: Sequence[Row]
    coefficients: Sequence[Row]


def policy_facts(policies: Sequence[Row], leaves: Sequence[Row], coefficients: Sequence[Row]) -> PolicyFacts:
    """The newest policy of one experiment.

    Args:
        policies: Its rows, any cut-offs; at least one.
        leaves: The same.
        coefficients: The same.
    """
    policy = max(policies, key=lambda row: row["cut_off"])
    day = policy["cut_off"]
    return PolicyFacts(
        policy,
        sorted((row for row in leaves if row["cut_off"] == day), key=lambda row: row["leaf"]),
        sorted(
            (row for row in coefficients if row["cut_off"] == day),
            key=lambda row: (row["term"], row["variant_id"]),
        ),
    )


def policy_panel(experiment: ExperimentView, facts: PolicyFacts | None, *, valid: bool) -> PolicyPanel | None:
    """The panel of one contextual bandit; nothing of others.

    Args:
        experiment: The definition.
        facts: Its policy, if any.
        valid: Whether every check passes; without that nothing is said of the policy.
    """
    if facts is None:
        return None
    if not valid:
        return PolicyPanel("The gate is closed: no policy is told from these data.", (), (), (), better=False)
    labels = {arm.id: arm.label for arm in experiment.arms}
    arms = [arm.id for arm in experiment.arms]
    by_term: dict[tuple[int, str], dict[str, Row]] = {}
    for row in facts.coefficients:
        by_term.setdefault((row["term"], _term(row)), {})[row["variant_id"]] = row
    shown = [arm for arm in arms if any(arm in rows for rows in by_term.values())]
    return PolicyPanel(
        sentence=facts.policy["reasoning"],
        leaves=[
            (
                context_text(row["conditions"]),
                str(labels.get(row["variant_id"], row["variant_id"])),
                f"{fmt.count(row['n'])} ({fmt.percent(row['share'])})",
                f"{row['gap']:+.3g} to {labels.get(row['runner_up'], row['runner_up'])}".replace("-", "−"),
                fmt.probability(row["confidence"]),
                ", ".join(
                    f"{labels.get(arm, arm)} {fmt.percent(share)}"
                    for arm, share in json.loads(row["next_weights"]).items()
                ),
            )
            for row in facts.leaves
        ],
        coefficients=[
            (name, *(_coefficient(rows.get(arm)) for arm in shown)) for (_, name), rows in by_term.items()
        ],
        arms=[labels[arm] for arm in shown],
        better=facts.policy["status"] == "better",
    )


def _term(row: Mapping[str, Any]) -> str:
    if row["feature"] is None:
        return "most frequent levels"
    return f"{row['feature']} {row['level'] if row['level'] is not None else '(others)'}"


def _coefficient(row: Row | None) -> str:
    if row is None:
        return "–"
    if row["std_error"] == 0:
        return "0"
    return f"{row['coefficient']:+.3g} ({row['low']:+.3g} to {row['high']:+.3g})".replace("-", "−")


#: Columns of a policy by the names of the API.
_FIGURES: Final = {
    "recommended": "recommended_variant",
    "value": "expected_value",
    "value_low": "expected_value_lower",
    "value_high": "expected_value_upper",
    "best_arm": "best_single_variant",
    "best_arm_value": "best_single_value",
    "gap": "expected_improvement",
    "gap_bound": "expected_improvement_bound",
    "gap_rel": "expected_improvement_relative",
    "shortfall": "shortfall",
    "confidence": "confidence",
    "reasoning": "reasoning",
}


def _head(row: Row) -> Row:
    return {
        "metric_name": row["metric"],
        "features": row["features"],
        "sample_size": row["n"],
        "status": row["status"],
    }


def document(facts: PolicyFacts | None, *, told: bool) -> Row | None:
    """The policy as the API gives it; through a closed gate that there is one, and no figure.

    Args:
        facts: The newest policy, if any.
        told: Whether the gate is open.
    """
    if facts is None:
        return None
    if not told:
        closed = dict.fromkeys(_FIGURES.values())
        return {**_head(facts.policy), **closed, "status": "gate_closed", "leaves": [], "coefficients": []}
    return {
        **_head(facts.policy),
        **{name: facts.policy[column] for column, name in _FIGURES.items()},
        "leaves": [
            {
                "conditions": json.loads(leaf["conditions"]),
                "variant": leaf["variant_id"],
                "sample_size": leaf["n"],
                "share": leaf["share"],
                "confidence": leaf["confidence"],
                "next_weights": json.loads(leaf["next_weights"]),
            }
            for leaf in facts.leaves
        ],
        "coefficients": [
            {
                "variant": one["variant_id"],
                "feature": one["feature"],
                "level": one["level"],
                "coefficient": one["coefficient"],
                "interval": {"lower": one["low"], "upper": one["high"]},
            }
            for one in facts.coefficients
        ],
    }
