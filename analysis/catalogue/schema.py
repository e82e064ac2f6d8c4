"""JSON Schemas of the definition files, for completion and checking in editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.flags import Flag, Segment
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.catalogue.schedules import Schedule
from fairsplit.analysis.catalogue.sources import Source
from fairsplit.analysis.catalogue.syntheses import Synthesis

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

_MODELS: dict[str, type[BaseModel]] = {
    "experiment": Experiment,
    "flag": Flag,
    "project": Project,
    "schedule": Schedule,
    "segment": Segment,
    "synthesis": Synthesis,
    "source": Source,
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Kind of definition to its JSON Schema (draft 2020-12)."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {kind: dialect | model.model_json_schema(by_alias=True) for kind, model in _MODELS.items()}


def write_schemas(catalog_dir: Path) -> list[Path]:
    """Write `schema/<kind>.json` into the catalogue.

    Args:
        catalog_dir: The catalogue's folder.

    Returns:
        The files written, sorted.
    """
    folder = catalog_dir / "schema"
    folder.mkdir(exist_ok=True)
    written = []
    for kind, schema in sorted(json_schemas().items()):
        path = folder / f"{kind}.json"
        path.write_text(
            json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
        )
        written.append(path)
    return written
