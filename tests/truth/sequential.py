"""Sequential methods, corrections and planning: truth-case names to public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.conditional_power import conditional_power
from fairsplit.analysis.statistics.confidence_sequences import (
    approximate_rho2,
    best_rho2,
    confidence_path,
    unit_margin,
)
from fairsplit.analysis.statistics.dunnett import dunnett
from fairsplit.analysis.statistics.group_sequential import (
    equal_fractions,
    lan_demets_bounds,
    obrien_fleming_bounds,
    obrien_fleming_constant,
    pocock_constant,
)
from fairsplit.analysis.statistics.group_sequential_design import design_properties, futility_design
from fairsplit.analysis.statistics.many_to_one import many_to_one_critical
from fairsplit.analysis.statistics.mixture import (
    best_rho,
    log_mixture,
    mixture_bound,
    msprt_bernoulli,
    msprt_normal,
)
from fairsplit.analysis.statistics.multiplicity import METHODS as CORRECTIONS
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.planning import (
    mde_two_sample_z,
    power_cohens_h,
    power_two_proportions,
    power_two_sample_t,
    sample_size_two_proportions,
    sample_size_two_sample_t,
)
from fairsplit.analysis.statistics.spending import spending_function
from fairsplit.analysis.statistics.sprt import (
    sprt_asn_bernoulli,
    sprt_bernoulli,
    sprt_bernoulli_decisions,
    sprt_boundaries,
    sprt_normal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Inputs = dict[str, Any]
#: Other packages' words for the same alternative.
ALTERNATIVES = {"two.sided": "two-sided", "two_sided": "two-sided", "larger": "greater", "smaller": "less"}
SIDES = {"one": 1, "two": 2, "one-sided": 1, "two-sided": 2, "1": 1, "2": 2}


def _alternative(i: Inputs) -> str:
    word = str(i.get("alternative", "two-sided"))
    if word in {"one-sided", "one.sided"}:
        return "greater" if i["h"] > 0 else "less"
    return ALTERNATIVES.get(word, word)


def _sides(i: Inputs) -> int:
    return int(i.get("sides", 2))


def _multiple_testing(i: Inputs) -> Inputs:
    return {m: adjust_p_values(i["p"], method=m, alpha=i.get("alpha", 0.05)).p_adjusted for m in CORRECTIONS}


def _dunnett(i: Inputs) -> Inputs:
    arms = [np.asarray(a, dtype=float) for a in (i["control"], *i["treatments"])]
    r = dunnett(
        [a.size for a in arms],
        [a.mean() for a in arms],
        [a.var(ddof=1) if a.size > 1 else 0.0 for a in arms],
        np.arange(len(arms)) == 0,
        alpha=i.get("alpha", 0.05),
    )
    return {
        "statistic": r.statistic[1:],
        "p_two": r.p_adjusted[1:],
        "ci_low": r.low[1:],
        "ci_high": r.high[1:],
        "critical_value": r.critical_value[1],
    }


def _dunnett_critical(i: Inputs) -> Inputs:
    loading = np.sqrt(i["rho"])

    def one(row: Inputs) -> float:
        df = float(row["df"]) or np.inf
        family = np.full((1, row["k"]), loading)
        return float(many_to_one_critical(family, [df], row["alpha"], sides=SIDES[str(row["side"])])[0])

    return {"crit": [one(row) for row in i["rows"]]}


def _sprt_bernoulli(i: Inputs) -> Inputs:
    r = sprt_bernoulli(i["p0"], i["p1"], i["alpha"], i["beta"])
    return {
        "log_upper": r.log_upper,
        "log_lower": r.log_lower,
        "slope": r.slope,
        "h_upper": r.h_upper,
        "h_lower": r.h_lower,
    }


def _sprt_bernoulli_decisions(i: Inputs) -> Inputs:
    r = sprt_bernoulli_decisions(i["p0"], i["p1"], i["alpha"], i["beta"], i["at_n"])
    return {"reject_at": r.reject_at, "accept_at": r.accept_at}


def _sprt_boundaries(i: Inputs) -> Inputs:
    r = sprt_boundaries(i["alpha"], i["beta"])
    return {"log_upper": r.log_upper, "log_lower": r.log_lower}


def _sprt_normal(i: Inputs) -> Inputs:
    r = sprt_normal(i["x"], i["mu0"], i["mu1"], i["sd"], i["alpha"], i["beta"])
    return {"slope": r.slope, "h_lower": r.h_lower, "h_upper": r.h_upper, "llr": r.llr}


def _sprt_asn_bernoulli(i: Inputs) -> Inputs:
    r = sprt_asn_bernoulli(i["p0"], i["p1"], i["alpha"], i["beta"])
    return {"asn_h0": r.asn_h0, "asn_h1": r.asn_h1}


def _at(i: Inputs, path: np.ndarray) -> np.ndarray:
    return path[np.asarray(i["at_n"], dtype=int) - 1]


def _msprt_normal(i: Inputs) -> Inputs:
    r = msprt_normal(i["x"], i["y"], i["sigma"], i["tau"], i.get("theta0", 0.0))
    return {"lambda": _at(i, r.ratio), "always_valid_p": _at(i, r.always_valid_p)}


def _msprt_bernoulli(i: Inputs) -> Inputs:
    r = msprt_bernoulli(i["x"], i["y"], i["tau"], i.get("theta0", 0.0))
    return {"lambda": _at(i, r.ratio), "always_valid_p": _at(i, r.always_valid_p)}


def _asymptotic_cs_margin(i: Inputs) -> Inputs:
    return {"margin": unit_margin(i["t"], i["rho2"], i["alpha"])}


def _asymptotic_cs_rho2(i: Inputs) -> Inputs:
    return {"exact": best_rho2(i["t_opt"], i["alpha"]), "approx": approximate_rho2(i["t_opt"], i["alpha"])}


def _asymptotic_cs_path(i: Inputs) -> Inputs:
    r = confidence_path(i["x"], i["t_opt"], i["alpha"])
    return {"ci_low": _at(i, r.low), "ci_high": _at(i, r.high)}


def _normal_mixture(i: Inputs, *, one_sided: bool) -> Inputs:
    rho = best_rho(i["v_opt"], i["alpha_opt"], one_sided=one_sided)
    return {
        "best_rho": rho,
        "log_mixture": log_mixture(i["s"], i["v"], rho, one_sided=one_sided),
        "bound": mixture_bound(i["v"], rho, i["alpha"], one_sided=one_sided),
    }


def _gsd_lan_demets_obf(i: Inputs) -> Inputs:
    r = lan_demets_bounds(i["t"], i["alpha"], sides=_sides(i))
    return {"bounds": r.upper, "cum_alpha_per_side": r.cumulative_alpha}


def _gsd_spending(i: Inputs, family: str, parameter: float | None = None) -> Inputs:
    r = lan_demets_bounds(i["t"], i["alpha"], sides=_sides(i), spending=spending_function(family, parameter))
    return {"bounds": r.upper, "cum_alpha_per_side": r.cumulative_alpha}


def _gsd_hsd_nonbinding(i: Inputs) -> Inputs:
    r = futility_design(
        equal_fractions(i["K"]),
        i["alpha"],
        i["beta"],
        efficacy=spending_function("hwang_shih_decani", i["upper_gamma"]),
        futility=spending_function("hwang_shih_decani", i["lower_gamma"]),
    )
    return {"upper": r.upper, "lower": r.lower, "n_I": r.information}


def _gsd_inflation_factor(i: Inputs) -> Inputs:
    fractions = equal_fractions(i["K"])
    sides, alpha = _sides(i), i["alpha"]
    bounds = {
        "pocock": pocock_constant(i["K"], alpha, sides=sides)[..., None] * np.ones_like(fractions),
        "obf": obrien_fleming_constant(i["K"], alpha, sides=sides)[..., None] / np.sqrt(fractions),
    }
    return {
        f"{name}_{percent}": design_properties(upper, fractions, alpha, percent / 100, sides=sides).inflation
        for name, upper in bounds.items()
        for percent in (80, 90)
    }


def _gsd_pocock_design(i: Inputs) -> Inputs:
    fractions = equal_fractions(i["K"])
    bound = pocock_constant(i["K"], i["alpha"], sides=_sides(i))
    r = design_properties(
        bound[..., None] * np.ones_like(fractions), fractions, i["alpha"], i["power"], sides=_sides(i)
    )
    return {
        "inflation": r.inflation,
        "asn_h0": r.expected_null,
        "asn_h1": r.expected_alternative,
        "bound": bound,
    }


def _conditional_power(i: Inputs) -> Inputs:
    columns = {key: [row[key] for row in i["rows"]] for key in ("z", "t", "z_final", "theta1")}
    r = conditional_power(columns["z"], columns["t"], columns["z_final"], columns["theta1"])
    return {"cp_h1": r.planned, "cp_trend": r.trend, "cp_null": r.null, "pp_flat": r.predictive}


METHODS: dict[str, Callable[[Inputs], Inputs]] = {
    "multiple_testing": _multiple_testing,
    "dunnett": _dunnett,
    "dunnett_critical": _dunnett_critical,
    "sprt_bernoulli": _sprt_bernoulli,
    "sprt_bernoulli_decisions": _sprt_bernoulli_decisions,
    "sprt_boundaries": _sprt_boundaries,
    "sprt_normal": _sprt_normal,
    "sprt_asn_bernoulli": _sprt_asn_bernoulli,
    "msprt_normal": _msprt_normal,
    "msprt_bernoulli": _msprt_bernoulli,
    "asymptotic_cs_margin": _asymptotic_cs_margin,
    "asymptotic_cs_rho2": _asymptotic_cs_rho2,
    "asymptotic_cs_path": _asymptotic_cs_path,
    "normal_mixture_two_sided": lambda i: _normal_mixture(i, one_sided=False),
    "normal_mixture_one_sided": lambda i: _normal_mixture(i, one_sided=True),
    "gsd_pocock_constant": lambda i: {"C": pocock_constant(i["K"], i["alpha"], sides=_sides(i))},
    "gsd_obf_constant": lambda i: {"C": obrien_fleming_constant(i["K"], i["alpha"], sides=_sides(i))},
    "gsd_obf_bounds": lambda i: {"bounds": obrien_fleming_bounds(i["K"], i["alpha"], sides=_sides(i))},
    "gsd_lan_demets_obf": _gsd_lan_demets_obf,
    "gsd_lan_demets_pocock": lambda i: _gsd_spending(i, "pocock"),
    "gsd_power_spending": lambda i: _gsd_spending(i, "power", i["rho"]),
    "gsd_hsd_nonbinding": _gsd_hsd_nonbinding,
    "gsd_inflation_factor": _gsd_inflation_factor,
    "gsd_pocock_design": _gsd_pocock_design,
    "conditional_power_closed_form": _conditional_power,
    "power_two_proportions": lambda i: {
        "power": power_two_proportions(i["p1"], i["p2"], i["n_per_arm"], alpha=i["alpha"])
    },
    "samplesize_two_proportions": lambda i: {
        "n_per_arm": sample_size_two_proportions(i["p1"], i["p2"], i["power"], i["alpha"])
    },
    "power_two_sample_t": lambda i: {
        "power": power_two_sample_t(i["delta"], i["sd"], i["n_per_arm"], alpha=i["alpha"])
    },
    "samplesize_two_sample_t": lambda i: {
        "n_per_arm": sample_size_two_sample_t(i["delta"], i["sd"], i["power"], i["alpha"])
    },
    "power_cohens_h": lambda i: {
        "power": power_cohens_h(i["h"], i["n_per_arm"], alpha=i["alpha"], alternative=_alternative(i))
    },
    "power_cohens_h_unequal": lambda i: {
        "power": power_cohens_h(i["h"], i["n1"], i["n2"], i["alpha"], alternative=_alternative(i))
    },
    "mde_two_sample_z": lambda i: {
        "mde": mde_two_sample_z(i["sd"], i["n_per_arm"], power=i["power"], alpha=i["alpha"])
    },
}
