from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.truth import METHODS, answer

if TYPE_CHECKING:
    from pathlib import Path


def differences(got: Any, expected: Any, tolerance: dict[str, float], where: str = "") -> list[str]:
    """The places where an answer leaves |got - expected| <= abs + rel * |expected|."""
    if isinstance(expected, dict):
        return [
            line
            for key, value in expected.items()
            for line in differences(got.get(key), value, tolerance, f"{where}.{key}")
        ]
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return [f"{where}: {got} is not {expected}"]
        return [
            line
            for i, value in enumerate(expected)
            for line in differences(got[i], value, tolerance, f"{where}[{i}]")
        ]
    if isinstance(expected, bool | str) or expected is None:
        return [] if got == expected else [f"{where}: {got} is not {expected}"]
    if got is None:
        return [f"{where}: nothing for {expected}"]
    allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * abs(expected)
    return [] if abs(got - expected) <= allowed else [f"{where}: {got} is not {expected}"]


def test_every_public_case_is_within_its_tolerance(shared_dir: Path) -> None:
    cases = json.loads((shared_dir / "truth" / "cases_public.json").read_text(encoding="utf-8"))["cases"]
    wrong = []
    for case in cases:
        result = answer({key: case[key] for key in ("id", "method", "inputs")})
        if "error" in result:
            wrong.append(f"{case['id']}: {result['error']}")
            continue
        wrong += differences(result["outputs"], case["expected"], case["tolerance"], case["id"])
    assert wrong == []


def test_every_method_of_the_table_is_registered(shared_dir: Path) -> None:
    table = (shared_dir / "truth" / "README.md").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))
    assert len(wanted) > 60
    assert wanted - METHODS.keys() == set()


@pytest.mark.parametrize(
    ("method", "inputs", "code"),
    [
        ("no_such_method", {}, "unknown_method"),
        ("welch_t", {"control": [1.0], "treatment": [1.0, 2.0], "alpha": 0.05}, "insufficient_sample"),
        ("welch_t", {"control": [1.0, 1.0], "treatment": [2.0, 2.0], "alpha": 0.05}, "zero_variance"),
        ("welch_t", {"control": [1.0, 3.0], "treatment": [2.0, 2.0], "alpha": 1.5}, "out_of_range"),
        ("welch_t", {"control": [1.0, float("nan")], "treatment": [2.0, 2.0], "alpha": 0.1}, "not_finite"),
        ("welch_t", {"control": [True, False], "treatment": [2.0, 2.0], "alpha": 0.1}, "not_a_number"),
        ("two_proportion_z", {"x_c": 5, "n_c": 4, "x_t": 1, "n_t": 4, "alpha": 0.05}, "out_of_range"),
        ("two_proportion_z", {"x_c": -1, "n_c": 4, "x_t": 1, "n_t": 4, "alpha": 0.05}, "negative"),
    ],
)
def test_what_cannot_be_computed_is_an_error_with_a_code(
    method: str, inputs: dict[str, Any], code: str
) -> None:
    assert answer({"id": "x", "method": method, "inputs": inputs})["error"]["code"] == code


def test_three_arms_have_adaptive_estimates() -> None:
    """Inverse shares by hand: the mean of 1{arm} y / share over all units; arm 0 has what the others leave."""
    arms, rewards = [0, 1, 2, 2, 1, 0, 2, 1], [1.0, 2.0, 4.0, 3.0, 2.5, 0.5, 3.5, 1.5]
    one, two = [0.3, 0.3, 0.3, 0.25, 0.25, 0.2, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.6, 0.6]
    inputs = {"arms": arms, "rewards": rewards, "prob_arm1": one, "prob_arm2": two, "alpha": 0.1}
    found = answer({"id": "x", "method": "adaptive_ipw_aipw", "inputs": inputs})["outputs"]
    shares = [[1 - p - q, p, q] for p, q in zip(one, two, strict=True)]
    by_hand = [
        sum(y / share[arm] for got, y, share in zip(arms, rewards, shares, strict=True) if got == arm) / 8
        for arm in range(3)
    ]
    assert list(found["ipw_uniform_arm_estimate"]) == pytest.approx(by_hand)
    assert len(found["aipw_uniform_contrast"]) == 2
    whole = {"arms": arms, "rewards": rewards, "probs": shares, "alpha": 0.1}
    again = answer({"id": "x", "method": "adaptive_ipw_aipw", "inputs": whole})["outputs"]
    assert all(list(again[name]) == pytest.approx(list(values)) for name, values in found.items())


def test_a_lift_over_a_negative_mean_is_a_share_of_its_size_and_the_ratio_a_ratio() -> None:
    """-10 to -8 is a rise by a fifth of 10, and -8 is four fifths of -10; bounds by Fieller on the opposites."""
    below = {"m_c": -10, "v_c": 0.2, "m_t": -8, "v_t": 0.2, "alpha": 0.05}
    above = {"m_c": 10, "v_c": 0.2, "m_t": 8, "v_t": 0.2, "alpha": 0.05}
    got, mirrored = (
        answer({"id": "x", "method": "relative_lift_fieller_z", "inputs": one})["outputs"]
        for one in (below, above)
    )
    assert (got["rel"], got["ratio"]) == pytest.approx((0.2, 0.8))
    for end in ("ratio_ci_low", "ratio_ci_high"):
        assert got[end] == pytest.approx(mirrored[end])
    assert got["rel_ci_low"] == pytest.approx(-mirrored["rel_ci_high"])
