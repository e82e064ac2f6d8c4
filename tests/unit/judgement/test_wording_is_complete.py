"""Every code that the judgement can say has plain words for the reader."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairsplit.analysis import judgement
from fairsplit.analysis.judgement.comparisons import FAMILIES
from fairsplit.analysis.judgement.deciding import RULES
from fairsplit.analysis.scorecards import syntheses, wording
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

SYNTHESES = Path(judgement.__file__).with_name("synthesising.py")
SOURCES = sorted(set(Path(judgement.__file__).parent.glob("*.py")) - {SYNTHESES})


def literals(keyword: str, sources: Sequence[Path] = SOURCES) -> set[str]:
    """Texts of the judgement's source that become the named column, read from `.alias(...)` and `name=`."""
    found: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            aliased = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "alias"
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and node.args[0].value == keyword
            )
            if aliased:
                found |= texts(node.func.value)
            named = isinstance(node, ast.keyword) and node.arg == keyword
            assigned = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == keyword
            if named or assigned:
                found |= texts(node.value)
    return found


def texts(node: ast.AST) -> set[str]:
    return {
        part.args[0].value
        for part in ast.walk(node)
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr == "lit"
        and part.args
        and isinstance(part.args[0], ast.Constant)
        and isinstance(part.args[0].value, str)
    }


def test_every_decision_has_a_headline_and_every_action_a_name():
    assert {rule.reason for rule in RULES} <= set(wording.VERDICTS)
    assert {rule.decision for rule in RULES} == set(wording.DECISIONS)
    assert {rule.action for rule in RULES} <= set(wording.ACTIONS)


@pytest.mark.parametrize("code", sorted({*FAMILIES, *(reason.name.lower() for reason in Reason)} - {"ok"}))
def test_every_reason_for_a_missing_figure_has_words(code):
    assert code in wording.REASONS


def test_every_check_has_a_name_and_every_check_that_can_warn_has_advice():
    checks = {code.partition(":")[0] for code in literals("check")}
    assert {"srm", "audit", "loss", "pre_period"} <= checks
    assert checks <= set(wording.CHECKS)
    assert checks - {"srm_chi_square"} <= set(wording.CHECK_ADVICE)


def test_every_reason_of_a_check_has_words():
    codes = literals("reason") - set(FAMILIES)
    assert {"sample_ratio_mismatch", "differential_loss", "assignment_mismatch"} <= codes
    assert codes <= set(wording.CHECK_REASONS)


def test_every_reason_that_leaves_an_experiment_out_of_a_synthesis_has_words():
    codes = literals("reason", [SYNTHESES])
    assert {"gate_closed", "not_judged"} <= codes
    assert codes <= {*wording.REASONS, *syntheses.LEFT_OUT}
