from __future__ import annotations

from pathlib import Path

import pytest

from fairsplit.analysis.catalogue import json_schemas
from fairsplit.analysis.catalogue.conditions import OPERATORS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "definitions.md").read_text(encoding="utf-8")
#: Where keys are documented, if not on that page.
PAGES = {"source": (DOCS / "sources.md").read_text(encoding="utf-8")}


def keys(node) -> set[str]:
    """Names of all properties of a schema; one of them may itself be called `properties`."""
    if isinstance(node, list):
        return set().union(*map(keys, node))
    if not isinstance(node, dict):
        return set()
    named = node.get("properties", {})
    rest = [value for key, value in node.items() if key not in {"properties", "$defs"}]
    inner = [*named.values(), *node.get("$defs", {}).values(), *rest]
    return set(named).union(*map(keys, inner))


@pytest.mark.parametrize("kind", sorted(json_schemas()))
def test_every_key_is_documented(kind):
    missing = sorted(key for key in keys(json_schemas()[kind]) if f"`{key}`" not in PAGES.get(kind, PAGE))
    assert missing == []


def test_every_operator_is_documented():
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []
