"""From the file's rows to one row per unit: experiment, arm, segment levels, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.columns import all_distinct, as_names, first_row, require_filled
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.unit_guesses import repeated
from fairsplit.analysis.flat_files.values import LARGEST, as_numbers, require_shares

if TYPE_CHECKING:
    from fairsplit.analysis.flat_files.request import Request
    from fairsplit.analysis.flat_files.roles import Roles

MAX_LEVELS = 50
UNKNOWN = "unknown"


def value_column(name: str) -> str:
    """Where the units' table keeps a column of the file: never where a name of its own could be."""
    return f"value:{name}"


def segment_column(name: str) -> str:
    """Where the units' table keeps the level of a segment."""
    return f"segment:{name}"


def unit_rows(
    frame: pl.DataFrame, roles: Roles, request: Request, guesses: list[str], days: pl.Series | None = None
) -> pl.DataFrame:
    """Read the columns that have a part; rows of one unit are added up where they are its events.

    Args:
        frame: The file, not empty.
        roles: Every column's part.
        request: What was said.
        guesses: Gets what became of units in two arms and of covariates with gaps.
        days: From `exposure_days`.

    Returns:
        One row per unit (or arm): ``experiment_id``, ``variant_id``, ``crossed`` (seen in a second arm),
        ``cluster``, ``day`` if the file tells it (of events the first), ``segment:<name>``, and numbers
        ``value:<name>``, null where a covariate is missing.

    Raises:
        FlatFileError: Cells that do not fit their column's part.
    """
    rows = _places(frame, roles, request)
    columns = {name for metric in roles.metrics for name in metric.columns}
    values = {name: as_numbers(frame, name, "--metric") for name in sorted(columns)}
    if roles.units is not None and roles.units not in values:
        values[roles.units] = as_numbers(frame, roles.units, "--units")
    values |= {name: as_numbers(frame, name, "--covariate", may_lack=True) for name in roles.covariates}
    for metric in roles.metrics:
        if metric.is_share and roles.by != "arm":
            require_shares(values[metric.column], metric.column)
    rows = rows.with_columns(**{value_column(name): its for name, its in values.items()})
    guesses.extend(
        f"ids that differ by blanks alone are apart (override by stripping the --{place} cells)"
        for place in ("unit", "cluster")
        if rows[place].str.strip_chars().n_unique() < rows[place].n_unique()
    )
    if days is not None:
        rows = rows.with_columns(day=days)
    if roles.by == "unit" and roles.unit is not None:
        _require_unique(frame, rows, roles)
    if roles.by == "event":
        rows = _by_unit(rows, roles)
    return _with_crossovers(rows, roles, request, guesses)


def _places(frame: pl.DataFrame, roles: Roles, request: Request) -> pl.DataFrame:
    names = {
        "variant_id": ("--variant", roles.variant),
        "experiment_id": ("--experiment", roles.experiment),
        "unit": ("--unit", roles.unit),
        "cluster": ("--cluster", roles.cluster),
    }
    columns = []
    for place, (option, column) in names.items():
        if column is None:
            name = request.name if place == "experiment_id" else None
            columns.append(pl.repeat(name, frame.height, dtype=pl.String, eager=True).alias(place))
            continue
        text = as_names(frame, column, option)
        require_filled(text, f"{option} {shown(column)}")
        columns.append(text.alias(place))
    columns += [_levels(frame, column) for column in roles.segments]
    return pl.DataFrame(columns).with_columns(crossed=pl.lit(value=False))


def _levels(frame: pl.DataFrame, column: str) -> pl.Series:
    text = as_names(frame, column, "--segment")
    levels = text.n_unique()
    if levels > MAX_LEVELS:
        rule = f"at most {MAX_LEVELS}"
        raise FlatFileError(
            Problem("a segment has too many levels", f"--segment {shown(column)}", f"{levels:,}", rule)
        )
    missing = UNKNOWN if UNKNOWN not in text else f"{UNKNOWN} (empty)"
    return text.fill_null(missing).alias(segment_column(column))


def _require_unique(frame: pl.DataFrame, rows: pl.DataFrame, roles: Roles) -> None:
    if not all_distinct([rows["experiment_id"], rows["unit"]]):
        raise FlatFileError(repeated(frame, str(roles.unit)))


