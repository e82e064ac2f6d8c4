"""Effects of several experiments combined: what an idea does on average, and how much that differs between them.

Each experiment gives one difference from its control with its standard error, as of its newest cut-off. Fixed effects
ask about these experiments, random effects about the next one (REML, Hartung-Knapp).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.syntheses import treatment_of
from fairsplit.analysis.statistics.combining import meta_fixed, meta_random
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray
    from fairsplit.analysis.statistics.combining import MetaAnalysis

#: Two-sided level of the intervals.
ALPHA: Final = 0.05
#: Experiments that a combination needs.
LEAST_STUDIES: Final = 2
_NUMBERS: Final = (
    "estimate", "std_error", "df", "p_value", "ci_low", "ci_high", "tau2", "q", "q_p_value", "i2", "prediction_low",
    "prediction_high",
)  # fmt: skip

#: `results.syntheses`: a row per synthesis, metric and model ("fixed" or "random"), as of `cut_off`. `estimate` is the
#: combined difference from the control in the metric's unit, `std_error`, `df` and the interval (95 %) its own; `tau2`
#: is the variance between experiments, `q` Cochran's with its p, `i2` the share of the variation that is between
#: experiments; between `prediction_low` and `prediction_high` lies the effect of a further experiment.
SYNTHESES: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("synthesis_id", "metric", "model"), pl.String()),
    "cut_off": pl.Date(),
    "studies": pl.Int64(),
    **dict.fromkeys(_NUMBERS, pl.Float64()),
    **dict.fromkeys(("status", "reason", "unit", "direction", "code_hash"), pl.String()),
}
#: `results.synthesis_studies`: a row per synthesis, metric and experiment, in the order of the definition. `weight_*`
#: are shares of the combined effect; an experiment that gives no effect has the reason.
SYNTHESIS_STUDIES: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("synthesis_id", "metric"), pl.String()),
    "cut_off": pl.Date(),
    "position": pl.Int64(),
    **dict.fromkeys(("experiment_id", "variant_id"), pl.String()),
    "study_cut_off": pl.Date(),
    "n": pl.Int64(),
    **dict.fromkeys(
        ("effect", "std_error", "ci_low", "ci_high", "weight_fixed", "weight_random"), pl.Float64()
    ),
    **dict.fromkeys(("status", "reason"), pl.String()),
}
_METRIC: Final = ("synthesis_id", "metric")


def synthesis_rows(
    catalogue: Catalogue,
    comparisons: pl.DataFrame,
    decisions: pl.DataFrame,
    units: pl.DataFrame,
    cut_off: date,
    code_hash: str = "",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Combine the effects of every synthesis of the catalogue.

    Args:
        catalogue: The definitions in force.
        comparisons: `results.comparisons` of each experiment's newest cut-off.
        decisions: `results.decisions` of the same.
        units: metric, unit and direction of the metrics.
        cut_off: Last day that counts.
        code_hash: Of the code that computes them.

    Returns:
        Rows of `SYNTHESES` and of `SYNTHESIS_STUDIES`. Experiments whose gate is closed, whose data do not meet what
        the test requires, or that have no effect yet are listed with the reason and left out.
    """
    studies = _studies(catalogue, comparisons, decisions).with_columns(cut_off=pl.lit(cut_off))
    if studies.is_empty():
        return pl.DataFrame(schema=dict(SYNTHESES)), pl.DataFrame(schema=dict(SYNTHESIS_STUDIES))
    groups = studies.select(_METRIC).unique().sort(_METRIC).with_row_index("row")
    studies = studies.join(groups, on=list(_METRIC)).sort("row", "position")
    at = studies["row"].to_numpy(), studies["position"].to_numpy()
    shape = (groups.height, int(at[1].max()) + 1)
    effects, variances, present = (
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.zeros(shape, dtype=np.bool_),
    )
    effects[at] = studies["effect"].fill_null(np.nan).to_numpy()
    variances[at] = studies["std_error"].fill_null(np.nan).to_numpy() ** 2
    present[at] = (studies["status"] == "ok").to_numpy()
    fixed = meta_fixed(effects, variances, present=present, alpha=ALPHA)
    random = meta_random(effects, variances, present=present, method="reml", hartung_knapp=True, alpha=ALPHA)
    combined = pl.concat(
        [
            _combined(groups.drop("row"), fixed).with_columns(model=pl.lit("fixed")),
            _combined(groups.drop("row"), random).with_columns(model=pl.lit("random")),
        ]
    ).join(units, on="metric", how="left")
    combined = combined.with_columns(cut_off=pl.lit(cut_off), code_hash=pl.lit(code_hash))
    studies = studies.with_columns(
        weight_fixed=pl.Series(_shares(variances, present, np.zeros(groups.height))[at]),
        weight_random=pl.Series(_shares(variances, present, random.tau2)[at]),
    ).with_columns(pl.col("weight_fixed", "weight_random").fill_nan(None))
    return (
        combined.select(pl.col(name).cast(kind) for name, kind in SYNTHESES.items()).sort(*_METRIC, "model"),
        studies.select(pl.col(name).cast(kind) for name, kind in SYNTHESIS_STUDIES.items()),
    )


