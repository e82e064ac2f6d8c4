"""One call from a flat file's frame to result rows, validity rows and decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from analysis.catalogue.findings import did_you_mean, shown
from analysis.errors import Problem
from analysis.flat_files.definitions import catalogue_of, metric_definitions
from analysis.flat_files.differences import difference_rows
from analysis.flat_files.guessing import MAX_ARMS, control_of, roles_of
from analysis.flat_files.request import FlatFileError
from analysis.flat_files.sums import exposure_frame, histogram_frame, statistics_frame
from analysis.flat_files.units import unit_table
from analysis.judgement import judge_cut_offs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.catalogue.loading import Catalogue
    from analysis.catalogue.metrics import MetricDefinition
    from analysis.flat_files.guessing import Roles
    from analysis.flat_files.request import Request
    from analysis.judgement import Judgement


@dataclass(frozen=True, slots=True)
class FlatAnalysis:
    """What a flat file says.

    Attributes:
        judgement: Result, validity and decision rows of the one cut-off.
        differences: One row per experiment and metric: does any arm differ (schema `DIFFERENCES`).
        catalogue: The experiments as the file defines them.
        metrics: The metrics by name, in the order asked for.
        exposures: Units per arm and segment level.
        histograms: Units by value of rank and percentile metrics, or none.
        guesses: What was assumed, each with the option that overrides it.
    """

    judgement: Judgement
    differences: pl.DataFrame
    catalogue: Catalogue
    metrics: Mapping[str, MetricDefinition]
    exposures: pl.DataFrame
    histograms: pl.DataFrame | None
    guesses: tuple[str, ...]


def analyse(frame: pl.DataFrame, request: Request, code_hash: str = "") -> FlatAnalysis:
    """Judge every experiment of a flat file.

    The first metric is primary: it decides. The others are secondary. The split is tested against the declared
    ratio, equal if none is.

    Args:
        frame: One row a unit, an event of a unit, or the counts of an arm.
        request: Which column plays which part; what is left out is guessed.
        code_hash: Of the code that computes the rows.

    Returns:
        The analysis; the same rows as the pipeline's, at one cut-off.

    Raises:
        FlatFileError: The first thing that is wrong with the file or the request.
    """
    if frame.is_empty():
        raise FlatFileError(Problem("the file has no rows"))
    if not 0 < request.alpha < 1:
        raise FlatFileError(Problem("is not a level", "--alpha", f"{request.alpha:g}", "between 0 and 1"))
    roles, guesses = roles_of(frame, request)
    units = unit_table(frame, roles, request.name)
    arms = _arms(frame, units.frame, roles, request, guesses)
    declared = pl.DataFrame(
        [(name, arm) for name, its in arms.items() for arm in its],
        schema={"experiment_id": pl.String, "variant_id": pl.String},
        orient="row",
    )
    catalogue = catalogue_of(arms, roles, request, roles.unit or "unit")
    metrics = metric_definitions(roles, units)
    statistics = statistics_frame(units, roles, declared, request.cut_off)
    exposures = exposure_frame(units, roles, declared, request.cut_off)
    histograms = histogram_frame(units, roles, request.cut_off)
    judgement = judge_cut_offs(
        statistics,
        exposures,
        catalogue,
        metrics,
        [request.cut_off],
        histograms=histograms,
        code_hash=code_hash,
    )
    judgement = replace(judgement, validity=_checks_of_a_file(judgement.validity, roles))
    return FlatAnalysis(
        judgement,
        difference_rows(statistics, roles),
        catalogue,
        metrics,
        exposures,
        histograms,
        tuple(guesses),
    )


def _checks_of_a_file(validity: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    """The checks that a file can answer, the one of the pre-period told by the covariates that it is about."""
    if roles.by != "event":
        # One row a unit cannot show a unit in two arms.
        validity = validity.filter(pl.col("check") != "crossovers")
    if not roles.segments:
        # Without parts there is nothing to look for the source of a faulty split in.
        validity = validity.filter(pl.col("check") != "srm_diagnosis")
    told = pl.lit(" and ".join(roles.covariates))
    single = len(roles.covariates) == 1
    for metric in roles.metrics:
        name = told if single else pl.concat_str(told, pl.lit(f", as they foretell {metric.name},"))
        after = pl.col("sentence").str.strip_prefix(f"{metric.name} before exposure:")
        validity = validity.with_columns(
            pl.when(pl.col("check") == f"pre_period:{metric.name}")
            .then(pl.concat_str(name, pl.lit(" before exposure:"), after))
            .otherwise("sentence")
            .alias("sentence")
        )
    # Metrics that share their one covariate share its check.
    place = ["experiment_id", "segment", "segment_level", "sentence"]
    return validity.unique(place, keep="first", maintain_order=True)


def _arms(
    frame: pl.DataFrame, units: pl.DataFrame, roles: Roles, request: Request, guesses: list[str]
) -> dict[str, list[str]]:
    """Arms per experiment, the control first, the others in the order of their values."""
    order = frame.select(pl.col(roles.variant)).unique().sort(roles.variant)
    rank = order.select(variant_id=pl.col(roles.variant).cast(pl.String)).with_row_index("rank")
    found = (
        units.select("experiment_id", "variant_id")
        .unique()
        .join(rank, on="variant_id")
        .sort("experiment_id", "rank")
        .group_by("experiment_id", maintain_order=True)
        .agg("variant_id")
    )
    arms = {name: its for name, its in found.iter_rows() if len(its) > 1}
    where = f"--variant {shown(roles.variant)}"
    if not arms:
        only = shown(found["variant_id"][0][0])
        raise FlatFileError(Problem("there is one arm only", where, only, "two arms or more"))
    if len(arms) < found.height:
        guesses.append(f"{found.height - len(arms):,} experiments with one arm only were left out")
    largest = max(arms, key=lambda name: len(arms[name]))
    if len(arms[largest]) > MAX_ARMS:
        rule = f"at most {MAX_ARMS}"
        hint = (
            "is this the unit's id? If the file holds many experiments, name their column with --experiment"
        )
        raise FlatFileError(Problem("too many arms", where, f"{len(arms[largest]):,}", rule, hint))
    _check_options(arms, request)
    result = {}
    for name, its in arms.items():
        control = control_of(its, request.control)
        result[name] = [control, *(arm for arm in its if arm != control)]
    first = next(iter(result.values()))
    if request.control is None:
        example = shown(first[0]) if len(result) == 1 else f"{shown(first[0])} in the first experiment"
        guesses.append(f"the control is {example} (override with --control)")
    if not request.ratio:
        guesses.append(
            "the arms were meant to be equally large (override with --ratio, in the order of the arms)"
        )
    return result


def _check_options(arms: Mapping[str, list[str]], request: Request) -> None:
    without = [its for its in arms.values() if request.control is not None and request.control not in its]
    if without:
        hint = did_you_mean(str(request.control), without[0]) or "the arms are " + ", ".join(
            map(shown, without[0][:20])
        )
        where = f"--control {shown(str(request.control))}"
        rule = "" if len(arms) == 1 else f"in {len(without):,} of {len(arms):,} experiments"
        raise FlatFileError(Problem("no such arm", where, rule=rule, hint=hint))
    wrong = [its for its in arms.values() if request.ratio and len(its) != len(request.ratio)]
    if wrong:
        value = ":".join(f"{share:g}" for share in request.ratio)
        raise FlatFileError(
            Problem("the ratio does not fit the arms", "--ratio", value, f"{len(wrong[0])} numbers")
        )
    if request.ratio and not all(0 < share < float("inf") for share in request.ratio):
        raise FlatFileError(Problem("a share of the ratio is not above 0", "--ratio", rule="such as 1:1:2"))
