"""SQL aggregates in dbt models; Python selects their rows. Where it does not, the reason stands here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
AGGREGATE = re.compile(
    r"\bgroup by\b|\b(?:sum|count|avg|arg_min|arg_max|any_value|string_agg)\s*\(", re.IGNORECASE
)
STATEMENT = re.compile(r"\bselect\b|\bfrom\b", re.IGNORECASE)
#: What lands is counted before dbt sees it, and what is walked back has to be computed by another way than the marts.
ROOMS = {"landing", "reading"}
ALLOWED = {
    "defs/judgement/assets.py": "how many decisions of each kind, for the run's page",
    "home/checking/warehouse.py": "every row of every table read, to see that its blocks can be",
    "home/upgrading.py": "how many days other code computed",
    "judging/certifying.py": "units as if they had been split otherwise: a draw per request, no table",
    "judging/cut_offs.py": "the hash of a day's rows, by which a changed cut-off is known",
    "lifecycle/transitions.py": "the newest line of a journal",
    "notices/digests.py": "the newest decisions beside those that were told",
    "privacy/retention.py": "how many rows a prune would drop",
    "publishing/exporting.py": "one sentence of several failed checks",
    "publishing/site/inputs.py": "a mart's days added up to the cut-off; refused rows by reason",
    "publishing/warehouses/writing.py": "the hash of a day's rows, by which a day that changed is written again",
    "sharding/routing.py": "each anonymous id's earliest link, by which events find the models that see them",
    "sharding/shard.py": "a shard's events of each day, as ingest counts a lake file's",
    "quality/conservation.py": "rows of the landing tables against their manifest",
    "quality/profile.py": "a profile per day of what landed, beside the expectations that look at it",
}


def _statements(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def test_python_adds_up_only_where_a_reason_is_given() -> None:
    adds_up = set()
    for path in (ROOT / "orchestration").rglob("*.py"):
        name = path.relative_to(ROOT / "orchestration")
        texts = _statements(path)
        if name.parts[0] not in ROOMS and any(
            AGGREGATE.search(one) and STATEMENT.search(one) for one in texts
        ):
            adds_up.add(name.as_posix())
    assert adds_up == set(ALLOWED)
