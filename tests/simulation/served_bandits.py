"""Bandits as they are served: each day's units are split by the weights in force, judged, and the acts followed.

Every run is an experiment of one catalogue, so that one call judges all of them; nothing but the draws is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from tests.unit.judgement.conftest import metric

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.judgement import Facts, judge_cut_offs
from fairsplit.analysis.judgement.acting import ACTS, in_force, new_acts
from fairsplit.analysis.judgement.pairing import SUMS
from fairsplit.analysis.judgement.ramping import ramp_frame

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue.loading import Catalogue

START, DAYS, DELAY = date(2026, 1, 5), 28, 2
METRICS = {
    "reward": metric(
        "reward",
        kind="proportion",
        test="proportion",
        unit="share",
        scale_y=1,
        window_end=timedelta(days=DELAY),
    )
}
_PLACE = {"metric": "reward", "segment": "all", "segment_level": "all", "analysis": "default"}


@dataclass(frozen=True)
class Scenario:
    """What the bandits of a simulation have in common.

    Attributes:
        effects: What each arm's rate is above the control's, the control first.
        base: The control's rate, by day.
        daily: Units a day.
        phases: Declared shares of the arms, by the day from which they hold.
    """

    effects: tuple[float, ...]
    base: np.ndarray
    daily: int
    phases: dict[int, tuple[float, ...]]

    @property
    def arms(self) -> list[str]:
        """Ids, the control first."""
        return ["control", *(f"arm{place}" for place in range(1, len(self.effects)))]

    def live(self, day: int) -> np.ndarray:
        """Which arms take part on a day."""
        return np.array(self.phases[max(start for start in self.phases if start <= day)]) > 0

    def is_best(self, arm: str, day: int) -> bool:
        """Whether an arm is better than every other one that takes part."""
        rates = np.where(self.live(day), self.effects, -np.inf)
        mine = rates[self.arms.index(arm)]
        return bool((rates >= mine).sum() == 1)


@dataclass(frozen=True)
class Served:
    """Bandits that have ended.

    Attributes:
        comparisons: Result rows of every day, of the experiments that ran then.
        called: The arm that was called best and the day of it, of the runs where one was.
        reward: Expected reward by run, of the arms that were served.
        equal: The same of equal shares among the arms with a declared share on each day.
    """

    comparisons: pl.DataFrame
    called: list[tuple[str, int]]
    reward: np.ndarray
    equal: float


def serve(folder: Path, scenario: Scenario, algorithm: str, runs: int, seed: int, days: int = DAYS) -> Served:
    """Serve, judge and act, day after day.

    Args:
        folder: Empty, for the catalogue.
        scenario: The world.
        algorithm: Of the bandits.
        runs: Bandits.
        seed: Of all draws.
        days: How long.
    """
    declared = _declared(folder, scenario, algorithm, runs)
    names, arms = list(declared.experiments), scenario.arms
    rng, effects = np.random.default_rng(seed), np.array(scenario.effects)
    acts, now = pl.DataFrame(schema=dict(ACTS)), declared
    reward, equal = np.zeros(runs), 0.0
    added, statistics, seen = [], [], []
    known = np.zeros((3, runs, len(arms)), dtype=np.int64)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    for day in range(days):
        today, rates = START + timedelta(days=day), scenario.base[day] + effects
        began = datetime.combine(today, time())
        phases = [[p for p in now.experiments[name].history if p.start <= began] for name in names]
        weights = np.array([[past[-1].weights[arm] for arm in arms] for past in phases])
        running = np.array([now.experiments[name].status == "running" for name in names])
        units = rng.multinomial(np.where(running, scenario.daily, 0), weights)
        events = rng.binomial(units, rates)
        ended = np.array([arms.index(now.experiments[name].shipped or "control") for name in names])
        served = np.where(running[:, None], weights, np.eye(len(arms))[ended])
        reward += scenario.daily * (served * rates).sum(axis=1)
        equal += scenario.daily * rates[scenario.live(day)].mean()
        where = {
            "experiment_id": np.repeat(names, len(arms)),
            "variant_id": np.tile(arms, runs),
            "phase": np.repeat([len(past) - 1 for past in phases], len(arms)).astype(np.int32),
        }
        entered = {"exposure_day": today, "units": units.ravel(), "crossovers": 0}
        seen.append(pl.DataFrame(where).with_columns(**{k: _column(v) for k, v in entered.items()}))
        sums = {"n": units.ravel(), "sum_y": events.ravel(), "sum_yy": events.ravel()}
        closes = today + timedelta(days=DELAY)
        added.append(pl.DataFrame({**where, **sums}).with_columns(day=pl.lit(closes), **_literals(_PLACE)))
        waiting.append((units, events))
        if day >= DELAY:
            known[0] += waiting[day - DELAY][0]
            known[1] += waiting[day - DELAY][1]
        known[2] = sum(u for u, _ in waiting[max(0, day - DELAY + 1) :])
        statistics.append(_statistics(where, known, today))
        judged = judge_cut_offs(
            _facts(statistics, seen, added),
            now,
            METRICS,
            [today],
        )
        done = new_acts(judged.decisions, now, ramp_frame(now, today), judged.allocations)
        acts = pl.concat([acts, done])
        now = in_force(declared, acts)
    ends = acts.filter(pl.col("act") == "stop").with_columns(day=(pl.col("cut_off") - START).dt.total_days())
    called = list(ends.select("variant_id", "day").iter_rows())
    return Served(_every_day(declared, acts, statistics, seen, added, days), called, reward, equal)


def _every_day(
    declared: Catalogue,
    acts: pl.DataFrame,
    statistics: list[pl.DataFrame],
    seen: list[pl.DataFrame],
    added: list[pl.DataFrame],
    days: int,
) -> pl.DataFrame:
    judged = judge_cut_offs(
        _facts(statistics, seen, added),
        in_force(declared, acts),
        METRICS,
        [START + timedelta(days=day) for day in range(days)],
    )
    return judged.comparisons.filter(pl.col("comparison").is_not_null())


def _facts(statistics: list[pl.DataFrame], seen: list[pl.DataFrame], added: list[pl.DataFrame]) -> Facts:
    return Facts(
        sufficient_statistics=pl.concat(statistics),
        daily_exposures=pl.concat(seen).with_columns(segment=pl.lit("all"), segment_level=pl.lit("all")),
        phase_sums=pl.concat(added).filter(pl.col("n") > 0),
    )


def _column(value: object) -> pl.Expr | pl.Series:
    return pl.Series(value) if isinstance(value, np.ndarray) else pl.lit(value)


def _literals(values: dict[str, object]) -> dict[str, pl.Expr]:
    return {name: pl.lit(value) for name, value in values.items()}


def _statistics(where: dict[str, np.ndarray], known: np.ndarray, today: date) -> pl.DataFrame:
    n, events, n_open = (values.ravel() for values in known)
    frame = pl.DataFrame(
        {
            "experiment_id": where["experiment_id"],
            "variant_id": where["variant_id"],
            "n": n,
            "n_open": n_open,
            "sum_y": events,
            "sum_yy": events,
        }
    )
    others = [name for name in SUMS if name not in frame.columns]
    return frame.with_columns(
        *(pl.lit(None, pl.Int64).alias(name) for name in (*others, "scale_d", "cap_low", "cap_high")),
        cut_off=pl.lit(today),
        scale_y=pl.lit(1),
        covariate_status=pl.lit("not_declared"),
        **_literals(_PLACE),
    )


def _declared(folder: Path, scenario: Scenario, algorithm: str, runs: int) -> Catalogue:
    (folder / "experiments").mkdir()
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    phases = ", ".join(
        f"{{start: {START + timedelta(days=day)}, weights: "
        f"{{{', '.join(f'{arm}: {share}' for arm, share in zip(scenario.arms, shares, strict=True))}}}}}"
        for day, shares in scenario.phases.items()
    )
    variants = ", ".join(f"{{id: {arm}}}" for arm in scenario.arms[1:])
    for number in range(runs):
        (folder / "experiments" / f"run{number:03}.yaml").write_text(
            f"id: run{number:03}\nname: x\nowner: x@example.com\ntype: bandit\nstatus: running\nstart: {START}\n"
            f"phases: [{phases}]\nvariants: [{{id: control, control: true}}, {variants}]\n"
            "metrics: {primary: [reward]}\n"
            f"bandit: {{algorithm: {algorithm}, reward: reward, floor: 0.05, warm_up: 4d}}\n"
            "plan: {min_sample: 50, max_duration: 60d}\nstopping: {automatic: true, whole_weeks: false}\n"
        )
    loaded = load_catalogue(folder, METRICS)
    assert loaded.problems == ()
    return loaded
