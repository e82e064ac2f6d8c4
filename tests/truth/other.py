"""Bayesian, multiple-testing, SRM, bandit and combining methods: truth-case names to public functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.bandits.epsilon_greedy import epsilon_greedy
from fairsplit.analysis.bandits.evaluation import adaptive_contrasts, adaptive_means, adaptive_scores
from fairsplit.analysis.bandits.floors import with_floor
from fairsplit.analysis.bandits.thompson import thompson_beta
from fairsplit.analysis.bandits.top_two import top_two_probabilities
from fairsplit.analysis.bandits.ucb import ucb1
from fairsplit.analysis.statistics.bayes_beta import beta_best, beta_compare
from fairsplit.analysis.statistics.bayes_normal import normal_best, normal_effect
from fairsplit.analysis.statistics.combining import MetaAnalysis, meta_fixed, meta_random
from fairsplit.analysis.statistics.factorial import interaction_did
from fairsplit.analysis.statistics.interactions import (
    cells_from_values,
    interaction_anova,
    subgroup_heterogeneity,
    treatment_by_covariate,
)
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.srm import srm_chi_square, srm_sequential

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
    r = srm_sequential(i["data"], i["p0"], dirichlet=i.get("dirichlet"))
    return {"log_bf": r.log_bayes_factor, "p_value": r.p_value}


def _thompson_allocation_beta(i: dict[str, Any]) -> dict[str, Any]:
    return {"p_best": thompson_beta(i["x"], i["n"], prior=i["prior"])}


def _top_two(i: dict[str, Any]) -> dict[str, Any]:
    return {"prob": top_two_probabilities(i["p_best"], i["beta"])}


def _ucb1_index(i: dict[str, Any]) -> dict[str, Any]:
    position = {arm: k for k, arm in enumerate(i["arms"])}
    codes = np.array([position[arm] for arm in i["decisions"]], dtype=np.int64)
    pulls = Moments.from_groups(i["rewards"], codes, len(position))
    r = ucb1(pulls.mean, pulls.n, i["alpha"])
    return {"index": r.index, "choose": i["arms"][int(r.choose)]}


def _epsilon_greedy(i: dict[str, Any]) -> dict[str, Any]:
    return {"prob": epsilon_greedy(i["means"], i["epsilon"])}


def _bandit_weight_floor(i: dict[str, Any]) -> dict[str, Any]:
    return {"p": with_floor(i["w"], i["floor"])}


def _shares_of_arms(i: dict[str, Any]) -> np.ndarray:
    """Shares of every arm: `prob_arm1`, `prob_arm2`, … leave the rest to arm 0, unless `prob_arm0` says it too.

    A matrix (units × arms) under one of the keys is taken as it is.
    """
    given = {int(key.removeprefix("prob_arm")): np.asarray(i[key], dtype=np.float64)
             for key in i if re.fullmatch(r"prob_arm\d+", key)}  # fmt: skip
    for key in ("prob", "probs", "prob_arms", "shares"):
        if key in i:
            return np.asarray(i[key], dtype=np.float64)
    if len(given) == 1 and next(iter(given.values())).ndim == 2:
        return next(iter(given.values()))
    others = np.stack([given[arm] for arm in sorted(given)], axis=-1)
    return others if 0 in given else np.concatenate([1 - others.sum(axis=-1, keepdims=True), others], axis=-1)


def _adaptive_ipw_aipw(i: dict[str, Any]) -> dict[str, Any]:
    shares = _shares_of_arms(i)
    ipw, aipw = (
        adaptive_scores(i["arms"], i["rewards"], shares, augmented=augmented, weighting="uniform")
        for augmented in (False, True)
    )
    r_ipw, r_aipw = adaptive_means(ipw, alpha=i["alpha"]), adaptive_means(aipw, alpha=i["alpha"])
    contrast = adaptive_contrasts(aipw, control=0, alpha=i["alpha"])
    return {
        "ipw_uniform_arm_estimate": r_ipw.estimate,
        "ipw_uniform_arm_se": r_ipw.se,
        "aipw_uniform_arm_estimate": r_aipw.estimate,
        "aipw_uniform_arm_se": r_aipw.se,
        "aipw_uniform_contrast": contrast.estimate[1:],
        "aipw_uniform_contrast_se": contrast.se[1:],
    }


def _meta_fields(r: MetaAnalysis) -> dict[str, Any]:
    return {
        "estimate": r.estimate,
        "se": r.se,
        "ci_low": r.ci_low,
        "ci_high": r.ci_high,
        "p_value": r.p_value,
        "tau2": r.tau2,
        "Q": r.q,
        "I2": r.i2_percent,
    }


def _meta_fixed(i: dict[str, Any]) -> dict[str, Any]:
    return _meta_fields(meta_fixed(i["yi"], i["vi"]))


def _meta_dl(i: dict[str, Any]) -> dict[str, Any]:
    return _meta_fields(meta_random(i["yi"], i["vi"], method="dersimonian_laird"))


def _meta_reml(i: dict[str, Any]) -> dict[str, Any]:
    return _meta_fields(meta_random(i["yi"], i["vi"], method="reml"))


def _meta_hksj(i: dict[str, Any]) -> dict[str, Any]:
    return _meta_fields(meta_random(i["yi"], i["vi"], method="dersimonian_laird", hartung_knapp=True))


def _interaction_did(i: dict[str, Any]) -> dict[str, Any]:
    rows = sorted(i["cells"], key=lambda cell: (cell["a"], cell["b"]))
    n, mean, var = (np.array([row[key] for row in rows]).reshape(2, 2) for key in ("n", "mean", "var"))
    r = interaction_did(Moments.from_summary(n, mean, np.sqrt(var)), alpha=i["alpha"])
    return {
        "estimate": r.estimate,
        "se": r.se,
        "z": r.statistic,
        "p_value": r.p_value,
        "ci_low": r.ci_low,
        "ci_high": r.ci_high,
    }


def _interaction_anova(i: dict[str, Any]) -> dict[str, Any]:
    r = interaction_anova(cells_from_values(i["y"], i["a"], i["b"]))
    return {"F": r.statistic, "df1": r.df1, "df2": r.df2, "p_value": r.p_value}


def _hte_subgroup_q(i: dict[str, Any]) -> dict[str, Any]:
    r = subgroup_heterogeneity(i["yi"], i["vi"], group=i["group"])
    return {"Q_between": r.statistic, "df": r.df1, "p_value": r.p_value}


def _hte_treatment_by_covariate(i: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (
        JointMoments.from_values(np.column_stack([i[arm]["pre"], i[arm]["post"]])) for arm in ("c", "t")
    )
    r = treatment_by_covariate(control, treatment)
    return {"estimate": r.estimate, "se_classic": r.se, "t": r.statistic, "p_value": r.p_value, "df": r.df}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "bayes_beta_binomial": _bayes_beta_binomial,
    "bayes_p_best": _bayes_p_best,
    "bayes_p_best_normal": _bayes_p_best_normal,
    "bayes_normal_risk": _bayes_normal_risk,
    "srm_chi_square": _srm_chi_square,
    "srm_sequential_multinomial": _srm_sequential,
    "thompson_allocation_beta": _thompson_allocation_beta,
    "top_two_thompson_probabilities": _top_two,
    "ucb1_index": _ucb1_index,
    "epsilon_greedy_probabilities": _epsilon_greedy,
    "bandit_weight_floor": _bandit_weight_floor,
    "adaptive_ipw_aipw": _adaptive_ipw_aipw,
    "meta_fixed_effect": _meta_fixed,
    "meta_random_effects_dl": _meta_dl,
    "meta_random_effects_reml": _meta_reml,
    "meta_random_effects_dl_hksj": _meta_hksj,
    "interaction_did": _interaction_did,
    "interaction_anova": _interaction_anova,
    "hte_subgroup_Q": _hte_subgroup_q,
    "hte_treatment_by_covariate": _hte_treatment_by_covariate,
}
