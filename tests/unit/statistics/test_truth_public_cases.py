"""Every public truth case, through the same program that holds the engine against the hidden ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def _flat(value: Any) -> list[Any]:
    return [x for item in value for x in _flat(item)] if isinstance(value, list) else [value]


def test_public_cases_within_their_tolerances(shared_dir: Path, tmp_path: Path):
    source = shared_dir / "truth" / "cases_public.json"
    output = tmp_path / "out.json"
    subprocess.run([sys.executable, "-m", "tests.truth", str(source), str(output)], cwd=ROOT, check=True)
    results = {r["id"]: r for r in json.loads(output.read_text(encoding="utf-8"))["results"]}
    cases = json.loads(source.read_text(encoding="utf-8"))["cases"]
    assert len(results) == len(cases)
    faults = []
    for case in cases:
        got = results[case["id"]]
        for field, expected in case["expected"].items():
            tolerance = {**case["tolerance"], **case["tolerance"].get("fields", {}).get(field, {})}
            ours, theirs = _flat(got.get("outputs", {}).get(field)), _flat(expected)
            close = len(ours) == len(theirs) and all(
                a == b
                if a is None or isinstance(b, bool) or b is None
                else abs(a - b) <= tolerance["abs"] + tolerance["rel"] * abs(b)
                for a, b in zip(ours, theirs, strict=True)
            )
            if not close:
                faults.append((case["id"], field, got.get("error"), ours, theirs))
    assert not faults
