"""Columns as names: ids, arms, segments and experiments are text, whatever they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.request import FlatFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Whole numbers beyond here are no longer apart in binary floating point.
_FLOAT_WHOLE = 2**53
_AS_TEXT = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Time, pl.Null)


def type_words(dtype: pl.DataType) -> str:
    """A column's type as a message names it.

    >>> type_words(pl.List(pl.String)), type_words(pl.Duration("ms"))
    ('a list', 'a duration')
    """
    if dtype == pl.Object:
        return "a nested value"
    word = type(dtype).__name__.lower()
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def names_in(column: pl.Series) -> pl.Series | None:
    """The column as text, blank cells and NaN as null; nothing where its type has no text.

    Whole numbers of any width keep every digit; those in binary floating point have no ``.0``.
    """
    dtype = column.dtype
    if dtype == pl.Binary:
        try:
            text = column.cast(pl.String)
        except pl.exceptions.PolarsError:
            # Bytes that are no text, such as those of a UUID.
            text = column.bin.encode("hex")
    elif dtype.is_float():
        column = column.fill_nan(None)
        whole = bool((column.drop_nulls() == column.drop_nulls().round()).all())
        text = column.cast(pl.Int128 if whole else dtype, strict=False).cast(pl.String)
    elif dtype.is_numeric() or isinstance(dtype, _AS_TEXT):
        text = column.cast(pl.String)
    else:
        return None
    return text.set(text.str.strip_chars() == "", None)


def as_names(frame: pl.DataFrame, name: str, option: str) -> pl.Series:
    """A column as text; empty cells stay null.

    Raises:
        FlatFileError: A type without text, or numbers in binary floating point that have lost digits.
    """
    column, where = frame[name], f"{option} {shown(name)}"
    text = names_in(column)
    if text is None:
        rule = "text, whole numbers, dates, or true and false"
        raise FlatFileError(Problem("the column holds no names", where, type_words(column.dtype), rule))
    if column.dtype.is_float():
        lost = (column.abs() > _FLOAT_WHOLE) & ~column.is_nan()
        if (first := first_row(lost)) is not None:
            rule = "text or whole numbers"
            hint = "write the column as text: in floating point large ids lose digits"
            value = f"{column[first - 1]!r} in row {first}"
            raise FlatFileError(Problem("names have lost digits", where, value, rule, hint))
    return text


def first_row(mask: pl.Series) -> int | None:
    """The first row in which a mask holds, counted from 1, or none."""
    at = mask.fill_null(value=False).arg_true()
    return int(at[0]) + 1 if at.len() else None


def require_filled(text: pl.Series, where: str) -> None:
    """Refuse empty cells where a row cannot do without.

    Raises:
        FlatFileError: With the first row concerned.
    """
    if missing := text.null_count():
        value = f"{missing:,}, first in row {first_row(text.is_null())}"
        raise FlatFileError(Problem("empty values", where, value, "a value in every row"))


def all_distinct(columns: Iterable[pl.Series]) -> bool:
    """Whether no two rows agree in all of these columns."""
    return not pl.DataFrame([column.alias(str(i)) for i, column in enumerate(columns)]).is_duplicated().any()
