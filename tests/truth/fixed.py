"""Fixed-horizon methods: truth-case names to public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.anova import oneway, welch_anova
from fairsplit.analysis.statistics.checks import refuse
from fairsplit.analysis.statistics.contingency import chi_square_fit, chi_square_independence
from fairsplit.analysis.statistics.covariates import cuped, post_stratified
from fairsplit.analysis.statistics.effects import cohens_d, cohens_h
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.lifts import Pair, fieller
from fairsplit.analysis.statistics.means import fieller_of_means, welch
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.proportions import log_risk_ratio, two_proportion_z
from fairsplit.analysis.statistics.quantiles import (
    harrell_davis,
    quantile_interval,
    quantile_point,
    quantile_ranks,
    quantile_test_values,
)
from fairsplit.analysis.statistics.ranks import kolmogorov_smirnov, mann_whitney
from fairsplit.analysis.statistics.ratios import ratio_delta, ratio_estimate
from fairsplit.analysis.statistics.robust import winsorise_count, winsorise_quantile
from fairsplit.analysis.statistics.status import Reason, names
from fairsplit.analysis.statistics.tails import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.comparisons import Comparison


def required(status: Any) -> None:
    """Turn a status that is not OK into the case's error."""
    if np.any(np.asarray(status) != Reason.OK):
        code = str(np.ravel(names(status))[0])
        raise refuse(code, "cannot be computed", "inputs", value=code)


def _comparison(result: Comparison) -> dict[str, Any]:
    required(result.status)
    return {
        "mean_c": result.control,
        "mean_t": result.treatment,
        "diff": result.diff,
        "se": result.se,
        "t": result.statistic,
        "df": result.df,
        "p_value": result.p_value,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
    }


def _sums(case: dict[str, Any]) -> tuple[Moments, Moments]:
    return (
        Moments.from_sums(case["n_c"], case["sum_c"], case["sumsq_c"]),
        Moments.from_sums(case["n_t"], case["sum_t"], case["sumsq_t"]),
    )


def _ratio_moments(arm: dict[str, Any]) -> JointMoments:
    return JointMoments.from_sums(
        arm["n"],
        [arm["sum_num"], arm["sum_den"]],
        {(0, 0): arm["sumsq_num"], (0, 1): arm["sum_prod"], (1, 1): arm["sumsq_den"]},
    )


def _cuped_moments(arm: dict[str, Any]) -> JointMoments:
    return JointMoments.from_sums(
        arm["n"],
        [arm["sum_y"], arm["sum_x"]],
        {(0, 0): arm["sumsq_y"], (0, 1): arm["sum_xy"], (1, 1): arm["sumsq_x"]},
    )


def _two_proportion_z(case: dict[str, Any]) -> dict[str, Any]:
    result = two_proportion_z(case["x_c"], case["n_c"], case["x_t"], case["n_t"], alpha=case["alpha"])
    return _comparison(result) | {"z": result.statistic}


def _welch_t(case: dict[str, Any]) -> dict[str, Any]:
    control, treatment = Moments.from_values(case["control"]), Moments.from_values(case["treatment"])
    return _comparison(welch(control, treatment, case["alpha"]))


def _welch_t_summary(case: dict[str, Any]) -> dict[str, Any]:
    control = Moments.from_summary(case["n_c"], case["mean_c"], case["sd_c"])
    treatment = Moments.from_summary(case["n_t"], case["mean_t"], case["sd_t"])
    return _comparison(welch(control, treatment, case["alpha"]))


def _welch_t_sums(case: dict[str, Any]) -> dict[str, Any]:
    return _comparison(welch(*_sums(case), case["alpha"]))


def _mean_sd(case: dict[str, Any]) -> dict[str, Any]:
    moments = Moments.from_values(case["x"])
    return {"mean": moments.mean, "sd": moments.sd}


def _ratio_delta(case: dict[str, Any]) -> dict[str, Any]:
    result = ratio_delta(_ratio_moments(case["c"]), _ratio_moments(case["t"]), case["alpha"])
    return _comparison(result) | {"ratio_c": result.control, "ratio_t": result.treatment}


