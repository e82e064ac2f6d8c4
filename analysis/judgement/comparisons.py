"""Result rows: each arm's own numbers, and each treatment against its control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.asked import asked_of
from fairsplit.analysis.judgement.beside import beside_strata, with_means_of_strata
from fairsplit.analysis.judgement.best import best_of_arms, has_beta_posteriors
from fairsplit.analysis.judgement.comparing import at_levels, compare_pairs, is_adaptive
from fairsplit.analysis.judgement.correcting import adjusted
from fairsplit.analysis.judgement.direction import findings
from fairsplit.analysis.judgement.distributions import own_values
from fairsplit.analysis.judgement.levels import with_levels
from fairsplit.analysis.judgement.looks import follow
from fairsplit.analysis.judgement.pairing import GROUP, has_sums, paired, successes
from fairsplit.analysis.judgement.requirements import requirement_columns
from fairsplit.analysis.judgement.rows import COMPARISON_KEY, COMPARISONS, FINITE, conform
from fairsplit.analysis.judgement.segment_effects import with_segment_effects
from fairsplit.analysis.judgement.strata import with_strata
from fairsplit.analysis.statistics.bayes_beta import beta_compare
from fairsplit.analysis.statistics.bayes_normal import normal_effect
from fairsplit.analysis.statistics.melded import credible_interval
from fairsplit.analysis.statistics.planning import mde_z, power_z
from fairsplit.analysis.statistics.status import Reason, names, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.judgement.strata import Strata
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Reason code of a row to its status.
FAMILIES = {
    "ok": "ok",
    "no_exposure": "no_data",
    "no_control": "no_data",
    "no_closed_window": "waiting",
    "insufficient_sample": "not_enough_data",
    "histogram_missing": "not_computed",
    "weights_changed": "not_computed",
    "sums_out_of_range": "not_computed",
    "part_failed": "not_computed",
    "not_finite": "not_computed",
}
_EFFECT_STEPS = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"))


def comparison_rows(
    rows: pl.DataFrame, code_hash: str, histograms: pl.DataFrame | None = None, strata: Strata | None = None
) -> pl.DataFrame:
    """All result rows of the statistics given.

    Args:
        rows: From `defined_rows`; every cut-off that a sequential plan has looked at.
        code_hash: Of the code that computes them.
        histograms: `fct_value_histograms`, where any are needed.
        strata: Of the experiments whose weights changed.

    Returns:
        A frame of the schema `COMPARISONS`.
    """
    pairs = paired(rows)
    if pairs.is_empty():
        return pl.DataFrame(schema=dict(COMPARISONS))
    if strata is not None:
        pairs, rows = with_strata(pairs, strata), with_levels(rows, strata)
    own = _own_numbers(rows, histograms).join(
        _pair_numbers(pairs, histograms), on=list(COMPARISON_KEY), how="left", maintain_order="left"
    )
    own = with_means_of_strata(own, beside_strata(pairs))
    own = own.with_columns(code_hash=pl.coalesce("part_code_hash", pl.lit(code_hash)))
    own = contained(with_segment_effects(_with_status(own)))
    own = own.with_columns(pl.col(pl.Float64).fill_nan(None))
    return conform(own.with_columns(**_stretches()).with_columns(**findings()), COMPARISONS, COMPARISON_KEY)


def _stretches() -> dict[str, pl.Expr]:
    """By how much the standard error of a difference grows beside a share of the control, which varies too.

    The variance of difference + m |control| is that of the difference + (m² ± 2 m) var(control): never taken smaller
    than the difference's own, since a covariate may have left less of the control's part in it.
    """
    is_control = pl.col("variant_id") == pl.col("control_id")
    control_error = pl.col("std_error").filter(is_control).first().over(GROUP)
    control = pl.col("mean").filter(is_control).first().over(GROUP)
    share = (control_error / pl.col("lift_std_error")) ** 2

    def stretch(name: str, *, side: float) -> pl.Expr:
        size = pl.col("minimum_effect" if name == "minimum" else "margin")
        added = size**2 + 2 * size * side * pl.col("sign") * control.sign()
        relative = ~pl.col(f"{name}_is_absolute") & added.is_not_null() & share.is_finite()
        return pl.when(relative).then((1 + added.clip(0) * share).sqrt()).otherwise(1.0).fill_null(1.0)

    return {"margin_stretch": stretch("margin", side=-1.0), "minimum_stretch": stretch("minimum", side=1.0)}


def _finite(values: FloatArray) -> pl.Series:
    """The values, null where there is no finite one: a ratio over nothing is not a number."""
    return pl.Series(np.where(np.isfinite(values), values, np.nan)).fill_nan(None)


def contained(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose numbers overflow keep their counts and say so, instead of blocking every other experiment."""
    numbers = [name for name, dtype in COMPARISONS.items() if dtype in {pl.Float64, pl.Boolean}]
    present = [name for name in numbers if name in rows.columns]
    tested = [name for name in FINITE if name in rows.columns]
    sound = pl.all_horizontal(pl.col(name).is_finite() | pl.col(name).is_nan() for name in tested)
    broken = ~sound.fill_null(value=True)
    if not rows.select(broken.any()).item():
        return rows
    return rows.with_columns(
        *(pl.when(broken).then(None).otherwise(pl.col(name)).alias(name) for name in present),
        status=pl.when(broken).then(pl.lit(FAMILIES["not_finite"])).otherwise("status"),
        reason=pl.when(broken).then(pl.lit("not_finite")).otherwise("reason"),
    )


