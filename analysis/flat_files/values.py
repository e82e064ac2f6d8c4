"""Columns as numbers: booleans in any spelling, refusals with a place, and exact scaled integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.columns import first_row, type_words
from fairsplit.analysis.flat_files.request import FlatFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRUTH = {"true": 1, "t": 1, "yes": 1, "y": 1, "false": 0, "f": 0, "no": 0, "n": 0}
#: How empty cells are spelled in text.
_MISSING = ("", "na", "n/a", "#n/a", "null", "none", "-", ".", "?")
#: A number with a sign of a currency or of per cent, or with signs between thousands.
_WRITTEN = (
    r"^\(?[+\-−]?\s*(?:[$€£¥₹₩₽]|[A-Z]{3}\s?)?\s*[+\-−]?"
    r"(?:\d{1,3}(?:[,.'’\s]\d{3})+|\d+)(?:[.,]\d+)?\s*(?:[%‰$€£¥₹₩₽]|\s?[A-Z]{3}|kr)?\)?$"
)
#: Whole numbers up to here are exact in binary floating point, and their squares sum within 128 bits.
LARGEST = 10**15
#: Scales are 64-bit integers.
_LARGEST_SCALE = 10**18
#: What rounding to the scale may cost, as a share of the values' spread.
_LOSS = 1e-6


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column read as numbers.

    Attributes:
        values: Int64 or Float64, null where there is no number.
        missing: Cells that are empty, also where a word says so.
        bad: Cells that hold something else than a number.
    """

    values: pl.Series
    missing: pl.Series
    bad: pl.Series


def numbers_in(column: pl.Series) -> Numbers | None:
    """Read a column as numbers; nothing where its type holds none."""
    none = column.is_null()
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        lower = text.str.to_lowercase()
        missing = lower.is_in(_MISSING).fill_null(value=True)
        words = lower.filter(~missing).unique()
        if words.len() and words.len() <= len(_TRUTH) and words.is_in(list(_TRUTH)).all():
            values = lower.replace_strict(_TRUTH, default=None, return_dtype=pl.Int64)
        else:
            values = text.cast(pl.Int64, strict=False)
            if values.null_count() > missing.sum():
                values = text.cast(pl.Float64, strict=False)
        values = values.set(missing, None)
        return Numbers(values, missing, values.is_null() & ~missing)
    if column.dtype == pl.Boolean or column.dtype.is_integer():
        values = column.cast(pl.Int64, strict=False)
        if values.null_count() > column.null_count():
            values = column.cast(pl.Float64)
        return Numbers(values, none, none & False)
    if column.dtype.is_numeric():
        return Numbers(column.cast(pl.Float64), none, none & False)
    return None


def is_written_otherwise(column: pl.Series) -> pl.Series:
    """Cells that a person reads as a number, whatever program does; of a type that is no text only durations.

    >>> cells = ["$1,200.50", "12 %", "1.234,50", "1'000", "USD 3", "7", "1.2.3", "10:30", "A 12", "2026-01-05"]
    >>> pl.Series(cells).filter(is_written_otherwise(pl.Series(cells))).to_list()
    ['$1,200.50', '12 %', '1.234,50', "1'000", 'USD 3', '7']
    """
    if isinstance(column.dtype, pl.Duration):
        return column.is_not_null()
    if column.dtype != pl.String:
        return pl.repeat(False, column.len(), eager=True)
    return column.str.strip_chars().str.contains(_WRITTEN).fill_null(value=False)


def is_zero_one(values: pl.Series) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).drop_nulls().all())


