"""What a bandit's rewards say at a cut-off: which arm is best, and the weights that would follow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from fairsplit.analysis.bandits.batched import Batches, batched_contrast, batched_means
from fairsplit.analysis.bandits.stopping import surely_best
from fairsplit.analysis.bandits.updating import batch_shares, chance_by_contrasts, chance_of_best, stepped
from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard_ranges
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.known import begin_of_weights, known_phases
from fairsplit.analysis.judgement.looks import LEAST_PLANNED_UNITS
from fairsplit.analysis.judgement.rows import ALLOCATION_KEY, ALLOCATIONS, conform
from fairsplit.analysis.judgement.wording import listed, percent
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Bandit, Experiment, Phase
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.judgement.batching import PhaseSums
    from fairsplit.analysis.judgement.policies import PolicyRows
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Decimals kept before weights become whole shards: floating dust must not take a shard from the floor.
_DECIMALS = 9
#: Chances below it are told together: each alone reads as a nought that it is not.
_SMALLEST_CHANCE_TOLD = 0.001
#: Why weights stay, for people.
STAYS = {
    "warm_up": "the declared weights hold for the warm-up",
    "not_due": "the next update is not due",
    "insufficient_sample": "an arm has too few units with a closed reward window",
    "zero_variance": "an arm's rewards are all equal",
    "not_running": "it is not running",
}
_TEXTS: Mapping[str, Any] = {
    "experiment_id": pl.String,
    "best_arm": pl.String,
    "weights_due": pl.Boolean,
    "weights_text": pl.String,
    "weights_from_text": pl.String,
    "weights_stay_text": pl.String,
    "chances_text": pl.String,
}


class _Chosen(NamedTuple):
    """What a policy that is better than one arm for all gives: the weights of its last leaf, and its other leaves."""

    weights: Mapping[str, float]
    leaves: str | None


def allocation_rows(
    phases: Mapping[str, PhaseSums],
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    cut_offs: Sequence[date],
    policies: PolicyRows | None = None,
) -> pl.DataFrame:
    """One row per bandit, cut-off and arm.

    Args:
        phases: From `phase_sums`.
        catalogue: The definitions in force.
        metrics: By name.
        cut_offs: Those asked for.
        policies: What contextual bandits have learned; where it is not better, they go on as Thompson's.

    Returns:
        Rows of the schema `ALLOCATIONS`. Everything is told as of its cut-off: phases that a later day began, and
        the one that this very update began, do not count as there.
    """
    chosen = {} if policies is None else _chosen(policies)
    rows = [
        row
        for name, found in phases.items()
        for row in _of_experiment(catalogue.experiments[name], found, metrics, set(cut_offs), chosen)
    ]
    return conform(pl.DataFrame(rows, schema=dict(ALLOCATIONS)), ALLOCATIONS, ALLOCATION_KEY)


def _chosen(policies: PolicyRows) -> dict[tuple[str, date], _Chosen]:
    better = policies.policies.filter(pl.col("status") == "better").select("experiment_id", "cut_off")
    found: dict[tuple[str, date], _Chosen] = {}
    for key, part in policies.leaves.join(better, on=["experiment_id", "cut_off"]).group_by(
        "experiment_id", "cut_off", maintain_order=True
    ):
        *leaves, last = part.sort("leaf").select("conditions", "next_weights").iter_rows()
        listed = [{"when": json.loads(when), "weights": json.loads(weights)} for when, weights in leaves]
        found[key] = _Chosen(json.loads(last[1]), json.dumps(listed) if listed else None)
    return found


def _of_experiment(
    experiment: Experiment,
    found: PhaseSums,
    metrics: Mapping[str, MetricDefinition],
    asked: set[date],
    chosen: Mapping[tuple[str, date], _Chosen],
) -> list[dict[str, Any]]:
    bandit = experiment.bandit
    if bandit is None:
        return []
    metric = metrics[bandit.reward]
    wanted = (
        (pl.col("metric") == bandit.reward) & (pl.col("segment") == "all") & pl.col("cut_off").is_in(asked)
    )
    at = found.places.with_row_index("place").filter(wanted)
    rows = []
    for place, day in at.select("place", "cut_off").iter_rows():
        known = known_phases(experiment, day)
        if not known:
            continue
        n, mean, m2, share = (
            values[place] for values in (found.data.n, found.data.mean, found.data.m2, found.data.share)
        )
        data = Batches(n, mean, m2, share, found.data.period)
        key = {"experiment_id": experiment.id, "cut_off": day, "metric": bandit.reward}
        sign = float(sign_of(metric.direction))
        policy = chosen.get((experiment.id, day))
        one = _one(experiment, bandit, data, known, day, sign, policy, bernoulli=metric.kind in SHARES)
        rows += [
            {"position": number, "variant_id": arm}
            | key
            | {name: values[number] for name, values in one.items()}
            for number, arm in enumerate(found.arms)
        ]
    return rows


def _one(
    experiment: Experiment,
    bandit: Bandit,
    data: Batches,
    known: Sequence[Phase],
    day: date,
    sign: float,
    policy: _Chosen | None,
    *,
    bernoulli: bool,
) -> dict[str, list[Any]]:
    """The columns of one cut-off, each in the order of the arms."""
    n = data.n.sum(axis=0)
    mean = (data.n * data.mean).sum(axis=0) / np.maximum(n, 1.0)
    m2 = (data.m2 + data.n * (data.mean - mean) ** 2).sum(axis=0)
    current = np.array([known[-1].weights[variant.id] for variant in experiment.variants])
    in_force = [phase for phase in known if phase.start < begin_of_weights(day) - timedelta(days=1)] or known[
        :1
    ]
    live = current > 0
    p_best, shares = np.full(n.size, np.nan), np.full(n.size, np.nan)
    reason = _why_not(experiment, bandit, n[live], m2[live], known, day, bernoulli=bernoulli)
    gaps = _Gaps.of(experiment, data, live) if _moved(data, live) else None
    if gaps is not None and reason != "zero_variance" and not gaps.known:
        reason = "insufficient_sample"
    if gaps is not None and gaps.known:
        mean[live] = gaps.mean
    if reason not in {"insufficient_sample", "zero_variance"}:
        # Rewards of which less is better are turned round; a Bernoulli one into its complement.
        good = mean if sign > 0 else (1.0 - mean if bernoulli else -mean)
        if gaps is None:
            p_best[live] = chance_of_best(n[live], good[live], m2[live], bernoulli=bernoulli)
        else:
            seed = _seed(experiment.id, day)
            p_best[live] = chance_by_contrasts(sign * gaps.diff, gaps.between, seed=seed)
        if reason is None:
            sums = (p_best[live], n[live], good[live], m2[live])
            algorithm = "thompson" if bandit.algorithm == "contextual" else bandit.algorithm
            wanted = batch_shares(algorithm, *sums, epsilon=bandit.epsilon or 0.0)
            shares[~live] = 0.0
            shares[live] = stepped(current[live], wanted, floor=bandit.floor, max_step=bandit.max_step)
            shares = on_shards(shares)
            if policy is not None:
                shares = np.array([policy.weights[variant.id] for variant in experiment.variants])
    return {
        "n": n.astype(int).tolist(),
        "mean": np.where(n > 0, mean, np.nan).tolist(),
        "weight": [in_force[-1].weights[variant.id] for variant in experiment.variants],
        "p_best": p_best.tolist(),
        "next_weight": shares.tolist(),
        # The best arm for everybody is no end where choosing by context is worth more.
        "is_best": (_is_best(experiment, data, live, sign) & (policy is None)).tolist(),
        "reason": [reason] * n.size,
        "next_leaves": [policy.leaves if policy is not None and reason is None else None] * n.size,
    }


def _moved(data: Batches, live: BoolArray) -> bool:
    """Whether the arms that take part had other shares of each other in one phase with units than in the next.

    Where they had not, plain sums compare them under the same days, and their posteriors are exact.
    """
    there = data.n[:, live].sum(axis=-1) > 0
    shares = data.share[there][:, live]
    relative = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300)
    return bool(np.ptp(relative, axis=0).max(initial=0.0) > 1e-9) if there.any() else False


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Differences of the arms that take part to one of them, inside the phases: what the page shows, all at once.

    Attributes:
        known: Whether every arm can be compared.
        mean: Each arm's mean reward: the arm of reference's own, and the others beside it.
        diff: Minus that of the arm of reference.
        between: Their covariance.
    """

    known: bool
    mean: FloatArray
    diff: FloatArray
    between: FloatArray

    @classmethod
    def of(cls, experiment: Experiment, data: Batches, live: BoolArray) -> _Gaps:
        """Beside the control, or where it has stopped beside the live arm with most units."""
        control = [variant.id for variant in experiment.variants].index(experiment.control.id)
        most = int(np.argmax(np.where(live, data.n.sum(axis=0), -1.0)))
        reference = control if live[control] else most
        found = batched_contrast(data, reference)
        here = np.arange(live.size) == reference
        diff = np.where(here, 0.0, found.diff)[live]
        level = batched_means(data).mean[reference]
        known = bool(np.all((found.status == Reason.OK) | here | ~live) and np.isfinite(level))
        return cls(known, level + diff, diff, found.between[np.ix_(live, live)])


