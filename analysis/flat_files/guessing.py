"""Filling in what was not said, each guess with the option that overrides it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from analysis.catalogue.findings import shown
from analysis.errors import Problem
from analysis.flat_files.request import FlatFileError, MetricColumn, Request, parse_metric, require_column
from analysis.flat_files.values import is_zero_one, numbers_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.flat_files.request import By

MAX_ARMS = 100
MAX_LEVELS = 50

_VARIANT = re.compile(
    r"(?:variant|variation|arm|group|treatment|bucket|cohort|version|test|experiment|ab)(?:_?(?:id|name|group))?\Z"
    r"|(?:experiment|test|ab|variant|variation|treatment)_?(?:group|arm|variant)\Z|segment\Z",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"(?:control|ctrl|baseline|base|original|default|placebo|holdout|old|off|none|a|0|false)(?:[ _-].*)?\Z|no[ _-].+",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:(?:user|player|customer|visitor|unit|client|member|session|device|anonymous)_?)?id\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Every column's part.

    Attributes:
        unit: Column of ids, or none where each row is a unit of its own.
        variant: Column of the arm.
        metrics: The metrics; the first one decides.
        covariates: CUPED covariates.
        segments: Columns to split by.
        experiment: Column that tells experiments apart, or none.
        by: What a row is.
    """

    unit: str | None
    variant: str
    metrics: tuple[MetricColumn, ...]
    covariates: tuple[str, ...]
    segments: tuple[str, ...]
    experiment: str | None
    by: By


def roles_of(frame: pl.DataFrame, request: Request) -> tuple[Roles, list[str]]:
    """The part of every column, and the guesses in words.

    Args:
        frame: The file.
        request: What was said.

    Raises:
        FlatFileError: Unknown columns, a column with two parts, nothing that could be the arm or a metric.
    """
    columns = frame.columns
    named = [
        *(("--unit", request.unit), ("--variant", request.variant), ("--experiment", request.experiment)),
        *(("--segment", name) for name in request.segments),
        *(("--covariate", name) for name in request.covariates),
    ]
    for option, name in named:
        if name is not None:
            require_column(name, columns, option)
    guesses: list[str] = []
    variant = request.variant or _guess_variant(frame, request, guesses)
    metrics = [parse_metric(text, columns) for text in request.metrics]
    unit = request.unit or _guess_unit(frame, variant, metrics, guesses)
    used = {name for _, name in named if name} | {variant} | ({unit} if unit else set())
    if not metrics:
        metrics = _guess_metrics(frame, used, guesses)
    _refuse_two_parts(variant, request, metrics)
    by = request.by or _guess_by(frame, request, variant, metrics, guesses)
    if by == "event" and unit is None:
        rule = "the column of the unit's id"
        raise FlatFileError(Problem("rows are events, but of which unit?", "--unit", rule=rule))
    typed = [_typed(frame, metric, by, guesses) for metric in metrics]
    return (
        Roles(
            unit,
            variant,
            _named_apart(typed),
            tuple(request.covariates),
            tuple(request.segments),
            request.experiment,
            by,
        ),
        guesses,
    )


def _refuse_two_parts(variant: str, request: Request, metrics: Sequence[MetricColumn]) -> None:
    taken = {variant: "--variant"}
    if request.experiment:
        taken.setdefault(request.experiment, "--experiment")
    asked = [("--experiment", request.experiment)] if request.experiment else []
    asked += [("--segment", name) for name in request.segments]
    asked += [("--covariate", name) for name in request.covariates]
    asked += [("--metric", name) for metric in metrics for name in metric.columns]
    for option, name in asked:
        if name is not None and taken.get(name, option) != option:
            raise FlatFileError(
                Problem("one column has two parts", option, shown(name), hint=f"it is the {taken[name]}")
            )
    both = {name for metric in metrics for name in metric.columns} & set(request.covariates)
    if both:
        rule = "a covariate is known before the exposure"
        raise FlatFileError(Problem("a metric is its own covariate", "--covariate", shown(min(both)), rule))


def _guess_variant(frame: pl.DataFrame, request: Request, guesses: list[str]) -> str:
    taken = {request.unit, request.experiment, *request.covariates, *request.segments}
    few = [name for name in frame.columns if name not in taken and 2 <= frame[name].n_unique() <= 20]
    by_name = [name for name in few if _VARIANT.match(name)]
    if request.control is not None and not by_name:
        by_name = [name for name in few if request.control in frame[name].cast(pl.String).unique()]
    by_shape = [
        name for name in few if frame[name].dtype == pl.String and numbers_or_none(frame[name]) is None
    ]
    found = by_name[:1] or (by_shape if len(by_shape) == 1 else [])
    if not found:
        hint = f"it might be {' or '.join(shown(name) for name in few[:8])}" if few else ""
        raise FlatFileError(Problem("which column is the arm?", "--variant", rule="name it", hint=hint))
    guesses.append(f"the arm is in column {shown(found[0])} (override with --variant)")
    return found[0]


