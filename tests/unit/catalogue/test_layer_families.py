from __future__ import annotations

from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.hashing import experiment_facts, experiment_hash
from fairsplit.analysis.catalogue.together import layer_findings


def _experiment(
    name: str, sdk: str, begin: float, end: float, *history: tuple[str, float, float]
) -> Experiment:
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
            "layer": {
                "id": "checkout",
                "from": begin,
                "to": end,
                "history": [{"until": until, "from": low, "to": high} for until, low, high in history],
            },
            "metrics": {"primary": ["ctr"]},
        }
    )


def test_a_layer_is_of_one_family_because_two_hashes_share_units():
    found = layer_findings([_experiment("a", "ufc", 0.0, 0.5), _experiment("b", "flagd", 0.5, 1.0)])
    assert list(found) == ["b"]
    assert found["b"].what == "a layer has one SDK family"
    assert layer_findings([_experiment("a", "flagd", 0.0, 0.5), _experiment("b", "flagd", 0.5, 1.0)]) == {}


def test_a_share_is_taken_only_while_an_experiment_uses_it():
    first = _experiment("a", "ufc", 0.0, 0.2, ("2026-02-01T00:00:00Z", 0.0, 0.5))
    early, late = "2026-01-20T00:00:00Z", "2026-02-10T00:00:00Z"
    waits = _experiment("b", "ufc", 0.2, 1.0, (late, 0.5, 1.0))
    assert layer_findings([first, waits]) == {}
    hurries = _experiment("b", "ufc", 0.2, 1.0, (early, 0.5, 1.0))
    assert list(layer_findings([first, hurries])) == ["b"]


def test_a_layer_without_history_has_the_hash_that_it_had_before_histories_were_known():
    plain = _experiment("a", "ufc", 0.0, 0.5)
    assert "history" not in experiment_facts(plain)["layer"]
    moved = _experiment("a", "ufc", 0.0, 0.5, ("2026-02-01T00:00:00Z", 0.0, 0.2))
    assert experiment_hash(plain) != experiment_hash(moved)
