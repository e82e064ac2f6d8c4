from __future__ import annotations

from datetime import datetime

import jsonschema
import pytest

from fairsplit.analysis.catalogue import (
    CatalogueError,
    compile_tables,
    experiment_hash,
    json_schemas,
    load_catalogue,
    validate_catalogue,
    write_schemas,
)
from fairsplit.analysis.catalogue.metrics import read_semantic_layer
from fairsplit.analysis.catalogue.serving import eligible_variant
from fairsplit.analysis.catalogue.yaml_source import parse_yaml

#: The band of sticky units, a leaf and the leaves of a contextual bandit.
NO_BAND = (None, None, None, None)

EXPERIMENT = """\
id: cta
name: Button
owner: growth@example.com
hypothesis: Red sells.
type: abn
status: paused
start: 2026-01-05
end: 2026-02-02T00:00:00+01:00
phases:
  - {start: 2026-01-05, traffic: 0.2, weights: {control: 0.8, red: 0.1, blue: 0.1}}
  - {start: 2026-01-08, traffic: 1, weights: {control: 0.6, red: 0.2, blue: 0.2}, salts: {split: again}}
pauses:
  - {start: 2026-01-10, end: 2026-01-11}
  - {start: 2026-01-20}
layer: {id: checkout, from: 0.25, to: 0.75}
variants: [{id: control, control: true}, {id: red}, {id: blue}]
segments: [platform, country]
metrics:
  primary: [{metric: checkout_conversion, minimum_effect: 0.02}]
  guardrails: [{metric: error_rate, non_inferiority_margin: 0.05}]
"""


at = datetime.fromisoformat


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "project.yaml").write_text("first_day: 2026-01-05\nlayer_salts: {checkout: shared}\n")
    (tmp_path / "experiments" / "cta.yaml").write_text(EXPERIMENT)
    return tmp_path


@pytest.fixture
def tables(folder, metric_catalogue):
    return compile_tables(load_catalogue(folder, metric_catalogue))


def test_exposures_qualify_from_start_to_end_but_for_the_pauses(tables):
    assert tables["periods"].rows() == [
        ("cta", at("2026-01-05"), at("2026-01-10")),
        ("cta", at("2026-01-11"), at("2026-01-20")),
    ]


def test_phases_end_where_the_next_begins_and_keep_their_salts(tables):
    assert tables["phases"].rows() == [
        ("cta", 0, at("2026-01-05"), at("2026-01-08"), 0.2, 2_000, "cta-traffic", "cta-split", *NO_BAND),
        ("cta", 1, at("2026-01-08"), at("2026-02-01T23:00"), 1.0, 10_000, "cta-traffic", "again", *NO_BAND),
    ]


def test_weights_become_half_open_shard_ranges(tables):
    assert tables["phase_weights"].rows() == [
        ("cta", 0, "control", 0.8, 0, 8_000),
        ("cta", 0, "red", 0.1, 8_000, 9_000),
        ("cta", 0, "blue", 0.1, 9_000, 10_000),
        ("cta", 1, "control", 0.6, 0, 6_000),
        ("cta", 1, "red", 0.2, 6_000, 8_000),
        ("cta", 1, "blue", 0.2, 8_000, 10_000),
    ]


def test_the_experiment_row_has_defaults_and_salts(tables):
    row = tables["experiments"].to_dicts()[0]
    assert {key: row[key] for key in ("unit_type", "exposure_event", "activation_event", "cuped_days")} == {
        "unit_type": "user",
        "exposure_event": "experiment_viewed",
        "activation_event": None,
        "cuped_days": 14,
    }
    assert (row["layer_salt"], row["layer_shard_from"], row["layer_shard_to"]) == ("shared", 2_500, 7_500)


def test_metrics_and_segments_are_rows(tables):
    assert tables["experiment_metrics"].rows() == [
        ("cta", "checkout_conversion", "primary", 0.02, None, None, None),
        ("cta", "error_rate", "guardrail", None, 0.05, None, None),
    ]
    assert tables["experiment_segments"]["segment"].to_list() == ["country", "platform"]


def test_every_table_is_there_when_nothing_is_defined(folder, metric_catalogue):
    (folder / "experiments" / "cta.yaml").unlink()
    tables = compile_tables(load_catalogue(folder, metric_catalogue))
    assert {name for name, table in tables.items() if table.is_empty()} == set(tables) - {"settings"}


