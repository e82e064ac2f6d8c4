"""One call from facts and definitions to everything that is published about experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from analysis.judgement.comparisons import comparison_rows
from analysis.judgement.deciding import decision_rows
from analysis.judgement.definitions import experiment_frame, use_frame, variant_frame, weight_frame
from analysis.judgement.losses import crossover_rows, loss_rows
from analysis.judgement.pairing import defined_rows
from analysis.judgement.rows import DECISIONS, VALIDITY, VALIDITY_KEY, conform
from analysis.judgement.split import split_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from analysis.catalogue.loading import Catalogue
    from analysis.catalogue.metrics import MetricDefinition


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is concluded at a cut-off.

    Attributes:
        comparisons: Rows of `COMPARISONS`, for every cut-off up to this one.
        validity: Rows of `VALIDITY` at this cut-off.
        decisions: Rows of `DECISIONS` at this cut-off, one per experiment.
    """

    comparisons: pl.DataFrame
    validity: pl.DataFrame
    decisions: pl.DataFrame


def judge(
    statistics: pl.DataFrame,
    daily_exposures: pl.DataFrame,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    cut_off: date,
    *,
    losses: pl.DataFrame | None = None,
    code_hash: str = "",
) -> Judgement:
    """Judge every experiment of the catalogue at a cut-off.

    Args:
        statistics: `fct_sufficient_statistics` with every cut-off from the experiments' start on: plans that
            look repeatedly need their earlier looks. Sums are whole numbers (Decimal or Int128).
        daily_exposures: `fct_daily_exposures`.
        catalogue: The sound definitions.
        metrics: Metric definitions by name.
        cut_off: The last complete day; later rows are left out.
        losses: `fct_losses`.
        code_hash: Of the code that computes the rows.

    Returns:
        Result, validity and decision rows, sorted by key. A check that fails leaves its experiment without a
        winner. What cannot be computed is a null with a status and a reason.
    """
    experiments, variants = experiment_frame(catalogue), variant_frame(catalogue)
    uses = use_frame(catalogue, metrics)
    rows = defined_rows(statistics, cut_off, experiments, variants, uses)
    comparisons = comparison_rows(rows, code_hash)
    thresholds = catalogue.project.thresholds
    checks = [
        split_rows(daily_exposures, weight_frame(catalogue), thresholds, cut_off),
        crossover_rows(daily_exposures, experiments, thresholds, cut_off),
    ]
    if losses is not None:
        checks.append(loss_rows(losses, daily_exposures, variants, thresholds, cut_off))
    validity = pl.concat(
        [check for check in checks if not check.is_empty()] or [pl.DataFrame(schema=dict(VALIDITY))]
    )
    validity = conform(validity.with_columns(cut_off=pl.lit(cut_off)), VALIDITY, VALIDITY_KEY)
    decisions = decision_rows(comparisons, validity, experiments, uses, cut_off)
    return Judgement(comparisons, validity, conform(decisions, DECISIONS, ("experiment_id",)))