def _ratio_one_sample(case: dict[str, Any]) -> dict[str, Any]:
    moments = (
        _ratio_moments(case)
        if "sum_num" in case
        else JointMoments.from_values(np.column_stack([case["num"], case["den"]]))
    )
    estimate = ratio_estimate(moments)
    required(estimate.status)
    return {"ratio": estimate.value, "se": np.sqrt(estimate.variance)}


def _lift(lift: Any, control: Any = 1.0) -> dict[str, Any]:
    """A lift is relative to the control's size, a ratio to its value: of a control below 0 they go opposite ways."""
    required(lift.status)
    # JSON has no infinity: an end that does not exist is null.
    low, high = ((end if np.isfinite(end) else None) for end in (lift.low, lift.high))
    side = -1.0 if control < 0 else 1.0
    ends = [None if end is None else 1 + side * end for end in (low, high)]
    ratio_low, ratio_high = ends if side > 0 else ends[::-1]
    return {
        "rel": lift.value,
        "se": lift.se,
        "ci_low": low,
        "ci_high": high,
        "ratio": 1 + side * lift.value,
        "ratio_ci_low": ratio_low,
        "ratio_ci_high": ratio_high,
        "rel_ci_low": low,
        "rel_ci_high": high,
        "bounded": lift.bounded,
        "g": lift.g,
    }


def _lift_linear(case: dict[str, Any]) -> dict[str, Any]:
    return _lift(welch(*_sums(case), case["alpha"], relative="delta").rel, case["sum_c"])


def _lift_log(case: dict[str, Any]) -> dict[str, Any]:
    return _lift(welch(*_sums(case), case["alpha"], relative="log_delta").rel)


def _lift_log_binomial(case: dict[str, Any]) -> dict[str, Any]:
    result = log_risk_ratio(case["x_c"], case["n_c"], case["x_t"], case["n_t"], alpha=case["alpha"])
    return _lift(result) | {"se_log": result.se}


def _lift_fieller(case: dict[str, Any]) -> dict[str, Any]:
    control, treatment = Moments.from_values(case["control"]), Moments.from_values(case["treatment"])
    equal = bool(case.get("var_equal", False))
    return _lift(fieller_of_means(control, treatment, case["alpha"], equal_variance=equal), control.mean)


def _lift_fieller_z(case: dict[str, Any]) -> dict[str, Any]:
    m_c, v_c, m_t, v_t = (np.asarray(case[key], dtype=np.float64) for key in ("m_c", "v_c", "m_t", "v_t"))
    quantile = t_quantile(np.asarray(case["alpha"]) / 2, np.asarray(np.inf))
    return _lift(fieller(Pair(m_t - m_c, m_c, v_c + v_t, v_c, -v_c), quantile), m_c)


def _cuped_mean(case: dict[str, Any]) -> dict[str, Any]:
    result = cuped(_cuped_moments(case["c"]), _cuped_moments(case["t"]), case.get("alpha", 0.05))
    required(result.covariate_status)
    return _comparison(result.comparison) | {
        "theta_within_ancova": result.theta[..., 0],
        "variance_reduction": result.variance_reduction,
    }


def _post_stratified(case: dict[str, Any]) -> dict[str, Any]:
    strata = {key: [stratum[key] for stratum in case["strata"]] for key in case["strata"][0]}
    result = post_stratified(*_sums(strata))
    required(result.status)
    return {"absolute_estimate": result.diff, "absolute_se": result.se}


def _chi_square(result: Any) -> dict[str, Any]:
    required(result.status)
    return {"chi2": result.statistic, "df": result.df, "p_value": result.p_value}


def _groups(case: dict[str, Any]) -> Moments:
    groups = list(case["groups"].values())
    labels = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    return Moments.from_groups([x for g in groups for x in g], labels, len(groups))


def _anova(result: Any) -> dict[str, Any]:
    required(result.status)
    return {
        "F": result.statistic,
        "df_between": result.df_between,
        "df_within": result.df_within,
        "df_num": result.df_between,
        "df_denom": result.df_within,
        "ss_between": result.ss_between,
        "ss_within": result.ss_within,
        "p_value": result.p_value,
    }


