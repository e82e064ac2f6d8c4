"""A team's semantic layer as it stands in the copy of the shipped project that dbt reads for lineage and docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from fairsplit.analysis.catalogue.library import parts_of
from fairsplit.analysis.catalogue.semantic_files import SEMANTIC_FOLDER, SEMANTIC_KEYS, semantic_files
from fairsplit.analysis.catalogue.semantic_layer import EVENTS_MODEL, model_of, read_semantic_yaml
from fairsplit.analysis.catalogue.yaml_source import YamlFaultError, read_yaml
from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def unreadable_semantics(own: Path) -> str | None:
    """What dbt would stumble over in a team's files; none where they are all YAML."""
    for file in semantic_files(own):
        try:
            read_yaml(file.path, file.name)
        except YamlFaultError as error:
            return str(error.problem)
    return None


def write_semantics(own: Path, library: Sequence[str], copy: Path) -> None:
    """Write a team's semantic models and metrics, and the library's, to a copy without metrics.

    The team's own models are not in the copy: what is measured on their rows is, to dbt too, measured on the events
    that a source makes of them.

    Args:
        own: The team's dbt project; its files are readable.
        library: The shipped metrics that the team takes.
        copy: The copy's folder.
    """
    for number, file in enumerate(semantic_files(own)):
        data = read_yaml(file.path, file.name).data
        said = {key: data[key] for key in SEMANTIC_KEYS if key in data} if isinstance(data, dict) else {}
        for model in said.get("semantic_models") or ():
            if isinstance(model, dict) and model_of(model) != EVENTS_MODEL:
                model["model"] = f"ref('{EVENTS_MODEL}')"
        if said:
            _write(copy / SEMANTIC_FOLDER / f"own_{number:03}_{file.path.name}", said)
    if library:
        _write(copy / SEMANTIC_FOLDER / "library.yml", _taken(library))


def _taken(library: Sequence[str]) -> dict[str, Any]:
    """The shipped metrics of these names with their measures, in a semantic model whose name is no team's."""
    shipped = read_semantic_yaml(DBT_PROJECT_DIR, {})
    parts = parts_of(shipped, library)
    models = []
    for file in semantic_files(DBT_PROJECT_DIR):
        for model in read_yaml(file.path, file.name).data.get("semantic_models") or ():
            measures = [measure for measure in model["measures"] if measure["name"] in parts]
            models.append(model | {"name": f"fairsplit_{model['name']}", "measures": measures})
    metrics = [entry.data for name, entry in shipped.metrics.items() if name in parts]
    return {"semantic_models": [model for model in models if model["measures"]], "metrics": metrics}


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
