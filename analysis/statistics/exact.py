"""Sums into centred moments without loss: exact integers, double-double arithmetic for floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import LARGEST_COUNT, FloatArray, as_floats, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A sum of squares short of what the sum needs by more than this share is impossible, not rounding.
_ROUNDING = 1e-9
#: Elements per block of the double-double arithmetic, whose many temporaries should stay in cache.
_BLOCK = 8192


def exact_column(value: Any, name: str) -> NDArray[Any]:
    """Integers of any size as they are, everything else as finite floats.

    Args:
        value: Number, sequence or array; lists of Python integers may be of any size.
        name: The argument's name, for messages.

    Returns:
        float64 where that is exact, else an object array of Python integers.

    Raises:
        InputError: For NaN, infinities, truth values, text.

    Examples:
        >>> exact_column([1, 2], "s").dtype, exact_column([2**70], "s").dtype
        (dtype('float64'), dtype('O'))
    """
    raw = np.asarray(value)
    if raw.dtype == np.object_ and all(isinstance(v, int) and not isinstance(v, bool) for v in raw.flat):
        small = all(-LARGEST_COUNT <= v <= LARGEST_COUNT for v in raw.flat)
        return raw.astype(np.float64) if small else raw
    if raw.dtype.kind in "iu" and raw.size and max(int(raw.max()), -int(raw.min())) > LARGEST_COUNT:
        return raw.astype(object)
    return as_floats(value, name)


def quotient(total: NDArray[Any], n: FloatArray, scale: NDArray[Any]) -> FloatArray:
    """The quotient total / (n * scale), correctly rounded for integers; 0 where n is 0.

    Examples:
        >>> quotient(np.array([2**70], dtype=object), np.array([4.0]), np.array(1.0))
        array([2.95147905e+20])
    """
    divisor = np.maximum(n, 1.0)
    if total.dtype == np.object_:
        out: FloatArray = np.asarray(total / (_integers(divisor) * _integers(scale)), dtype=np.float64)
    else:
        out = total / (divisor * scale.astype(np.float64))
    return np.where(n > 0, out, 0.0)


def centred_product(
    n: FloatArray,
    a: NDArray[Any],
    b: NDArray[Any],
    ab: NDArray[Any],
    *,
    scales: tuple[NDArray[Any], NDArray[Any]],
) -> FloatArray:
    """Sum of (a - mean a)(b - mean b) from sums: (n * sum_ab - sum_a * sum_b) / (n * scale_a * scale_b).

    The numerator is exact for integers; for floats it is a double-double difference, so that only the
    rounding of the given sums remains.

    Args:
        n: Units.
        a: Sums of the first variable.
        b: Sums of the second variable (the same object for a square).
        ab: Sums of products.
        scales: Scales of the two variables.

    Raises:
        InputError: ``impossible_sums`` for a square whose result is negative beyond rounding.

    Examples:
        >>> s = np.array(3.0)
        >>> one = np.array(1.0)
        >>> float(centred_product(np.array(2.0), s, s, np.array(5.0), scales=(one, one)))
        0.5
    """
    divisor = np.maximum(n, 1.0)
    if any(c.dtype == np.object_ for c in (a, b, ab)) and all(_whole(c) for c in (a, b, ab)):
        out = _of_integers(divisor, a, b, ab, scales)
    else:
        fa, fb, fab = (c.astype(np.float64, copy=False) for c in (a, b, ab))
        out = _of_floats(divisor, fa, fb, fab, scales)
    if a is b:
        size = np.abs(ab.astype(np.float64)) / (scales[0].astype(np.float64) ** 2)
        if np.any(out < -_ROUNDING * size) or np.any((ab < 0) | ((n == 0) & ((ab != 0) | (a != 0)))):
            raise refuse(
                "impossible_sums",
                "no values have these sums",
                "sum of squares",
                rule="n * sum of squares is at least sum squared, and sums are 0 without units",
            )
        out = np.maximum(out, 0.0)
    return out


def _of_floats(
    n: FloatArray, a: FloatArray, b: FloatArray, ab: FloatArray, scales: tuple[NDArray[Any], NDArray[Any]]
) -> FloatArray:
    scale_a, scale_b = (scale.astype(np.float64) for scale in scales)
    return np.asarray(_difference_of_products(n, ab, a, b) / n / (scale_a * scale_b), dtype=np.float64)


def _of_integers(
    n: FloatArray,
    a: NDArray[Any],
    b: NDArray[Any],
    ab: NDArray[Any],
    scales: tuple[NDArray[Any], NDArray[Any]],
) -> FloatArray:
    """Rows beyond exact floats as Python integers, the others as floats: no row's bits depend on the rows beside it."""
    rows = np.broadcast_arrays(n, a, b, ab, *scales)
    large = np.zeros(rows[0].shape, dtype=np.bool_)
    for column in rows[1:4]:
        large |= np.asarray(np.abs(column) > LARGEST_COUNT, dtype=np.bool_)
    out = np.empty(large.shape)
    fn, fa, fb, fab, *fscales = (column[~large].astype(np.float64) for column in rows)
    out[~large] = _of_floats(fn, fa, fb, fab, (fscales[0], fscales[1]))
    count, ia, ib, iab, scale_a, scale_b = (_integers(column[large]) for column in rows)
    out[large] = np.asarray((count * iab - ia * ib) / (count * scale_a * scale_b), dtype=np.float64)
    return out


def _whole(column: NDArray[Any]) -> bool:
    return column.dtype == np.object_ or bool(np.all(column == np.floor(column)))


def _integers(column: NDArray[Any]) -> NDArray[Any]:
    """Python integers of an array of whole numbers."""
    return column if column.dtype == np.object_ else column.astype(np.int64).astype(object)


def _two_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The product a * b and its rounding error (Dekker 1971)."""
    product = a * b
    big_a, big_b = a * 134217729.0, b * 134217729.0  # 2**27 + 1
    high_a, high_b = big_a - (big_a - a), big_b - (big_b - b)
    low_a, low_b = a - high_a, b - high_b
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, error


def _difference_of_products(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """The difference a * b - c * d, accurate under cancellation; in blocks that fit the processor's cache."""
    shape = np.broadcast_shapes(a.shape, b.shape, c.shape, d.shape)
    size = int(np.prod(shape))
    if size <= _BLOCK:
        return _block_difference(a, b, c, d)
    flat = [np.broadcast_to(v, shape).reshape(-1) for v in (a, b, c, d)]
    out = np.empty(size)
    for start in range(0, size, _BLOCK):
        part = slice(start, start + _BLOCK)
        out[part] = _block_difference(flat[0][part], flat[1][part], flat[2][part], flat[3][part])
    return out.reshape(shape)


def _block_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    ab, ab_error = _two_product(a, b)
    cd, cd_error = _two_product(c, d)
    difference = ab - cd
    rest = difference - ab
    return difference + (((ab - (difference - rest)) - (cd + rest)) + (ab_error - cd_error))
