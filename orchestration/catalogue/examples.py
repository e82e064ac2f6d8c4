"""The tests with data that stand beside definitions, run on the user's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.loading import CatalogueError
from fairsplit.analysis.catalogue.yaml_source import read_yaml
from fairsplit.analysis.judgement.examples import example_findings

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue.metrics import SemanticLayer
    from fairsplit.analysis.errors import Problem


def failed_examples(catalog: Path, layer: SemanticLayer) -> list[Problem]:
    """What is wrong with the tests of decisions, with file and line; none where the project's settings are wrong.

    Args:
        catalog: The catalogue's folder.
        layer: The metrics that bind.
    """
    try:
        catalogue = load_catalogue(catalog, layer.metrics, layer.refused)
    except CatalogueError:
        return []
    found = []
    for name, experiment in catalogue.experiments.items():
        findings = list(example_findings(experiment, catalogue, layer.metrics))
        if findings:
            path = next((catalog / "experiments").rglob(f"{name}.yaml"))
            document = read_yaml(path, path.relative_to(catalog).as_posix())
            found += [finding.problem(document) for finding in findings]
    return found
