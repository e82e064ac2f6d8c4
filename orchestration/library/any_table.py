"""A table of any library as a Polars frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import narwhals as nw
import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

_RULE = "a Polars, pandas or PyArrow table, a DuckDB relation, or the path of a file"


def as_polars(data: object) -> pl.DataFrame:
    """The rows and named columns of a table; an index of pandas is no column and is left out.

    Args:
        data: A frame, eager or lazy, of any library that narwhals knows.

    Raises:
        OrchestrationError: It is no table, a name stands twice or is no text, or a column's values have several types.
    """
    _require_names(data)
    try:
        frame = nw.from_native(cast("IntoFrame", data))
        eager = frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
        return eager.to_polars()
    # What a library says of columns that it cannot hand over; its own types of error are subclasses of these.
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        words = (str(error).strip().splitlines() or [""])[0]
        raise OrchestrationError(
            Problem("is no table that can be read", "data", shown(f"{type(data).__name__}: {words}"), _RULE)
        ) from error


def _require_names(data: object) -> None:
    """Polars would rename, or refuse, what pandas and Arrow allow: one name for two columns, numbers as names."""
    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        return
    # Arrow's `columns` are the values, its `column_names` the names; pandas' `columns` are the names.
    names = getattr(data, "column_names", None) or getattr(data, "columns", None)
    listed = [] if names is None else list(names)
    seen: set[object] = set()
    for name in listed:
        if not isinstance(name, str):
            raise OrchestrationError(
                Problem("a column's name is no text", "data", shown(repr(name)), "names such as 'variant'")
            )
        if name in seen:
            raise OrchestrationError(
                Problem("two columns have one name", "data", shown(name), "each name once")
            )
        seen.add(name)
