"""Every sequential and planning method of the truth table answers, with the fields that are compared."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.truth import answer
from tests.truth.sequential import METHODS

STREAM = [0.3, -0.1, 0.8, 1.2, 0.4, 0.0, 0.9, 1.5]
EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "multiple_testing": (
        {"p": [0.01, 0.02, 0.03], "alpha": 0.05},
        {
            "bonferroni": [0.03, 0.06, 0.09],
            "holm": [0.03, 0.04, 0.04],
            "hochberg": [0.03] * 3,
            "bh": [0.03] * 3,
            "by": [0.055] * 3,
        },
    ),
    "dunnett": (
        {
            "control": [7.4, 8.5, 7.2, 8.24, 9.84, 8.32],
            "treatments": [[9.76, 8.8, 7.68, 9.36], [12.8, 9.68, 12.16, 9.2, 10.55]],
        },
        {
            "statistic": [0.857, 3.694],
            "p_two": [0.620, 0.0058],
            "ci_low": [-1.256, 0.840],
            "ci_high": [2.556, 4.416],
            "critical_value": 2.5135,
        },
    ),
    "dunnett_critical": (
        {
            "rows": [
                {"k": 3, "df": 0, "alpha": 0.05, "side": "two"},
                {"k": 1, "df": 10, "alpha": 0.05, "side": "one"},
            ],
            "rho": 0.5,
        },
        {"crit": [2.349, 1.812]},
    ),
    "sprt_bernoulli": (
        {"p0": 0.01, "p1": 0.1, "alpha": 0.05, "beta": 0.1},
        {"log_upper": 2.890, "log_lower": -2.251, "slope": 0.0397, "h_upper": 1.205, "h_lower": -0.939},
    ),
    "sprt_bernoulli_decisions": (
        {"p0": 0.01, "p1": 0.1, "alpha": 0.05, "beta": 0.1, "at_n": [24, 50]},
        {"reject_at": [3, 4], "accept_at": [0, 1]},
    ),
    "sprt_boundaries": (
        {"alpha": [0.05, 0.01], "beta": [0.1, 0.2]},
        {"log_upper": [2.890, 4.382], "log_lower": [-2.251, -1.599]},
    ),
    "sprt_normal": (
        {"mu0": 0.0, "mu1": 1.0, "sd": 1.0, "alpha": 0.05, "beta": 0.1, "x": [1.0, 2.0]},
        {"slope": 0.5, "h_lower": -2.251, "h_upper": 2.890, "llr": [0.5, 2.0]},
    ),
    "sprt_asn_bernoulli": (
        {"p0": 0.01, "p1": 0.1, "alpha": 0.05, "beta": 0.1},
        {"asn_h0": None, "asn_h1": None},
    ),
    "msprt_normal": (
        {"x": STREAM, "y": STREAM[::-1], "sigma": 1.0, "tau": 0.5, "theta0": 0.1, "at_n": [1, 8]},
        {"lambda": None, "always_valid_p": None},
    ),
    "msprt_bernoulli": (
        {"x": [1, 0, 1, 1], "y": [0, 0, 1, 0], "tau": 0.5, "theta0": 0.0, "at_n": [2, 4]},
        {"lambda": [1.1245, 1.3772]},
    ),
    "asymptotic_cs_margin": ({"t": [100, 1000], "rho2": 0.0082, "alpha": 0.05}, {"margin": [0.3825, 0.0960]}),
    "asymptotic_cs_rho2": ({"t_opt": [1000], "alpha": 0.05}, {"exact": [0.008212], "approx": [0.007936]}),
    "asymptotic_cs_path": (
        {"x": STREAM, "t_opt": 100, "alpha": 0.05, "at_n": [4, 8]},
        {"ci_low": None, "ci_high": None},
    ),
    "normal_mixture_two_sided": (
        {"s": 30.0, "v": 100.0, "v_opt": 100.0, "alpha_opt": 0.05, "alpha": 0.05},
        {"best_rho": 12.60, "log_mixture": None, "bound": None},
    ),
    "normal_mixture_one_sided": (
        {"s": 30.0, "v": 100.0, "v_opt": 100.0, "alpha_opt": 0.025, "alpha": 0.05},
        {"best_rho": 12.60, "log_mixture": None, "bound": 27.68},
    ),
    "gsd_pocock_constant": ({"alpha": 0.05, "sides": 2, "K": [2, 5]}, {"C": [2.178, 2.413]}),
    "gsd_obf_constant": ({"alpha": 0.05, "sides": 2, "K": [2, 5]}, {"C": [1.977, 2.040]}),
    "gsd_obf_bounds": ({"alpha": 0.05, "sides": 2, "K": 3}, {"bounds": [3.471, 2.454, 2.004]}),
    "gsd_lan_demets_obf": (
        {"alpha": 0.05, "sides": 2, "t": [0.5, 1.0]},
        {"bounds": [2.963, 1.969], "cum_alpha_per_side": [0.001525, 0.025]},
    ),
    "gsd_lan_demets_pocock": ({"alpha": 0.05, "sides": 2, "t": [0.5, 1.0]}, {"bounds": [2.157, 2.201]}),
    "gsd_power_spending": (
        {"alpha": 0.05, "sides": 2, "t": [0.5, 1.0], "rho": 1},
        {"bounds": [2.241, 2.125]},
    ),
    "gsd_hsd_nonbinding": (
        {"alpha": 0.025, "beta": 0.1, "K": 3, "upper_gamma": -4, "lower_gamma": -2},
        {
            "upper": [3.0107, 2.5465, 1.9992],
            "lower": [-0.2387, 0.9411, 1.9992],
            "n_I": [0.3566, 0.7133, 1.0699],
        },
    ),
    "gsd_inflation_factor": (
        {"alpha": 0.05, "sides": 2, "K": 5},
        {"pocock_80": 1.229, "pocock_90": 1.207, "obf_80": 1.028, "obf_90": 1.026},
    ),
    "gsd_pocock_design": (
        {"alpha": 0.05, "sides": 2, "K": 5, "power": 0.9},
        {"inflation": 1.207, "asn_h0": None, "asn_h1": 0.685, "bound": 2.413},
    ),
    "conditional_power_closed_form": (
        {"rows": [{"z": 1.5, "t": 0.5, "z_final": 1.96, "theta1": 2.8}]},
        {"cp_h1": [0.7605], "cp_trend": [0.5902], "cp_null": [0.1017], "pp_flat": [0.5641]},
    ),
    "power_two_proportions": ({"p1": 0.5, "p2": 0.75, "n_per_arm": 50, "alpha": 0.05}, {"power": 0.740}),
    "samplesize_two_proportions": (
        {"p1": 0.5, "p2": 0.75, "power": 0.9, "alpha": 0.05},
        {"n_per_arm": 76.707},
    ),
    "power_two_sample_t": ({"n_per_arm": 20, "delta": 1, "sd": 1, "alpha": 0.05}, {"power": 0.8690}),
    "samplesize_two_sample_t": ({"delta": 1, "sd": 1, "power": 0.9, "alpha": 0.05}, {"n_per_arm": 22.021}),
    "power_cohens_h": (
        {"h": 0.3, "n_per_arm": 80, "alpha": 0.05, "alternative": "greater"},
        {"power": 0.5997},
    ),
    "power_cohens_h_unequal": (
        {"h": 0.3, "n1": 80, "n2": 245, "alpha": 0.05, "alternative": "greater"},
        {"power": 0.7533},
    ),
    "mde_two_sample_z": ({"sd": 1, "n_per_arm": 1000, "alpha": 0.05, "power": 0.8}, {"mde": 0.1253}),
}


def test_every_method_has_an_example():
    assert set(EXAMPLES) == set(METHODS)


@pytest.mark.parametrize("method", sorted(EXAMPLES))
def test_answers(method: str):
    inputs, expected = EXAMPLES[method]
    got = answer({"id": "x", "method": method, "inputs": json.loads(json.dumps(inputs))})
    assert "error" not in got, got
    assert set(expected) <= set(got["outputs"])
    for field, value in expected.items():
        ours = np.asarray(got["outputs"][field], dtype=float)
        assert np.isfinite(ours).all()
        if value is not None:
            np.testing.assert_allclose(ours, value, atol=6e-4, rtol=5e-4)


def test_a_fault_becomes_a_code():
    got = answer({"id": "x", "method": "sprt_boundaries", "inputs": {"alpha": [0.6], "beta": [0.6]}})
    assert got["error"]["code"] == "out_of_range"
