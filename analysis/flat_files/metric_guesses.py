"""Which columns are metrics, of which type, and what a row is, where it was not said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.columns import all_distinct, first_row, type_words
from fairsplit.analysis.flat_files.request import FlatFileError, MetricColumn
from fairsplit.analysis.flat_files.unit_guesses import is_row_number
from fairsplit.analysis.flat_files.values import as_numbers, is_written_otherwise, is_zero_one, numbers_in
from fairsplit.analysis.flat_files.words import is_code, is_from_before, is_id, is_unnamed, outcome_rank

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fairsplit.analysis.flat_files.request import By, Request

#: A column of text with at least this share of numbers was meant to be one of numbers.
_MOSTLY = 0.5
_YEARS = (1900, 2100)
#: Whole numbers that are all as large as this are codes or seconds since 1970.
_CODE = 10**8


def guess_metrics(frame: pl.DataFrame, used: Collection[str], guesses: list[str]) -> list[MetricColumn]:
    """The columns of numbers that add up, the likeliest outcome first.

    Args:
        frame: The file.
        used: Columns that play another part.
        guesses: Gets the metrics, and the columns passed over with the reason.

    Returns:
        None where no column looks like a metric.

    Raises:
        FlatFileError: The column that would decide has a cell that is no number.
    """
    ranked: list[tuple[tuple[int, bool], str]] = []
    over: list[str] = []
    faulty: set[str] = set()
    for name in frame.columns:
        found = None if name in used else _candidate(name, frame[name])
        if found is None:
            continue
        if found.why:
            over.append(f"{shown(name)} ({found.why})")
        if found.is_faulty:
            faulty.add(name)
        if found.is_faulty or not found.why:
            # What happens or not is asked about more often than an amount.
            ranked.append(((outcome_rank(name), not found.is_share), name))
    ranked.sort(key=lambda item: item[0])
    if ranked and ranked[0][1] in faulty:
        as_numbers(frame, ranked[0][1], "--metric")
    metrics = [MetricColumn(name, name) for _, name in ranked if name not in faulty]
    if metrics:
        listed = ", ".join(shown(metric.name) for metric in metrics)
        guesses.append(
            f"metrics are {listed}; the first one decides (override with --metric COLUMN:TYPE, repeatedly)"
        )
    else:
        guesses.append("no column looks like a metric, so only the split is judged (override with --metric)")
    if over:
        guesses.append(f"no metrics are {', '.join(over)} (override with --metric COLUMN:TYPE)")
    return metrics


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column that may be a metric.

    Attributes:
        why: Why it is none, or what is wrong with it; empty where it is one.
        is_faulty: Whether it was meant as numbers, and a cell is none.
        is_share: Whether all values are 0 or 1.
    """

    why: str = ""
    is_faulty: bool = False
    is_share: bool = False


def _candidate(name: str, column: pl.Series) -> _Candidate | None:
    """What a column is as a metric; nothing where nobody would take it for one."""
    found = numbers_in(column)
    filled = column.len() - (0 if found is None else int(found.missing.sum()))
    if found is None or filled - int(found.bad.sum()) < _MOSTLY * filled:
        return _no_number(name, column)
    if found.values.null_count() == column.len():
        return None
    if why := _no_metric(name, column, found.values):
        return _Candidate(why)
    bad = found.bad | found.missing | ~found.values.cast(pl.Float64).is_finite().fill_null(value=True)
    is_share = is_zero_one(found.values)
    if (row := first_row(bad)) is None:
        return _Candidate(is_share=is_share)
    cell = column[row - 1]
    return _Candidate(f"{'empty' if cell is None else shown(str(cell))} in row {row}", True, is_share)


def _no_number(name: str, column: pl.Series) -> _Candidate | None:
    """Columns that a person, but no program, reads as numbers, and text that is called like an outcome."""
    if is_id(name) or is_code(name) or is_from_before(name):
        return None
    written = is_written_otherwise(column)
    row = first_row(written)
    if row is not None and written.sum() >= _MOSTLY * (column.len() - column.null_count()):
        cell = shown(str(column[row - 1])) if column.dtype == pl.String else type_words(column.dtype)
        return _Candidate(f"{cell} in row {row}", is_faulty=True)
    return _Candidate(type_words(column.dtype)) if outcome_rank(name) == 0 else None


