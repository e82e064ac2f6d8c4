"""What a search knows at a cut-off: the arms of all its batches, the surface through them, and what to try next."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.parts.installed import PartError, is_custom, part_of
from fairsplit.analysis.parts.running import FAILURES
from fairsplit.analysis.search.asking import Asked, Told, ask, expected_improvement
from fairsplit.analysis.search.gaussian import fitted
from fairsplit.analysis.search.genetic import breed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.search.gaussian import Surface
    from fairsplit.analysis.search.space import Space
    from fairsplit.analysis.statistics.checks import FloatArray

_TEXT, _REAL, _WHOLE = pl.String(), pl.Float64(), pl.Int64()

#: `results.search`: of each search the arms that were tried, the points that are proposed, and the surface along each
#: parameter (`axis`) through the best point of what was tried, as of the cut-off. Numbers are differences from the
#: control in the metric's unit; `mean` lies between `low` and `high` with 95 % under the posterior.
#: `expected_improvement` is over the best posterior mean of what was tried, positive where the metric improves;
#: `of_minimum` is its share of the smallest effect worth finding.
SEARCH: Mapping[str, pl.DataType] = {
    "search_id": _TEXT,
    "cut_off": pl.Date(),
    "position": _WHOLE,
    "kind": _TEXT,
    "experiment_id": _TEXT,
    "variant_id": _TEXT,
    "batch": _WHOLE,
    "axis": _TEXT,
    "parameters": _TEXT,
    "metric": _TEXT,
    "unit": _TEXT,
    "observed": _REAL,
    "std_error": _REAL,
    "mean": _REAL,
    "low": _REAL,
    "high": _REAL,
    "expected_improvement": _REAL,
    "of_minimum": _REAL,
    "is_best": pl.Boolean(),
    "status": _TEXT,
    "reason": _TEXT,
    "code_hash": _TEXT,
}
SEARCH_KEY = ("search_id", "position")
#: Points of a cut along a range.
_CUTS = 9
_Z = float(special.ndtri(0.975))


@dataclass(frozen=True, slots=True)
class Tried:
    """One arm of one batch.

    Attributes:
        experiment: The batch.
        variant: The arm.
        batch: Number of the batch, from 1.
        config: Its parameters.
        diff: Against the control, in the metric's unit.
        std_error: Of that difference.
        control_error: Standard error of the control, which all arms of the batch share.
    """

    experiment: str
    variant: str
    batch: int
    config: Mapping[str, Any]
    diff: float
    std_error: float
    control_error: float


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a search stands.

    Attributes:
        tried: Arms with a number, oldest batch first.
        told: The same as the search sees them, the control as the first point.
        asked: What to try next; none where the method failed.
        batches: How many experiments there were.
        surface: The surface through all arms, whatever the method; none below two arms.
        configs: The parameters of each point that is asked for.
        reason: Why the search is over, or why nothing is proposed; none while it goes on.
    """

    tried: Sequence[Tried]
    told: Told
    asked: Asked | None
    batches: int
    surface: Surface | None
    configs: Sequence[Mapping[str, Any]]
    reason: str | None

    @property
    def best_arm(self) -> Tried | None:
        """The arm of the best posterior mean; none where the control has it, or nothing is fitted."""
        if self.surface is None:
            return None
        at = int(self.surface.at(self.surface.features)[0].argmax())
        return self.tried[at - 1] if at > 0 else None


def chain_of(experiment: Experiment, experiments: Mapping[str, Experiment]) -> list[Experiment]:
    """The batches of a search up to an experiment, oldest first."""
    chain = [experiment]
    while (
        (search := chain[-1].search) is not None
        and search.follows is not None
        and search.follows in experiments
    ):
        chain.append(experiments[search.follows])
    return chain[::-1]


def newest_batches(experiments: Mapping[str, Experiment]) -> list[Experiment]:
    """The last batch of each search: no other follows it."""
    followed = {one.search.follows for one in experiments.values() if one.search is not None}
    return [one for one in experiments.values() if one.search is not None and one.id not in followed]


def search_at(
    experiment: Experiment,
    experiments: Mapping[str, Experiment],
    rows: pl.DataFrame,
    sign: float,
    cut_off: date,
) -> Searched:
    """What the search of a batch knows, and what it would try next.

    Each batch is measured against its own control, whose config is a point like any other, at which the difference is
    0. So the seasons of batches do not mix, and what arms share with their control is in the noise.

    Args:
        experiment: The newest batch.
        experiments: All, by id.
        rows: Result rows of the batches at the newest cut-off of each: `experiment_id`, `variant_id`, `metric`,
            `segment`, `analysis`, `lift_abs`, `lift_std_error`, `status`, and of the control `std_error`.
        sign: 1 where more is better, else -1.
        cut_off: For the seed.
    """
    search = experiment.search
    if search is None:
        raise ValueError(f"{experiment.id} searches nothing")
    chain = chain_of(experiment, experiments)
    tried = [arm for number, one in enumerate(chain, start=1) for arm in _arms(one, number, rows)]
    told = _told(search.space, experiment.control.config, tried, sign)
    seed = int(
        hashlib.md5(f"{chain[0].id}|{len(chain)}|{cut_off}".encode(), usedforsecurity=False).hexdigest()[:8],
        16,
    )
    surface = None
    if told.mean.size > 1:
        features, owner = search.space.features(told.points)
        surface = fitted(features, owner, told.mean, told.noise, seed)
    asked = _asked(search.method, search.space, told, search.batch, seed, surface)
    configs = [] if asked is None else [search.space.config(point) for point in asked.points]
    reason = _reason(experiment, tried, asked, len(chain), rows)
    return Searched(tried, told, asked, len(chain), surface, configs, reason)


