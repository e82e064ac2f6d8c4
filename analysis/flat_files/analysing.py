"""One call from a flat file's frame to result rows, validity rows and decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.arms import arms_of, one_spelling
from fairsplit.analysis.flat_files.caps import with_capped
from fairsplit.analysis.flat_files.certified import certified_metrics
from fairsplit.analysis.flat_files.days import dated_units, exposure_days
from fairsplit.analysis.flat_files.decimals import with_decimal_points
from fairsplit.analysis.flat_files.definitions import catalogue_of, metric_definitions
from fairsplit.analysis.flat_files.differences import difference_rows
from fairsplit.analysis.flat_files.places import is_adjusted, places_of
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.roles import roles_of
from fairsplit.analysis.flat_files.sums import (
    exposure_frame,
    histogram_frame,
    statistics_frame,
    summary_frame,
    summary_scales,
)
from fairsplit.analysis.flat_files.units import require_counts, unit_rows, value_column
from fairsplit.analysis.judgement import Facts, judge_cut_offs
from fairsplit.analysis.judgement.custom import CustomParts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.flat_files.places import Place
    from fairsplit.analysis.flat_files.request import Request
    from fairsplit.analysis.flat_files.roles import Roles
    from fairsplit.analysis.judgement import Judgement


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
        notes: What was asked for and could not be used.
    """

    judgement: Judgement
    differences: pl.DataFrame
    catalogue: Catalogue
    metrics: Mapping[str, MetricDefinition]
    exposures: pl.DataFrame
    histograms: pl.DataFrame | None
    guesses: tuple[str, ...]
    notes: tuple[str, ...]


def analyse(
    frame: pl.DataFrame, request: Request, code_hash: str = "", part_hashes: Mapping[str, str] | None = None
) -> FlatAnalysis:
    """Judge every experiment of a flat file.

    The first metric is primary: it decides. The others are secondary. The split is tested against the declared
    ratio, equal if none is.

    Args:
        frame: One row a unit, an event of a unit, or the counts of an arm.
        request: Which column plays which part; what is left out is guessed.
        code_hash: Of the code that computes the rows.
        part_hashes: By the name of a custom part, of the rows that it judges.

    Returns:
        The analysis; the same rows as the pipeline's, at one cut-off.

    Raises:
        FlatFileError: The first thing that is wrong with the file or the request.
    """
    if frame.is_empty():
        raise FlatFileError(Problem("the file has no rows"))
    if not 0 < request.alpha < 1:
        raise FlatFileError(Problem("is not a level", "--alpha", f"{request.alpha:g}", "between 0 and 1"))
    guesses: list[str] = []
    frame = with_decimal_points(frame, request, guesses)
    roles = roles_of(frame, request, guesses)
    days = exposure_days(frame, roles)
    rows = unit_rows(frame, roles, request, guesses, days)
    if not request.arms_as_written:
        arm = one_spelling(rows["experiment_id"], rows["variant_id"], guesses)
        rows = rows.with_columns(variant_id=arm)
    arms = arms_of(rows, roles.variant, request, guesses)
    declared = pl.DataFrame(
        [(name, arm) for name, its in arms.items() for arm in its],
        schema={"experiment_id": pl.String, "variant_id": pl.String},
        orient="row",
    )
    rows = rows.join(declared, on=["experiment_id", "variant_id"], how="semi", maintain_order="left")
    rows = with_capped(rows, roles)
    kept = rows.filter(~pl.col("crossed")) if request.crossovers == "exclude" else rows
    places: list[Place] = []
    if roles.by == "arm":
        require_counts(rows, roles)
        scales = summary_scales(rows, roles)
        statistics = summary_frame(rows, scales, roles, declared, request.cut_off)
    else:
        places, scales = places_of(kept, roles, guesses)
        statistics = statistics_frame(places, scales, roles, declared, request.cut_off)
    catalogue = catalogue_of(arms, roles, request, roles.cluster or roles.unit or "unit")
    metrics = metric_definitions(roles, scales)
    exposures = exposure_frame(rows, roles, declared, request.cut_off)
    histograms = histogram_frame(places, roles, request.cut_off)
    dated = None
    if days is not None:
        dated = dated_units(rows, roles, days.name)
        column = shown(days.name)
        guesses.append(
            f"units were exposed on the day in column {column}, and the split is tested on each "
            f"(--segment {column} makes it a segment)"
        )
    refused = dict(certified_metrics(histograms, metrics, request.alpha))
    certified = frozenset(name for name, why in refused.items() if why is None)
    judgement = judge_cut_offs(
        Facts(sufficient_statistics=statistics, daily_exposures=exposures, value_histograms=histograms),
        catalogue,
        metrics,
        [request.cut_off],
        dated=dated,
        code_hash=code_hash,
        custom=CustomParts(certified, part_hashes or {}),
    )
    judgement = replace(judgement, validity=_checks_of_a_file(judgement.validity, roles))
    return FlatAnalysis(
        judgement,
        difference_rows(statistics, roles, judgement.comparisons),
        catalogue,
        metrics,
        exposures,
        histograms,
        tuple(guesses),
        (*_unused(rows, roles), *_uncertified(metrics, refused)),
    )


def _unused(rows: pl.DataFrame, roles: Roles) -> Iterator[str]:
    """What was asked for and has no part in a figure."""
    for name in roles.covariates:
        if rows[value_column(name)].n_unique() == 1:
            yield f"{shown(name)} is constant and explains nothing"
    for metric in roles.metrics:
        if roles.covariates and not is_adjusted(metric, roles):
            listed = ", ".join(shown(name) for name in roles.covariates)
            yield f"{listed} is not used for {shown(metric.name)}: {metric.type} takes no covariates"


def _uncertified(metrics: Mapping[str, MetricDefinition], refused: Mapping[str, str | None]) -> Iterator[str]:
    """Why custom parts decide nothing here."""
    for name, why in refused.items():
        if why is not None:
            part = metrics[name].test
            yield f"{part} decides nothing for {shown(name)}: in random splits of these units it failed by {why}"


def _checks_of_a_file(validity: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    """The checks that a file can answer, each once."""
    if roles.by != "event":
        # One row a unit cannot show a unit in two arms.
        validity = validity.filter(pl.col("check") != "crossovers")
    if not roles.segments:
        # Without parts there is nothing to look for the source of a faulty split in.
        validity = validity.filter(pl.col("check") != "srm_diagnosis")
    # Metrics that share their one covariate share its check.
    place = ["experiment_id", "segment", "segment_level", "sentence"]
    return validity.unique(place, keep="first", maintain_order=True)
