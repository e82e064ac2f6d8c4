"""What a custom part is: one callable for each group of entry points, over arrays, without state, files or clock.

A part is a function (or an object with `__call__`) that a distribution names under one of these groups in its
`pyproject.toml`, by a name with a dot, such as ``robust.trimmed_mean``::

    [project.entry-points."fairsplit.tests"]
    "robust.trimmed_mean" = "robust_parts:trimmed_mean"

The same arguments must give the same answer: what is random draws from the seed that is handed in. Where a part
cannot answer it raises a `ValueError`, which becomes the status ``part_failed`` of that one comparison, as does an
answer that is none (a p-value outside [0, 1], a number that is not finite, an interval without its estimate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a custom test concludes of two arms.

    Attributes:
        difference: Treatment minus control, in the metric's unit or in one of the test's own.
        std_error: Its standard error; positive.
        p_value: Two-sided, in [0, 1].
        low: Lower end of the interval of the difference at 1 - alpha.
        high: Upper end.
    """

    difference: float
    std_error: float
    p_value: float
    low: float
    high: float


class StatisticalTest(Protocol):
    """Group ``fairsplit.tests``: a two-sided test of two arms over the distribution of their units' values."""

    def __call__(
        self, values: FloatArray, control: FloatArray, treatment: FloatArray, alpha: float, /
    ) -> TestResult:
        """Compare two arms.

        Args:
            values: Distinct values of the units, ascending, in the metric's unit; shape (values,).
            control: Units of the control that have each value, whole numbers; shape (values,).
            treatment: The same of the treatment.
            alpha: Level of the test and the interval, in (0, 1).

        Raises:
            ValueError: The arms do not allow the test, for example too few units.
        """
        ...


class Statistic(Protocol):
    """Group ``fairsplit.metrics``: what a metric of `kind: custom` makes of one arm's distribution.

    Arms are compared by the difference of two estimates that are close to normal, relative lift included.
    """

    def __call__(self, values: FloatArray, units: FloatArray, /) -> tuple[float, float]:
        """The arm's value and the variance of that estimate.

        Args:
            values: Distinct values of the units, ascending, in the measure's unit; shape (values,).
            units: Units that have each value, whole numbers; shape (values,).

        Raises:
            ValueError: The arm has no such value.
        """
        ...


class Randomisation(Protocol):
    """Group ``fairsplit.randomisation``: a design that assigns a known population at once."""

    def __call__(
        self, covariates: Mapping[str, Sequence[object]], weights: FloatArray, seed: int, /
    ) -> IntArray:
        """The arm of each unit, as a position in the weights; shape (units,).

        Args:
            covariates: What is known of the units by column, each of shape (units,), in the order of their ids; the
                ids themselves under ``unit_id``.
            weights: Share of each arm, with the sum 1; shape (arms,).
            seed: Of the draw.

        Raises:
            ValueError: The population does not allow the design.
        """
        ...


class Search(Protocol):
    """Group ``fairsplit.search``: which points of a box to try next, from those that were tried."""

    def __call__(
        self, points: FloatArray, mean: FloatArray, std_error: FloatArray, batch: int, seed: int, /
    ) -> FloatArray:
        """The next points; shape (batch, dimensions), each in [0, 1].

        Args:
            points: Those tried, each parameter scaled to [0, 1]; shape (tried, dimensions).
            mean: The metric there, turned so that more is better; shape (tried,).
            std_error: Its standard errors; shape (tried,).
            batch: How many points are wanted.
            seed: Of anything random.

        Raises:
            ValueError: No point can be proposed.
        """
        ...
