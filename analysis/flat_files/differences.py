"""Does any arm differ from any other? One test per experiment and metric, over all arms at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.pairing import moments
from fairsplit.analysis.statistics.anova import welch_anova
from fairsplit.analysis.statistics.contingency import chi_square_independence
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.status import Reason, blank, names

if TYPE_CHECKING:
    from fairsplit.analysis.flat_files.roles import Roles
    from fairsplit.analysis.statistics.checks import FloatArray

DIFFERENCES = {
    "experiment_id": pl.String(),
    "metric": pl.String(),
    "method": pl.String(),
    "arms": pl.Int64(),
    "statistic": pl.Float64(),
    "df": pl.Float64(),
    "p_value": pl.Float64(),
    "p_adjusted": pl.Float64(),
    "reason": pl.String(),
}

#: Of any cell of a table that a chi-square is taken of.
LEAST_EXPECTED = 1.0


def difference_rows(statistics: pl.DataFrame, roles: Roles, comparisons: pl.DataFrame) -> pl.DataFrame:
    """Chi-square of proportions and Welch's analysis of variance of means, per experiment.

    `p_adjusted` is Benjamini-Hochberg over the experiments of one metric. Covariates are not used. Other types
    of metric, and clusters, have no such row. There is a reason and no number where a table has an expected count below
    1 (Cochran 1954, Biometrics 10(4), p. 420), and where the means of one comparison do not meet what their test
    requires.

    Args:
        statistics: From `statistics_frame`.
        roles: Every column's part.
        comparisons: Result rows of the same file.

    Returns:
        Rows of the schema `DIFFERENCES`, sorted by experiment and metric.
    """
    parts = []
    for metric in roles.metrics:
        if roles.cluster is not None or not (metric.is_share or metric.type == "mean"):
            continue
        rows = statistics.filter((pl.col("metric") == metric.name) & (pl.col("segment") == "all")).sort(
            "experiment_id", "variant_id"
        )
        unmet = comparisons.filter(
            ~pl.col("requirements_met"), metric=metric.name, segment="all", analysis="default"
        )["experiment_id"].unique()
        found = _differences(rows, unmet, is_share=metric.is_share)
        parts.append(found.with_columns(metric=pl.lit(metric.name)))
    if not parts:
        return pl.DataFrame(schema=DIFFERENCES)
    whole = pl.concat(parts).select(pl.col(name).cast(kind) for name, kind in DIFFERENCES.items())
    return whole.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("experiment_id", "metric")


def _differences(rows: pl.DataFrame, unmet: pl.Series, *, is_share: bool) -> pl.DataFrame:
    experiments = rows.select("experiment_id").unique(maintain_order=True).with_row_index("row")
    barred = experiments["experiment_id"].is_in(unmet.implode()).to_numpy()
    placed = rows.join(experiments, on="experiment_id", how="left", maintain_order="left").with_columns(
        arm=pl.int_range(pl.len()).over("experiment_id")
    )
    at = placed["row"].to_numpy(), placed["arm"].to_numpy()
    shape = experiments.height, int(at[1].max()) + 1
    known = moments(placed, "y").variable(0)

    def table(values: FloatArray) -> FloatArray:
        out = np.zeros(shape)
        out[at] = values
        return out

    n = table(known.n)
    if is_share:
        successes = table(np.rint(known.n * known.mean))
        found = chi_square_independence(np.stack([successes, n - successes], axis=-1))
        df, method = found.df, "chi_square"
        statistic, p_value, status = found.statistic, found.p_value, found.status
        # The comparisons' exact tests ask for other things.
        barred = found.smallest_expected < LEAST_EXPECTED
    else:
        anova = welch_anova(Moments(n, table(known.mean), table(known.m2)))
        df, method = anova.df_between, "welch_anova"
        statistic, p_value, status = anova.statistic, anova.p_value, anova.status
    status = np.where((status == Reason.OK) & barred, Reason.INSUFFICIENT_SAMPLE, status).astype(np.int8)
    statistic, p_value = blank(status, statistic), blank(status, p_value)
    reason = names(status)
    return experiments.select("experiment_id").with_columns(
        method=pl.lit(method),
        arms=pl.Series((n > 0).sum(axis=1)),
        statistic=pl.Series(statistic),
        df=pl.Series(df),
        p_value=pl.Series(p_value),
        p_adjusted=pl.Series(adjust_p_values(p_value, method="bh").p_adjusted),
        reason=pl.Series(np.where(reason == "ok", "", reason)).replace("", None),
    )
