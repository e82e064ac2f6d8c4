"""Which column plays which part: as said, else guessed, each guess with the option that overrides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.arm_guesses import guess_variant
from fairsplit.analysis.flat_files.caps import with_caps
from fairsplit.analysis.flat_files.metric_guesses import (
    guess_by,
    guess_metrics,
    metrics_of_counts,
    named_apart,
    typed,
)
from fairsplit.analysis.flat_files.request import FlatFileError, parse_metric, require_column
from fairsplit.analysis.flat_files.unit_guesses import guess_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from fairsplit.analysis.flat_files.request import By, MetricColumn, Request


@dataclass(frozen=True, slots=True)
class Roles:
    """Every column's part.

    Attributes:
        unit: Column of ids, or none where each row is a unit of its own.
        variant: Column of the arm.
        metrics: The metrics; the first one decides. Without one only the split is judged.
        covariates: CUPED covariates.
        segments: Columns to split by.
        experiment: Column that tells experiments apart, or none.
        by: What a row is.
        cluster: Column of the groups by which the arms were drawn, or none.
        units: Where rows are counts: the column of an arm's units.
    """

    unit: str | None
    variant: str
    metrics: tuple[MetricColumn, ...]
    covariates: tuple[str, ...]
    segments: tuple[str, ...]
    experiment: str | None
    by: By
    cluster: str | None = None
    units: str | None = None


def roles_of(frame: pl.DataFrame, request: Request, guesses: list[str]) -> Roles:
    """The part of every column.

    Args:
        frame: The file.
        request: What was said.
        guesses: Gets the guesses in words.

    Raises:
        FlatFileError: Unknown columns, a column with two parts, nothing that could be the arm, an id whose rows
            repeat.
    """
    columns = frame.columns
    for option, name in _named(request):
        require_column(name, columns, option)
    variant = request.variant or guess_variant(frame, request, guesses)
    metrics = [parse_metric(text, columns) for text in request.metrics]
    _refuse_two_parts(variant, request, metrics)
    said = {name for _, name in _named(request)} | {variant}
    by = guess_by(frame, request, said, metrics, guesses)
    unit = units = None
    if by == "arm":
        metrics, units = metrics_of_counts(frame, said, metrics, request, guesses)
    else:
        unit = guess_unit(frame, variant, metrics, request, guesses)
        metrics = metrics or guess_metrics(frame, said | ({unit} if unit else set()), guesses)
    if by == "event" and unit is None:
        rule = "the column of the unit's id"
        raise FlatFileError(Problem("rows are events, but of which unit?", "--unit", rule=rule))
    whole = [typed(frame, metric, by, guesses) for metric in metrics]
    _refuse_by_cluster(whole, request)
    return Roles(
        unit,
        variant,
        with_caps(named_apart(whole), request, by),
        tuple(dict.fromkeys(request.covariates)),
        tuple(dict.fromkeys(request.segments)),
        request.experiment,
        by,
        request.cluster,
        units,
    )


def _refuse_by_cluster(metrics: Sequence[MetricColumn], request: Request) -> None:
    for metric in metrics:
        if request.cluster is not None and metric.is_by_values:
            rule = "proportion, mean or a ratio"
            raise FlatFileError(
                Problem(
                    "this type takes no clusters",
                    "--cluster",
                    shown(metric.name),
                    rule,
                    "see docs/analyze.md",
                )
            )
    if request.cluster is not None and request.by == "arm":
        raise FlatFileError(Problem("counts per arm know no clusters", "--cluster", rule="a row per unit"))


def _named(request: Request) -> Iterator[tuple[str, str]]:
    """The options that name a column."""
    single = {
        "--unit": request.unit,
        "--variant": request.variant,
        "--experiment": request.experiment,
        "--cluster": request.cluster,
        "--units": request.units,
    }
    yield from ((option, name) for option, name in single.items() if name is not None)
    yield from (("--segment", name) for name in request.segments)
    yield from (("--covariate", name) for name in request.covariates)


def _refuse_two_parts(variant: str, request: Request, metrics: Sequence[MetricColumn]) -> None:
    taken = {variant: "--variant"}
    if request.experiment:
        taken.setdefault(request.experiment, "--experiment")
    if request.unit:
        taken.setdefault(request.unit, "--unit")
    asked = [(option, name) for option, name in _named(request) if option != "--cluster"]
    asked += [("--metric", name) for metric in metrics for name in metric.columns]
    for option, name in asked:
        if taken.get(name, option) != option:
            raise FlatFileError(
                Problem("one column has two parts", option, shown(name), hint=f"it is the {taken[name]}")
            )
    both = {name for metric in metrics for name in metric.columns} & set(request.covariates)
    if both:
        rule = "a covariate is known before the exposure"
        raise FlatFileError(Problem("a metric is its own covariate", "--covariate", shown(min(both)), rule))
