"""Rules of a bandit: its reward moves the weights and every figure is told per phase, which not every metric allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.experiment import BANDIT_PLAN
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean
from fairsplit.analysis.catalogue.leaves import attribute_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Bandit, Experiment, Phase
    from fairsplit.analysis.catalogue.leaves import Leaf
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

#: Tests of plain sums, which the adaptively weighted estimates stand in for.
_SUM_TESTS = ("welch", "student", "z", "proportion")


def bandit_findings(experiment: Experiment, metrics: Mapping[str, MetricDefinition]) -> Iterator[Finding]:
    """What a bandit's block and the rest of the file say against one another."""
    bandit = experiment.bandit
    contextual = bandit is not None and bandit.algorithm == "contextual"
    for position, phase in enumerate(experiment.phases):
        if phase.leaves and not contextual:
            where: KeyPath = ("phases", position, "leaves")
            count = str(len(phase.leaves))
            yield Finding(
                where, "only a contextual bandit has leaves", count, "bandit: {algorithm: contextual}"
            )
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
    yield from _context_findings(experiment, bandit)
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
        here: KeyPath = ("phases", position, "weights") if experiment.phases else ("variants",)
        yield from _floor_findings(phase.weights, bandit.floor, here)
        for number, leaf in enumerate(phase.leaves):
            yield from _floor_findings(
                leaf.weights, bandit.floor, ("phases", position, "leaves", number, "weights")
            )


def _floor_findings(weights: Mapping[str, float], floor: float, where: KeyPath) -> Iterator[Finding]:
    under = [arm for arm, weight in weights.items() if 0 < weight < floor]
    if under:
        value = f"{under[0]}: {weights[under[0]]:g}"
        rule = f"≥ {floor:g}, or 0 for an arm that is out"
        yield Finding(where, "a weight is below the bandit's floor", value, rule)


def _context_findings(experiment: Experiment, bandit: Bandit) -> Iterator[Finding]:
    """What chooses an arm by context, and whether each leaf of the history can be served and compared."""
    if bandit.algorithm != "contextual":
        what, rule = "only a contextual bandit looks at the context", "algorithm: contextual"
        for key in ("features", "depth"):
            if getattr(bandit, key):
                yield Finding(("bandit", key), what, bandit.algorithm, rule)
        return
    if bandit.max_step < 1:
        what = "a contextual bandit's weights are set, not moved by steps"
        yield Finding(("bandit", "max_step"), what, f"{bandit.max_step:g}", "leave it out")
    yield from _feature_findings(experiment, bandit)
    places: list[KeyPath] = [("salts",), *(("phases", at, "salts") for at in range(len(experiment.phases)))]
    for where, salts in zip(
        places, [experiment.salts, *(phase.salts for phase in experiment.phases)], strict=True
    ):
        if salts.split == experiment.id:
            what = (
                "the split would hash as an SDK hashes the actions of this flag, so that the two would couple"
            )
            yield Finding((*where, "split"), what, experiment.id, "any other salt")
    for position, phase in enumerate(experiment.phases):
        for number, leaf in enumerate(phase.leaves):
            yield from _leaf_findings(phase, number, leaf, bandit, ("phases", position, "leaves", number))


def _feature_findings(experiment: Experiment, bandit: Bandit) -> Iterator[Finding]:
    if not bandit.features:
        what = "a contextual bandit has no features"
        yield Finding(("bandit", "features"), what, rule="features: [platform], of the declared segments")
    for position, feature in enumerate(bandit.features):
        here: KeyPath = ("bandit", "features", position)
        if feature not in experiment.segments:
            hint = did_you_mean(feature, experiment.segments)
            rule = f"one of segments: {', '.join(experiment.segments) or 'none is declared'}"
            yield Finding(here, "the feature is not a declared segment", feature, rule, hint)
        if attribute_of(feature) in map(attribute_of, bandit.features[:position]):
            yield Finding(here, "the feature stands there twice", feature, "each attribute once")


def _leaf_findings(
    phase: Phase, number: int, leaf: Leaf, bandit: Bandit, where: KeyPath
) -> Iterator[Finding]:
    for feature in leaf.when:
        if feature not in bandit.features:
            hint = did_you_mean(feature, bandit.features)
            rule = f"one of: {', '.join(bandit.features)}"
            yield Finding((*where, "when", feature), "not a feature of this bandit", feature, rule, hint)
    before = next((at for at, other in enumerate(phase.leaves[:number], 1) if other.covers(leaf)), None)
    if before is not None:
        yield Finding(
            where, "the leaf is never reached", f"leaf {before} fits first", "put it before that one"
        )
    outs = [
        {arm for arm, weight in weights.items() if weight == 0} for weights in (phase.weights, leaf.weights)
    ]
    if outs[0] != outs[1]:
        value = ", ".join(sorted(outs[0] ^ outs[1]))
        rule = "weight 0 in every leaf and in `weights`, or in none"
        yield Finding((*where, "weights"), "an arm is out in some contexts alone", value, rule)


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