def _own_numbers(rows: pl.DataFrame, histograms: pl.DataFrame | None) -> pl.DataFrame:
    arm, std_error = own_values(rows, histograms)
    none = arm.n == 0
    mean, adaptive = arm.mean, is_adaptive(rows)
    if adaptive.any():
        weighted = adaptive & rows["bandit_mean"].is_finite().fill_null(value=False).to_numpy()
        mean = np.where(weighted, rows["bandit_mean"].to_numpy(), mean)
        std_error = np.where(weighted, rows["bandit_std_error"].to_numpy(), std_error)
    return rows.with_columns(
        # Not in Polars: it multiplies by the reciprocal where a column happens to be constant, one digit off.
        total=pl.Series(rows["sum_y"].cast(pl.Float64).to_numpy() / rows["scale_y"].to_numpy()),
        mean=_finite(np.where(none, np.nan, mean)),
        variance=_finite(arm.variance),
        std_error=_finite(std_error),
        own_status=pl.Series(
            np.where(none, np.where(rows["n_open"].to_numpy() > 0, "no_closed_window", "no_exposure"), "ok")
        ),
    ).with_columns(
        *(
            pl.when(has_sums()).then(pl.col(name)).alias(name)
            for name in ("total", "mean", "variance", "std_error")
        ),
        own_status=pl.when(~has_sums())
        .then(pl.lit("sums_out_of_range"))
        .when(pl.col("mean").is_null() & (pl.col("own_status") == "ok"))
        .then(
            pl.when(pl.col("test") == "percentile")
            .then(pl.lit("histogram_missing"))
            .when(pl.col("certified").is_not_null() & (pl.col("analysis") == "default"))
            .then(pl.lit("part_failed"))
            .when(pl.col("certified").is_not_null())
            .then(pl.lit("histogram_missing"))
            .otherwise(pl.lit("zero_denominator"))
        )
        # Both caps on one value, nearly every unit's own: what is left of the metric is the same for all.
        .when((pl.col("cap_low") == pl.col("cap_high")) & (pl.col("own_status") == "ok"))
        .then(pl.lit("capped_to_one_value"))
        .otherwise("own_status"),
    )