def _seed(experiment_id: str, day: date) -> int:
    digest = hashlib.sha256(f"{experiment_id}-{day}-best".encode()).digest()
    return int.from_bytes(digest[:8])


def _why_not(
    experiment: Experiment,
    bandit: Bandit,
    n: FloatArray,
    m2: FloatArray,
    known: Sequence[Phase],
    day: date,
    *,
    bernoulli: bool,
) -> str | None:
    begins = begin_of_weights(day)
    if n.min() < max(2, experiment.plan.min_sample or 0):
        return "insufficient_sample"
    if not bernoulli and m2.min() <= 0:
        return "zero_variance"
    if experiment.status != "running":
        return "not_running"
    if begins < experiment.start + bandit.warm_up:
        return "warm_up"
    since = known[-1].start
    return "not_due" if len(known) > 1 and begins < since + timedelta(days=bandit.update_every) else None


def _is_best(experiment: Experiment, data: Batches, live: BoolArray, sign: float) -> BoolArray:
    least = experiment.plan.min_sample or 1
    return surely_best(
        Batches(data.n, sign * data.mean, data.m2, data.share, data.period),
        alpha=experiment.plan.alpha or 0.05,
        planned=max(2 * least, LEAST_PLANNED_UNITS),
        least=least,
        live=live,
    )


