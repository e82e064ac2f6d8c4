"""Shipped config schemas and what is told of a variant (mission rows M01 and M54)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.analysis.catalogue.hashing import experiment_hash
from fairsplit.analysis.catalogue.shipped_schemas import SHIPPED
from fairsplit.analysis.scorecards.arms import arm_cards
from fairsplit.analysis.scorecards.views import experiment_view
from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path

METRICS = load_metrics(DBT_PROJECT_DIR)
PAGE = (
    "{title: Buy now, theme: dark, layout: {template: hero, columns: 2}, colors: {primary: '#e60023'},"
    " typography: {font_family: Inter, weight: 700}, filters: [{kind: blur, amount: 2}],"
    " animations: [{kind: fade, duration_milliseconds: 300, easing: ease_in}], custom: {anything: [1, {goes: here}]}}"
)


def load(folder: Path, schema: str, config: str, more: str = ""):
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text("first_day: 2026-01-01\n")
    (folder / "experiments" / "cta.yaml").write_text(
        "id: cta\nname: Button\nowner: a@example.com\ntype: ab\nstatus: draft\nstart: 2026-01-05\n"
        f"config_schema: {schema}\n"
        f"variants:\n  - {{id: control, control: true}}\n  - {{id: red, config: {config}{more}}}\n"
        f"metrics: {{primary: [{next(iter(METRICS))}]}}\n"
    )
    return load_catalogue(folder, METRICS)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_m01_each_shipped_schema_is_a_json_schema(name):
    Draft202012Validator.check_schema(SHIPPED[name])


@pytest.mark.parametrize(
    ("schema", "config"),
    [
        ("page", PAGE),
        ("image", "{title: Buy, width_pixels: 1200, height_pixels: 630, format: png, background: '#fff'}"),
        ("page", "{}"),
    ],
)
def test_m01_a_config_of_the_shipped_keys_is_taken(tmp_path, schema, config):
    assert load(tmp_path, schema, config).problems == ()


@pytest.mark.parametrize(
    ("schema", "config", "where", "told"),
    [
        ("page", "{tittle: Buy}", "variants[1].config", "'tittle'"),
        ("page", "{colors: {primary: red}}", "variants[1].config.colors.primary", "does not match"),
        ("page", "{animations: [{kind: explode}]}", "variants[1].config.animations[0].kind", "is not one of"),
        ("image", "{width_pixels: 0}", "variants[1].config.width_pixels", "less than the minimum"),
        ("pgae", "{}", "config_schema: no such schema", "page"),
        ("7", "{}", "config_schema", "must be"),
    ],
)
def test_m01_what_no_key_takes_is_told_at_its_place(tmp_path, schema, config, where, told):
    problem = str(load(tmp_path, schema, config).problems[0])
    assert where in problem
    assert told in problem


ABOUT = ", version: '2', author: Kim, tags: [spring], created: 2026-01-02, updated: 2026-01-04"


def test_m54_what_is_told_of_a_variant_stands_on_its_card_and_changes_no_number(tmp_path):
    plain = load(tmp_path, "page", "{}").experiments["cta"]
    told = load(tmp_path, "page", "{}", ABOUT).experiments["cta"]
    assert experiment_hash(told) == experiment_hash(plain)
    control, red = arm_cards(experiment_view(told, ""), [], {})
    assert control.about == ""
    assert red.about == "version 2 · by Kim · created 2026-01-02 · updated 2026-01-04 · spring"


def test_m54_an_update_before_the_creation_is_refused(tmp_path):
    (problem,) = load(tmp_path, "page", "{}", ", created: 2026-01-04, updated: 2026-01-02").problems
    assert "was updated before it was created" in str(problem)


@pytest.mark.parametrize(
    ("project", "said", "acts"),
    [("true", None, True), ("true", "false", False), ("false", "true", True), ("false", None, False)],
)
def test_m52_the_installation_may_let_decisions_act_where_an_experiment_says_neither(
    tmp_path, project, said, acts
):
    load(tmp_path, "page", "{}")
    (tmp_path / "project.yaml").write_text(f"first_day: 2026-01-01\ndefaults: {{automatic: {project}}}\n")
    if said is not None:
        file = tmp_path / "experiments" / "cta.yaml"
        file.write_text(f"{file.read_text()}stopping: {{automatic: {said}}}\n")
    assert load_catalogue(tmp_path, METRICS).experiments["cta"].stopping.automatic is acts