def _mann_whitney(case: dict[str, Any]) -> dict[str, Any]:
    result = mann_whitney(Histograms.from_values(case["y"], case["x"]))
    required(result.status)
    return {
        "U_x": result.u[0],
        "p_two_exact": result.p_exact[0],
        "p_two_asymp_cc": result.p_continuity[0],
        "p_two_asymp_nocc": result.p_value[0],
        "prob_superiority_x": result.win_probability[0],
    }


def _ks(case: dict[str, Any]) -> dict[str, Any]:
    result = kolmogorov_smirnov(Histograms.from_values(case["y"], case["x"]), exact_ties=True)
    required(result.status)
    return {"D": result.d[0], "p_exact": result.p_exact[0], "p_asymp": result.p_value[0]}


def _quantile_interval(case: dict[str, Any]) -> dict[str, Any]:
    low, high = quantile_interval(case["x"], case["p"], case["conf"])
    return {"ci_low": low, "ci_high": high}


def _quantile_ranks(case: dict[str, Any]) -> dict[str, Any]:
    ranks = quantile_ranks(case["n"], case["p"], case["conf"])
    required(ranks.status)
    return {"rank_low": ranks.rank_low, "rank_high": ranks.rank_high, "coverage": ranks.coverage}


def _harrell_davis(case: dict[str, Any]) -> dict[str, Any]:
    estimate = harrell_davis(case["x"], case["p"])
    one = not isinstance(case["p"], list)
    return {
        name: values[0] if one else values for name, values in (("est", estimate.value), ("se", estimate.se))
    }


def _winsorised(result: Any) -> dict[str, Any]:
    return {
        "winsorized": result.values,
        "mean_winsorized": result.moments.mean,
        "mean": result.moments.mean,
        "sd": result.moments.sd,
        "cap_low": result.cap_low,
        "cap_high": result.cap_high,
        "n_capped": result.n_capped,
    }


def _winsorize_count(case: dict[str, Any]) -> dict[str, Any]:
    result = winsorise_count(case["x"], case["lower"], case["upper"])
    return _winsorised(result) | {"mean_raw": Moments.from_values(case["x"]).mean}


def _cohens_d(case: dict[str, Any]) -> dict[str, Any]:
    arms = Moments.from_values(case["control"]), Moments.from_values(case["treatment"])
    result = cohens_d(*arms, case.get("alpha", 0.05), pooled=case["pooled"])
    required(result.status)
    return {"d": result.d, "ci_low": result.ci_low, "ci_high": result.ci_high, "g": result.g}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "two_proportion_z": _two_proportion_z,
    "welch_t": _welch_t,
    "welch_t_summary": _welch_t_summary,
    "welch_t_sums": _welch_t_sums,
    "mean_sd": _mean_sd,
    "ratio_delta": _ratio_delta,
    "ratio_delta_one_sample": _ratio_one_sample,
    "relative_lift_delta_linear": _lift_linear,
    "relative_lift_delta_log": _lift_log,
    "relative_lift_delta_log_binomial": _lift_log_binomial,
    "relative_lift_fieller": _lift_fieller,
    "relative_lift_fieller_z": _lift_fieller_z,
    "cuped_mean": _cuped_mean,
    "post_stratified_effect": _post_stratified,
    "chi_square_independence": lambda case: _chi_square(chi_square_independence(case["table"])),
    "chi_square_gof": lambda case: _chi_square(chi_square_fit(case["observed"], case["ratio"])),
    "mann_whitney": _mann_whitney,
    "ks_two_sample": _ks,
    "anova_oneway": lambda case: _anova(oneway(_groups(case))),
    "welch_anova": lambda case: _anova(welch_anova(_groups(case))),
    "quantile_ci_order_statistic": _quantile_interval,
    "quantile_ci_ranks": _quantile_ranks,
    "quantile_test": lambda case: {"p_two": quantile_test_values(case["x"], case["q"], case["p"])},
    "quantile_harrell_davis": _harrell_davis,
    "quantile_point": lambda case: {"q": quantile_point(case["x"], case["p"])},
    "winsorize_count": _winsorize_count,
    "winsorize_quantile": lambda case: _winsorised(
        winsorise_quantile(case["x"], case["lower"], case["upper"])
    ),
    "cohens_d": _cohens_d,
    "cohens_h": lambda case: {"h": cohens_h(case["p2"], case["p1"])},
}
