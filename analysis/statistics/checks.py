"""What every statistics function refuses: NaN, infinities, truth values, impossible numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fairsplit.analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
StatusArray: TypeAlias = NDArray[np.int8]

#: Numbers a float64 counts without gaps; a larger count would silently change.
LARGEST_COUNT = 2.0**53


class InputError(AnalysisError):
    """An argument that no statistic can be computed from.

    Attributes:
        code: Machine-readable kind, for example ``not_finite`` or ``out_of_range``.
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__(problem)
        self.code = code


def refuse(
    code: str, what: str, where: str, *, value: object = "", rule: str = "", hint: str = ""
) -> InputError:
    """Build the error of one refused argument (the caller raises it).

    Examples:
        >>> print(refuse("negative", "negative count", "n", value=-1, rule="0 or more"))
        n: negative count (-1: 0 or more)
    """
    return InputError(code, Problem(what=what, where=where, value=str(value), rule=rule, hint=hint))


def _first(values: NDArray[Any], bad: BoolArray) -> str:
    position = np.argwhere(bad)[0]
    value = values[tuple(position)]
    return f"{value} at position {tuple(int(p) for p in position)}" if values.ndim else f"{value}"


def as_floats(value: Any, name: str) -> FloatArray:
    """Finite real numbers as float64, of any shape.

    Args:
        value: Number, sequence or array.
        name: The argument's name, for the message.

    Returns:
        The same shape as float64.

    Raises:
        InputError: ``not_a_number`` for truth values, text and complex numbers; ``not_finite`` for NaN and
            infinities; ``ragged`` for nested sequences of unequal length.

    Examples:
        >>> as_floats([1, 2.5], "mean")
        array([1. , 2.5])
    """
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise refuse(
            "ragged", "rows differ in length", name, rule="a rectangular array of numbers"
        ) from error
    if raw.dtype == np.object_ and any(v is None or isinstance(v, bool | np.bool_) for v in raw.flat):
        raise refuse(
            "not_a_number", "nothing or truth values among numbers", name, rule="numbers, 0 and 1 for a flag"
        )
    if raw.dtype == np.bool_:
        raise refuse("not_a_number", "truth values are not numbers", name, rule="numbers, 0 and 1 for a flag")
    if isinstance(value, list | tuple) and any(isinstance(v, bool) for v in value):
        raise refuse("not_a_number", "truth values are not numbers", name, rule="numbers, 0 and 1 for a flag")
    if raw.dtype.kind not in "iufO":
        raise refuse("not_a_number", "not numeric", name, value=raw.dtype, rule="real numbers")
    try:
        out = raw.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise refuse("not_a_number", "not numeric", name, rule="real numbers") from error
    finite = np.isfinite(out)
    if not finite.all():
        raise refuse(
            "not_finite", "not a finite number", name, value=_first(out, ~finite), rule="finite numbers"
        )
    return out


def as_counts(value: Any, name: str) -> FloatArray:
    """Whole numbers in [0, 2**53] as float64.

    Raises:
        InputError: As `as_floats`; ``negative``; ``not_whole``; ``out_of_range`` above 2**53.

    Examples:
        >>> as_counts([0, 3], "n")
        array([0., 3.])
    """
    out = as_floats(value, name)
    _require(out >= 0, out, name, ("negative", "negative count"), "0 or more")
    _require(out == np.floor(out), out, name, ("not_whole", "not a whole number"), "a count")
    _require(out <= LARGEST_COUNT, out, name, ("out_of_range", "count too large"), "at most 2**53")
    return out


def as_non_negative(value: Any, name: str) -> FloatArray:
    """Finite numbers of at least 0 (variances, sums of squares).

    Raises:
        InputError: As `as_floats`; ``negative``.

    Examples:
        >>> as_non_negative(0.5, "variance")
        array(0.5)
    """
    out = as_floats(value, name)
    _require(out >= 0, out, name, ("negative", "negative"), "0 or more")
    return out


def as_positive(value: Any, name: str) -> FloatArray:
    """Finite numbers above 0.

    Raises:
        InputError: As `as_floats`; ``out_of_range``.

    Examples:
        >>> as_positive([1, 2], "sigma")
        array([1., 2.])
    """
    out = as_floats(value, name)
    _require(out > 0, out, name, ("out_of_range", "not positive"), "above 0")
    return out


def as_rates(value: Any, name: str) -> FloatArray:
    """Numbers in [0, 1].

    Raises:
        InputError: As `as_floats`; ``out_of_range``.

    Examples:
        >>> as_rates([0, 0.25, 1], "rate")
        array([0.  , 0.25, 1.  ])
    """
    out = as_floats(value, name)
    _require((out >= 0) & (out <= 1), out, name, ("out_of_range", "not a rate"), "between 0 and 1")
    return out


def as_level(value: Any, name: str = "alpha") -> FloatArray:
    """Probabilities strictly between 0 and 1 (alpha, power, confidence).

    Raises:
        InputError: As `as_floats`; ``out_of_range``.

    Examples:
        >>> as_level(0.05)
        array(0.05)
    """
    out = as_floats(value, name)
    _require((out > 0) & (out < 1), out, name, ("out_of_range", "not a level"), "above 0 and below 1")
    return out


def as_successes(successes: Any, trials: Any, name_x: str, name_n: str) -> tuple[FloatArray, FloatArray]:
    """Counts of successes with their trials, ``0 <= x <= n``.

    Raises:
        InputError: As `as_counts`; ``out_of_range`` where successes exceed trials.

    Examples:
        >>> as_successes(3, 10, "x", "n")
        (array(3.), array(10.))
    """
    x, n = together({name_x: as_counts(successes, name_x), name_n: as_counts(trials, name_n)})
    _require(x <= n, x, name_x, ("out_of_range", "more successes than trials"), f"at most {name_n}")
    return x, n


def as_choice(value: str, name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words.

    Raises:
        InputError: ``unknown_choice``, listing the words that are allowed.

    Examples:
        >>> as_choice("less", "alternative", ("two-sided", "less", "greater"))
        'less'
    """
    if value not in allowed:
        raise refuse(
            "unknown_choice", "unknown choice", name, value=repr(value), rule=f"one of {', '.join(allowed)}"
        )
    return value


def together(arrays: dict[str, FloatArray]) -> tuple[FloatArray, ...]:
    """Broadcast named arrays to one shape.

    Raises:
        InputError: ``shape_mismatch``, naming the shapes.

    Examples:
        >>> [a.shape for a in together({"x": np.zeros(3), "n": np.zeros(())})]
        [(3,), (3,)]
    """
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise refuse(
            "shape_mismatch", "arrays do not fit together", ", ".join(arrays), value=shapes, rule="one shape"
        ) from error


def _require(good: BoolArray, values: FloatArray, name: str, fault: tuple[str, str], rule: str) -> None:
    if not np.all(good):
        code, what = fault
        raise refuse(code, what, name, value=_first(values, ~np.asarray(good)), rule=rule)
