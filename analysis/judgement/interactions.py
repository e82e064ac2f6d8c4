"""Pairs of experiments on the same units: does one's split depend on the other, does one change the other's effect?

Every pair stands twice, for the primary metrics of either side. Within phases of both, so that changed weights are no
interaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.pair_cells import PAIR, Strata, pair_strata
from fairsplit.analysis.statistics.interactions import interaction_anova
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.multiplicity import adjust_p_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

#: False discoveries among the flagged pairs, two-sided level of the intervals, and power of what could be seen.
ALPHA: Final = 0.05
POWER: Final = 0.8
#: A column of the table of assignments with fewer expected units in some arm is not told apart from "not enrolled".
_LEAST_EXPECTED: Final = 5.0

#: `results.interactions`, a row per experiment, other experiment and primary metric of the first, as of `cut_off`.
#: `dependence_*`: chi-square of the arms against the other's arms and "not enrolled". `statistic` is F on `df1` and
#: `df2` degrees of freedom (one stratum of phases) or the sum of the strata's chi-squares (`df2` infinite).
#: `interaction` is the difference between the effect of `variant_id` in `other_variant` and in the other's control that
#: is largest by its error, in the metric's unit, its interval at 1 - 0.05 over the number of such differences;
#: `smallest_visible` is what would be found with a power of 80 %. `p_holm` is adjusted within the experiment,
#: `*_p_adjusted` over all pairs (Benjamini-Hochberg).
INTERACTIONS: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in PAIR},
    "cut_off": pl.Date(),
    "units": pl.Int64(),
    "strata": pl.Int64(),
    "dependence_statistic": pl.Float64(),
    "dependence_df": pl.Int64(),
    "dependence_p": pl.Float64(),
    "dependence_p_adjusted": pl.Float64(),
    "statistic": pl.Float64(),
    "df1": pl.Float64(),
    "df2": pl.Float64(),
    "p_value": pl.Float64(),
    "p_holm": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "variant_id": pl.String(),
    "other_variant": pl.String(),
    "interaction": pl.Float64(),
    "std_error": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "smallest_visible": pl.Float64(),
    "status": pl.String(),
    "reason": pl.String(),
    "finding": pl.String(),
    "code_hash": pl.String(),
}
#: `results.interaction_effects`: the effect of a variant against its control in one arm of the other experiment
#: (`kind` "conditional"), and of both variants together against both controls ("combined"), with 95 % intervals.
INTERACTION_EFFECTS: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in PAIR},
    "cut_off": pl.Date(),
    "kind": pl.String(),
    "variant_id": pl.String(),
    "other_variant": pl.String(),
    "effect": pl.Float64(),
    "std_error": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
}


def interaction_rows(
    cells: pl.DataFrame,
    overlaps: pl.DataFrame,
    daily_exposures: pl.DataFrame,
    variants: pl.DataFrame,
    uses: pl.DataFrame,
    cut_off: date,
    code_hash: str = "",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the pairs of experiments say of each other.

    Args:
        cells: `fct_pair_cells`.
        overlaps: `fct_overlaps`.
        daily_exposures: `fct_daily_exposures`.
        variants: From `variant_frame`.
        uses: From `use_frame`, with `scale_y` and `scale_d`.
        cut_off: Last day that counts.
        code_hash: Of the code that computes the rows.

    Returns:
        Rows of `INTERACTIONS` and of `INTERACTION_EFFECTS`, sorted by key. A metric that compares quantiles, ranks or
        distributions has none: its effect is no difference of means.
    """
    strata = pair_strata(cells.filter(pl.col("day") <= cut_off), variants, uses)
    if strata is None:
        return pl.DataFrame(schema=dict(INTERACTIONS)), pl.DataFrame(schema=dict(INTERACTION_EFFECTS))
    dependence = _dependence(overlaps, daily_exposures, cut_off)
    found = strata.pairs.with_columns(
        **_tested(strata), **_largest(strata), cut_off=pl.lit(cut_off), code_hash=pl.lit(code_hash)
    ).join(dependence, on=["experiment_id", "other_id"], how="left", maintain_order="left")
    family = found["experiment_id"].rank("dense").cast(pl.Int64).to_numpy()
    p = found["p_value"].fill_null(np.nan).to_numpy()
    found = found.with_columns(
        p_holm=pl.Series(adjust_p_values(p, family, method="holm").p_adjusted),
        p_adjusted=pl.Series(adjust_p_values(p, method="bh").p_adjusted),
    ).with_columns(pl.col("p_holm", "p_adjusted").fill_nan(None))
    finding = (
        pl.when(pl.col("p_adjusted") <= ALPHA)
        .then(pl.lit("interacts"))
        .when(pl.col("dependence_p_adjusted") <= ALPHA)
        .then(pl.lit("dependent"))
        .when(pl.col("p_value").is_null())
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("none"))
    )
    found = found.with_columns(finding=finding)
    rows = found.select(pl.col(name).cast(kind) for name, kind in INTERACTIONS.items()).sort(PAIR)
    return rows, _effects(strata, cut_off)


