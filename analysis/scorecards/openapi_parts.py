"""Pieces of the read API's schemas."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
NUMBER: Schema = {"type": ["number", "null"]}
NULLABLE: Schema = {"type": ["string", "null"]}


def closed(**properties: Schema) -> Schema:
    """An object that has these keys and no others."""
    return {
        "type": "object",
        "required": sorted(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def listed(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


BOUNDS = closed(lower=NUMBER, upper=NUMBER)
DAY: Schema = {"type": "string", "format": "date"}
COMMON = {"experiment_id": TEXT, "computed_at": DAY}