def _arms(experiment: Experiment, number: int, rows: pl.DataFrame) -> list[Tried]:
    metric = experiment.metrics.primary[0].metric
    its = rows.filter(
        (pl.col("experiment_id") == experiment.id)
        & (pl.col("metric") == metric)
        & (pl.col("segment") == "all")
        & (pl.col("analysis") == "default")
    )
    by_arm = {row["variant_id"]: row for row in its.iter_rows(named=True)}
    control = by_arm.get(experiment.control.id)
    found = []
    for variant in experiment.variants:
        row = by_arm.get(variant.id)
        if variant.control or row is None or control is None or row["status"] != "ok":
            continue
        error = row["lift_std_error"]
        if error is None or not error > 0 or row["lift_abs"] is None:
            continue
        # A covariate may leave the difference less than the control's own part: it is then shared as far as it goes.
        shared = min(control["std_error"] or 0.0, error)
        found.append(Tried(experiment.id, variant.id, number, variant.config, row["lift_abs"], error, shared))
    return found


def _told(space: Space, control: Mapping[str, Any], tried: Sequence[Tried], sign: float) -> Told:
    points = np.array([space.point(control), *(space.point(arm.config) for arm in tried)])
    mean = np.array([0.0, *(sign * arm.diff for arm in tried)])
    noise = np.zeros((mean.size, mean.size))
    for i, one in enumerate(tried, start=1):
        for j, other in enumerate(tried, start=1):
            if i == j:
                noise[i, j] = one.std_error**2
            elif one.experiment == other.experiment:
                noise[i, j] = 0.999 * one.control_error * other.control_error
    return Told(points, mean, noise)


def _asked(
    method: str, space: Space, told: Told, batch: int, seed: int, surface: Surface | None
) -> Asked | None:
    if method == "bayesian" or surface is None:
        return ask(space, told, batch, seed)
    if method == "genetic":
        return _valued(space, breed(space, told, batch, seed), told, surface)
    if not is_custom(method):
        raise ValueError(method)
    try:
        errors = np.sqrt(np.diag(told.noise))
        points = np.asarray(
            part_of("search", method)(told.points, told.mean, errors, batch, seed), dtype=np.float64
        )
        if points.ndim != 2 or points.shape[1] != len(space.axes) or not np.isfinite(points).all():
            return None
        return _valued(space, space.on_grid(np.clip(points[:batch], 0.0, 1.0)), told, surface)
    except (*FAILURES, PartError):
        return None


def _valued(space: Space, points: FloatArray, told: Told, surface: Surface) -> Asked:
    """Points that another method proposes, with what the surface expects of them."""
    best = float(surface.at(space.features(told.points)[0])[0].max())
    if not len(points):
        return Asked(points, np.empty(0), np.empty(0), np.empty(0), surface)
    mean, spread = surface.at(space.features(points)[0])
    return Asked(points, mean, spread, expected_improvement(mean, spread, best), surface)


def _reason(
    experiment: Experiment, tried: Sequence[Tried], asked: Asked | None, batches: int, rows: pl.DataFrame
) -> str | None:
    search = experiment.search
    if search is None or not any(arm.experiment == experiment.id for arm in tried):
        return "batch_not_measured"
    if asked is None:
        return "part_failed"
    if not len(asked.points):
        return "all_tried"
    if search.stop_when.batches is not None and batches >= search.stop_when.batches:
        return "batches_done"
    least = search.stop_when.improvement
    if least is not None and asked.surface is not None:
        bound = least.value * (1.0 if least.is_absolute else _control_mean(experiment, rows))
        if float(asked.improvement.max()) < bound:
            return "nothing_to_gain"
    return None


def _control_mean(experiment: Experiment, rows: pl.DataFrame) -> float:
    its = rows.filter(
        (pl.col("experiment_id") == experiment.id)
        & (pl.col("variant_id") == experiment.control.id)
        & (pl.col("metric") == experiment.metrics.primary[0].metric)
        & (pl.col("segment") == "all")
        & (pl.col("analysis") == "default")
    )["mean"]
    return abs(float(its[0])) if its.len() and its[0] is not None else 0.0


