"""Definition hashes: what a result depends on, whatever the file's comments, key order and labels.

Left out of an experiment's hash: labels for people (name, description, owner, tags), the targeting tests, how the next
batch of a search is chosen, and the state that commands move (status, stage, shipped), for they change no number. What
lifecycle commands do change about the numbers (end, pauses, phases) is in, and so is the hypothesis: rewriting it is
drift.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.metrics import canonical_hash

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.experiment import Experiment, Phase
    from fairsplit.analysis.catalogue.flags import Segment
    from fairsplit.analysis.catalogue.metrics import MetricDefinition

_NO_EFFECT = {
    "name",
    "description",
    "owner",
    "tags",
    "tests",
    "status",
    "stage",
    "shipped",
    "traffic",
    "phases",
    "search",
}


def experiment_facts(experiment: Experiment) -> dict[str, Any]:
    """What the hash is taken of: plain JSON values; the short form counts as the one phase it stands for."""
    facts = experiment.model_dump(mode="json", by_alias=True, exclude=_NO_EFFECT)
    facts["phases"] = [_phase_facts(phase) for phase in experiment.history]
    facts["segments"] = sorted(facts["segments"])
    facts["stopping"]["automatic"] = bool(facts["stopping"]["automatic"])
    for later in ("bandit", "holdout", "since"):
        if facts[later] is None:
            del facts[later]
    if experiment.bandit is not None and experiment.bandit.algorithm != "contextual":
        del facts["bandit"]["features"], facts["bandit"]["depth"]
    if facts["layer"] is not None and not facts["layer"]["history"]:
        del facts["layer"]["history"]
    for variant in facts["variants"]:
        for label in ("name", "description", "weight", "version", "author", "tags", "created", "updated"):
            del variant[label]
    for role in facts["metrics"].values():
        role.sort(key=lambda use: str(use["metric"]))
    return facts


def _phase_facts(phase: Phase) -> dict[str, Any]:
    facts = phase.model_dump(mode="json")
    if not phase.leaves:
        facts.pop("leaves", None)
    return facts


def experiment_hash(experiment: Experiment) -> str:
    """SHA-256 of the experiment's canonical JSON."""
    return canonical_hash(experiment_facts(experiment))


def segment_hash(segment: Segment) -> str:
    """SHA-256 of what decides who is in a behavioural segment, and what is exported of it."""
    return canonical_hash(segment.model_dump(mode="json", by_alias=True, include={"id", "unit", "behaviour"}))


def result_hash(experiment: Experiment, metric: MetricDefinition) -> str:
    """Hash of the two definitions that a result row stands on."""
    joined = f"{experiment_hash(experiment)}{metric.definition_hash}"
    return hashlib.sha256(joined.encode()).hexdigest()
