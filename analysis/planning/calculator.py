"""What a calculator without SciPy needs to plan exactly: normal quantiles and sample-size factors on a grid.

Everything else of a plan is arithmetic, which the planner's page does itself (`assets/calculator.js`, decision 0741).
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from scipy import special

from fairsplit.analysis.statistics.experiment_plan import METHODS, Setup

ALPHAS: Final = (0.01, 0.05, 0.1)
POWERS: Final = (0.8, 0.9, 0.95)
#: Arms besides the control.
MOST_ARMS: Final = 5


def grid() -> dict[str, Any]:
    """The numbers of every choice that the page offers, two-sided with 14 looks as `fairsplit plan` has them.

    Returns:
        ``reach_alpha`` by arms and alpha and ``reach_power`` by power, in standard errors; ``factors`` by method, arms,
        alpha and power: units of the last look (of the SPRT on average), and units expected under the effect, both over
        those of one look.
    """
    arms = range(1, MOST_ARMS + 1)
    return {
        "alphas": list(ALPHAS),
        "powers": list(POWERS),
        "methods": list(METHODS),
        "reach_alpha": [
            [-float(special.ndtri(Setup(alpha=alpha, arms=count).comparison_alpha() / 2)) for alpha in ALPHAS]
            for count in arms
        ],
        "reach_power": [float(special.ndtri(power)) for power in POWERS],
        "factors": [
            factors(method, count, alpha, power)
            for method, count, alpha, power in product(METHODS, arms, ALPHAS, POWERS)
        ],
    }


def factors(method: str, arms: int, alpha: float, power: float) -> list[float]:
    """Units of the last look and units expected, over those of one look."""
    found = Setup(method=method, arms=arms, alpha=alpha, power=power).factors()
    last = found.expected_effect if method == "sprt" else found.maximum
    return [float(last), float(found.expected_effect)]
