"""What a contextual bandit has learned by a cut-off: reward models, a policy, and whether it beats one arm for all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.bandits.contextual.cells import Cells, coded
from fairsplit.analysis.bandits.contextual.linear import fit
from fairsplit.analysis.bandits.contextual.trees import places_of
from fairsplit.analysis.bandits.contextual.value import LEARN_FIRST, learn, lower_bounds
from fairsplit.analysis.bandits.floors import with_floor
from fairsplit.analysis.catalogue.bands import pieces
from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.judgement.allocating import on_shards
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.known import begin_of_weights
from fairsplit.analysis.judgement.looks import LEAST_PLANNED_UNITS
from fairsplit.analysis.judgement.pairing import SUMS, moments
from fairsplit.analysis.judgement.policy_wording import reasoning
from fairsplit.analysis.judgement.rows import conform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.bandits.contextual.linear import RewardModel
    from fairsplit.analysis.bandits.contextual.value import Learned
    from fairsplit.analysis.catalogue.experiment import Bandit, Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition

_TEXT, _REAL, _WHOLE, _DAY = pl.String(), pl.Float64(), pl.Int64(), pl.Date()

#: `results.policies`: one row per contextual bandit and cut-off. `value` is the mean reward under the policy, `gap` it
#: minus the value of the best arm for all, `gap_bound` its bound at every look together (of whichever arm comes
#: closest), from which the policy must be better; `shortfall` is what is missing there. `status` is ``better``,
#: ``not_better`` or why nothing was learned.
POLICIES: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": _DAY,
    "metric": _TEXT,
    "features": pl.List(pl.String()),
    "depth": _WHOLE,
    "n": _WHOLE,
    "contexts": _WHOLE,
    "status": _TEXT,
    "recommended": _TEXT,
    "value": _REAL,
    "value_se": _REAL,
    "value_low": _REAL,
    "value_high": _REAL,
    "best_arm": _TEXT,
    "best_arm_value": _REAL,
    "gap": _REAL,
    "gap_se": _REAL,
    "gap_bound": _REAL,
    "gap_rel": _REAL,
    "shortfall": _REAL,
    "confidence": _REAL,
    "switch_weight": _REAL,
    "bias_bound": _REAL,
    "reasoning": _TEXT,
}
#: `results.policy_leaves`: who gets what. `conditions` is a JSON object of levels by feature, empty in the last leaf,
#: which holds everybody else; `next_weights` one of shares by variant, with the floor for the arms that are not chosen.
POLICY_LEAVES: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": _DAY,
    "leaf": _WHOLE,
    "conditions": _TEXT,
    "variant_id": _TEXT,
    "n": _WHOLE,
    "share": _REAL,
    "mean": _REAL,
    "runner_up": _TEXT,
    "gap": _REAL,
    "gap_se": _REAL,
    "confidence": _REAL,
    "next_weights": _TEXT,
}
#: `results.policy_coefficients`: the reward model of each arm. `feature` is null for the intercept, `level` null for
#: the levels that are taken together.
POLICY_COEFFICIENTS: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": _DAY,
    "variant_id": _TEXT,
    "term": _WHOLE,
    "feature": _TEXT,
    "level": _TEXT,
    "coefficient": _REAL,
    "std_error": _REAL,
    "low": _REAL,
    "high": _REAL,
}
#: `fct_context_sums`, what each day added.
CONTEXT_SUMS: Mapping[str, Any] = {
    "experiment_id": _TEXT,
    "metric": _TEXT,
    "day": _DAY,
    "phase": pl.Int32(),
    "variant_id": _TEXT,
    "fold": pl.Int32(),
    "context": pl.List(pl.String()),
    "n": _WHOLE,
    "sum_y": pl.Int128(),
    "sum_yy": pl.Int128(),
}
POLICY_KEY = ("experiment_id", "cut_off")
#: Deviations within which rewards of unknown range are taken to lie of what a model says of them.
_REACH_DEVIATIONS = 4.0


class PolicyRows(NamedTuple):
    """Rows of `POLICIES`, `POLICY_LEAVES` and `POLICY_COEFFICIENTS`."""

    policies: pl.DataFrame
    leaves: pl.DataFrame
    coefficients: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Known:
    """A bandit at a cut-off: its sums, higher rewards better, and its arms that take part."""

    cells: Cells
    arms: tuple[str, ...]
    units: int


def policy_rows(
    sums: pl.DataFrame,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    cut_offs: Sequence[date],
) -> PolicyRows:
    """What every contextual bandit has learned by each cut-off.

    Args:
        sums: `fct_context_sums`: what each day added (whole numbers).
        catalogue: The definitions in force.
        metrics: By name.
        cut_offs: Those asked for.

    Returns:
        `PolicyRows`; a cut-off before anything can be compared has a row that says why.
    """
    found: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for experiment in catalogue.experiments.values():
        bandit = experiment.bandit
        if bandit is None or bandit.algorithm != "contextual":
            continue
        own = sums.filter(pl.col("experiment_id") == experiment.id, pl.col("metric") == bandit.reward)
        for day in cut_offs:
            if experiment.start.date() > day:
                continue
            key = {"experiment_id": experiment.id, "cut_off": day}
            parts = _at(experiment, bandit, metrics[bandit.reward], own.filter(pl.col("day") <= day), day)
            for rows, part in zip(found, parts, strict=True):
                rows += [key | row for row in part]
    return PolicyRows(
        conform(pl.DataFrame(found[0], schema=dict(POLICIES)), POLICIES, POLICY_KEY),
        conform(pl.DataFrame(found[1], schema=dict(POLICY_LEAVES)), POLICY_LEAVES, (*POLICY_KEY, "leaf")),
        conform(
            pl.DataFrame(found[2], schema=dict(POLICY_COEFFICIENTS)),
            POLICY_COEFFICIENTS,
            (*POLICY_KEY, "variant_id", "term"),
        ),
    )


def _at(
    experiment: Experiment, bandit: Bandit, metric: MetricDefinition, sums: pl.DataFrame, day: date
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    sign = float(sign_of(metric.direction))
    head: dict[str, Any] = {
        "metric": bandit.reward,
        "features": list(bandit.features),
        "depth": bandit.depth or 2,
    }
    known = _cells(experiment, sums, metric.scale_y, sign, day)
    reason = _why_not(experiment, known)
    if known is None or reason is not None:
        head |= {"n": 0 if known is None else known.units, "status": reason}
        return [head | {"reasoning": reasoning(head, [], metric)}], [], []
    reach = 1.0 if metric.kind in SHARES else _REACH_DEVIATIONS * _deviation(known.cells)
    learned = learn(known.cells, depth=head["depth"], reach=reach)
    leaves = _leaf_rows(learned, known, bandit, sign, experiment)
    head |= _policy_row(learned, known, experiment, sign)
    head["recommended"] = leaves[0]["variant_id"] if len(leaves) == 1 else None
    model = fit(known.cells)
    return (
        [head | {"reasoning": reasoning(head, leaves, metric)}],
        leaves,
        _coefficient_rows(model, known, bandit, sign),
    )


def _cells(experiment: Experiment, sums: pl.DataFrame, scale: int, sign: float, day: date) -> _Known | None:
    """The sums as arrays, of the arms that take part in the phase that was last known."""
    parts = [piece for piece in pieces(experiment) if piece.phase.start < begin_of_weights(day)]
    if not parts:
        return None
    live = [variant.id for variant in experiment.variants if parts[-1].phase.weights[variant.id] > 0]
    shares = np.array([[piece.band.weights[arm] for arm in live] for piece in parts])
    total = shares.sum(axis=1, keepdims=True)
    starts = sorted({piece.phase.start for piece in parts})
    rows = (
        sums.filter(pl.col("phase").is_between(0, len(parts) - 1), pl.col("variant_id").is_in(live))
        .group_by("fold", "phase", "context", "variant_id")
        .agg(pl.col("n", "sum_y", "sum_yy").cast(pl.Int128).sum())
        .sort("context", "fold", "phase", "variant_id")
    )
    if rows.is_empty():
        return None
    of_context = rows.group_by("context", maintain_order=True).agg(pl.col("n").sum())
    contexts = of_context["context"].to_list()
    levels, codes = coded(contexts, of_context["n"].to_list())
    place = {tuple(context): number for number, context in enumerate(contexts)}
    exact = rows.with_columns(
        *(pl.lit(None, pl.Int128).alias(name) for name in SUMS if name not in {"sum_y", "sum_yy"}),
        pl.col("n").cast(pl.Int64),
        scale_y=pl.lit(scale),
        scale_d=pl.lit(1),
    )
    own = moments(exact, "y").variable(0)
    folds = int(rows.select(pl.col("fold").max()).item()) + 1
    shape = (folds, len(parts), len(contexts), len(live))
    at = (
        rows["fold"].to_numpy(),
        rows["phase"].to_numpy(),
        np.array([place[tuple(context)] for context in rows["context"].to_list()]),
        np.array([live.index(arm) for arm in rows["variant_id"]]),
    )
    n, mean, m2 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    n[at], mean[at], m2[at] = own.n, sign * own.mean, own.m2
    cells = Cells(
        n,
        mean,
        m2,
        np.where(total > 0, shares / np.where(total > 0, total, 1.0), 0.0),
        np.array([starts.index(piece.phase.start) for piece in parts]),
        levels,
        codes,
    )
    return _Known(cells, tuple(live), int(n.sum()))


def _why_not(experiment: Experiment, known: _Known | None) -> str | None:
    if known is None:
        return "insufficient_sample"
    cells = known.cells
    if len(known.arms) < 2:
        return "one_arm"
    least = max(2, experiment.plan.min_sample or 0)
    counted = np.where(cells.share[:, None, :] > 0, cells.n, 0.0)
    # Every part that is learned from must know every arm.
    of_fold = counted.sum(axis=(1, 2))
    if cells.folds <= LEARN_FIRST or counted.sum(axis=(0, 1, 2)).min() < least or (of_fold < 2).any():
        return "insufficient_sample"
    return "zero_variance" if _deviation(cells) <= 0 else None


def _deviation(cells: Cells) -> float:
    """Standard deviation of all rewards."""
    mean = (cells.n * cells.mean).sum() / cells.n.sum()
    return float(np.sqrt((cells.m2 + cells.n * (cells.mean - mean) ** 2).sum() / cells.n.sum()))


def _policy_row(learned: Learned, known: _Known, experiment: Experiment, sign: float) -> dict[str, Any]:
    alpha = experiment.plan.alpha or 0.05
    planned = max(2 * (experiment.plan.min_sample or 1), LEAST_PLANNED_UNITS)
    low = lower_bounds(learned, alpha=alpha, planned=planned)
    closest = int(low.argmin())
    best = int(learned.fixed.argmax())
    width = -float(special.ndtri(alpha / 2)) * learned.value_se + learned.value_bias
    ends = sorted([sign * (learned.value - width), sign * (learned.value + width)])
    gap, error = float(learned.gap[best]), float(learned.gap_se[best])
    base = abs(float(learned.fixed[best]))
    return {
        "n": known.units,
        "contexts": len(known.cells.codes),
        "status": "better" if low[closest] > 0 else "not_better",
        "value": sign * learned.value,
        "value_se": learned.value_se,
        "value_low": ends[0],
        "value_high": ends[1],
        "best_arm": known.arms[best],
        "best_arm_value": sign * float(learned.fixed[best]),
        "gap": sign * gap,
        "gap_se": error,
        "gap_bound": sign * float(low[closest]),
        "gap_rel": sign * gap / base if base > 0 else None,
        "shortfall": max(-float(low[closest]), 0.0),
        "confidence": float(special.ndtr(gap / error)) if error > 0 else None,
        "switch_weight": learned.switch if np.isfinite(learned.switch) else None,
        "bias_bound": float(learned.bias[closest]),
    }


def _leaf_rows(
    learned: Learned, known: _Known, bandit: Bandit, sign: float, experiment: Experiment
) -> list[dict[str, Any]]:
    places = places_of(learned.leaves, known.cells.codes)
    rows = []
    for number, leaf in enumerate(learned.leaves):
        among = places == number
        units = float(learned.of_context[among].sum())
        gap, error = learned.leaf_gap[number], learned.leaf_gap_se[number]
        rivals = [arm for arm in range(len(known.arms)) if arm != leaf.arm]
        runner = min(rivals, key=lambda arm: float(gap[arm]))
        chosen = with_floor(np.eye(len(known.arms))[leaf.arm], bandit.floor)
        shares = dict(zip(known.arms, chosen, strict=True))
        every = [variant.id for variant in experiment.variants]
        served = on_shards(np.array([shares.get(arm, 0.0) for arm in every]))
        rows.append(
            {
                "leaf": number + 1,
                "conditions": json.dumps(_conditions(leaf.when, known.cells, bandit)),
                "variant_id": known.arms[leaf.arm],
                "n": int(units),
                "share": units / float(learned.of_context.sum()),
                "mean": sign * float(learned.of_arm[among, leaf.arm].sum()) / max(units, 1.0),
                "runner_up": known.arms[runner],
                "gap": sign * float(gap[runner]),
                "gap_se": float(error[runner]),
                "confidence": float(special.ndtr(gap[runner] / error[runner])) if error[runner] > 0 else None,
                "next_weights": json.dumps(dict(zip(every, served.tolist(), strict=True))),
            }
        )
    return rows


def _conditions(
    when: Sequence[tuple[int, frozenset[int]]], cells: Cells, bandit: Bandit
) -> dict[str, list[str]]:
    return {
        bandit.features[feature]: sorted(str(cells.levels[feature][level]) for level in levels)
        for feature, levels in when
    }


def _coefficient_rows(model: RewardModel, known: _Known, bandit: Bandit, sign: float) -> list[dict[str, Any]]:
    half = -float(special.stdtrit(model.df, 0.025))
    terms = [
        (feature, level)
        for feature, names in zip(bandit.features, known.cells.levels, strict=True)
        for level in names
    ]
    rows = []
    for arm, name in enumerate(known.arms):
        values: list[tuple[str | None, str | None, Any, Any]] = [
            (None, None, model.intercept[arm], model.intercept_se[arm])
        ]
        values += [
            (feature, level, model.effect[arm, column], model.effect_se[arm, column])
            for column, (feature, level) in enumerate(terms)
        ]
        for term, (feature, level, value, error) in enumerate(values):
            rows.append(
                {
                    "variant_id": name,
                    "term": term,
                    "feature": feature,
                    "level": level,
                    "coefficient": sign * float(value),
                    "std_error": float(error),
                    "low": sign * float(value) - half * float(error),
                    "high": sign * float(value) + half * float(error),
                }
            )
    return rows