def _pair_numbers(pairs: pl.DataFrame, histograms: pl.DataFrame | None) -> pl.DataFrame:
    alpha = pairs["alpha"].to_numpy()
    tested = compare_pairs(pairs, alpha, histograms)
    p_adjusted, interval_alpha = adjusted(pairs, tested)
    level = np.where(np.isfinite(interval_alpha), interval_alpha, alpha)
    shown = at_levels(pairs, tested, level, histograms)
    looks = follow(pairs, tested, histograms)
    base = tested.comparison
    known = base.status == Reason.OK
    minimum, margin = (asked_of(pairs, name, base.control) for name in ("minimum_effect", "margin"))
    # Where no finite interval has the coverage, the control cannot be told from zero.
    relative = known & (base.rel.status == Reason.OK) & shown.rel.bounded
    arrays: dict[str, Any] = {
        "method": tested.method.astype(str),
        "lift_abs": base.diff,
        "lift_abs_low": shown.ci_low,
        "lift_abs_high": shown.ci_high,
        "lift_std_error": base.se,
        "control_mean": np.where(known, base.control, np.nan),
        "lift_rel": np.where(relative, base.rel.value, np.nan),
        "lift_rel_low": np.where(relative, shown.rel.low, np.nan),
        "lift_rel_high": np.where(relative, shown.rel.high, np.nan),
        "lift_rel_bounded": relative,
        "lift_rel_reason": _why_not_relative(tested, known & ~relative),
        "shown_as": np.where(relative & ~_in_own_unit(pairs), "relative", "absolute").astype(object),
        "ci_level": np.where(known, 1.0 - level, np.nan),
        "statistic": base.statistic,
        "df": np.where(np.isfinite(base.df), base.df, np.nan),
        "p_value": base.p_value,
        "p_adjusted": p_adjusted,
        "seq_low": looks.low,
        "seq_high": looks.high,
        "seq_rel_low": np.where(relative, _with_an_end(looks.rel_low, looks.rel_high), np.nan),
        "seq_rel_high": np.where(relative, _with_an_end(looks.rel_high, looks.rel_low), np.nan),
        "seq_p_value": looks.p_value,
        "seq_bound": np.where(np.isfinite(looks.bound), looks.bound, np.nan),
        "seq_look": pairs["cut_off"].gather(pl.Series(looks.look).replace(-1, None)),
        "seq_accepted": pl.Series(looks.accepted),
        "seq_units_needed": looks.units_needed,
        "corrected_lift": looks.stopped.lift,
        "corrected_low": np.where(np.isfinite(looks.stopped.low), looks.stopped.low, np.nan),
        "corrected_high": np.where(np.isfinite(looks.stopped.high), looks.stopped.high, np.nan),
        "corrected_p_value": looks.stopped.p_value,
        "information_fraction": np.where(known, looks.information, np.nan),
        "cuped": tested.cuped,
        "variance_reduction": tested.variance_reduction,
        "pair_status": names(base.status),
        "minimum_abs": minimum,
        "margin_abs": margin,
        **_effects(pairs, tested, minimum),
    }
    requirements, met = requirement_columns(pairs, tested)
    frame = pairs.select(
        *COMPARISON_KEY,
        pl.col("control_id").alias("comparison"),
        pl.when(pl.Series(~np.isnan(looks.bound))).then(pl.Series(looks.crossed)).alias("seq_crossed"),
    )
    return frame.with_columns(
        *(pl.Series(name, values) for name, values in arrays.items()),
        requirements,
        met,
        few_events=pairs["covered"] & pairs["covered_control"] & pl.Series(tested.method == "fisher"),
    )


def _with_an_end(end: FloatArray, other: FloatArray) -> FloatArray:
    """The end of an interval; NaN where neither end is finite, since that is no interval."""
    return np.where(np.isfinite(end) | np.isfinite(other), end, np.nan)


def _in_own_unit(pairs: pl.DataFrame) -> BoolArray:
    """Metrics of which something is asked in their own unit are told in it."""
    return (pairs["minimum_is_absolute"] | pairs["margin_is_absolute"]).to_numpy()


def _why_not_relative(tested: Tested, withheld: BoolArray) -> pl.Series:
    """Reason codes where a comparison has no relative lift."""
    reason = np.where(np.isfinite(tested.comparison.control), "baseline_near_zero", "no_relative_form")
    reason = np.where(tested.comparison.control == 0, "zero_baseline", reason).astype(object)
    reason[~withheld] = None
    return pl.Series(reason.tolist(), dtype=pl.String)


@quiet
def _effects(pairs: pl.DataFrame, tested: Tested, minimum: FloatArray) -> dict[str, Any]:
    """Effect size, power, detectable effect and posterior of every pair."""
    base = tested.comparison
    known = base.status == Reason.OK
    size = np.where(known, _effect_size(pairs, tested), np.nan)
    label = np.full(size.shape, "large", dtype=object)
    for bound, word in reversed(_EFFECT_STEPS):
        label[np.abs(size) < bound] = word
    label[np.isnan(size)] = None
    result: dict[str, Any] = {"effect_size": size, "effect_label": pl.Series(label.tolist(), dtype=pl.String)}
    for name in ("power", "mde_rel", "mde_abs"):
        result[name] = np.full(size.shape, np.nan)
    result["prob_beat"], result["expected_loss"] = _posterior(pairs, tested)
    result["credible_low"], result["credible_high"] = _credible(pairs, tested)
    result["prob_best"], result["best_loss"] = best_of_arms(pairs, tested)
    at = np.flatnonzero(known & (base.se > 0))
    if at.size == 0:
        return result
    se, alpha = base.se[at], base.alpha[at]
    baseline = np.abs(base.control[at])
    two_sided = pairs["alternative"].to_numpy()[at] == "two-sided"
    target = pairs["target_power"].to_numpy()[at]
    for sides, mask in ((2, two_sided), (1, ~two_sided)):
        if mask.any():
            detectable = mde_z(se[mask], target[mask], alpha[mask], sides=sides)
            result["mde_abs"][at[mask]] = detectable
            result["mde_rel"][at[mask]] = np.where(baseline[mask] > 0, detectable / baseline[mask], np.nan)
    wanted = minimum[at]
    asked = np.isfinite(wanted)
    if asked.any():
        # A one-sided plan looks one way, and the effect it hopes for lies that way.
        per_side = np.where(two_sided, alpha, np.minimum(2 * alpha, 0.999))[asked]
        result["power"][at[asked]] = power_z(wanted[asked], se[asked], per_side)
    return result


