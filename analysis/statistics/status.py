"""Why a comparison has no number: one code per element beside the arrays, never a plausible value."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray

#: Divisions by zero are answered by status codes, so NumPy need not warn; usable as a decorator.
quiet = np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")


class Reason(IntEnum):
    """Typed reasons; the lower-case name is the code that result rows carry."""

    OK = 0
    #: An arm has no unit at all.
    NO_EXPOSURE = 1
    #: Units exist, but fewer than the method needs.
    INSUFFICIENT_SAMPLE = 2
    #: All values equal: no sampling error can be estimated.
    ZERO_VARIANCE = 3
    #: A ratio's denominator sums to zero.
    ZERO_DENOMINATOR = 4
    #: The control's mean is zero, so a relative effect does not exist.
    ZERO_BASELINE = 5
    #: A logarithm needs means above zero.
    NOT_POSITIVE = 6
    #: The covariate does not vary within arms.
    CONSTANT_COVARIATE = 7
    #: Covariates repeat each other.
    COLLINEAR_COVARIATES = 8
    #: No unit has the history that the covariate needs.
    COVARIATE_HISTORY_INCOMPLETE = 9
    #: Too few observations for an interval at this level.
    NO_INTERVAL = 10
    #: An iteration did not settle.
    NOT_CONVERGED = 11
    #: The exact method would need more work than allowed; use the asymptotic one.
    TOO_LARGE_FOR_EXACT = 12
    #: No fixed window has closed yet.
    NO_CLOSED_WINDOW = 13
    #: The method has no answer for these arguments (for example futility above efficacy).
    INFEASIBLE = 14
    #: Many units share one value beside the quantile, so that its sampling distribution is no bell.
    TIES_AT_QUANTILE = 15
    #: The arms' shares changed on the way, and the method cannot weigh the phases.
    WEIGHTS_CHANGED = 16
    #: The exact sums do not fit 128 bits.
    SUMS_OUT_OF_RANGE = 17
    #: A custom part raised, or answered what is no result.
    PART_FAILED = 18


_NAMES = np.array([reason.name.lower() for reason in Reason])


def reasons(shape: tuple[int, ...], conditions: Iterable[tuple[BoolArray, Reason]]) -> StatusArray:
    """The first condition that holds, per element; `Reason.OK` where none does.

    Args:
        shape: Shape of the result.
        conditions: Masks that broadcast to the shape, most basic first.

    Returns:
        int8 codes of `Reason`.

    Examples:
        >>> n = np.array([0, 1, 9])
        >>> names(reasons(n.shape, [(n == 0, Reason.NO_EXPOSURE), (n < 2, Reason.INSUFFICIENT_SAMPLE)]))
        array(['no_exposure', 'insufficient_sample', 'ok'], dtype='<U28')
    """
    out = np.zeros(shape, dtype=np.int8)
    for mask, reason in conditions:
        np.copyto(out, np.int8(reason), where=(out == Reason.OK) & mask)
    return out


def combined(first: StatusArray, *others: StatusArray) -> StatusArray:
    """The first status that is not OK, per element (arguments in order of precedence).

    Examples:
        >>> combined(np.array([0, 3], dtype=np.int8), np.array([2, 2], dtype=np.int8))
        array([2, 3], dtype=int8)
    """
    out = first
    for other in others:
        out = np.where(out == Reason.OK, other, out).astype(np.int8)
    return out


def blank(status: StatusArray, values: FloatArray) -> FloatArray:
    """NaN where the status is not OK, so that no number can be read by mistake.

    Args:
        status: Codes; trailing axes of `values` beyond it are blanked together.
        values: Numbers with the status' shape in front.

    Examples:
        >>> blank(np.array([0, 3], dtype=np.int8), np.array([1.0, 2.0]))
        array([ 1., nan])
    """
    bad = np.asarray(status != Reason.OK)
    if not bad.any():
        return np.asarray(values)
    bad = bad.reshape(bad.shape + (1,) * (np.ndim(values) - bad.ndim))
    return np.where(bad, np.nan, values)


def names(status: StatusArray) -> NDArray[Any]:
    """Codes as the words that result rows carry (``ok``, ``insufficient_sample``, …).

    Examples:
        >>> names(np.array([0, 1], dtype=np.int8)).tolist()
        ['ok', 'no_exposure']
    """
    return _NAMES[np.asarray(status, dtype=np.intp)]