def on_shards(shares: FloatArray) -> FloatArray:
    """Shares as whole shards, so that the propensity written down is the one that is served.

    Args:
        shares: Of the arms in declared order, shape (arms,).
    """
    names = {str(number): round(float(share), _DECIMALS) for number, share in enumerate(shares)}
    counts = [end - begin for begin, end in shard_ranges(names).values()]
    return np.array(counts) / TOTAL_SHARDS


def allocation_texts(allocations: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """What decisions and their sentences need of each bandit at a cut-off.

    Args:
        allocations: Rows of `ALLOCATIONS`.
        cut_off: The day decided about.
    """
    rows = [
        _text(str(name), part.to_dicts())
        for (name,), part in allocations.filter(pl.col("cut_off") == cut_off).group_by(
            "experiment_id", maintain_order=True
        )
    ]
    return pl.DataFrame(rows, schema=_TEXTS)


def _text(name: str, arms: list[dict[str, Any]]) -> dict[str, Any]:
    due = all(arm["next_weight"] is not None for arm in arms)
    return {
        "experiment_id": name,
        "best_arm": next((arm["variant_id"] for arm in arms if arm["is_best"]), None),
        "weights_due": due,
        "weights_text": _moves(arms) + _elsewhere(arms) if due else None,
        "weights_from_text": listed([f"{arm['variant_id']} {_share(arm['weight'])}" for arm in arms]),
        "weights_stay_text": None if due else STAYS[arms[0]["reason"]],
        "chances_text": _chances(arms),
    }


def _share(share: float) -> str:
    return percent(share, signed=False)


def _moves(arms: list[dict[str, Any]]) -> str:
    """Each arm that moves, once; an arm that stays is not read out."""
    moving = [arm for arm in arms if _share(arm["next_weight"]) != _share(arm["weight"])] or arms
    told = [
        f"{arm['variant_id']} {_share(arm['next_weight'])} (from {_share(arm['weight'])})" for arm in moving
    ]
    return listed(told) + ("; the rest stays" if len(moving) < len(arms) else "")


def _elsewhere(arms: list[dict[str, Any]]) -> str:
    """That the shares are not everybody's, where contexts have weights of their own."""
    count = len(json.loads(arms[0]["next_leaves"] or "[]"))
    if not count:
        return ""
    where = (
        "one context with weights of its own" if count == 1 else f"{count} contexts with weights of their own"
    )
    return f" outside {where}"


def _chances(arms: list[dict[str, Any]]) -> str:
    """The arms that may be the best; a chance that would be read as none is not listed as 0."""
    if any(arm["p_best"] is None for arm in arms if arm["weight"] > 0):
        return "no arm can be compared yet"
    known = [arm for arm in arms if arm["p_best"] is not None]
    likely = [arm for arm in known if arm["p_best"] >= _SMALLEST_CHANCE_TOLD]
    told = [f"{arm['variant_id']} {_share(arm['p_best'])}" for arm in likely]
    if len(likely) < len(known):
        told.append(f"any other below {_share(_SMALLEST_CHANCE_TOLD)}")
    return f"chance of being best: {listed(told)}" if told else "no arm can be compared yet"