def _posterior(pairs: pl.DataFrame, tested: Tested) -> tuple[FloatArray, FloatArray]:
    """Chance to beat the control and expected loss, towards the metric's direction.

    Rates have Beta posteriors, exact whatever the counts. Everything else, what covariates and bandits' weights adjust
    included, has the normal posterior of its difference.
    """
    base, sign = tested.comparison, pairs["sign"].to_numpy()
    chance, loss = np.full(sign.shape, np.nan), np.full(sign.shape, np.nan)
    known = base.status == Reason.OK
    rates = known & has_beta_posteriors(pairs, tested)
    at = np.flatnonzero(rates)
    if at.size:
        part, up = pairs[at], sign[at] > 0
        counts = np.column_stack([*successes(part, "_control"), *successes(part)])
        # Days without news, segments and experiments repeat counts: each pair of posteriors is integrated once.
        distinct, place = np.unique(counts, axis=0, return_inverse=True)
        beta, place = beta_compare(*distinct.T), place.reshape(-1)
        chance[at] = np.where(up, beta.p_beat[place], beta.p_behind[place])
        loss[at] = np.where(up, beta.loss_choose_t[place], beta.loss_choose_c[place])
    at = np.flatnonzero(known & ~rates & (base.se > 0))
    posterior = normal_effect(base.diff[at] * sign[at], base.se[at])
    chance[at], loss[at] = posterior.chance_to_win, posterior.risk_t
    return chance, loss


def _credible(pairs: pl.DataFrame, tested: Tested) -> tuple[FloatArray, FloatArray]:
    """Equal-tailed credible intervals of the differences of Bayesian plans, at the plan's level, by `_posterior`."""
    base = tested.comparison
    low, high = np.full(base.diff.shape, np.nan), np.full(base.diff.shape, np.nan)
    asked = (pairs["plan_method"] == "bayesian").to_numpy() & (base.status == Reason.OK)
    rates = has_beta_posteriors(pairs, tested)
    at = np.flatnonzero(asked & rates)
    if at.size:
        part = pairs[at]
        counts = (*successes(part, "_control"), *successes(part))
        low[at], high[at] = credible_interval(*counts, base.alpha[at])
    at = np.flatnonzero(asked & ~rates & (base.se > 0))
    posterior = normal_effect(base.diff[at], base.se[at], alpha=base.alpha[at])
    low[at], high[at] = posterior.ci_low, posterior.ci_high
    return low, high


def _effect_size(pairs: pl.DataFrame, tested: Tested) -> FloatArray:
    """Cohen's h of proportions, else Cohen's d by the standard deviation of the units' (linearised) values."""
    base = tested.comparison
    # A rank test's difference of win and loss shares is its own effect size.
    is_rank = np.isin(tested.method, ["mann_whitney", "kolmogorov_smirnov"])
    is_proportion = pairs["is_share"].to_numpy() & ~tested.cuped & ~pairs["is_ratio"].to_numpy()
    with np.errstate(invalid="ignore"):
        angle = 2 * np.arcsin(np.sqrt(base.treatment)) - 2 * np.arcsin(np.sqrt(base.control))
    per_unit = base.se**2 / (1 / base.n_control + 1 / base.n_treatment)
    return np.where(is_rank, base.diff, np.where(is_proportion, angle, base.diff / np.sqrt(per_unit)))


def _with_status(rows: pl.DataFrame) -> pl.DataFrame:
    if "pair_status" not in rows.columns:
        rows = rows.with_columns(
            pair_status=pl.lit(None, pl.String),
            comparison=pl.lit(None, pl.String),
            few_events=pl.lit(value=False),
        )
    is_control = pl.col("variant_id") == pl.col("control_id")
    reason = (
        pl.when(pl.col("pair_status") == "weights_changed")
        .then("pair_status")
        .when(is_control | (pl.col("own_status") != "ok"))
        .then("own_status")
        .when(pl.col("pair_status").is_null())
        .then(pl.lit("no_control"))
        .when((pl.col("method") == "not_computed") & (pl.col("pair_status") == "infeasible"))
        .then(pl.lit("histogram_missing"))
        .otherwise("pair_status")
    )
    return rows.with_columns(
        reason=reason,
        covariate_status=pl.when(pl.col("few_events").fill_null(value=False))
        .then(pl.lit("few_events"))
        .otherwise("covariate_status"),
    ).with_columns(
        status=pl.col("reason").replace_strict(FAMILIES, default="undefined"),
        reason=pl.when(pl.col("reason") == "ok").then(None).otherwise("reason"),
    )
