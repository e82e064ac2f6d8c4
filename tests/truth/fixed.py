"""Fixed-horizon methods: truth-case names to public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.statistics.checks import refuse
from analysis.statistics.covariates import cuped, post_stratified
from analysis.statistics.lifts import Pair, fieller
from analysis.statistics.means import fieller_of_means, welch
from analysis.statistics.moments import JointMoments, Moments
from analysis.statistics.proportions import log_risk_ratio, two_proportion_z
from analysis.statistics.ratios import ratio_delta, ratio_estimate
from analysis.statistics.status import Reason, names
from analysis.statistics.tails import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.statistics.comparisons import Comparison


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
    estimate = ratio_estimate(_ratio_moments(case))
    required(estimate.status)
    return {"ratio": estimate.value, "se": np.sqrt(estimate.variance)}


def _lift(lift: Any) -> dict[str, Any]:
    required(lift.status)
    return {
        "rel": lift.value,
        "se": lift.se,
        "ci_low": lift.low,
        "ci_high": lift.high,
        "ratio": 1 + lift.value,
        "ratio_ci_low": 1 + lift.low,
        "ratio_ci_high": 1 + lift.high,
        "rel_ci_low": lift.low,
        "rel_ci_high": lift.high,
        "bounded": lift.bounded,
        "g": lift.g,
    }


def _lift_linear(case: dict[str, Any]) -> dict[str, Any]:
    return _lift(welch(*_sums(case), case["alpha"], relative="delta").rel)


def _lift_log(case: dict[str, Any]) -> dict[str, Any]:
    return _lift(welch(*_sums(case), case["alpha"], relative="log_delta").rel)


def _lift_log_binomial(case: dict[str, Any]) -> dict[str, Any]:
    result = log_risk_ratio(case["x_c"], case["n_c"], case["x_t"], case["n_t"], alpha=case["alpha"])
    return _lift(result) | {"se_log": result.se}


def _lift_fieller(case: dict[str, Any]) -> dict[str, Any]:
    control, treatment = Moments.from_values(case["control"]), Moments.from_values(case["treatment"])
    equal = bool(case.get("var_equal", False))
    return _lift(fieller_of_means(control, treatment, case["alpha"], equal_variance=equal))


def _lift_fieller_z(case: dict[str, Any]) -> dict[str, Any]:
    m_c, v_c, m_t, v_t = (np.asarray(case[key], dtype=np.float64) for key in ("m_c", "v_c", "m_t", "v_t"))
    quantile = t_quantile(np.asarray(case["alpha"]) / 2, np.asarray(np.inf))
    return _lift(fieller(Pair(m_t - m_c, m_c, v_c + v_t, v_c, -v_c), quantile))


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
}
