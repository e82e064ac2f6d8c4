"""The truth cases of the sequential part, each within its own tolerance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.truth import answer
from tests.truth.sequential import METHODS

if TYPE_CHECKING:
    from pathlib import Path


def _flat(value: Any) -> list[float]:
    return [x for item in value for x in _flat(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_public_cases(method: str, shared_dir: Path):
    cases = json.loads((shared_dir / "truth" / "cases_public.json").read_text(encoding="utf-8"))["cases"]
    for case in (c for c in cases if c["method"] == method):
        got = answer({key: case[key] for key in ("id", "method", "inputs")})
        assert "error" not in got
        for field, expected in case["expected"].items():
            tolerance = {**case["tolerance"], **case["tolerance"].get("fields", {}).get(field, {})}
            for ours, theirs in zip(_flat(got["outputs"][field]), _flat(expected), strict=True):
                assert abs(ours - theirs) <= tolerance["abs"] + tolerance["rel"] * abs(theirs), (
                    case["id"],
                    field,
                )