def as_numbers(frame: pl.DataFrame, name: str, option: str, *, may_lack: bool = False) -> pl.Series:
    """A column as finite numbers.

    Args:
        frame: The file.
        name: The column.
        option: What asked for it.
        may_lack: Whether empty cells and NaN stay, as null.

    Raises:
        FlatFileError: Text, empty cells, NaN, infinities, numbers above 1e15; with the first row concerned.
    """
    where = f"{option} {shown(name)}"
    found = numbers_in(frame[name])
    rule = "numbers, or true and false"
    if found is None:
        kind = type_words(frame[name].dtype)
        raise FlatFileError(Problem("the column is not numeric", where, kind, rule, _type_hint(frame[name])))
    if (row := first_row(found.bad)) is not None:
        cell = str(frame[name][row - 1])
        value = f"{shown(cell)} in row {row}"
        raise FlatFileError(Problem("the column is not numeric", where, value, rule, _cell_hint(cell)))
    values = found.values
    finite = values.cast(pl.Float64).is_finite()
    if may_lack:
        finite = finite | values.cast(pl.Float64).is_nan()
    elif (row := first_row(found.missing)) is not None:
        cell = frame[name][row - 1]
        word = f"{shown(str(cell))} " if cell is not None and str(cell).strip() else ""
        hint = "fill them (0 where nothing happened) or leave those units out, equally in every arm"
        value = f"{int(found.missing.sum()):,}, first {word}in row {row}"
        raise FlatFileError(Problem("empty values", where, value, "a number in every row", hint))
    if (row := first_row(~finite)) is not None:
        raise FlatFileError(Problem("NaN or infinite values", where, f"first in row {row}", "finite numbers"))
    if (row := first_row(values.cast(pl.Float64).fill_nan(0.0).abs() > LARGEST)) is not None:
        value = f"{shown(str(frame[name][row - 1]))} in row {row}"
        hint = "use a larger unit; an id is no number"
        raise FlatFileError(
            Problem("values are too large", where, value, f"at most {LARGEST:.0e} either way", hint)
        )
    return values.fill_nan(None) if values.dtype.is_float() else values


def _type_hint(column: pl.Series) -> str:
    if isinstance(column.dtype, pl.Duration):
        return "write it as a number of seconds"
    return "write what is asked about as a column of its own" if column.dtype.is_nested() else ""


def _cell_hint(cell: str) -> str:
    if "," in cell and any(character.isdigit() for character in cell):
        return "--decimal , if the comma is the decimal sign; thousands are written without a sign"
    return "write the number alone" if is_written_otherwise(pl.Series([cell])).all() else ""


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


def scale_of(*columns: pl.Series) -> int:
    """The smallest power of ten that makes all values whole, or the largest that keeps them exact integers.

    >>> scale_of(pl.Series([1, 2])), scale_of(pl.Series([0.25, 29.99])), scale_of(pl.Series([2e-12]))
    (1, 100, 1000000000000)
    """
    floats = [column.to_numpy() for column in columns if column.dtype.is_float() and column.len()]
    # Whole columns count too: they are multiplied by the same scale.
    largest = max((float(column.cast(pl.Float64).abs().max() or 0.0) for column in columns), default=0.0)  # type: ignore[arg-type]
    scale = 1
    while (
        not all(_is_whole(column * scale) for column in floats)
        and largest * scale * 10 <= LARGEST
        and scale < _LARGEST_SCALE
    ):
        scale *= 10
    return scale


def _is_whole(values: NDArray[np.float64]) -> bool:
    return bool((np.abs(values - np.rint(values)) <= 1e-12 * np.abs(values)).all())


def scaled(values: pl.Series, scale: int) -> pl.Series:
    """Values times the scale as whole numbers, rounded half to even."""
    if not values.dtype.is_float():
        return values.cast(pl.Int64) * scale
    return pl.Series(values.name, np.rint(values.to_numpy() * scale).astype(np.int64))


def require_digits(values: pl.Series, scale: int, where: str) -> None:
    """Refuse values whose differences rounding to the scale would lose: large beside a small spread, or tiny.

    Raises:
        FlatFileError: With the digits that are kept.
    """
    if not values.dtype.is_float() or values.len() < 2:
        return
    numbers = values.to_numpy()
    if numbers.min() == numbers.max():
        return
    lost = np.abs(np.rint(numbers * scale) / scale - numbers).max()
    if lost > _LOSS * numbers.std():
        value = f"from {numbers.min():.17g} to {numbers.max():.17g}"
        hint = "take a constant off, or use a unit in which they differ more"
        raise FlatFileError(
            Problem("the values differ in digits that would be lost", where, value, "15 digits", hint)
        )
