"""The day on which each unit of a file was exposed, where a column says it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.flat_files.units import value_column
from fairsplit.analysis.flat_files.values import numbers_in

if TYPE_CHECKING:
    from fairsplit.analysis.flat_files.roles import Roles

_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d-%b-%Y",
)  # fmt: skip
#: With blanks of their own, so without a time.
_WRITTEN_OUT = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y")
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800
_EXPOSURE = re.compile(
    r"expos|assign|view|enrol|first|seen|start|join|date|day|time|^ts$|_at$", re.IGNORECASE
)
# What a variant may bring about cannot tell when a unit was exposed.
_OUTCOME = re.compile(
    r"last|end|purchase|order|convert|conversion|bought|paid|pay|click|churn|cancel|updat|deliver|complet|return|birth",
    re.IGNORECASE,
)


def exposure_days(frame: pl.DataFrame, roles: Roles) -> pl.Series | None:
    """The column that tells the day of exposure, as days.

    That is a column of dates or times with a value in every row, which has no other part and whose name does not tell
    of what comes after exposure; of several the first whose name tells of exposure or time.

    Args:
        frame: The file.
        roles: Every column's part.

    Returns:
        A day per row, under the column's name; nothing if no column tells days.
    """
    taken = {roles.unit, roles.variant, roles.experiment, roles.cluster, roles.units}
    taken |= {
        *roles.covariates,
        *roles.segments,
        *(name for metric in roles.metrics for name in metric.columns),
    }
    free = [column for column in frame.columns if column not in taken and not _OUTCOME.search(column)]
    free.sort(key=lambda column: _EXPOSURE.search(column) is None)
    for column in free:
        values = frame[column]
        days = _days_of(_from_number(values) if _EXPOSURE.search(column) else values)
        if days is not None:
            return days.alias(column)
    return None


def dated_units(rows: pl.DataFrame, roles: Roles, column: str) -> pl.DataFrame:
    """Units per experiment, arm and day, as `dated_split_rows` takes them.

    Args:
        rows: From `unit_rows`, with their ``day``.
        roles: Every column's part; a cluster counts as one unit, on its first day.
        column: Where the file has the day.
    """
    place = ["experiment_id", "variant_id", "exposure_day"]
    rows = rows.rename({"day": "exposure_day"})
    if roles.cluster is not None:
        rows = rows.group_by("experiment_id", "variant_id", "cluster").agg(pl.col("exposure_day").min())
    counted = pl.len() if roles.units is None else pl.col(value_column(roles.units)).sum()
    return rows.group_by(place).agg(units=counted.cast(pl.Float64)).with_columns(column=pl.lit(column))


def _from_number(values: pl.Series) -> pl.Series:
    """Instants written as whole numbers since 1970, or days as 20260302; anything else as it is."""
    found = numbers_in(values)
    if found is None or not found.values.dtype.is_integer() or found.values.null_count():
        return values
    numbers = found.values
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    for per_second in (1, 1_000, 1_000_000):
        if _YEAR_2000 * per_second <= low and high < _YEAR_2100 * per_second:
            return (numbers * (1_000_000 // per_second)).cast(pl.Datetime("us"))
    return values.cast(pl.String)


def _days_of(values: pl.Series) -> pl.Series | None:
    """The days of a column whose every value is a date or an instant, else nothing."""
    if values.null_count():
        return None
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return values.cast(pl.Date)
    if values.dtype != pl.String:
        return None
    whole = values.str.strip_chars()
    day = whole.str.replace(r"[T ].*$", "")
    for text, layouts in ((day, _FORMATS), (whole, _WRITTEN_OUT)):
        for layout in layouts:
            days = text.str.to_date(layout, strict=False)
            if not days.null_count():
                return days
    return None
