from __future__ import annotations

from pathlib import Path

import pytest

from fairsplit.analysis.catalogue import json_schemas
from fairsplit.analysis.catalogue.conditions import OPERATORS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "definitions.md").read_text(encoding="utf-8")


def keys(node) -> set[str]:
    found: set[str] = set()
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            found |= set(node["properties"])
        for value in node.values():
            found |= keys(value)
    elif isinstance(node, list):
        for value in node:
            found |= keys(value)
    return found


@pytest.mark.parametrize("kind", sorted(json_schemas()))
def test_every_key_is_documented(kind):
    missing = sorted(key for key in keys(json_schemas()[kind]) if f"`{key}`" not in PAGE)
    assert missing == []


def test_every_operator_is_documented():
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []
