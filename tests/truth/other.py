"""Bayesian, multiple-testing, SRM, bandit and combining methods: truth-case names to public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.statistics.bayes_beta import beta_best, beta_compare
from analysis.statistics.bayes_normal import normal_best, normal_effect
from analysis.statistics.srm import srm_chi_square, srm_sequential

if TYPE_CHECKING:
    from collections.abc import Callable


def _bayes_beta_binomial(i: dict[str, Any]) -> dict[str, Any]:
    r = beta_compare(i["x_c"], i["n_c"], i["x_t"], i["n_t"], prior=i["prior"])
    return {
        "p_beat": r.p_beat,
        "loss_choose_c": r.loss_choose_c,
        "loss_choose_t": r.loss_choose_t,
        "mean_diff": r.mean_diff,
    }


def _bayes_p_best(i: dict[str, Any]) -> dict[str, Any]:
    r = beta_best(i["x"], i["n"], prior=i["prior"])
    return {"p_best": r.p_best, "expected_loss": r.expected_loss}


def _bayes_p_best_normal(i: dict[str, Any]) -> dict[str, Any]:
    r = normal_best(i["mean"], i["se"])
    return {"p_best": r.p_best, "expected_loss": r.expected_loss}


def _bayes_normal_risk(i: dict[str, Any]) -> dict[str, Any]:
    r = normal_effect(i["mu"], i["sigma"])
    return {"risk_ctrl": r.risk_c, "risk_trt": r.risk_t, "chance_to_win": r.chance_to_win}


def _srm_chi_square(i: dict[str, Any]) -> dict[str, Any]:
    r = srm_chi_square(i["counts"], i["ratio"])
    return {"chi2": r.statistic, "df": r.df, "p_value": r.p_value}


def _srm_sequential(i: dict[str, Any]) -> dict[str, Any]:
    r = srm_sequential(i["data"], i["p0"], dirichlet=i["dirichlet"])
    return {"log_bf": r.log_bayes_factor, "p_value": r.p_value}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "bayes_beta_binomial": _bayes_beta_binomial,
    "bayes_p_best": _bayes_p_best,
    "bayes_p_best_normal": _bayes_p_best_normal,
    "bayes_normal_risk": _bayes_normal_risk,
    "srm_chi_square": _srm_chi_square,
    "srm_sequential_multinomial": _srm_sequential,
}
