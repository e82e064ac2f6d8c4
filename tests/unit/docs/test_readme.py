"""What the README tells a newcomer to type works as written."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import typer
import yaml
from typer.models import CommandInfo

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.orchestration.cli import app, commands  # noqa: F401  (registers the commands)
from fairsplit.orchestration.landing import IngestSettings, ingest_landing

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, flags=re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def test_the_first_experiment_is_valid_in_the_shipped_catalogue(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", catalog)
    (text,) = blocks("yaml")
    identifier = yaml.safe_load(text)["id"]
    (catalog / "experiments" / f"{identifier}.yaml").write_text(text)
    catalogue = load_catalogue(catalog, load_metrics(ROOT / "dbt_project"))
    assert not catalogue.problems
    assert identifier in catalogue.experiments


def test_the_events_shown_are_accepted(tmp_path: Path) -> None:
    (text,) = blocks("json")
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "events.ndjson").write_text(text + "\n")
    with duckdb.connect() as connection:
        settings = IngestSettings(datetime(2026, 1, 5, tzinfo=UTC).date())
        report = ingest_landing(tmp_path, connection, settings, [], datetime(2099, 1, 1, tzinfo=UTC))
    assert (report.rows_read, report.rows_quarantined) == (len(text.splitlines()), 0)
    assert all(json.loads(line)["user_id"] for line in text.splitlines())


def test_the_snippet_loads_a_published_config(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("eppo_client")
    current = tmp_path / ".fairsplit" / "exports" / "current"
    current.mkdir(parents=True)
    (current / "ufc.json").write_text(
        json.dumps({"createdAt": "2026-01-05T00:00:00Z", "environment": {"name": "x"}, "flags": {}})
    )
    monkeypatch.chdir(tmp_path)
    snippet = blocks("python")[0]
    exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102


def test_make_targets_and_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z][a-z-]+)", README)) <= targets
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    assert set(re.findall(r"fairsplit ([a-z][a-z-]+)", README)) <= known


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / target).exists(), target


def every_command(application: typer.Typer = app, prefix: str = "") -> dict[str, CommandInfo]:
    found = {
        prefix + (command.name or command.callback.__name__.replace("_", "-")): command
        for command in application.registered_commands
    }
    for group in application.registered_groups:
        found |= every_command(group.typer_instance, f"{prefix}{group.name} ")
    return found


def test_every_command_is_documented_and_shows_an_example() -> None:
    listed = set(
        re.findall(r"^\| `([a-z -]+)` \|", (ROOT / "docs" / "commands.md").read_text(), flags=re.MULTILINE)
    )
    assert listed == set(every_command())
    for name, command in every_command().items():
        assert "fairsplit" in (command.epilog or ""), name