def _guess_unit(
    frame: pl.DataFrame, variant: str, metrics: Sequence[MetricColumn], guesses: list[str]
) -> str | None:
    taken = {variant, *(name for metric in metrics for name in metric.columns)}
    for name in frame.columns:
        if (
            name not in taken
            and _UNIT.match(name)
            and frame[name].null_count() == 0
            and frame[name].is_unique().all()
        ):
            guesses.append(f"the unit's id is in column {shown(name)} (override with --unit)")
            return name
    return None


def _guess_metrics(frame: pl.DataFrame, used: set[str], guesses: list[str]) -> list[MetricColumn]:
    shares: list[MetricColumn] = []
    amounts: list[MetricColumn] = []
    for name in frame.columns:
        column = frame[name]
        if name in used or _UNIT.match(name) or column.null_count():
            continue
        values = numbers_or_none(column)
        if values is not None and values.n_unique() > 1:
            (shares if is_zero_one(values) else amounts).append(MetricColumn(name, name))
    # The first metric decides: what happens or not is asked about more often than an amount.
    found = shares + amounts
    if not found:
        raise FlatFileError(Problem("no column looks like a metric", "--metric", rule="COLUMN:TYPE"))
    listed = ", ".join(shown(metric.name) for metric in found)
    guesses.append(
        f"metrics are {listed}; the first one decides (override with --metric COLUMN:TYPE, repeatedly)"
    )
    return found


def _guess_by(
    frame: pl.DataFrame, request: Request, variant: str, metrics: Sequence[MetricColumn], guesses: list[str]
) -> By:
    """Counts per arm show themselves: no unit was named, and no arm has a second row."""
    place = [name for name in (request.experiment, variant, *request.segments) if name is not None]
    ratios = all(metric.denominator is not None for metric in metrics)
    if request.unit is None and ratios and frame.select(place).is_unique().all():
        guesses.append("a row holds the counts of one arm (override with --by unit)")
        return "arm"
    return "unit"


def _typed(frame: pl.DataFrame, metric: MetricColumn, by: By, guesses: list[str]) -> MetricColumn:
    if by == "arm":
        if metric.denominator is None or metric.type not in {"", "proportion", "z"}:
            rule = "SUCCESSES/UNITS as proportion or z"
            hint = "other types need a row per unit"
            raise FlatFileError(
                Problem("counts per arm give proportions only", "--metric", shown(metric.name), rule, hint)
            )
        return replace(metric, type=metric.type or "proportion")
    if metric.denominator is not None:
        if metric.type not in {"", "ratio"}:
            rule = "ratio, or --by arm where rows are counts"
            raise FlatFileError(
                Problem("two columns of units make a ratio", "--metric", shown(metric.name), rule)
            )
        return replace(metric, type="ratio")
    if metric.type:
        return metric
    values = numbers_or_none(frame[metric.column])
    kind = "proportion" if values is not None and is_zero_one(values) else "mean"
    said = shown(metric.name)
    guesses.append(f"{said} is a {kind} (override with --metric {said}:TYPE)")
    return replace(metric, type=kind)


def _named_apart(metrics: Sequence[MetricColumn]) -> tuple[MetricColumn, ...]:
    """A column that is asked for twice gets its type behind the name the second time."""
    result: list[MetricColumn] = []
    for metric in metrics:
        word = f"p{metric.percentile * 100:.0f}" if metric.percentile else metric.type
        name = metric.name if metric.name not in {other.name for other in result} else f"{metric.name}:{word}"
        same = [other for other in result if (other.columns, other.type) == (metric.columns, metric.type)]
        if name in {other.name for other in result} or any(o.percentile == metric.percentile for o in same):
            raise FlatFileError(Problem("a metric is named twice", "--metric", shown(name)))
        result.append(replace(metric, name=name))
    return tuple(result)


def control_of(arms: Sequence[str], said: str | None) -> str:
    """The control among an experiment's arms, in the arms' order: as said, by its name, else the first.

    >>> control_of(["gate_40", "gate_30"], None), control_of(["Mens E-Mail", "No E-Mail"], None)
    ('gate_40', 'No E-Mail')
    """
    if said is not None:
        return said
    return next((arm for arm in arms if _CONTROL.match(arm)), arms[0])
