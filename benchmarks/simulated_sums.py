"""Sufficient statistics of simulated experiments: sums by day and arm, drawn without a row per unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS = 28
UNITS_A_DAY = 2_000
#: Day from which the weights are others, where they change, and what is left of the level by then.
CHANGE, LEVEL_AFTER = 14, 0.5

OUTCOMES = {
    "rate 1e-4": 1e-4,
    "rate 1 %": 0.01,
    "rate 30 %": 0.3,
    "heavy-tailed revenue": 0.03,
    "ratio with a rare denominator": 0.004,
}


@dataclass(frozen=True, slots=True)
class World:
    """What the experiments of a cell have in common.

    Attributes:
        outcome: A key of `OUTCOMES`.
        split: Units of the control for each unit of a treatment arm.
        arms: Arms, the control included.
        changed: The arms become as large as one another half-way (from 1:1: four to one), while the level halves.
    """

    outcome: str
    split: int
    arms: int
    changed: bool

    @property
    def kind(self) -> str:
        """The metric's kind."""
        return {"rate": "proportion", "ratio": "ratio"}.get(self.outcome.split()[0], "mean")

    @property
    def names(self) -> list[str]:
        """The arms' ids, the control first."""
        return ["control", *(f"arm{place}" for place in range(1, self.arms))]

    @property
    def words(self) -> tuple[str, str, str, str]:
        """Outcome, split, arms and weights, for people."""
        return self.outcome, f"{self.split}:1", f"{self.arms}", "changed" if self.changed else "constant"

    @property
    def weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shares of the arms, the control first, before and after the change."""
        before, after = ([ratio] + [1.0] * (self.arms - 1) for ratio in (self.split, self._later))
        return _in_shards(before), _in_shards(after)

    @property
    def _later(self) -> float:
        if not self.changed:
            return float(self.split)
        return 4.0 if self.split == 1 else 1.0

    def planned_effect(self) -> float:
        """The relative effect that a fixed test of one arm, at its share of 5 %, finds with a chance of 80 %."""
        from scipy import stats  # noqa: PLC0415 - the only use

        share = sum(weight * days for weight, days in zip(self.weights, (CHANGE, DAYS - CHANGE), strict=True))
        control, arm = UNITS_A_DAY * share[0], UNITS_A_DAY * share[1]
        level = 0.5 * (1 + LEVEL_AFTER) if self.changed else 1.0
        drift = stats.norm.isf(0.025 / (self.arms - 1)) + stats.norm.isf(0.2)
        return float(drift * _variation(self.outcome, level) * np.sqrt(1 / control + 1 / arm))


def _in_shards(parts: list[float]) -> NDArray[np.float64]:
    """Shares in ten-thousandths, as weights are served; the control has what rounding leaves."""
    shares = np.round(np.array(parts) / sum(parts), 4)
    shares[0] = round(1 - float(shares[1:].sum()), 4)
    return shares


def _variation(outcome: str, level: float) -> float:
    """Standard deviation over mean of a unit's (linearised) value."""
    share = OUTCOMES[outcome] * level
    # Of a log-normal with sigma 1.2 and, for the ratio, of one with sigma 1 about its denominator.
    inside = {"heavy-tailed revenue": np.expm1(1.44), "ratio with a rare denominator": np.expm1(1.0)}.get(
        outcome, 0.0
    )
    around = 0.0 if outcome.startswith("ratio") else 1.0
    return float(np.sqrt((inside + around) / share - around))


def drawn_units(world: World, runs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """New units by run, day and arm, shape (runs, days, arms)."""
    before, after = world.weights
    days = [rng.multinomial(UNITS_A_DAY, before if day < CHANGE else after, runs) for day in range(DAYS)]
    return np.stack(days, axis=1)


def drawn_sums(
    world: World, units: NDArray[np.int64], lift: float, rng: np.random.Generator, arms: int | None = None
) -> dict[str, NDArray[np.int64]]:
    """Sums of the values of each day's new units, whole numbers: y (cents of revenue and ratios), yy, d, yd, dd.

    Args:
        world: The cell.
        units: From `drawn_units`.
        lift: Relative effect of the treatment arms.
        rng: Source of all values.
        arms: Treatment arms that have the effect, the first ones; all of them if omitted.
    """
    treated = world.arms - 1 if arms is None else arms
    effect = 1 + lift * ((np.arange(world.arms) > 0) & (np.arange(world.arms) <= treated))
    level = np.where(world.changed & (np.arange(DAYS) >= CHANGE), LEVEL_AFTER, 1.0)[:, None]
    share = OUTCOMES[world.outcome] * level
    if world.outcome.startswith("rate"):
        events = rng.binomial(units, np.clip(share * effect, 0, 1))
        return {"y": events, "yy": events}
    events = rng.binomial(units, np.broadcast_to(share, units.shape))
    place = np.repeat(np.arange(events.size), events.ravel())
    scale = np.broadcast_to(effect, units.shape).ravel()[place]
    if world.outcome.startswith("ratio"):
        d = np.ceil(rng.lognormal(1.0, 0.5, place.size))
        y = np.rint(100 * d * scale * rng.lognormal(0.0, 1.0, place.size))
        parts = {"y": y, "d": d, "yy": y * y, "yd": y * d, "dd": d * d}
    else:
        y = np.rint(100 * scale * rng.lognormal(3.0, 1.2, place.size))
        parts = {"y": y, "yy": y * y}
    return {
        name: np.rint(np.bincount(place, values, events.size)).astype(np.int64).reshape(events.shape)
        for name, values in parts.items()
    }
