"""`fairsplit export` on a small built warehouse: lists, gates, broken files and rolling back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from fairsplit.orchestration.cli import main
from fairsplit.orchestration.home.schema import SCHEMA

EXPERIMENT = """\
id: {name}
name: A test
owner: growth@example.com
type: ab
status: running
start: 2026-01-05T00:00:00Z
traffic: 0.5
variants:
  - {{id: control, control: true, weight: 0.5}}
  - {{id: red, weight: 0.5}}
metrics: {{primary: [{metric}]}}
"""
FLAG = "id: dark\nname: Dark\nowner: web@example.com\ntype: boolean\ndefault: false\nrollout: 0.3\n"
PROJECT = Path(__file__).resolve().parents[3] / "catalog" / "project.yaml"
WAREHOUSE = """
create schema work; create schema results; create schema catalog;
create table work.state as select 'frontier' as key, '2026-01-20' as value;
create table results.comparisons as select date '2026-01-20' as cut_off, 'cta' as experiment_id;
create table results.decisions as
    select *, 'continue' as decision, 'wait' as action, null::varchar as variant_id, '' as sentence
    from results.comparisons;
create table results.allocations (
    experiment_id varchar, cut_off date, variant_id varchar, next_weight double);
create schema landing; create table landing.manifest (arrived_at timestamp, status varchar);
create table landing.schema_version as select {schema} as version;
create table results.validity as
    select 'gated' as experiment_id, date '2026-01-20' as cut_off, 'srm' as "check", 'fail' as status,
           'the split is faulty' as sentence;
create table catalog.phase_weights as
    from (values ('cta', 0, 'control', 0.5), ('cta', 0, 'red', 0.5)) as t(experiment_id, phase, variant_id, weight);
create table fct_assignments as
    select 'cta' as experiment_id, 'user-' || i as unit_id, if(i % 2 = 0, 'control', 'red') as variant_id,
           0 as phase, i % 3 <> 0 as in_traffic, if(i % 5 = 0, null, 'web') as platform, 'O''Neil "<b>"' as device
    from range(3000) as r(i);
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    catalog = tmp_path / "catalog"
    (catalog / "experiments").mkdir(parents=True)
    (catalog / "flags").mkdir()
    (catalog / "project.yaml").write_text(PROJECT.read_text())
    for name, metric in (("cta", "ctr"), ("gated", "ctr"), ("broken", "no_such_metric")):
        text = EXPERIMENT.format(name=name, metric=metric)
        (catalog / "experiments" / f"{name}.yaml").write_text(text)
    (catalog / "flags" / "dark.yaml").write_text(FLAG)
    root = tmp_path / "home"
    root.mkdir()
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        connection.execute(WAREHOUSE.replace("{schema}", str(SCHEMA)))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(catalog))
    return root


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["fairsplit", "export", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out + printed.err


@pytest.mark.integration
def test_one_gate_and_one_broken_file_stop_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = _run(monkeypatch, capsys, "--format", "json")
    assert code == 0, text
    report: dict[str, Any] = json.loads(text)
    changes = {name: entry["change"] for name, entry in report["experiments"].items()}
    assert changes == {"cta": "added", "gated": "frozen", "broken": "withheld"}
    assert report["flags"]["dark"]["change"] == "added"
    flags = json.loads((home / "exports" / "current" / "ufc.json").read_bytes())["flags"]
    assert set(flags) == {"cta", "cta__config", "gated", "gated__config", "dark"}
    with duckdb.connect(str(home / "exports" / "current" / "fairsplit.duckdb"), read_only=True) as snapshot:
        assert snapshot.sql("select count(*) from fct_assignments").fetchall() == [(3000,)]


@pytest.mark.integration
def test_a_unit_list_holds_the_units_in_traffic_in_few_bytes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, capsys)
    path = home / "exports" / "current" / "assignments" / "cta.parquet"
    listed = pl.read_parquet(path)
    assert listed.columns == ["unit_id", "variant", "attributes", "probability", "reason"]
    assert listed.height == sum(number % 3 != 0 for number in range(3000))
    assert listed["probability"].unique().to_list() == [0.5]
    first = listed.filter(pl.col("unit_id") == "user-10").row(0, named=True)
    assert first["variant"] == "control"
    assert json.loads(first["attributes"]) == {"device": 'O\'Neil "<b>"'}
    assert path.stat().st_size <= 200 * listed.height


@pytest.mark.integration
def test_a_list_is_exported_as_it_stands_and_no_sdk_is_given_a_config(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = EXPERIMENT.format(name="mail", metric="ctr").replace("traffic: 0.5", "assignment: batch")
    (home.parent / "catalog" / "experiments" / "mail.yaml").write_text(text)
    listed = pl.DataFrame({"unit_id": ["a", "b"], "variant": ["red", "control"], "reason": "assigned"})
    (home / "assignments").mkdir()
    listed.write_parquet(home / "assignments" / "mail.parquet")
    code, printed = _run(monkeypatch, capsys, "--format", "json")
    entry = json.loads(printed)["experiments"]["mail"]
    assert (code, entry["change"]) == (0, "withheld")
    assert "no SDK can serve it, for a list says who is in which arm" in entry["reason"]
    current = home / "exports" / "current"
    assert "mail" not in json.loads((current / "ufc.json").read_bytes())["flags"]
    assert pl.read_parquet(current / "assignments" / "mail.parquet").equals(listed)


@pytest.mark.integration
def test_rolling_back_and_its_refusals(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, capsys)
    assert _run(monkeypatch, capsys, "--rollback")[0] == 1
    assert _run(monkeypatch, capsys, "--to", "v000001-000000000000")[0] == 1
    first = (home / "exports" / "current").resolve().name
    (home.parent / "catalog" / "flags" / "dark.yaml").write_text(FLAG.replace("0.3", "0.6"))
    code, text = _run(monkeypatch, capsys)
    assert (code, "dark: changed" in text, "traffic 30 % -> 60 %" in text) == (0, True, True)
    assert _run(monkeypatch, capsys, "--rollback")[0] == 0
    assert (home / "exports" / "current").resolve().name == first
    # What was withdrawn does not come back by itself.
    assert "nothing changed" in _run(monkeypatch, capsys)[1]
    code, text = _run(monkeypatch, capsys, "--rollback", "--to", "v9")
    assert (code, "no such version" in text) == (1, True)


@pytest.mark.integration
def test_before_the_first_run_arms_can_be_served_and_a_lost_warehouse_forgets_no_gate(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = (home / "warehouse.duckdb").read_bytes()
    (home / "warehouse.duckdb").unlink()
    code, text = _run(monkeypatch, capsys, "--format", "json")
    assert code == 0, text
    changes = {name: entry["change"] for name, entry in json.loads(text)["experiments"].items()}
    assert changes == {"cta": "added", "gated": "added", "broken": "withheld"}

    (home / "warehouse.duckdb").write_bytes(built)
    assert _run(monkeypatch, capsys)[0] == 0
    (home / "warehouse.duckdb").unlink()
    code, text = _run(monkeypatch, capsys)
    assert (code, "fairsplit run" in text, "Traceback" in text) == (1, True, False)
