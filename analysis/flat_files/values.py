"""Columns as numbers: booleans in any spelling, refusals with a place, and exact scaled integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analysis.catalogue.findings import shown
from analysis.errors import Problem
from analysis.flat_files.request import FlatFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRUTH = {"true": 1, "t": 1, "yes": 1, "y": 1, "false": 0, "f": 0, "no": 0, "n": 0}
#: Whole numbers up to here are exact in binary floating point, and their squares sum within 128 bits.
LARGEST = 10**15


def numbers_or_none(column: pl.Series) -> pl.Series | None:
    """The column as numbers where it holds numbers or truth values, else nothing; nulls stay."""
    if column.dtype == pl.Boolean or column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    if column.dtype.is_numeric():
        return column.cast(pl.Float64)
    if column.dtype == pl.String:
        words = column.unique().drop_nulls().str.strip_chars().str.to_lowercase()
        if words.len() and words.len() <= 2 * len(_TRUTH) and words.is_in(list(_TRUTH)).all():
            return column.str.strip_chars().str.to_lowercase().replace_strict(_TRUTH, return_dtype=pl.Int64)
    return None


def is_zero_one(values: pl.Series) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).drop_nulls().all())


def as_numbers(frame: pl.DataFrame, name: str, option: str) -> pl.Series:
    """A column as finite numbers.

    Raises:
        FlatFileError: Text, empty cells, NaN, infinities, numbers above 1e15; with the first row concerned.
    """
    column = frame[name]
    found = numbers_or_none(column)
    where = f"{option} {shown(name)}"
    if found is None:
        as_number = column.cast(pl.String).cast(pl.Float64, strict=False)
        bad = column.filter(as_number.is_null() & column.is_not_null())
        example = shown(str(bad[0])) if bad.len() else str(column.dtype)
        rule = "numbers, or true and false"
        raise FlatFileError(Problem("the column is not numeric", where, example, rule))
    if missing := column.null_count():
        row = _first_row(column.is_null())
        hint = "fill them (0 where nothing happened) or leave those units out, equally in every arm"
        raise FlatFileError(
            Problem("empty values", where, f"{missing:,}, first in row {row}", "a number in every row", hint)
        )
    values = found.cast(pl.Float64)
    if not values.is_finite().all():
        row = _first_row(~values.is_finite())
        raise FlatFileError(Problem("NaN or infinite values", where, f"first in row {row}", "finite numbers"))
    if values.len() and float(values.abs().max() or 0.0) > LARGEST:  # type: ignore[arg-type]
        raise FlatFileError(
            Problem("values are too large", where, rule=f"at most {LARGEST:.0e}", hint="use a larger unit")
        )
    return found


def require_shares(values: pl.Series, name: str) -> None:
    """Refuse a proportion whose values are not 0 and 1.

    Raises:
        FlatFileError: With the first other value.
    """
    other = values.filter((values != 0) & (values != 1))
    if other.len():
        where = f"--metric {shown(name)}"
        hint = f"use {shown(name)}:mean"
        raise FlatFileError(
            Problem(
                "a proportion's values are not 0 and 1", where, str(other[0]), "0, 1, true or false", hint
            )
        )


def _first_row(mask: pl.Series) -> int:
    return int(mask.arg_true()[0]) + 1


def scale_of(*columns: pl.Series) -> int:
    """The smallest power of ten that makes all values whole, or the largest that keeps them exact integers.

    >>> scale_of(pl.Series([1, 2])), scale_of(pl.Series([0.25, 29.99]))
    (1, 100)
    """
    floats = [column.to_numpy() for column in columns if column.dtype.is_float() and column.len()]
    # Whole columns count too: they are multiplied by the same scale.
    largest = max((float(column.cast(pl.Float64).abs().max() or 0.0) for column in columns), default=0.0)  # type: ignore[arg-type]
    scale = 1
    while not all(_is_whole(column * scale) for column in floats) and largest * scale * 10 <= LARGEST:
        scale *= 10
    return scale


def _is_whole(values: NDArray[np.float64]) -> bool:
    return bool((np.abs(values - np.rint(values)) <= 1e-12 * np.maximum(1.0, np.abs(values))).all())


def scaled(values: pl.Series, scale: int) -> pl.Series:
    """Values times the scale as whole numbers, rounded half to even."""
    if not values.dtype.is_float():
        return values.cast(pl.Int64) * scale
    return pl.Series(values.name, np.rint(values.to_numpy() * scale).astype(np.int64))
