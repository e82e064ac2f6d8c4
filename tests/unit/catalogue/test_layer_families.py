from __future__ import annotations

from analysis.catalogue.experiment import Experiment
from analysis.catalogue.together import layer_findings


def _experiment(name: str, sdk: str, begin: float, end: float) -> Experiment:
    return Experiment.model_validate(
        {
            "id": name,
            "name": name,
            "owner": "growth@example.com",
            "type": "ab",
            "sdk": sdk,
            "status": "running",
            "start": "2026-01-05T00:00:00Z",
            "variants": [{"id": "control", "control": True}, {"id": "red"}],
            "layer": {"id": "checkout", "from": begin, "to": end},
            "metrics": {"primary": ["ctr"]},
        }
    )


def test_a_layer_is_of_one_family_because_two_hashes_share_units():
    found = layer_findings([_experiment("a", "ufc", 0.0, 0.5), _experiment("b", "flagd", 0.5, 1.0)])
    assert list(found) == ["b"]
    assert found["b"].what == "a layer has one SDK family"
    assert layer_findings([_experiment("a", "flagd", 0.0, 0.5), _experiment("b", "flagd", 0.5, 1.0)]) == {}