def uniformity(p_values: FloatArray) -> tuple[float, float] | None:
    """How far the p-values of a scan lie from uniform: Kolmogorov's distance and its p-value.

    Most pairs do not interact, so most p-values are uniform; too many small ones, or large ones, tell of a scan that is
    itself wrong. The two rows of a pair share units, so that the p-value is a rough one.

    Source:
        Stephens (1970), J. R. Stat. Soc. B 32(1): the distance times (√n + 0.12 + 0.11/√n).

    Examples:
        >>> distance, p = uniformity(np.array([0.05, 0.35, 0.65, 0.95]))
        >>> print(round(distance, 2), round(p, 2))
        0.2 0.99
    """
    p = np.sort(p_values[np.isfinite(p_values)])
    if p.size == 0:
        return None
    steps = np.arange(p.size)
    distance = float(max((p - steps / p.size).max(), ((steps + 1) / p.size - p).max()))
    root = np.sqrt(p.size)
    return distance, float(special.kolmogorov(distance * (root + 0.12 + 0.11 / root)))


def _tested(strata: Strata) -> dict[str, pl.Series]:
    """The F test of one stratum, or the sum of several strata's."""
    test = interaction_anova(Moments(strata.n, strata.mean, strata.m2))
    counts = np.isfinite(test.p_value)
    size = strata.pairs.height

    def total(values: FloatArray) -> FloatArray:
        sums = np.zeros(size)
        np.add.at(sums, strata.pair[counts], values[counts])
        return sums

    number = total(np.ones(counts.size))
    df1, statistic = total(test.df1), total(test.df1 * test.statistic)
    several = number > 1
    df2 = np.where(several, np.inf, total(test.df2))
    safe = np.maximum(df1, 1)
    p = np.where(
        several,
        special.chdtrc(safe, statistic),
        special.fdtrc(safe, np.where(several, 1.0, np.maximum(df2, 1)), statistic / safe),
    )
    known = number > 0
    masked = {
        "statistic": np.where(several, statistic, statistic / safe),
        "df1": df1,
        "df2": df2,
        "p_value": p,
    }
    return {
        **{
            name: pl.Series(np.where(known, values, np.nan)).fill_nan(None) for name, values in masked.items()
        },
        "strata": pl.Series(number.astype(np.int64)),
        "status": pl.Series(np.where(known, "ok", "not_computed")),
        "reason": pl.Series([None if one else "insufficient_sample" for one in known], dtype=pl.String),
    }


