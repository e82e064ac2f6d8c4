"""Moments that add: counts, means and centred second moments, from arrays, frames and exact sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import (
    FloatArray,
    IntArray,
    as_counts,
    as_floats,
    as_non_negative,
    as_successes,
    refuse,
    together,
)
from fairsplit.analysis.statistics.exact import centred_product, exact_column, quotient
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and centred second moment of one variable per comparison; ``a + b`` merges disjoint units.

    Attributes:
        n: Units.
        mean: Mean; 0 where there is no unit.
        m2: Sum of squared deviations from the mean, in squared units of the mean.

    Examples:
        >>> a, b = Moments.from_values([1.0, 2.0]), Moments.from_values([3.0])
        >>> (a + b).mean, (a + b).variance
        (array(2.), array(1.))
    """

    n: FloatArray
    mean: FloatArray
    m2: FloatArray

    @classmethod
    def checked(cls, n: Any, mean: Any, m2: Any) -> Moments:
        """From numbers given from outside.

        Raises:
            InputError: For NaN, infinities, negative or fractional counts, negative second moments.

        Examples:
            >>> Moments.checked(10, 0.5, 2.5).variance.round(4)
            np.float64(0.2778)
        """
        return cls(
            *together(
                {"n": as_counts(n, "n"), "mean": as_floats(mean, "mean"), "m2": as_non_negative(m2, "m2")}
            )
        )

    @classmethod
    def from_summary(cls, n: Any, mean: Any, sd: Any) -> Moments:
        """From n, mean and sample standard deviation (divisor n - 1).

        Raises:
            InputError: As `checked`.

        Examples:
            >>> float(Moments.from_summary(5, 1.0, 2.0).m2)
            16.0
        """
        count, spread = as_counts(n, "n"), as_non_negative(sd, "sd")
        return cls.checked(count, mean, spread**2 * np.maximum(count - 1.0, 0.0))

    @classmethod
    def from_values(cls, values: Any, axis: int = -1) -> Moments:
        """From raw values along one axis, two-pass: exact at large offsets.

        Raises:
            InputError: For NaN, infinities, truth values.

        Examples:
            >>> Moments.from_values([[1.0, 3.0], [10000001.0, 10000003.0]]).variance
            array([2., 2.])
        """
        x = np.atleast_1d(as_floats(values, "values"))
        n = x.shape[axis]
        shape = np.delete(x.shape, axis)
        if n == 0:
            return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape))
        rough = x.mean(axis=axis, keepdims=True)
        mean = rough + (x - rough).mean(axis=axis, keepdims=True)
        deviation = x - mean
        m2 = (deviation**2).sum(axis=axis) - deviation.sum(axis=axis) ** 2 / n
        return cls(np.full(shape, float(n)), np.squeeze(mean, axis=axis), np.maximum(m2, 0.0))

    @classmethod
    def from_groups(cls, values: Any, groups: IntArray, size: int) -> Moments:
        """From one long array of values with a group number each.

        Args:
            values: Raw values, one-dimensional.
            groups: Group of each value, 0 to size - 1.
            size: Number of groups.

        Raises:
            InputError: For NaN, infinities, unequal lengths, group numbers outside the range.

        Examples:
            >>> Moments.from_groups([1.0, 3.0, 5.0], np.array([0, 0, 1]), 2).mean
            array([2., 5.])
        """
        x = np.atleast_1d(as_floats(values, "values"))
        _same_length(x, groups, size)
        n = np.bincount(groups, minlength=size).astype(np.float64)
        safe = np.maximum(n, 1.0)
        rough = np.bincount(groups, weights=x, minlength=size) / safe
        mean = rough + np.bincount(groups, weights=x - rough[groups], minlength=size) / safe
        m2 = np.bincount(groups, weights=(x - mean[groups]) ** 2, minlength=size)
        return cls(n, mean, m2.astype(np.float64))

    @classmethod
    def from_sums(cls, n: Any, total: Any, squares: Any, scale: Any = 1) -> Moments:
        """From n, sum and sum of squares, integers of any size (exact) or floats.

        Args:
            n: Units.
            total: Sum of the scaled values; Python or NumPy integers, or floats.
            squares: Sum of the squared scaled values.
            scale: Real value = scaled value / scale.

        Raises:
            InputError: ``impossible_sums`` where no values have these sums; otherwise as `checked`.

        Examples:
            >>> Moments.from_sums(3, 3 * 10**9 + 3, 3 * 10**18 + 6 * 10**9 + 5).m2
            array(2.)
        """
        joint = JointMoments.from_sums(n, [total], {(0, 0): squares}, [scale])
        return joint.variable(0)

    @classmethod
    def from_binomial(cls, successes: Any, trials: Any) -> Moments:
        """From successes among trials (values 0 and 1).

        Raises:
            InputError: For negative or fractional counts and successes above trials.

        Examples:
            >>> Moments.from_binomial(1, 4).m2
            np.float64(0.75)
        """
        x, n = as_successes(successes, trials, "successes", "trials")
        safe = np.maximum(n, 1.0)
        return cls(n, x / safe, x * ((n - x) / safe))

    @classmethod
    def from_frame(
        cls, frame: pl.DataFrame, name: str = "y", *, n: str = "n", scale: str | None = None
    ) -> Moments:
        """From a Polars frame with columns ``n``, ``sum_y`` and ``sum_yy`` (for the name ``y``).

        Args:
            frame: Rows; integer columns of up to 128 bits stay exact.
            name: The variable's letter.
            n: Column of counts.
            scale: Column of scales; none means 1.

        Examples:
            >>> import polars as pl
            >>> f = pl.DataFrame({"n": [2], "sum_y": [300], "sum_yy": [50000], "scale_y": [100]})
            >>> Moments.from_frame(f, "y", scale="scale_y").mean
            array([1.5])
        """
        return JointMoments.from_frame(
            frame, name, n=n, scales=None if scale is None else {name: scale}
        ).variable(0)

    @property
    def variance(self) -> FloatArray:
        """Sample variance, divisor n - 1; NaN below two units."""
        return _over(self.m2, self.n - 1.0)

    @property
    def variance_of_mean(self) -> FloatArray:
        """Squared standard error of the mean; NaN below two units."""
        return _over(self.variance, self.n)

    @property
    def sd(self) -> FloatArray:
        """Sample standard deviation, divisor n - 1."""
        return np.sqrt(self.variance)

    def __add__(self, other: Moments) -> Moments:
        """Merge with the moments of other units (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        n = self.n + other.n
        share = other.n / np.maximum(n, 1.0)
        delta = other.mean - self.mean
        mean = np.where(other.n > self.n, other.mean - delta * (1.0 - share), self.mean + delta * share)
        return Moments(n, mean, self.m2 + other.m2 + delta**2 * self.n * share)

    def take(self, index: Any) -> Moments:
        """The comparisons that a NumPy index selects."""
        return Moments(self.n[index], self.mean[index], self.m2[index])


@dataclass(frozen=True, slots=True, eq=False)
class JointMoments:
    """Count, means and centred cross-moments of k variables per comparison; ``a + b`` merges disjoint units.

    Attributes:
        n: Units, shape (...).
        mean: Means, shape (..., k).
        m2: Centred cross-products, shape (..., k, k), symmetric.

    Examples:
        >>> m = JointMoments.from_values(np.array([[1.0, 2.0], [3.0, 6.0]]))
        >>> m.m2
        array([[2., 4.],
               [4., 8.]])
    """

    n: FloatArray
    mean: FloatArray
    m2: FloatArray

    @classmethod
    def from_values(cls, values: Any) -> JointMoments:
        """From raw values of shape (..., units, k).

        Raises:
            InputError: For NaN, infinities, truth values, or fewer than two axes.

        Examples:
            >>> JointMoments.from_values([[0.0, 1.0], [2.0, 5.0]]).mean
            array([1., 3.])
        """
        x = as_floats(values, "values")
        if x.ndim < 2:
            raise refuse("shape_mismatch", "too few axes", "values", value=x.shape, rule="(..., units, k)")
        n = x.shape[-2]
        if n == 0:
            shape = (*x.shape[:-2], x.shape[-1])
            return cls(np.zeros(shape[:-1]), np.zeros(shape), np.zeros((*shape, shape[-1])))
        rough = x.mean(axis=-2, keepdims=True)
        mean = rough + (x - rough).mean(axis=-2, keepdims=True)
        deviation = x - mean
        m2 = np.swapaxes(deviation, -1, -2) @ deviation
        return cls(np.full(x.shape[:-2], float(n)), mean[..., 0, :], m2)

    @classmethod
    def from_sums(
        cls, n: Any, sums: Sequence[Any], products: Mapping[tuple[int, int], Any], scales: Sequence[Any] = ()
    ) -> JointMoments:
        """From n, sums and sums of products, integers of any size (exact) or floats.

        Args:
            n: Units, shape (...).
            sums: The k sums of scaled values, each of shape (...).
            products: Sums of products for every pair (i, j) with i <= j.
            scales: The k scales; real value = scaled value / scale; empty means 1.

        Raises:
            InputError: ``impossible_sums`` where no values have these sums (also sums without a unit);
                ``shape_mismatch`` where a pair is missing.

        Examples:
            >>> m = JointMoments.from_sums(2, [4, 8], {(0, 0): 10, (0, 1): 20, (1, 1): 40})
            >>> m.m2[0, 1]
            np.float64(4.0)
        """
        count = as_counts(n, "n")
        k = len(sums)
        missing = [(i, j) for i in range(k) for j in range(i, k) if (i, j) not in products]
        if missing:
            raise refuse(
                "shape_mismatch", "sum of products missing", "products", value=missing, rule="all pairs"
            )
        columns = [exact_column(s, f"sum {i}") for i, s in enumerate(sums)]
        scale = [exact_column(s, f"scale {i}") for i, s in enumerate(scales)] or [np.ones(())] * k
        shape = np.broadcast_shapes(count.shape, *(c.shape for c in columns))
        mean = np.empty((*shape, k))
        m2 = np.empty((*shape, k, k))
        for i in range(k):
            mean[..., i] = quotient(columns[i], count, scale[i])
            for j in range(i, k):
                product = exact_column(products[i, j], f"sum of products {i}, {j}")
                m2[..., i, j] = centred_product(
                    count, columns[i], columns[j], product, scales=(scale[i], scale[j])
                )
                m2[..., j, i] = m2[..., i, j]
        for i in range(k):
            for j in range(i + 1, k):
                # Cauchy-Schwarz, with room for the rounding of sums given as floats.
                room = np.sqrt(m2[..., i, i] * m2[..., j, j]) * (1.0 + 1e-6)
                room += 1e-12 * count * np.abs(mean[..., i] * mean[..., j])
                if np.any(np.abs(m2[..., i, j]) > room):
                    raise refuse(
                        "impossible_sums",
                        "sum of products beyond what the sums of squares allow",
                        f"sum of products {i}, {j}",
                        rule="|cross| at most sqrt(square * square)",
                    )
        return cls(np.broadcast_to(count, shape).copy(), mean, m2)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        names: Iterable[str] = "y",
        *,
        n: str = "n",
        scales: Mapping[str, str] | None = None,
    ) -> JointMoments:
        """From a Polars frame with columns ``n``, ``sum_a`` and ``sum_ab`` for the variables a, b, ….

        Args:
            frame: One row a result; integers of up to 128 bits stay exact; no nulls.
            names: The variables' letters, for example ``"yx"`` reads sum_y, sum_x, sum_yy, sum_yx, sum_xx.
            n: Column of counts.
            scales: Column of the scale per variable; a variable without one has scale 1.

        Raises:
            InputError: ``missing_column``, ``not_a_number`` for nulls, ``impossible_sums``.

        Examples:
            >>> import polars as pl
            >>> row = {"n": 2, "sum_y": 4, "sum_x": 8, "sum_yy": 10, "sum_yx": 20, "sum_xx": 40}
            >>> f = pl.DataFrame([row])
            >>> JointMoments.from_frame(f, "yx").m2[0, 0, 1]
            np.float64(4.0)
        """
        letters = list(names)
        pairs = [(i, j) for i in range(len(letters)) for j in range(i, len(letters))]
        wanted = scales or {}
        return cls.from_sums(
            frame_column(frame, n),
            [frame_column(frame, f"sum_{a}") for a in letters],
            {(i, j): frame_column(frame, f"sum_{letters[i]}{letters[j]}") for i, j in pairs},
            [frame_column(frame, wanted[a]) if a in wanted else 1 for a in letters],
        )

    @property
    def size(self) -> int:
        """Number of variables, k."""
        return int(self.mean.shape[-1])

    def variable(self, i: int) -> Moments:
        """The moments of one variable."""
        return Moments(self.n, self.mean[..., i], self.m2[..., i, i])

    def select(self, variables: Sequence[int]) -> JointMoments:
        """The moments of some variables, in the order given."""
        index = np.asarray(variables, dtype=np.intp)
        return JointMoments(self.n, self.mean[..., index], self.m2[..., index[:, None], index])

    def take(self, index: Any) -> JointMoments:
        """The comparisons that a NumPy index selects."""
        return JointMoments(self.n[index], self.mean[index], self.m2[index])

    def covariance(self, i: int, j: int) -> FloatArray:
        """Sample covariance of two variables, divisor n - 1; NaN below two units."""
        return _over(self.m2[..., i, j], self.n - 1.0)

    def __add__(self, other: JointMoments) -> JointMoments:
        """Merge with the moments of other units (Chan, Golub and LeVeque 1983, extended to cross-moments)."""
        n = self.n + other.n
        share = (other.n / np.maximum(n, 1.0))[..., None]
        delta = other.mean - self.mean
        mean = np.where(
            (other.n > self.n)[..., None], other.mean - delta * (1.0 - share), self.mean + delta * share
        )
        weight = (self.n * share[..., 0])[..., None, None]
        return JointMoments(n, mean, self.m2 + other.m2 + weight * delta[..., :, None] * delta[..., None, :])


def merge(parts: Sequence[Moments]) -> Moments:
    """Merge the moments of disjoint units; at least one part.

    Examples:
        >>> merge([Moments.from_values([1.0]), Moments.from_values([2.0, 3.0])]).mean
        array(2.)
    """
    return reduce(lambda a, b: a + b, parts)


def frame_column(frame: pl.DataFrame, name: str) -> Any:
    """A frame's column as an array; integers beyond 64 bits as Python integers.

    Raises:
        InputError: ``missing_column``; ``not_a_number`` for nulls and columns that are not numeric.

    Examples:
        >>> import polars as pl
        >>> frame_column(pl.DataFrame({"n": [1, 2]}), "n")
        array([1, 2])
    """
    if name not in frame.columns:
        raise refuse("missing_column", "column missing", name, rule=f"one of {', '.join(frame.columns)}")
    column = frame.get_column(name)
    if column.null_count() or not column.dtype.is_numeric():
        raise refuse("not_a_number", "nulls or text", name, value=column.dtype, rule="numbers without nulls")
    if "128" in str(column.dtype):
        column = column.shrink_dtype()
    if "128" in str(column.dtype):
        return np.array(column.to_list(), dtype=object)
    return column.to_numpy()


@quiet
def _over(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.where(b > 0, a / b, np.nan)


def _same_length(x: FloatArray, groups: IntArray, size: int) -> None:
    if x.ndim != 1 or groups.shape != x.shape:
        raise refuse(
            "shape_mismatch", "values and groups differ", "groups", value=groups.shape, rule=f"{x.shape}"
        )
    if groups.size and (groups.min() < 0 or groups.max() >= size):
        raise refuse("out_of_range", "group number outside the range", "groups", rule=f"0 to {size - 1}")
