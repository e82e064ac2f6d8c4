"""The label `experiment:variant` in the payload of each family, read by its SDK (mission row M42)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from growthbook import GrowthBook
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from tests.definitions import NOW, catalogue

from fairsplit.assignment_exports.catalogue import export_catalogue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration
EXPERIMENT = "plain"
SUBJECTS = [f"user-{number}" for number in range(40)]


def payload(folder: Path, sdk: str) -> dict:
    export_catalogue(folder, catalogue(sdk), NOW)
    return json.loads((folder / "current" / f"{sdk}.json").read_bytes())


def test_m42_growthbook_tracks_the_label_of_the_variant_that_it_serves(tmp_path: Path) -> None:
    features = payload(tmp_path, "growthbook")["features"]
    client = GrowthBook(features=features)
    tracked = set()
    for subject in SUBJECTS:
        client.set_attributes({"id": subject})
        found = client.eval_feature(EXPERIMENT)
        tracked.add((f"{EXPERIMENT}:{found.value}", found.experimentResult.name))
    assert len(tracked) == 2
    assert all(expected == name for expected, name in tracked)


def test_m42_flagd_gives_the_label_of_the_variant_that_it_serves(tmp_path: Path) -> None:
    core = FlagdCore()
    core.set_flags(json.dumps(payload(tmp_path, "flagd")))
    seen = set()
    for subject in SUBJECTS:
        found = core.resolve_string_value(EXPERIMENT, "-", EvaluationContext(subject))
        assert found.flag_metadata[f"label.{found.variant}"] == f"{EXPERIMENT}:{found.variant}"
        seen.add(found.variant)
    assert len(seen) == 2


def test_m42_ufc_logs_the_label(tmp_path: Path) -> None:
    splits = [
        split
        for allocation in payload(tmp_path, "ufc")["flags"][EXPERIMENT]["allocations"]
        for split in allocation["splits"]
    ]
    assert {split["extraLogging"]["label"] for split in splits if "extraLogging" in split} == {
        f"{EXPERIMENT}:{split['variationKey']}" for split in splits if "extraLogging" in split
    }
