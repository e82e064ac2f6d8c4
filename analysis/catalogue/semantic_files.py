"""Which files of a dbt project hold its semantic layer: any below its model paths, and those of its packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.yaml_source import YamlFaultError, read_regular, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEMANTIC_FOLDER: Final = "models/semantic"
SEMANTIC_KEYS: Final = ("semantic_models", "metrics", "saved_queries")
#: The project that is taken by `library`, and whose models are no team's own.
_SHIPPED: Final = "fairsplit"
_DECLARES: Final = {
    what: re.compile(rb"""^["']?(""" + keys + rb""")["']?\s*:""", re.MULTILINE)
    for what, keys in (("semantics", b"semantic_models|metrics"), ("models", b"models"))
}


@dataclass(frozen=True, slots=True)
class SemanticFile:
    """A YAML file of a dbt project.

    Attributes:
        path: Where it lies.
        name: Its path in the dbt project.
    """

    path: Path
    name: str


def semantic_files(dbt_project_dir: Path) -> list[SemanticFile]:
    """The files of the semantic layer: those of the project first, then those of its packages, each by name.

    All of `models/semantic` is read, so that a fault there is told; elsewhere what declares measures or metrics.

    Args:
        dbt_project_dir: Folder of `dbt_project.yml`; its packages are those that `dbt deps` has installed.
    """
    return [
        file
        for folder, file in _files(dbt_project_dir)
        if folder / SEMANTIC_FOLDER in file.path.parents or _declares(file.path, "semantics")
    ]


def column_types(dbt_project_dir: Path) -> dict[str, dict[str, str]]:
    """Model → column → `data_type`, for the columns that the project's YAML declares; without one the text is empty."""
    found: dict[str, dict[str, str]] = {}
    for _, file in _files(dbt_project_dir):
        data = _data(file.path) if _declares(file.path, "models") else {}
        for model in data.get("models") or ():
            if isinstance(model, dict):
                columns = found.setdefault(str(model.get("name")), {})
                for column in model.get("columns") or ():
                    if isinstance(column, dict):
                        columns[str(column.get("name"))] = str(column.get("data_type") or "")
    return found


def _files(dbt_project_dir: Path) -> Iterator[tuple[Path, SemanticFile]]:
    """Every YAML file below model paths, with the folder of the project or package that it is of."""
    settings = _data(dbt_project_dir / "dbt_project.yml")
    folders = [(dbt_project_dir, settings)]
    installed = dbt_project_dir / str(settings.get("packages-install-path") or "dbt_packages")
    for package in sorted(installed.iterdir()) if installed.is_dir() else []:
        said = _data(package / "dbt_project.yml")
        if said and said.get("name") != _SHIPPED:
            folders.append((package, said))
    for folder, said in folders:
        paths = said.get("model-paths")
        named = [one for one in paths if isinstance(one, str)] if isinstance(paths, list) else ["models"]
        seen = {
            path
            for name in (SEMANTIC_FOLDER, *named)
            for pattern in ("*.yml", "*.yaml")
            for path in (folder / name).rglob(pattern)
        }
        for path in sorted(seen):
            yield folder, SemanticFile(path, path.relative_to(dbt_project_dir).as_posix())


def _data(path: Path) -> dict[str, Any]:
    try:
        data = read_yaml(path, path.name).data
    except YamlFaultError:
        return {}
    return data if isinstance(data, dict) else {}


def _declares(path: Path, what: str) -> bool:
    try:
        return _DECLARES[what].search(read_regular(path)) is not None
    except OSError:
        return False
