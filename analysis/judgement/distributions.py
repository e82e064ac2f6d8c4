"""Metrics that sums cannot answer: quantiles and rank tests from value histograms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.pairing import GROUP, moments
from fairsplit.analysis.parts.installed import installed, is_custom
from fairsplit.analysis.parts.running import compare_custom, custom_estimates
from fairsplit.analysis.statistics.comparisons import Comparison, without_means
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.quantiles import quantile_difference, quantile_estimates
from fairsplit.analysis.statistics.ranks import kolmogorov_smirnov, mann_whitney
from fairsplit.analysis.statistics.ratios import linearised
from fairsplit.analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: The histogram holds the default analysis only.
_KEY = [*GROUP[:-1], "variant_id"]


def has_histogram(rows: pl.DataFrame, histograms: pl.DataFrame | None) -> BoolArray:
    """Which rows the histograms cover: their cut-off is there, and the analysis is the default one."""
    if histograms is None:
        return np.zeros(rows.height, dtype=np.bool_)
    place = ["experiment_id", "cut_off", "metric"]
    there = histograms.select(place).unique().with_columns(there=True)
    found = rows.select(*place, "analysis").join(there, on=place, how="left", maintain_order="left")
    return (
        found.select(pl.col("there").fill_null(value=False) & (pl.col("analysis") == "default"))
        .to_series()
        .to_numpy()
    )


def _counts(rows: pl.DataFrame, histograms: pl.DataFrame, variant: str) -> pl.DataFrame:
    """Value and units of one arm of each row, the value as a whole number of the metric's scale."""
    numbered = rows.with_row_index("row").select(
        "row", *GROUP[:-1], pl.col(variant).alias("variant_id"), "scale_y"
    )
    return numbered.join(histograms, on=_KEY, how="inner").select(
        "row", pl.col("value", "scale_y").cast(pl.Float64), "units"
    )


def _from_cells(cells: pl.DataFrame, size: int) -> Histograms:
    row, value, scale, units, is_treatment = (
        cells[name].to_numpy() for name in ("row", "value", "scale_y", "units", "is_treatment")
    )
    # Not in Polars: it multiplies by the reciprocal where a column happens to be constant, one digit off.
    return Histograms.from_long(row, value / scale, units, is_treatment, size)


def _both_arms(pairs: pl.DataFrame, histograms: pl.DataFrame) -> Histograms:
    arms = [
        _counts(pairs, histograms, variant).with_columns(is_treatment=pl.lit(is_treatment))
        for variant, is_treatment in (("control_id", False), ("variant_id", True))
    ]
    long = pl.concat(arms)
    return _from_cells(long, pairs.height)


@quiet
def own_values(rows: pl.DataFrame, histograms: pl.DataFrame | None) -> tuple[Moments, FloatArray]:
    """Each arm's own value: mean, ratio, quantile or custom statistic; and the variance of a unit's value.

    Returns:
        Moments of shape (rows,), whose `m2` is NaN for quantiles and custom statistics, and the standard error of the
        value; NaN where a ratio has no denominator, or a quantile or a custom statistic no histogram.
    """
    joint = moments(rows, "yd")
    plain = joint.variable(0)
    is_ratio = rows["is_ratio"].to_numpy()
    mean, m2 = plain.mean.copy(), plain.m2.copy()
    if is_ratio.any():
        line = linearised(joint.take(is_ratio)).variable(0)
        mean[is_ratio], m2[is_ratio] = line.mean, line.m2
    std_error = np.sqrt(Moments(plain.n, mean, m2).variance_of_mean)
    wanted = (rows["test"] == "percentile").to_numpy()
    if wanted.any():
        mean[wanted] = m2[wanted] = std_error[wanted] = np.nan
        at = np.flatnonzero(wanted & has_histogram(rows, histograms))
        if histograms is not None and at.size:
            part = rows[at]
            cells = _counts(part, histograms, "variant_id").with_columns(is_treatment=pl.lit(value=False))
            one = _from_cells(cells, part.height)
            estimate, _ = quantile_estimates(one, part["percentile"].to_numpy())
            # The point estimate exists even where too few units give it no standard error.
            mean[at] = np.where(
                one.n_control > 0, one.quantile(one.control, part["percentile"].to_numpy()), np.nan
            )
            std_error[at] = np.sqrt(estimate.variance)
    statistics = installed("metrics").keys() & set(rows["test"].unique())
    for name in sorted(statistics):
        wanted = (rows["test"] == name).to_numpy()
        mean[wanted] = m2[wanted] = std_error[wanted] = np.nan
        at = np.flatnonzero(wanted & has_histogram(rows, histograms))
        if histograms is not None and at.size:
            cells = _counts(rows[at], histograms, "variant_id").with_columns(is_treatment=pl.lit(value=False))
            estimate, _ = custom_estimates(name, _from_cells(cells, at.size))
            mean[at], std_error[at] = estimate.value, np.sqrt(estimate.variance)
    return Moments(plain.n, mean, m2), std_error


@quiet
def compare_distributions(
    kind: str, pairs: pl.DataFrame, histograms: pl.DataFrame, alpha: FloatArray, alternative: Any
) -> Comparison:
    """Quantile difference, Mann-Whitney, Kolmogorov-Smirnov or custom test of every pair.

    The "difference" of a Mann-Whitney test is P(treatment above control) - P(below), Cliff's delta, whose
    interval agrees with the test; that of Kolmogorov-Smirnov is the signed largest distance of the distribution
    functions, without an interval. Both are two-sided.
    """
    both = _both_arms(pairs, histograms)
    if kind == "percentile":
        moved = quantile_difference(both, pairs["percentile"].to_numpy(), alpha, alternative)
        tied = (moved.status == Reason.ZERO_VARIANCE) & _varied(both)
        return replace(moved, status=np.where(tied, Reason.TIES_AT_QUANTILE, moved.status).astype(np.int8))
    if is_custom(kind):
        return compare_custom(kind, both, alpha, alternative)
    if kind == "mann_whitney":
        done = mann_whitney(both, alpha)
        delta = 2 * done.win_probability - 1
        ends = (2 * done.ci_low - 1, 2 * done.ci_high - 1)
        return without_means(
            both, delta, np.abs(delta / done.z), done.z, (done.p_value, done.log_p), ends, alpha, done.status
        )
    found = kolmogorov_smirnov(both)
    none = np.full(both.size, np.nan)
    exact = np.isfinite(found.p_exact) & (found.p_exact > 0)
    p = (
        np.where(exact, found.p_exact, found.p_value),
        np.where(exact, np.log(np.where(exact, found.p_exact, 1.0)), found.log_p),
    )
    return without_means(both, found.signed, none, found.d, p, (none, none), alpha, found.status)


def _varied(both: Histograms) -> BoolArray:
    """Whether the units of either arm have more than one value: a percentile without width is then one of many ties."""
    ends = np.zeros(both.size), np.ones(both.size)
    spans = [
        both.quantile(units, ends[0]) < both.quantile(units, ends[1])
        for units in (both.control, both.treatment)
    ]
    return np.asarray(spans[0] | spans[1])
