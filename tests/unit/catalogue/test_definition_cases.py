"""Definitions that once stopped everything: patterns without end, what is no file, weights that do not sum."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.problems import told

from fairsplit.analysis.catalogue import load_catalogue, load_metrics, validate_catalogue
from fairsplit.analysis.catalogue.metrics import read_semantic_layer
from fairsplit.orchestration.catalogue.loading import definition_files
from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT: dict[str, Any] = {
    "name": "Button colour",
    "owner": "growth@example.com",
    "type": "ab",
    "status": "running",
    "start": "2026-01-05T00:00:00Z",
    "end": "2026-02-02T00:00:00Z",
    "variants": [{"id": "control", "control": True}, {"id": "red"}],
    "metrics": {"primary": ["checkout_conversion"]},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "project.yaml").write_text("name: shop\nfirst_day: 2026-01-01\n")
    write(tmp_path, "good")
    return tmp_path


def write(catalog: Path, name: str, **changes: Any) -> None:
    document = {"id": name} | EXPERIMENT | changes
    (catalog / "experiments" / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def said(catalog: Path) -> list[str]:
    report = validate_catalogue(catalog, read_semantic_layer(DBT_PROJECT_DIR))
    assert "good" in report.experiments
    return [told(problem) for problem in report.problems]


CONFIG = [
    {"id": "control", "control": True, "config": {"a": "a" * 40 + "!"}},
    {"id": "red", "config": {"a": ""}},
]


@pytest.mark.parametrize(
    "inside",
    [
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"propertyNames": {"pattern": "^(a+)+$"}, "properties": {"a": {"pattern": "^(a|a)*$"}}},
        {"patternProperties": {"^(a+)+$": {"pattern": "(a*)*b"}}},
        {"patternProperties": {"^(x+x+)+y": {}}, "additionalProperties": {"pattern": "^(a+)+$"}},
    ],
)
def test_no_pattern_of_a_config_schema_runs_without_end(catalog: Path, inside: dict[str, Any]) -> None:
    """Case pattern-that-never-ends: such a pattern is matched in linear time, and the misfit is told."""
    write(catalog, "deepcfg", config_schema={"type": "object"} | inside, variants=CONFIG)
    begun = time.monotonic()
    problems = said(catalog)
    assert time.monotonic() - begun < 10
    assert problems
    assert all("deepcfg.yaml" in problem and "config" in problem for problem in problems)


def test_a_schema_whose_references_double_is_given_up(catalog: Path) -> None:
    chain = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"} for _ in range(2)]} for n in range(40)}
    write(catalog, "bomb", config_schema={"$defs": chain | {"d40": {}}, "$ref": "#/$defs/d0"})
    assert said(catalog) == [
        (
            f"{place(catalog, 'bomb', 'config_schema:')} config_schema: is too intricate to be checked "
            '({"$defs": {"d0": {"allOf": [{"$ref": "#/$defs/d1"}, {"$ref": "#/$defs/d1"}]},...: '
            "at most 10000 references followed, and none that leads back to itself)"
        )
    ]
    write(catalog, "bomb", config_schema={"$ref": "#"})
    assert "is too intricate" in said(catalog)[0]


def test_a_pattern_that_is_none_is_refused_by_name(catalog: Path) -> None:
    write(catalog, "look", config_schema={"properties": {"a": {"pattern": "(?=x)"}}})
    assert [problem.partition(" ")[2] for problem in said(catalog)] == [
        (
            "config_schema.properties.a.pattern: the pattern is not a regular expression "
            "((?=x): Rust/RE2 syntax, without look-around)"
        )
    ]


def test_additional_properties_are_refused_whatever_patterns_stand_beside(catalog: Path) -> None:
    schema = {"patternProperties": {"^b": {}}, "additionalProperties": False}
    write(catalog, "extra", config_schema=schema, variants=CONFIG)
    assert len(said(catalog)) == 2
    write(catalog, "extra", config_schema=schema | {"properties": {"a": {}}}, variants=CONFIG)
    assert said(catalog) == []


def test_an_experiment_of_a_refused_metric_is_told_why(catalog: Path, tmp_path: Path) -> None:
    """Case key-that-a-kind-cannot-use: a metric that is refused is another fault than an unknown name."""
    semantic = tmp_path / "dbt" / "models" / "semantic"
    shutil.copytree(DBT_PROJECT_DIR / "models" / "semantic", semantic)
    text = (semantic / "metrics.yml").read_text()
    lines = text.splitlines()
    place = next(n for n, one in enumerate(lines) if "name: average_order_value" in one) + 5
    lines[place] = lines[place].replace("kind: ratio,", "kind: ratio, winsorize: {lower: 0, upper: 0.8},")
    (semantic / "metrics.yml").write_text("\n".join(lines))
    write(catalog, "orders", metrics={"primary": ["average_order_value"]})
    write(catalog, "typo", metrics={"primary": ["average_order_valu"]})
    problems = [
        told(one) for one in validate_catalogue(catalog, read_semantic_layer(tmp_path / "dbt")).problems
    ]
    why = f"models/semantic/metrics.yml:{place + 1} metrics"
    about = [one for one in problems if one.startswith("experiments/orders.yaml")]
    assert len(about) == 1
    assert (
        "metrics.primary[0]: the metric is refused (average_order_value: a sound metric). Hint: " + why
        in about[0]
    )
    assert "winsorize is not honoured by kind ratio" in about[0]
    assert any("experiments/typo.yaml" in one and "unknown metric" in one for one in problems)


def place(catalog: Path, name: str, start: str) -> str:
    lines = (catalog / "experiments" / f"{name}.yaml").read_text().splitlines()
    return f"experiments/{name}.yaml:{next(n for n, line in enumerate(lines, 1) if line.startswith(start))}"


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "socket"])
@pytest.mark.parametrize("where", ["experiments", "flags", "segments", "sources"])
def test_what_is_no_file_is_that_definitions_fault_alone(catalog: Path, kind: str, where: str) -> None:
    """Case yaml-that-is-no-file: named as unreadable, without waiting for a pipe, and the others are judged."""
    (catalog / where).mkdir(exist_ok=True)
    path = catalog / where / "x.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(catalog / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        os.mknod(path, 0o140600)  # a socket that nobody listens on
    reasons = {
        "folder": "a folder",
        "link": "a link that leads nowhere",
        "pipe": "a pipe, socket or device",
        "socket": "a pipe, socket or device",
    }
    assert said(catalog) == [
        (
            f"{where}/x.yaml: the file cannot be read ({reasons[kind]}: a regular file). "
            "Hint: replace it by a file that this user can read, or take it away"
        )
    ]
    broken = load_catalogue(catalog, load_metrics(DBT_PROJECT_DIR)).broken
    assert list(broken) == ["x"]
    assert definition_files(catalog)[f"{where}/x.yaml"] == b""


@pytest.mark.parametrize("pattern", ["(", "(?=bot)", "(?x) bot", "a{1001}"])
def test_a_filter_that_the_warehouse_cannot_match_is_refused(catalog: Path, pattern: str) -> None:
    """It would stop the run of everybody, for filters look at every event."""
    rule = {"name": "bots", "kind": "bot", "column": "user_agent", "matches": pattern}
    settings = {"name": "shop", "first_day": "2026-01-01", "filters": [rule]}
    (catalog / "project.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    problems = validate_catalogue(catalog, read_semantic_layer(DBT_PROJECT_DIR)).problems
    assert [(one.where, one.what) for one in problems] == [
        ("project.yaml:7 filters[0].matches", "the pattern is not a regular expression")
    ]


def test_settings_that_are_no_file_are_said_at_once(catalog: Path) -> None:
    (catalog / "project.yaml").unlink()
    os.mkfifo(catalog / "project.yaml")
    report = validate_catalogue(catalog, read_semantic_layer(DBT_PROJECT_DIR))
    assert [problem.where for problem in report.problems] == ["project.yaml"]


def test_weights_that_do_not_sum_say_what_to_write(catalog: Path) -> None:
    """Case weights-that-do-not-sum: three weights of .333 get the way out, and it is accepted."""
    names = ("control", "red", "blue")
    variants = [{"id": name} for name in names]
    variants[0]["control"] = True
    phase = {"start": EXPERIMENT["start"], "weights": dict.fromkeys(names, 0.333)}
    write(catalog, "thirds", type="abn", phases=[phase], variants=variants)
    assert said(catalog) == [
        (
            f"{place(catalog, 'thirds', 'phases').rpartition(':')[0]}:{line_of(catalog, 'thirds', 'weights')} "
            "phases[0].weights: weights do not sum to 1 (0.999: 1). Hint: `weights: equal` shares evenly"
        )
    ]
    write(catalog, "thirds", type="abn", phases=[phase | {"weights": "equal"}], variants=variants)
    assert said(catalog) == []
    loaded = load_catalogue(catalog, load_metrics(DBT_PROJECT_DIR)).experiments["thirds"]
    assert loaded.history[0].weights == dict.fromkeys(names, 1 / 3)

    short = [variant | {"weight": 0.333} for variant in variants]
    write(catalog, "thirds", type="abn", variants=short)
    assert "Hint: leave the weights out to share evenly" in said(catalog)[0]
    short[0]["weight"] = 0.5
    write(catalog, "thirds", type="abn", variants=short)
    assert "Hint: for example blue: 0.167" in said(catalog)[0]


def line_of(catalog: Path, name: str, word: str) -> int:
    lines = (catalog / "experiments" / f"{name}.yaml").read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if word in line)


def test_a_torn_line_of_the_transition_log_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case torn-transition-log: `validate` names file and line and fails; readers go on with the good lines."""
    from typer.testing import CliRunner  # noqa: PLC0415

    from fairsplit.orchestration.cli import app, commands  # noqa: F401, PLC0415
    from fairsplit.orchestration.lifecycle.transitions import histories  # noqa: PLC0415

    del capsys
    shutil.copytree(DBT_PROJECT_DIR.parent / "catalog", tmp_path / "catalog")
    log = tmp_path / "catalog" / "transitions.ndjson"
    entry = {
        "at": "2026-01-05T00:00:00Z", "experiment": "checkout_cta", "action": "start", "before": "draft",
        "after": "running", "effective": "2026-01-05T00:00:00Z", "reason": "QA", "definition_hash": "h",
        "definition": {},
    }  # fmt: skip
    log.write_text(json.dumps(entry) + '\n{"at": "2026-01-0')
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(tmp_path / "catalog"))
    result = CliRunner().invoke(app, ["validate"])
    assert result.exit_code == 1
    assert "transitions.ndjson:2: not an entry of the transition log" in result.output
    assert list(histories(tmp_path / "catalog", None)) == ["checkout_cta"]
    log.write_bytes(log.read_bytes() + b"\xff\xfe\n")
    assert list(histories(tmp_path / "catalog", None)) == ["checkout_cta"]
