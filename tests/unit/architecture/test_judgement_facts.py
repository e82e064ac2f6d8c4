"""A field of the facts is a model that is read, and is an asset's dependency; nothing else is read."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from fairsplit.analysis.judgement import Facts
from fairsplit.analysis.judgement.judging import SIGNIFICANCE, STOPPING
from fairsplit.analysis.judgement.validity import CHECKS, SAMPLE_RATIO
from fairsplit.orchestration.judging.cut_offs import model_of
from fairsplit.orchestration.project import DBT_PROJECT_DIR

ROOT = Path(__file__).resolve().parents[3]
#: What reads tables by SQL of its own, with the modules that it lies in.
READERS = {
    "interactions": ("judging/interacting.py",),
    "programme": ("judging/programme.py",),
    "syntheses": ("judging/synthesising.py",),
    "content_schedule": ("scheduling/planning.py",),
    "aa_certification": ("judging/certifying.py", "reading/unit_values.py"),
}
#: Which they write themselves.
WRITTEN = {"content_schedule": {"schedule", "schedule_weeks"}, "aa_certification": {"aa_certification"}}
MODEL = re.compile(r"\b(?:fct|int|stg)_\w+")
RESULT = re.compile(r"\bresults\.(\w+)")


def _exposure(name: str) -> list[str]:
    text = (DBT_PROJECT_DIR / "models" / "marts" / "exposures.yml").read_text()
    (found,) = (one["depends_on"] for one in yaml.safe_load(text)["exposures"] if one["name"] == name)
    return found


def _attributes(path: str, *functions: str) -> set[str]:
    """Fields of `facts` that functions of a module name."""
    return {
        node.attr
        for body in ast.parse((ROOT / path).read_text()).body
        if isinstance(body, ast.FunctionDef) and body.name in functions
        for node in ast.walk(body)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "facts"
    }


def _texts(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and isinstance(node.body[0], ast.Expr)
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in told)
    return [str(node.value) for node in constants if isinstance(node.value, str)]


def test_every_fact_is_a_mart_that_some_judgement_reads() -> None:
    names = {field.name for field in fields(Facts)}
    assert {*SAMPLE_RATIO, *SIGNIFICANCE, *STOPPING} == names
    marts = {path.stem for path in (DBT_PROJECT_DIR / "models" / "marts").rglob("*.sql")}
    assert {model_of(name) for name in names} <= marts


def test_a_judgement_reads_the_facts_that_it_declares() -> None:
    # Statistics beside their definitions, phases and strata are made once, for all of them.
    judging = "analysis/judgement/judging.py"
    shared = _attributes(judging, "judge_cut_offs", "_measured")
    assert shared == set(STOPPING)
    assert _attributes(judging, "significance") == set(SIGNIFICANCE) - shared
    # A check is given the frames that it names; these are prepared for all of them.
    prepared = _attributes("analysis/judgement/validity.py", "sample_ratio", "_daily")
    assert prepared <= set(SAMPLE_RATIO)
    assert all(name in SAMPLE_RATIO for check in CHECKS for name in (*check.needs, *check.uses))


@pytest.mark.parametrize(
    ("judgement", "facts", "found"),
    [
        ("sample_ratio", SAMPLE_RATIO, ()),
        ("significance", SIGNIFICANCE, ()),
        (
            "stopping",
            STOPPING,
            ("ref('int_out_of_range')", "source('results', 'validity')", "source('results', 'comparisons')"),
        ),
    ],
)
def test_what_a_judgement_reads_is_its_exposure(judgement, facts, found) -> None:
    models = [f"ref('{model_of(fact)}')" for fact in facts]
    assert _exposure(judgement) == [*models, *found]


@pytest.mark.parametrize("reader", READERS)
def test_tables_named_in_sql_are_the_exposure_of_who_reads_them(reader) -> None:
    texts = [text for path in READERS[reader] for text in _texts(ROOT / "orchestration" / path)]
    models = {name for text in texts for name in MODEL.findall(text)}
    results = {name for text in texts for name in RESULT.findall(text)} - WRITTEN.get(reader, set())
    if reader == "syntheses":
        results = {"comparisons", "decisions"}  # put into one text
    expected = {f"ref('{name}')" for name in models} | {f"source('results', '{name}')" for name in results}
    assert set(_exposure(reader)) == expected
