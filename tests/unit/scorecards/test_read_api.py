from __future__ import annotations

import json
import math
import re
from functools import cache

import jsonschema
import pytest
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.site import safe_name

IDS = [view.id for view in site_world.demo().experiments]


@cache
def files() -> dict[str, str]:
    return {page.path: page.content for page in render_site(site_world.demo().inputs())}


def answer(path: str):
    return json.loads(files()[f"api{path}"], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.parametrize("identity", IDS)
def test_every_answer_has_the_shape_that_the_description_gives(identity):
    document = answer("/openapi.json")
    for path, operations in document["paths"].items():
        content = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = {"components": document["components"], **content}
        jsonschema.Draft202012Validator(schema).validate(answer(path.replace("{id}", safe_name(identity))))


def test_every_file_of_the_api_is_described():
    patterns = [re.escape(path).replace(r"\{id\}", "[^/]+") for path in answer("/openapi.json")["paths"]]
    for path in files():
        if path.startswith("api/") and path != "api/openapi.json":
            assert any(re.fullmatch("api" + pattern, path) for pattern in patterns), path


def test_statistics_repeat_the_result_rows():
    rows = {
        (row["metric"], row["variant_id"]): row
        for row in site_world.demo().rows
        if row["experiment_id"] == "checkout_cta"
        and row["cut_off"] == site_world.CUT_OFF
        and row["segment"] == "all"
    }
    stats = answer("/experiments/checkout_cta/stats.json")
    assert len(stats["results"]) == len(rows)
    for result in stats["results"]:
        row = rows[result["metric_name"], result["variant"]]
        assert result["sample_size"] == row["n"]
        assert result["p_value"] == row["p_value"]
        assert result["lift"] == (None if row["lift_rel"] is None else 100 * row["lift_rel"])
        interval = result["confidence_interval"]
        assert math.isclose(interval["upper"] - row["mean"], 1.959963985 * row["std_error"], rel_tol=1e-6)
        assert interval["lower"] < result["mean_value"] < interval["upper"]


def test_an_invalid_experiment_has_no_significance():
    assert answer("/experiments/srm_world/stats.json")["statistical_significance"] is None
    assert answer("/experiments/srm_world.json")["verdict"]["code"] == "invalid"


def test_active_experiments_are_those_that_run():
    active = {item["id"] for item in answer("/active.json")["experiments"]}
    assert active == {view.id for view in site_world.demo().experiments if view.status == "running"}


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+]+)')


def test_monitoring_text_parses_and_has_the_promised_names():
    typed: set[str] = set()
    values: dict[str, float] = {}
    for line in files()["metrics.prom"].splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in typed, line
            values[line.rsplit(" ", 1)[0]] = float(match[3])
    assert values["ab_test_experiments_created_total"] == len(IDS)
    assert values["ab_test_experiments_started_total"] == len(IDS) - 1
    assert values["ab_test_experiments_completed_total"] == 2  # one of them archived since
    assert values['fairsplit_experiment_valid{experiment="srm_world"}'] == 0
    assert values['fairsplit_experiment_valid{experiment="checkout_cta"}'] == 1
    assert values["fairsplit_cut_off_timestamp_seconds"] == 1769990400
    exposed = sum(
        row["units"]
        for row in site_world.demo().exposures
        if row["experiment_id"] == "checkout_cta" and row["variant_id"] == "red"
    )
    assert values['ab_test_variant_assignments_total{experiment="checkout_cta",variant="red"}'] == exposed


def test_m41_series_funnels_and_sample_sizes_follow_from_the_rows():
    identity = "checkout_cta"
    series, size = (answer(f"/experiments/{identity}/{name}.json") for name in ("series", "sample-size"))
    days = {row["cut_off"] for row in series["results"]}
    assert len(days) > 1
    assert max(days) == series["computed_at"]
    newest = [row for row in series["results"] if row["cut_off"] == series["computed_at"]]
    stats = answer(f"/experiments/{identity}/stats.json")["results"]
    told = {(row["variant"], row["metric_name"]): row["mean_value"] for row in stats}
    assert {(row["variant"], row["metric_name"]): row["mean_value"] for row in newest} == told
    for line in size["metrics"]:
        assert (line["required_sample_size"] is None) == (line["reason"] is not None)
