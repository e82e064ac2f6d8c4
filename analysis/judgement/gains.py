"""What acts on an experiment are expected to gain, in the metric's unit per eligible unit, positive where it improves.

Sources: Frazier, Powell and Dayanik (2008), SIAM J. Control Optim. 47(5), eq. 4 (knowledge gradient); Jones, Schonlau
and Welch (1998), J. Global Optim. 13, eq. 15 (expected improvement); DerSimonian and Laird (1986) for the spread of
effects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.combining import spread_of_effects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.statistics.checks import FloatArray

#: Chance of an effect in the bad direction from which on fewer units should get it while nothing is concluded.
LEANS_WORSE = 0.9
#: Effects of other experiments from which on their spread says something about the next one.
LEAST_EFFECTS = 3


@dataclass(frozen=True, slots=True)
class ArmEffects:
    """The treatment arms of one experiment on its first primary metric; gains are positive where it improves."""

    arms: Sequence[str]
    gain: FloatArray
    error: FloatArray
    common: float
    z: float
    control_mean: float

    def of(self, coefficients: Mapping[str, float]) -> tuple[float, float]:
        """A weighted sum of effects and its standard error; arms share the control, and so its variance."""
        c = np.array([coefficients.get(arm, 0.0) for arm in self.arms])
        shared = min(self.common**2, float(np.min(self.error**2)))
        covariance = np.full((len(c), len(c)), shared)
        np.fill_diagonal(covariance, self.error**2)
        return float(c @ self.gain), math.sqrt(max(float(c @ covariance @ c), 0.0))


def learned(effects: ArmEffects, times: float) -> float:
    """What choosing after `times` as many units is expected to be better than choosing now, of the arm it is most for.

    From a flat prior the mean will move by a normal of variance se² - se²/times (Frazier et al., 2008, eq. 4).
    """
    moves = effects.error * math.sqrt(max(1 - 1 / times, 0.0))
    return float(
        np.max([improvement(-abs(m), move, 0.0) for m, move in zip(effects.gain, moves, strict=True)])
    )


def improvement(mean: float, spread: float, best: float) -> float:
    """E[max(X - best, 0)] of a normal X.

    >>> round(improvement(0.0, 1.0, 0.0), 4)
    0.3989
    """
    if spread <= 0:
        return max(mean - best, 0.0)
    z = (mean - best) / spread
    return spread * (z * float(special.ndtr(z)) + math.exp(-z * z / 2) / math.sqrt(2 * math.pi))


def effects_of(rows: Sequence[Mapping[str, Any]]) -> ArmEffects | None:
    """The arms whose effect and error are known; none where there is none."""
    known = [
        row
        for row in rows
        if row["status"] == "ok" and row["comparison"] and (row["lift_std_error"] or 0) > 0
    ]
    if not known:
        return None
    control = next((row for row in rows if row["comparison"] is None), None)
    level = known[0]["ci_level"] or 0.95
    return ArmEffects(
        arms=[row["variant_id"] for row in known],
        gain=np.array([row["sign"] * row["lift_abs"] for row in known]),
        error=np.array([row["lift_std_error"] for row in known]),
        common=(control["std_error"] if control else None) or 0.0,
        z=float(special.ndtri(0.5 + level / 2)),
        control_mean=known[0]["control_mean"] or 0.0,
    )


def prior_of(others: Sequence[ArmEffects]) -> tuple[float, float] | None:
    """Mean and spread of the effects that other experiments have on the same metric; none where they are few."""
    gains = np.concatenate([other.gain for other in others]) if others else np.array([])
    if gains.size < LEAST_EFFECTS:
        return None
    mean, variance = spread_of_effects(gains, np.concatenate([other.error for other in others]) ** 2)
    return mean, math.sqrt(variance)


def leaning_worse(effects: ArmEffects) -> str | None:
    """The arm that is most surely worse, if any is likely enough."""
    worse = special.ndtr(-effects.gain / effects.error)
    at = int(np.argmax(worse))
    return effects.arms[at] if worse[at] >= LEANS_WORSE else None