def load_one(folder, metrics, text):
    (folder / "experiments" / "cta.yaml").write_text(text)
    catalogue = load_catalogue(folder, metrics)
    assert catalogue.problems == ()
    return catalogue.experiments["cta"]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("id: cta\n", "# a comment\nid: cta\n", True),
        ("name: Button\nowner: growth@example.com\n", "owner: web@example.com\nname: Knob\n", True),
        ("segments: [platform, country]", "segments: [country, platform]", True),
        ("start: 2026-01-05\nend", "start: 2026-01-05T00:00:00Z\nend", True),
        ("Red sells", "Red sells best", False),
        ("control: 0.6, red: 0.2", "control: 0.5, red: 0.3", False),
        ("minimum_effect: 0.02", "minimum_effect: 0.03", False),
        ("{start: 2026-01-10, end: 2026-01-11}", "{start: 2026-01-10, end: 2026-01-12}", False),
        ("[{id: control, control: true}, {id: red}", "[{id: red}, {id: control, control: true}", False),
    ],
)
def test_the_hash_follows_what_changes_numbers_and_nothing_else(folder, metric_catalogue, old, new, same):
    assert old in EXPERIMENT
    before = experiment_hash(load_one(folder, metric_catalogue, EXPERIMENT))
    after = experiment_hash(load_one(folder, metric_catalogue, EXPERIMENT.replace(old, new)))
    assert (before == after) is same


def test_the_short_form_hashes_as_the_phase_it_stands_for(folder, metric_catalogue):
    head = EXPERIMENT[: EXPERIMENT.index("phases:")].replace("paused", "running")
    tail = "metrics: {primary: [ctr]}\n"
    long = head + "phases: [{start: 2026-01-05, traffic: 0.5, weights: {a: 0.5, b: 0.3, c: 0.2}}]\n"
    long += "variants: [{id: a, control: true}, {id: b}, {id: c}]\n" + tail
    short = head + "traffic: 0.5\nvariants:\n"
    short += "  [{id: a, control: true, weight: 0.5}, {id: b, weight: 0.3}, {id: c, weight: 0.2}]\n" + tail
    hashes = {experiment_hash(load_one(folder, metric_catalogue, text)) for text in (long, short)}
    assert len(hashes) == 1


def test_project_defaults_count_in_the_hash(folder, metric_catalogue):
    before = experiment_hash(load_one(folder, metric_catalogue, EXPERIMENT))
    (folder / "project.yaml").write_text("first_day: 2026-01-05\ndefaults: {alpha: 0.1}\n")
    assert experiment_hash(load_one(folder, metric_catalogue, EXPERIMENT)) != before


def test_without_project_settings_nothing_runs_but_the_rest_is_still_checked(folder, metric_catalogue):
    (folder / "project.yaml").write_text("first_day: tomorrow\n")
    with pytest.raises(CatalogueError, match=r"^project.yaml:1 first_day: is not a day \(tomorrow: a date"):
        load_catalogue(folder, metric_catalogue)
    report = validate_catalogue(folder, read_semantic_layer(folder))
    assert [problem.where for problem in report.problems] == [
        "project.yaml:1 first_day",
        "experiments/cta.yaml:19 metrics.primary[0]",
        "experiments/cta.yaml:20 metrics.guardrails[0]",
    ]
    assert report.text().endswith("0 experiments, 0 flags, 0 segments, 0 metrics sound; 3 problems")


def test_the_exported_schema_accepts_what_loads_and_refuses_unknown_keys(folder):
    schema = json_schemas()["experiment"]
    jsonschema.Draft202012Validator.check_schema(schema)
    data = parse_yaml(EXPERIMENT, "cta.yaml").data
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError, match="'ownr' was unexpected"):
        jsonschema.validate({**data, "ownr": "x"}, schema)


def test_schemas_are_written_for_editors(folder):
    assert [path.name for path in write_schemas(folder)] == [
        "experiment.json",
        "flag.json",
        "project.json",
        "schedule.json",
        "segment.json",
        "source.json",
        "synthesis.json",
    ]


def test_a_wider_traffic_never_moves_a_unit_already_in(folder, metric_catalogue):
    text = EXPERIMENT.replace("salts: {split: again}", "salts: {}").replace(
        "control: 0.6, red: 0.2, blue: 0.2", "control: 0.8, red: 0.1, blue: 0.1"
    )
    experiment = load_one(folder, metric_catalogue, text)
    project = load_catalogue(folder, metric_catalogue).project
    early, late = at("2026-01-06"), at("2026-01-09")
    units = [f"u{number}" for number in range(2_000)]
    before = {unit: eligible_variant(experiment, project, unit, {}, {}, early) for unit in units}
    after = {unit: eligible_variant(experiment, project, unit, {}, {}, late) for unit in units}
    inside = {unit: arm for unit, arm in before.items() if arm is not None}
    assert 100 < len(inside) < 300
    assert all(after[unit] == arm for unit, arm in inside.items())
