"""One place owns direction: nobody else chooses, orders, colours or words a result by a relative lift."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

#: Who may name the relative columns, and what for. Whoever else wants an effect asks `effects.effect_of`.
ALLOWED = {
    "analysis/judgement/rows.py": "the schema",
    "analysis/judgement/comparisons.py": "makes them",
    "analysis/judgement/invariants.py": "an interval contains its estimate",
    "analysis/judgement/effects.py": "tells an effect in the form that it has",
    "analysis/scorecards/comparisons.py": "data attributes, as they are",
    "analysis/judgement/programme.py": "the standard error of a relative lift",
    "analysis/scorecards/api.py": "the columns, as they are",
    "orchestration/comparing/figures.py": "compares what stands with what would",
    "orchestration/reading/formula.py": "shows how it was computed",
    "orchestration/reading/phases.py": "shows how it was computed",
    "orchestration/reading/replay.py": "compares then with now",
    "orchestration/reading/strata.py": "shows how it was computed",
}
OWNERS = {"analysis/judgement/direction.py"}


def _constants(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _sources() -> dict[str, Path]:
    rooms = ("analysis", "assignment_exports", "orchestration")
    paths = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path for path in paths}


def test_relative_lifts_are_named_only_where_they_are_made_or_shown():
    named = {
        name
        for name, path in _sources().items()
        if any(word.startswith(("lift_rel", "seq_rel")) for word in _constants(path))
    }
    assert named == set(ALLOWED)


def test_the_declared_direction_is_read_as_a_sign_in_one_place():
    """No other module compares with a direction's word: they take the sign, or the gain, of `direction`."""
    compares = set()
    for name, path in _sources().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                words = [part.value for part in node.comparators if isinstance(part, ast.Constant)]
                if {"increase", "decrease"} & {word for word in words if isinstance(word, str)}:
                    compares.add(name)
    told = {
        "analysis/scorecards/brief.py",
        "orchestration/cli/plan.py",
        "analysis/planning/baseline.py",
    }
    assert compares - told == OWNERS