def _by_unit(rows: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    """A unit's first row gives arm, segments and covariates; amounts add up, and a conversion is any 1."""
    shares = {value_column(metric.column) for metric in roles.metrics if metric.is_share}
    covariates = {value_column(name) for name in roles.covariates}
    amounts = [name for name in rows.columns if name.startswith(value_column("")) and name not in covariates]
    summed = [name for name in amounts if name not in shares]
    own = {"experiment_id", "unit", "crossed", "day", *amounts}
    firsts = [name for name in rows.columns if name not in own]
    days = [pl.col("day").min()] if "day" in rows.columns else []
    units = rows.group_by("experiment_id", "unit", maintain_order=True).agg(
        *(pl.col(name).first() for name in firsts),
        *days,
        *(pl.col(name).max() for name in amounts if name in shares),
        # Whole numbers of 64 bits would wrap around in silence.
        *(_wide(rows[name]).sum() for name in summed),
        crossed=pl.col("variant_id").n_unique() > 1,
    )
    for name in summed:
        if (row := first_row(units[name].cast(pl.Float64).abs() > LARGEST)) is not None:
            where = f"--metric {shown(name.removeprefix(value_column('')))}"
            value = f"{units[name][row - 1]:g} of unit {shown(units['unit'][row - 1])}"
            rule = f"at most {LARGEST:.0e} either way"
            raise FlatFileError(Problem("a unit's sum is too large", where, value, rule, "use a larger unit"))
    return units.with_columns(pl.col(name).cast(rows.schema[name]) for name in summed).select(rows.columns)


def _wide(column: pl.Series) -> pl.Expr:
    return pl.col(column.name).cast(pl.Int128) if column.dtype.is_integer() else pl.col(column.name)


def _with_crossovers(rows: pl.DataFrame, roles: Roles, request: Request, guesses: list[str]) -> pl.DataFrame:
    if roles.cluster is not None:
        arms = pl.col("variant_id").n_unique().over("experiment_id", "cluster")
        rows = rows.with_columns(crossed=arms > 1)
    crossed = int(rows["crossed"].sum())
    if request.crossovers == "exclude":
        if roles.by != "event" and roles.cluster is None:
            rule = "rows that repeat a unit: --by event or --cluster"
            raise FlatFileError(
                Problem("one row a unit shows no crossovers", "--crossovers", "exclude", rule)
            )
        return rows
    if crossed and roles.cluster is not None:
        first = rows.filter("crossed")["cluster"][0]
        rule = "one arm for all rows of a cluster"
        hint = "--crossovers exclude leaves such clusters out; --unit COL if arms were drawn within them"
        raise FlatFileError(
            Problem("a cluster is in two arms", f"--cluster {shown(roles.cluster)}", shown(first), rule, hint)
        )
    if crossed:
        guesses.append(
            f"{crossed:,} units seen in two arms stay in their first one (override with --crossovers exclude)"
        )
    return rows


def require_counts(rows: pl.DataFrame, roles: Roles) -> None:
    """Refuse counts per arm that cannot be: successes beyond the units, fractions of a unit, spreads below zero.

    Raises:
        FlatFileError: With the first row concerned.
    """
    if roles.covariates:
        raise FlatFileError(
            Problem("counts per arm leave no covariates", "--covariate", rule="a row per unit")
        )

    def numbers(name: str | None) -> pl.Series:
        return rows[value_column(str(name))].cast(pl.Float64)

    for metric in roles.metrics:
        values, units = numbers(metric.column), numbers(metric.denominator)
        if metric.spread is None:
            bad = (values < 0) | (values > units) | (values != values.round()) | (units != units.round())
            rule = "whole numbers, 0 ≤ successes ≤ units"
        else:
            bad = (numbers(metric.spread) < 0) | (units < 0) | (units != units.round())
            rule = "whole units and a standard deviation of 0 or more"
        if (row := first_row(bad)) is not None:
            value = f"{values[row - 1]:g} of {units[row - 1]:g} in row {row}"
            raise FlatFileError(
                Problem("these are no counts of an arm", f"--metric {shown(metric.name)}", value, rule)
            )
    units = numbers(roles.units)
    if (row := first_row((units < 0) | (units != units.round()))) is not None:
        value = f"{units[row - 1]:g} in row {row}"
        raise FlatFileError(
            Problem(
                "these are no counts of an arm", f"--units {shown(str(roles.units))}", value, "whole numbers"
            )
        )
