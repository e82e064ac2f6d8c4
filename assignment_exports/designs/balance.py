"""How alike the arms are in what was known of the units before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

MOST_LEVELS: Final = 50


def features(population: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Numbers that describe the units: a numeric column as it is, any other as one share a level.

    Args:
        population: A row a unit.
        columns: Which columns.

    Returns:
        Float columns named ``column`` or ``column = level``, in the order of the columns.

    Raises:
        ExportError: A number is missing or not finite, or a text has more than 50 levels.
    """
    found: list[pl.Series] = []
    for name in columns:
        column = population[name]
        if column.dtype.is_numeric():
            numbers = column.cast(pl.Float64)
            if not numbers.is_finite().fill_null(value=False).all():
                raise ExportError(
                    Problem(
                        "a covariate is missing or not finite",
                        name,
                        f"{(~numbers.is_finite().fill_null(value=False)).sum()} of {len(numbers)} units",
                        "a number for every unit",
                        "fill the gaps, or use the column as a stratum",
                    )
                )
            found.append(numbers)
            continue
        levels = level_names(column)
        names = sorted(levels.unique())
        if len(names) > MOST_LEVELS:
            raise ExportError(
                Problem(
                    "a covariate has too many levels",
                    name,
                    str(len(names)),
                    f"numbers, or at most {MOST_LEVELS} texts",
                )
            )
        taken = {*columns, *(series.name for series in found)}
        found += [
            (levels == level).cast(pl.Float64).alias(_free(f"{name} = {level}", taken)) for level in names
        ]
    return pl.DataFrame(found)


def _free(name: str, taken: Collection[str]) -> str:
    """A name that no column has: a column of the population may be called like another one's level."""
    while name in taken:
        name = f"{name} (level)"
    return name


def level_names(column: pl.Series) -> pl.Series:
    """A column as text; what is missing is a level of its own, `unknown`."""
    return column.cast(pl.String).fill_null("unknown")


def standardised_differences(
    described: NDArray[np.float64], arms: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Difference of each arm's mean from the first arm's, in standard deviations of the whole population.

    Args:
        described: Shape (n, p).
        arms: Position of each unit's arm, shape (n,).
        count: Number of arms.

    Returns:
        Shape (count, p); 0 for what does not vary, not a number for an arm without units.
    """
    units = np.bincount(arms, minlength=count).astype(np.float64)
    by_feature = [np.bincount(arms, weights=column, minlength=count) for column in described.T]
    sums = np.reshape(by_feature, (-1, count)).T
    with np.errstate(invalid="ignore"):
        means = sums / units[:, None]
    deviation = described.std(axis=0)
    gap = means - means[0]
    return np.asarray(np.where(deviation > 0, gap / np.where(deviation > 0, deviation, 1.0), 0.0 * gap))


def balance_table(described: pl.DataFrame, arms: NDArray[np.int64], names: Sequence[str]) -> pl.DataFrame:
    """Mean of each feature per arm, and the largest standardised difference from the first arm.

    Args:
        described: From `features`.
        arms: Position of each unit's arm.
        names: The arms.

    Returns:
        A row a feature: ``feature``, a column per arm with its mean, and ``largest_difference``. An arm that is
        called like one of the others stands as ``<arm> (arm)``.
    """
    values = described.to_numpy()
    gaps = np.abs(standardised_differences(values, arms, len(names)))
    own = ("feature", "largest_difference")
    labels = [f"{name} (arm)" if name in own else name for name in names]
    present = [(name, arms == position) for position, name in enumerate(labels) if (arms == position).any()]
    means = {name: values[inside].mean(axis=0) for name, inside in present}
    return pl.DataFrame(
        {"feature": described.columns, **means, "largest_difference": np.nanmax(gaps, axis=0)}
    )
