"""Rules of a bandit: its reward moves the weights and every figure is told per phase, which not every metric allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.experiment import BANDIT_PLAN
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Bandit, Experiment
    from fairsplit.analysis.catalogue.metrics import MetricDefinition

#: Tests of plain sums, which the adaptively weighted estimates stand in for.
_SUM_TESTS = ("welch", "student", "z", "proportion")


def bandit_findings(experiment: Experiment, metrics: Mapping[str, MetricDefinition]) -> Iterator[Finding]:
    """What a bandit's block and the rest of the file say against one another."""
    bandit = experiment.bandit
    if bandit is None:
        if experiment.type == "bandit":
            rule = "bandit: {algorithm: thompson, reward: <a primary metric>}"
            yield Finding(("type",), "a bandit does not say how its weights follow its reward", rule=rule)
        return
    if experiment.type != "bandit":
        yield Finding(("bandit",), "only a bandit has weights that move", experiment.type, "type: bandit")
        return
    yield from _reward_findings(experiment, bandit, metrics)
    yield from _weight_findings(experiment, bandit)
    yield from _fit_findings(experiment, metrics)


def _reward_findings(
    experiment: Experiment, bandit: Bandit, metrics: Mapping[str, MetricDefinition]
) -> Iterator[Finding]:
    primary = [use.metric for use in experiment.metrics.primary]
    where = ("bandit", "reward")
    if bandit.reward not in primary:
        hint = did_you_mean(bandit.reward, primary)
        rule = f"one of: {', '.join(primary)}"
        yield Finding(
            where, "the reward is not a primary metric of this experiment", bandit.reward, rule, hint
        )
    elif bandit.reward in metrics and metrics[bandit.reward].window_end is None:
        rule = "a metric with a window: rewards count once theirs has closed"
        yield Finding(where, "the reward's window never closes", bandit.reward, rule)
    if (bandit.epsilon is None) == (bandit.algorithm == "epsilon_greedy"):
        what = (
            "epsilon_greedy has no epsilon"
            if bandit.epsilon is None
            else "only epsilon_greedy has an epsilon"
        )
        yield Finding(
            ("bandit", "epsilon"), what, bandit.algorithm, "such as epsilon: 0.1 beside epsilon_greedy"
        )


def _weight_findings(experiment: Experiment, bandit: Bandit) -> Iterator[Finding]:
    arms = len(experiment.variants)
    if bandit.floor * arms > 1:
        rule = f"≤ 1/{arms}"
        yield Finding(("bandit", "floor"), "the floors take more than all traffic", f"{bandit.floor:g}", rule)
        return
    for position, phase in enumerate(experiment.history):
        under = [arm for arm, weight in phase.weights.items() if 0 < weight < bandit.floor]
        if under:
            where = ("phases", position, "weights") if experiment.phases else ("variants",)
            value = f"{under[0]}: {phase.weights[under[0]]:g}"
            rule = f"≥ {bandit.floor:g}, or 0 for an arm that is out"
            yield Finding(where, "a weight is below the bandit's floor", value, rule)


def _fit_findings(experiment: Experiment, metrics: Mapping[str, MetricDefinition]) -> Iterator[Finding]:
    for key, rule in BANDIT_PLAN.items():
        stated = getattr(experiment.plan, key)
        if stated not in {None, rule}:
            yield Finding(
                ("plan", key), "does not suit a bandit, whose shares move", str(stated), f"{key}: {rule}"
            )
    if experiment.ramp is not None:
        yield Finding(("ramp",), "a bandit has no ramp beside it", rule="phases with rising traffic")
    if experiment.crossovers == "exclude":
        what = "a bandit cannot leave out units seen in two arms: whom its own updates move"
        yield Finding(("crossovers",), what, "exclude", "include")
    for role, use in experiment.metric_uses:
        metric = metrics.get(use.metric)
        if metric is None or (metric.winsorize is None and metric.test in _SUM_TESTS):
            continue
        where = ("metrics", "guardrails" if role == "guardrail" else role)
        rule = "means and shares without winsorising: others have no estimate that holds while shares move"
        yield Finding(where, "a bandit cannot judge this metric", use.metric, rule)