def _studies(catalogue: Catalogue, comparisons: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per synthesis, metric and experiment, with the effect or the reason why there is none."""
    asked = [
        (
            synthesis.id,
            metric,
            position,
            experiment.id,
            treatment_of(study, experiment),
            _analysis(experiment),
        )
        for synthesis in catalogue.syntheses.values()
        for metric in synthesis.metrics
        for position, study in enumerate(synthesis.experiments)
        for experiment in (catalogue.experiments[study.experiment],)
    ]
    names = ("synthesis_id", "metric", "position", "experiment_id", "variant_id", "analysis")
    schema: dict[str, Any] = dict.fromkeys(names, pl.String) | {"position": pl.Int64}
    closed = decisions.filter(pl.col("action") == "fix_data").select(
        "experiment_id", closed=pl.lit(value=True)
    )
    effects = comparisons.filter(pl.col("segment") == "all", pl.col("comparison").is_not_null()).select(
        "experiment_id", "metric", "analysis", "variant_id", "n", "requirements_met",
        study_cut_off="cut_off", known="status", why="reason", effect="lift_abs", std_error="lift_std_error",
        ci_low="lift_abs_low", ci_high="lift_abs_high",
    )  # fmt: skip
    rows = (
        pl.DataFrame(asked, schema=schema, orient="row")
        .join(effects, on=["experiment_id", "metric", "analysis", "variant_id"], how="left")
        .join(closed.unique(), on="experiment_id", how="left")
    )
    reason = (
        pl.when(pl.col("closed").fill_null(value=False))
        .then(pl.lit("gate_closed"))
        .when(pl.col("known").is_null())
        .then(pl.lit("not_judged"))
        .when(pl.col("known") != "ok")
        .then(pl.coalesce("why", "known"))
        .when(~pl.col("requirements_met").fill_null(value=True))
        .then(pl.lit("requirements_unmet"))
        .when(~(pl.col("std_error") > 0).fill_null(value=False))
        .then(pl.lit("zero_variance"))
    )
    numbers = ("effect", "std_error", "ci_low", "ci_high")
    return (
        rows.with_columns(reason=reason)
        .with_columns(pl.when(pl.col("reason").is_null()).then(pl.col(name)).alias(name) for name in numbers)
        .with_columns(
            status=pl.when(pl.col("reason").is_null()).then(pl.lit("ok")).otherwise(pl.lit("left_out"))
        )
    )


def _analysis(experiment: Experiment) -> str:
    return "crossovers_excluded" if experiment.crossovers == "exclude" else "default"


def _combined(groups: pl.DataFrame, found: MetaAnalysis) -> pl.DataFrame:
    enough = found.studies >= LEAST_STUDIES
    values = {
        "estimate": found.estimate,
        "std_error": found.se,
        "df": np.where(np.isfinite(found.df), found.df, np.nan),
        "p_value": found.p_value,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "tau2": found.tau2,
        "q": found.q,
        "q_p_value": found.q_p_value,
        "i2": found.i2_percent / 100,
        "prediction_low": found.prediction_low,
        "prediction_high": found.prediction_high,
    }
    ok = enough & np.isfinite(found.estimate)
    reason = np.where(enough, "not_converged", "too_few_experiments")
    return groups.with_columns(
        studies=pl.Series(found.studies.astype(np.int64)),
        status=pl.Series(np.where(ok, "ok", "not_computed")),
        reason=pl.Series(
            [None if one else str(why) for one, why in zip(ok, reason, strict=True)], dtype=pl.String
        ),
        **{name: pl.Series(np.where(ok, value, np.nan)).fill_nan(None) for name, value in values.items()},
    )


@quiet
def _shares(variances: FloatArray, present: BoolArray, tau2: FloatArray) -> FloatArray:
    weights = np.where(present, 1.0 / (variances + tau2[:, None]), np.nan)
    return np.asarray(weights / np.nansum(weights, axis=1, keepdims=True))