def _pooled(strata: Strata, effect: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse-variance means over the strata of each pair, and their standard errors; NaN where no stratum has both."""
    usable = np.isfinite(effect) & np.isfinite(variance) & (variance > 0)
    weight = np.where(usable, 1.0 / np.where(usable, variance, 1.0), 0.0)
    shape = (strata.pairs.height, *effect.shape[1:])
    weights, sums = np.zeros(shape), np.zeros(shape)
    np.add.at(weights, strata.pair, weight)
    np.add.at(sums, strata.pair, weight * np.where(usable, effect, 0.0))
    known = weights > 0
    safe = np.where(known, weights, 1.0)
    return np.where(known, sums / safe, np.nan), np.where(known, 1.0 / np.sqrt(safe), np.nan)


def _means(strata: Strata) -> tuple[FloatArray, FloatArray]:
    """Each cell's mean and the variance of that mean; NaN where the cell has fewer than two units."""
    known = strata.n > 1
    safe = np.where(known, strata.n, 2.0)
    return np.where(known, strata.mean, np.nan), np.where(known, strata.m2 / (safe - 1.0) / safe, np.nan)


def _largest(strata: Strata) -> dict[str, pl.Series]:
    """Of the differences between effects, the one that is largest by its error; controls stand first."""
    mean, variance = _means(strata)
    effect = mean[:, 1:, :] - mean[:, :1, :]
    spread = variance[:, 1:, :] + variance[:, :1, :]
    of, error = _pooled(strata, effect[:, :, 1:] - effect[:, :, :1], spread[:, :, 1:] + spread[:, :, :1])
    flat, errors = of.reshape(of.shape[0], -1), error.reshape(of.shape[0], -1)
    count = np.isfinite(flat).sum(axis=1)
    best = np.where(np.isfinite(flat), np.abs(flat) / np.where(errors > 0, errors, 1.0), -1.0).argmax(axis=1)
    row = np.arange(flat.shape[0])
    estimate, se = flat[row, best], errors[row, best]
    reach = -special.ndtri(ALPHA / 2 / np.maximum(count, 1))
    arm, other = np.unravel_index(best, of.shape[1:]) if flat.size else (best, best)
    known = count > 0
    numbers = {
        "interaction": estimate,
        "std_error": se,
        "ci_low": estimate - reach * se,
        "ci_high": estimate + reach * se,
        "smallest_visible": (reach + special.ndtri(POWER)) * se,
    }
    return {
        **{name: pl.Series(values).fill_nan(None) for name, values in numbers.items()},
        "variant_id": _named(strata.arms, arm + 1, known),
        "other_variant": _named(strata.other_arms, other + 1, known),
    }


def _named(arms: list[list[str]], place: IntArray, known: Any) -> pl.Series:
    names = [
        of[at] if there and at < len(of) else None for of, at, there in zip(arms, place, known, strict=True)
    ]
    return pl.Series(names, dtype=pl.String)


def _effects(strata: Strata, cut_off: date) -> pl.DataFrame:
    mean, variance = _means(strata)
    conditional = _pooled(strata, mean[:, 1:, :] - mean[:, :1, :], variance[:, 1:, :] + variance[:, :1, :])
    combined = _pooled(strata, mean[:, 1:, 1:] - mean[:, :1, :1], variance[:, 1:, 1:] + variance[:, :1, :1])
    reach = -special.ndtri(ALPHA / 2)
    arms, others = _table(strata.arms), _table(strata.other_arms)
    parts = []
    for kind, (effect, error), first in (("conditional", conditional, 0), ("combined", combined, 1)):
        pair, arm, other = np.nonzero(np.isfinite(effect))
        value, se = effect[pair, arm, other], error[pair, arm, other]
        parts.append(
            strata.pairs.select(PAIR)[pair].with_columns(
                cut_off=pl.lit(cut_off),
                kind=pl.lit(kind),
                variant_id=pl.Series(arms[pair, arm + 1].tolist(), dtype=pl.String),
                other_variant=pl.Series(others[pair, other + first].tolist(), dtype=pl.String),
                effect=pl.Series(value),
                std_error=pl.Series(se),
                ci_low=pl.Series(value - reach * se),
                ci_high=pl.Series(value + reach * se),
            )
        )
    return (
        pl.concat(parts)
        .select(pl.col(name).cast(kind) for name, kind in INTERACTION_EFFECTS.items())
        .sort(*PAIR, "kind", "variant_id", "other_variant")
    )


def _table(names: list[list[str]]) -> np.ndarray[Any, Any]:
    """Names as a rectangle, a row per pair."""
    table = np.full((len(names), max((len(of) for of in names), default=0)), None, dtype=object)
    for row, of in enumerate(names):
        table[row, : len(of)] = of
    return table


def _dependence(overlaps: pl.DataFrame, daily: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Chi-square of an experiment's arms against where its units are in another, "not enrolled" among it."""
    totals = (
        daily.filter((pl.col("segment") == "all") & (pl.col("exposure_day") <= cut_off))
        .group_by("experiment_id", "phase", "variant_id")
        .agg(total=pl.col("units").sum().cast(pl.Float64))
        .filter(pl.col("total") > 0)
    )
    known = overlaps.filter(pl.col("day") <= cut_off).with_columns(
        pl.col("phase", "other_phase").fill_null(-1)
    )
    turned = known.rename(
        {"experiment_id": "other_id", "other_id": "experiment_id", "phase": "other_phase", "other_phase": "phase",
         "variant_id": "other_variant", "other_variant": "variant_id"}
    ).select(known.columns)  # fmt: skip
    column = ("experiment_id", "other_id", "phase", "other_phase", "other_variant")
    stratum = ("experiment_id", "other_id", "phase")
    shares = totals.with_columns(share=pl.col("total") / pl.col("total").sum().over("experiment_id", "phase"))
    least = shares.group_by("experiment_id", "phase").agg(least=pl.col("share").min())
    cells = (
        pl.concat([known, turned])
        .group_by(*column, "variant_id")
        .agg(units=pl.col("units").sum().cast(pl.Float64))
        .join(least, on=["experiment_id", "phase"])
        .filter(pl.col("units").sum().over(column) * pl.col("least") >= _LEAST_EXPECTED)
    )
    strata = cells.select(stratum).unique()
    enrolled = cells.group_by(*stratum, "variant_id").agg(inside=pl.col("units").sum())
    outside = (
        strata.join(totals, on=["experiment_id", "phase"])
        .join(enrolled, on=[*stratum, "variant_id"], how="left")
        .select(
            *column[:3],
            pl.lit(None, pl.Int32).alias("other_phase"),
            pl.lit(None, pl.String).alias("other_variant"),
            "variant_id",
            units=pl.col("total") - pl.col("inside").fill_null(0.0),
        )
    )
    inside = cells.select(
        *column[:3], pl.col("other_phase").cast(pl.Int32), "other_variant", "variant_id", "units"
    )
    # Sorted before each sum of fractions, so that equal rows give equal bytes.
    table = (
        pl.concat([inside, outside])
        .join(totals, on=["experiment_id", "phase", "variant_id"])
        .sort(*column, "variant_id")
    )
    # Pearson's sum over all cells, the empty ones included, is n (sum of O² / (row · column) - 1).
    of_column = pl.col("units").sum().over(column)
    parts = (
        table.filter(of_column > 0)
        .with_columns(part=pl.col("units") ** 2 / (pl.col("total") * pl.col("units").sum().over(column)))
        .group_by(stratum)
        .agg(
            n=pl.col("units").sum(),
            part=pl.col("part").sum(),
            rows=pl.col("variant_id").n_unique().cast(pl.Int64),
            columns=pl.struct("other_phase", "other_variant").n_unique().cast(pl.Int64),
        )
        .sort(stratum)
    )
    tested = parts.group_by("experiment_id", "other_id").agg(
        dependence_statistic=(pl.col("n") * (pl.col("part") - 1)).clip(0).sum(),
        dependence_df=((pl.col("rows") - 1) * (pl.col("columns") - 1)).sum(),
    ).filter(pl.col("dependence_df") > 0).sort("experiment_id", "other_id")  # fmt: skip
    p = special.chdtrc(tested["dependence_df"].to_numpy(), tested["dependence_statistic"].to_numpy())
    return tested.with_columns(
        dependence_p=pl.Series(p, dtype=pl.Float64),
        dependence_p_adjusted=pl.Series(adjust_p_values(p, method="bh").p_adjusted, dtype=pl.Float64),
    )
