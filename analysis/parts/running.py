"""Custom tests and statistics over many comparisons at once: each called alone, its failure its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from fairsplit.analysis.errors import AnalysisError
from fairsplit.analysis.parts.installed import installed, part_of
from fairsplit.analysis.parts.protocols import TestResult
from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, compare, without_means
from fairsplit.analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.parts.protocols import Statistic, StatisticalTest
    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray
    from fairsplit.analysis.statistics.histograms import Histograms
    from fairsplit.analysis.statistics.tails import Alternative

#: What code that is not ours may raise where it has no answer; what lies beyond is the process's own.
FAILURES: Final = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NameError, RuntimeError, AnalysisError,
)  # fmt: skip


@quiet
def custom_test(name: str, both: Histograms, alpha: FloatArray) -> Comparison:
    """A custom test of every comparison.

    Args:
        name: Of an installed part under ``fairsplit.tests``.
        both: The values of both arms.
        alpha: Level of each comparison, shape (comparisons,).

    Returns:
        Comparisons without means or a relative lift, which are the test's own affair; ``part_failed`` where the test
        raised or answered what is no result.

    Raises:
        PartError: There is no such part.
    """
    test: StatisticalTest = part_of("tests", name)
    numbers = np.full((5, both.size), np.nan)
    status = _with_units(both)
    for row in np.flatnonzero(status == Reason.OK):
        cells = slice(both.start[row], both.start[row + 1])
        try:
            done = test(both.value[cells], both.control[cells], both.treatment[cells], float(alpha[row]))
        except FAILURES:
            status[row] = Reason.PART_FAILED
            continue
        if not _is_result(done):
            status[row] = Reason.PART_FAILED
            continue
        numbers[:, row] = done.difference, done.std_error, done.p_value, done.low, done.high
    difference, std_error, p_value, low, high = numbers
    p = (p_value, np.log(p_value))
    return without_means(both, difference, std_error, difference / std_error, p, (low, high), alpha, status)


def _is_result(done: object) -> bool:
    """Whether an answer is one: finite, with a positive error, a probability, and the estimate in its interval."""
    if not isinstance(done, TestResult):
        return False
    numbers = (done.difference, done.std_error, done.p_value, done.low, done.high)
    if not all(isinstance(number, float | int | np.number) and np.isfinite(number) for number in numbers):
        return False
    return done.std_error > 0 and 0 <= done.p_value <= 1 and done.low <= done.difference <= done.high


def custom_estimates(name: str, both: Histograms) -> tuple[Estimate, Estimate]:
    """A custom statistic of the control and the treatment of every comparison.

    Args:
        name: Of an installed part under ``fairsplit.metrics``.
        both: The values of both arms.

    Raises:
        PartError: There is no such part.
    """
    statistic: Statistic = part_of("metrics", name)
    return _estimate(statistic, both, both.control), _estimate(statistic, both, both.treatment)


def compare_custom(
    name: str, both: Histograms, alpha: FloatArray, alternative: Alternative = "two-sided"
) -> Comparison:
    """Every comparison by a custom test, or by the difference of a custom statistic, which is close to normal.

    Args:
        name: Of an installed part under ``fairsplit.tests`` or ``fairsplit.metrics``.
        both: The values of both arms.
        alpha: Level of each comparison, shape (comparisons,).
        alternative: Of a statistic; tests are two-sided.

    Raises:
        PartError: There is no such part.
    """
    if name in installed("metrics"):
        return compare(*custom_estimates(name, both), alpha, alternative=alternative)
    return custom_test(name, both, alpha)


def _estimate(statistic: Statistic, both: Histograms, units: FloatArray) -> Estimate:
    value, variance = np.full(both.size, np.nan), np.full(both.size, np.nan)
    n = both.total(units)
    status = np.where(n == 0, Reason.NO_EXPOSURE, Reason.OK).astype(np.int8)
    for row in np.flatnonzero(n > 0):
        cells = slice(both.start[row], both.start[row + 1])
        there = units[cells] > 0
        try:
            value[row], variance[row] = statistic(both.value[cells][there], units[cells][there])
        except FAILURES:
            status[row] = Reason.PART_FAILED
    finite = np.isfinite(value) & np.isfinite(variance) & (variance >= 0)
    status[~finite & (status == Reason.OK)] = Reason.PART_FAILED
    status[finite & (variance == 0)] = Reason.ZERO_VARIANCE
    return Estimate(n, value, variance, np.full(both.size, np.inf), status)


def _with_units(both: Histograms) -> StatusArray:
    empty = (both.n_control == 0) | (both.n_treatment == 0)
    return np.where(empty, Reason.NO_EXPOSURE, Reason.OK).astype(np.int8)
