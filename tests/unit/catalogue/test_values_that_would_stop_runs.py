"""Definitions that validate called sound, or fell over, and that no run could take: each is told where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.loading import CatalogueError
from fairsplit.analysis.catalogue.metrics import load_metrics
from fairsplit.orchestration.project import DBT_PROJECT_DIR

SOUND = """\
id: cta
name: Button
owner: growth@example.com
type: ab
status: running
start: 2026-01-05
traffic: 1.0
variants: [{id: control, control: true, weight: 0.5, config: {t: 1}}, {id: red, weight: 0.5, config: {t: VALUE}}]
metrics: {primary: [checkout_conversion]}
"""
METRICS = load_metrics(DBT_PROJECT_DIR)


def problems(folder: Path, more: str, value: str = "2") -> list[str]:
    (folder / "experiments").mkdir()
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    (folder / "experiments" / "cta.yaml").write_text(SOUND.replace("VALUE", value) + more)
    return [str(problem) for problem in load_catalogue(folder, METRICS).problems]


@pytest.mark.parametrize(
    "schema",
    [
        '{$dynamicRef: "#x"}',
        '{$ref: "#/$defs/none"}',
        '{$ref: "#none"}',
        '{properties: {t: {$ref: "#/properties/u"}}}',
        '{properties: {t: {$ref: "#/%zz/~3"}}}',
    ],
)
def test_a_reference_to_nothing_is_told_and_stops_nobody(tmp_path: Path, schema: str) -> None:
    (found,) = problems(tmp_path, f"config_schema: {schema}\n")
    assert found.startswith("experiments/cta.yaml:10 config_schema: refers to what is not there")


@pytest.mark.parametrize(
    "value", [".inf", ".nan", "[{deep: -.inf}]", "123456789012345678901", "9007199254740992"]
)
def test_a_config_that_is_no_json_is_told_and_stops_no_export(tmp_path: Path, value: str) -> None:
    (found,) = problems(tmp_path, "", value)
    assert found.startswith(
        "experiments/cta.yaml:8 variants[1].config: is no JSON that every SDK reads alike"
    )
    assert "finite numbers, whole ones below 2^53" in found


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("plan: {min_sample: 99999999999999999999}\n", "plan.min_sample"),
        (
            "ramp: {steps: [{traffic: 1.0, after: 1d, min_sample: 1000000000001}]}\n",
            "ramp.steps[0].min_sample",
        ),
        (
            (
                "stopping: {poor_performer: {metric: checkout_conversion, threshold: 1, "
                "min_exposures: 9223372036854775808}}\n"
            ),
            "stopping.poor_performer.min_exposures",
        ),
    ],
)
def test_counts_beyond_the_tables_integers_are_out_of_range(tmp_path: Path, more: str, where: str) -> None:
    (found,) = problems(tmp_path, more)
    assert found.startswith(f"experiments/cta.yaml:10 {where}: is out of range")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("{alpha: 1.0e-300}", "plan.alpha: is out of range"),
        (
            "{method: sprt, power: 0.05}",
            "plan.power: the power is no more than the level (0.05: > alpha 0.05)",
        ),
        ("{alpha: 0.9}", "plan.power: the power is no more than the level (0.8: > alpha 0.9)"),
    ],
)
def test_a_plan_that_no_test_can_keep_is_told(tmp_path: Path, plan: str, said: str) -> None:
    (found,) = problems(tmp_path, f"plan: {plan}\n")
    assert said in found


def test_an_archive_that_ends_before_it_begins_is_told(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\nlast_day: 2026-01-04\n")
    with pytest.raises(CatalogueError, match="has a last_day before its first_day"):
        load_catalogue(tmp_path, METRICS)


def test_a_last_day_stands_without_a_first_one(tmp_path):
    (tmp_path / "project.yaml").write_text("last_day: 2026-01-04\n")
    assert load_catalogue(tmp_path, {}).project.last_day is not None