def search_rows(
    experiments: Mapping[str, Experiment],
    rows: pl.DataFrame,
    metrics: Mapping[str, tuple[str, float]],
    cut_off: date,
    code_hash: str,
) -> pl.DataFrame:
    """Every search as of a cut-off.

    Args:
        experiments: The definitions in force, by id.
        rows: As `search_at` takes them.
        metrics: Unit and sign of each metric.
        cut_off: The day.
        code_hash: Of the code that computes the rows.

    Returns:
        Rows of the schema `SEARCH`, sorted by key.
    """
    found: list[dict[str, Any]] = []
    for experiment in newest_batches(experiments):
        unit, sign = metrics[experiment.metrics.primary[0].metric]
        state = search_at(experiment, experiments, rows, sign, cut_off)
        base = {
            "search_id": chain_of(experiment, experiments)[0].id,
            "cut_off": cut_off,
            "metric": experiment.metrics.primary[0].metric,
            "unit": unit,
            "code_hash": code_hash,
        }
        least = _minimum(experiment, rows)
        lines = [
            *_tried_rows(experiment, state, sign),
            *_proposed_rows(experiment, state, sign, least),
            *_surface_rows(experiment, state, sign),
        ]
        found += [{**base, "position": place, **line} for place, line in enumerate(lines, start=1)]
    return pl.DataFrame(found, schema=dict(SEARCH)).sort(SEARCH_KEY)


def _minimum(experiment: Experiment, rows: pl.DataFrame) -> float | None:
    effect = experiment.metrics.primary[0].minimum_effect
    if effect is None:
        return None
    return effect.value * (1.0 if effect.is_absolute else _control_mean(experiment, rows)) or None


def _tried_rows(experiment: Experiment, state: Searched, sign: float) -> list[dict[str, Any]]:
    search = experiment.search
    if search is None:
        return []
    names = [axis.name for axis in search.space.axes]
    mean = spread = np.full(len(state.tried), np.nan)
    best = -1
    if state.surface is not None:
        every, errors = state.surface.at(state.surface.features)
        # The control is the point at which the difference is known: all others count from the surface there.
        mean, spread, best = every[1:] - every[0], errors[1:], int(every.argmax()) - 1
    return [
        {
            "kind": "tried",
            "experiment_id": arm.experiment,
            "variant_id": arm.variant,
            "batch": arm.batch,
            "parameters": json.dumps({name: arm.config[name] for name in names}, sort_keys=True),
            "observed": arm.diff,
            "std_error": arm.std_error,
            **_band(sign, float(mean[at]), float(spread[at])),
            "is_best": at == best,
            "status": "ok",
        }
        for at, arm in enumerate(state.tried)
    ]


def _proposed_rows(
    experiment: Experiment, state: Searched, sign: float, least: float | None
) -> list[dict[str, Any]]:
    search = experiment.search
    base = {"kind": "proposed", "experiment_id": experiment.id, "batch": state.batches + 1}
    if search is None or state.asked is None or state.reason is not None:
        return [{**base, "status": "not_proposed", "reason": state.reason}]
    asked, rows = state.asked, []
    for at, config in enumerate(state.configs):
        gain = float(asked.improvement[at])
        known = np.isfinite(gain)
        rows.append(
            {
                **base,
                "parameters": json.dumps(config, sort_keys=True),
                **_band(sign, float(asked.mean[at]), float(asked.spread[at])),
                "expected_improvement": gain if known else None,
                "of_minimum": gain / least if known and least is not None else None,
                "status": "ok",
            }
        )
    return rows


def _surface_rows(experiment: Experiment, state: Searched, sign: float) -> list[dict[str, Any]]:
    """Cuts through the surface at the best point of what was tried, along one parameter at a time."""
    search = experiment.search
    if search is None or state.surface is None:
        return []
    space, rows = search.space, []
    known, _ = state.surface.at(state.surface.features)
    best = state.told.points[int(known.argmax())]
    for number, axis in enumerate(space.axes):
        steps = len(axis.choices) or _CUTS
        places = (np.arange(steps) + 0.5) / steps if axis.choices else np.linspace(0.0, 1.0, steps)
        cut = np.tile(best, (steps, 1))
        cut[:, number] = places
        cut = np.unique(space.on_grid(cut).round(12), axis=0)
        mean, spread = state.surface.at(space.features(cut)[0])
        rows += [
            {
                "kind": "surface",
                "experiment_id": experiment.id,
                "axis": axis.name,
                "parameters": json.dumps(space.config(point), sort_keys=True),
                **_band(sign, float(value - known[0]), float(error)),
                "status": "ok",
            }
            for point, value, error in zip(cut, mean, spread, strict=True)
        ]
    return rows


def _band(sign: float, mean: float, spread: float) -> dict[str, float | None]:
    if not np.isfinite(mean):
        return {"mean": None, "low": None, "high": None}
    ends = sorted((sign * (mean - _Z * spread), sign * (mean + _Z * spread)))
    return {"mean": sign * mean, "low": ends[0], "high": ends[1]}