def _no_metric(name: str, column: pl.Series, values: pl.Series) -> str:
    """Why numbers are not taken for a metric, or nothing."""
    known = values.drop_nulls()
    low, high = (int(known.min()), int(known.max())) if known.dtype.is_integer() else (0, 0)  # type: ignore[arg-type]
    amounts = known.dtype.is_integer() and not is_zero_one(known)
    zeros = column.dtype == pl.String and column.str.strip_chars().str.contains(r"^0\d").any()
    reasons = {
        "an id": is_id(name),
        "it counts the rows": is_unnamed(name) or is_row_number(name, values),
        "constant": known.n_unique() == 1 and not values.null_count(),
        "a code or a time": is_code(name),
        "from before the exposure: --covariate": is_from_before(name),
        "a code": zeros,
        "dates": amounts and _are_dates(known),
        "years": amounts and low >= _YEARS[0] and high <= _YEARS[1],
        "codes or times": amounts and (low >= _CODE or high <= -_CODE),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _are_dates(values: pl.Series) -> bool:
    """Whether whole numbers are all days or months as 20260131 or 202601."""
    for per_month in (100, 1):
        year, month, day = values // (100 * per_month), values // per_month % 100, values % 100
        valid = year.is_between(*_YEARS) & month.is_between(1, 12)
        if (valid & day.is_between(1, 31) if per_month > 1 else valid).all():
            return True
    return False


def guess_by(
    frame: pl.DataFrame,
    request: Request,
    said: Collection[str],
    metrics: Sequence[MetricColumn],
    guesses: list[str],
) -> By:
    """Counts per arm show themselves: no unit was named, and no arm has a second row."""
    if request.by is not None:
        return request.by
    if request.units is not None:
        return "arm"
    if request.unit is not None or request.cluster is not None or request.covariates:
        return "unit"
    place = [frame[name] for name in said]
    counts = all(metric.denominator is not None for metric in metrics)
    if not metrics:
        counts = find_units(frame, said) is not None
    if counts and all_distinct(place):
        guesses.append("a row holds the counts of one arm (override with --by unit)")
        return "arm"
    return "unit"


_UNITS = (
    "n", "units", "users", "visitors", "players", "customers", "count", "size", "sample_size", "samples", "trials",
    "total", "exposures", "impressions", "sessions", "participants", "views",
)  # fmt: skip
_SPREADS = ("sd", "std", "stdev", "stddev", "std_dev", "standard_deviation")
_MEANS = ("mean", "avg", "average")


def find_units(frame: pl.DataFrame, said: Collection[str]) -> str | None:
    """The column that counts an arm's units, by its name."""
    known = {name.lower(): name for name in frame.columns if name not in said}
    return next((known[name] for name in _UNITS if name in known), None)


def metrics_of_counts(
    frame: pl.DataFrame,
    said: Collection[str],
    metrics: Sequence[MetricColumn],
    request: Request,
    guesses: list[str],
) -> tuple[list[MetricColumn], str]:
    """The metrics of counts per arm, and the column of an arm's units.

    Args:
        frame: The file.
        said: Columns that play another part.
        metrics: Those that were named.
        request: What was said.
        guesses: Gets the columns that hold no counts.

    Raises:
        FlatFileError: Nothing counts the units.
    """
    denominators = [metric.denominator for metric in metrics if metric.denominator is not None]
    units = request.units or next(iter(denominators), None) or find_units(frame, said)
    if units is None:
        rule = "the column of an arm's units"
        raise FlatFileError(Problem("rows are counts, but of how many units?", "--units", rule=rule))
    if metrics:
        # A single column is one of successes among the units that were named.
        known = [
            replace(metric, denominator=units)
            if metric.denominator is None and request.units is not None
            else metric
            for metric in metrics
        ]
        return known, units
    found = []
    names = {name.lower(): name for name in frame.columns if name not in {*said, units}}
    for mean in _MEANS:
        for key in [key for key in names if key == mean or mean in key.split("_")]:
            spread = next((names[s] for end in _SPREADS if (s := key.replace(mean, end)) in names), None)
            if spread is not None:
                found.append(MetricColumn(names[key], names[key], units, "mean", spread=spread))
    taken = {name for metric in found for name in metric.columns}
    total = numbers_in(frame[units])
    over = []
    for name in names.values():
        values = numbers_in(frame[name])
        if name in taken or values is None or total is None or is_id(name) or is_unnamed(name):
            continue
        within = (values.values >= 0) & (values.values <= total.values)
        if values.values.dtype.is_integer() and within.all(ignore_nulls=False):
            found.append(MetricColumn(f"{name}/{units}", name, units))
        else:
            over.append(shown(name))
    if over:
        listed = ", ".join(over)
        guesses.append(
            f"no metrics are {listed}: no counts among {shown(units)} (override with --metric COUNT/UNITS)"
        )
    return found, units


def typed(frame: pl.DataFrame, metric: MetricColumn, by: By, guesses: list[str]) -> MetricColumn:
    """The metric with its type, guessed from the values where none was said.

    Raises:
        FlatFileError: A type that the rows do not allow.
    """
    if by == "arm":
        allowed = {"mean"} if metric.spread is not None else {"", "proportion", "z"}
        if metric.denominator is None or metric.type not in allowed:
            rule = "SUCCESSES/UNITS as proportion or z, or MEAN/SD/UNITS"
            hint = "other types need a row per unit"
            raise FlatFileError(
                Problem(
                    "counts per arm give shares and means only", "--metric", shown(metric.name), rule, hint
                )
            )
        return replace(metric, type=metric.type or "proportion")
    if metric.spread is not None:
        raise FlatFileError(
            Problem("mean, sd and units are those of an arm", "--metric", shown(metric.name), "--by arm")
        )
    if metric.denominator is not None:
        if metric.type not in {"", "ratio"}:
            rule = "ratio, or --by arm where rows are counts"
            raise FlatFileError(
                Problem("two columns of units make a ratio", "--metric", shown(metric.name), rule)
            )
        return replace(metric, type="ratio")
    if metric.type:
        return metric
    found = numbers_in(frame[metric.column])
    kind = "proportion" if found is not None and is_zero_one(found.values) else "mean"
    said = shown(metric.name)
    guesses.append(f"{said} is a {kind} (override with --metric {said}:TYPE)")
    return replace(metric, type=kind)


def named_apart(metrics: Sequence[MetricColumn]) -> tuple[MetricColumn, ...]:
    """A column that is asked for twice gets its type behind the name the second time.

    Raises:
        FlatFileError: The same metric twice.
    """
    result: list[MetricColumn] = []
    for metric in metrics:
        word = f"p{metric.percentile * 100:.0f}" if metric.percentile else metric.type
        name = metric.name if metric.name not in {other.name for other in result} else f"{metric.name}:{word}"
        same = [other for other in result if (other.columns, other.type) == (metric.columns, metric.type)]
        if name in {other.name for other in result} or any(o.percentile == metric.percentile for o in same):
            raise FlatFileError(Problem("a metric is named twice", "--metric", shown(name)))
        result.append(replace(metric, name=name))
    return tuple(result)
