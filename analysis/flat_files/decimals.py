"""Numbers written with a decimal comma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.request import FlatFileError

if TYPE_CHECKING:
    from fairsplit.analysis.flat_files.request import Request

_NUMBER = r"^\s*[+-]?[0-9]*,?[0-9]+(?:[eE][+-]?[0-9]+)?\s*$"
_COMMA = r"[0-9]*,[0-9]+"
#: One or two, or four and more digits after the comma: no thousands are written so.
_SURELY_DECIMAL = r"(?:^|[^0-9])[0-9]*,(?:[0-9]{1,2}|[0-9]{4,})(?:[eE]|\s*$)"
_MISSING = r"^\s*(?:NA|N/A|null|none|-)?\s*$"


def with_decimal_points(frame: pl.DataFrame, request: Request, guesses: list[str]) -> pl.DataFrame:
    """Columns of numbers with a decimal comma, with a point; those that hold names stay as they are.

    Args:
        frame: The file.
        request: The sign, if it was said, and the columns that hold names.
        guesses: Gets the columns that were found to have one.

    Raises:
        FlatFileError: A sign that is neither.
    """
    if request.decimal not in {None, ".", ","}:
        raise FlatFileError(Problem("is no decimal sign", "--decimal", shown(str(request.decimal)), ". or ,"))
    if request.decimal == ".":
        return frame
    names = {request.unit, request.variant, request.experiment, request.cluster, *request.segments}
    columns = [name for name, dtype in frame.schema.items() if dtype == pl.String and name not in names]
    found = [name for name in columns if _has_commas(frame[name], is_said=request.decimal == ",")]
    if found and request.decimal is None:
        listed = ", ".join(shown(name) for name in found)
        guesses.append(f"the comma in {listed} is the decimal sign (override with --decimal .)")
    return frame.with_columns(pl.col(name).str.replace(",", ".", literal=True) for name in found)


def _has_commas(column: pl.Series, *, is_said: bool) -> bool:
    cells = column.drop_nulls()
    cells = cells.filter(~cells.str.contains(f"(?i){_MISSING}"))
    with_comma = cells.str.contains(_COMMA)
    if not with_comma.any():
        return False
    sure = is_said or bool(cells.str.contains(_SURELY_DECIMAL).any())
    return sure and bool(cells.str.contains(_NUMBER).all())
