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
