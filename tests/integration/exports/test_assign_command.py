"""`fairsplit assign`: the list in the home, what it prints, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fairsplit.assignment_exports.release import parquet_bytes
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.cli import main
from fairsplit.orchestration.lifecycle.unit_lists import forget, usable_lists
from fairsplit.orchestration.project import Home

EXPERIMENT = """\
id: {name}
name: A mailing
owner: growth@example.com
type: ab
status: {status}
assignment: {assignment}
start: 2026-01-05T00:00:00Z
variants: [{{id: control, control: true}}, {{id: long}}]
targeting: {{attribute: country, in: [US, DE]}}
metrics: {{primary: [ctr]}}
"""

pytestmark = pytest.mark.integration


class Desk:
    """A catalogue, a home, and the command on both."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.catalog, self.home, self.folder = folder / "catalog", Home(folder / "home"), folder
        self.monkeypatch, self.capsys = monkeypatch, capsys
        (self.catalog / "experiments").mkdir(parents=True)
        (self.catalog / "project.yaml").write_text("first_day: 2026-01-05\n")
        monkeypatch.setenv("FAIRSPLIT_HOME", str(self.home.root))
        monkeypatch.setenv("FAIRSPLIT_CATALOG", str(self.catalog))
        for name, assignment in (("mail", "batch"), ("given", "external"), ("hashed", "hash")):
            self.define(name, assignment)
        self.customers(600)

    def define(self, name: str, assignment: str, status: str = "draft") -> None:
        text = EXPERIMENT.format(name=name, assignment=assignment, status=status)
        (self.catalog / "experiments" / f"{name}.yaml").write_text(text)

    def customers(self, count: int) -> None:
        rows = [
            {
                "customer": f"c-{n:04}",
                "country": ("US", "DE", "FR")[n % 3],
                "spend": n % 50,
                "arm": ("control", "long")[n % 2],
            }
            for n in range(count)
        ]
        pl.DataFrame(rows).write_csv(self.folder / "customers.csv")

    def run(self, *words: str) -> tuple[int, str]:
        file = ["--population", str(self.folder / "customers.csv"), "--unit", "customer"]
        self.monkeypatch.setattr(sys, "argv", ["fairsplit", "assign", *words, *file])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = self.capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    def listed(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.home.assignments / f"{name}.parquet")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_a_population_may_have_columns_called_like_internal_ones(desk: Desk) -> None:
    """Case column-called-stratum."""
    path = desk.folder / "customers.csv"
    renamed = {"spend": "stratum", "arm": "probability"}
    pl.read_csv(path).rename(renamed).with_columns(reason=pl.lit("x"), attributes=pl.lit("y")).write_csv(path)
    code, text = desk.run(
        "mail", "--design", "stratified", "--stratum", "stratum", "--stratum", "probability"
    )
    assert code == 0, text
    first = json.loads(desk.listed("mail")["attributes"][0])
    assert first == {
        "country": "US",
        # What is stratified by is a name, like a zip code, and stays as it was written.
        "stratum": "0",
        "probability": "control",
        "reason": "x",
        "attributes": "y",
    }


def test_a_stratified_search_writes_the_list_and_tells_its_balance(desk: Desk) -> None:
    words = (
        "mail",
        "--design",
        "stratified",
        "--stratum",
        "country",
        "--covariate",
        "spend",
        "--seeds",
        "20",
    )
    code, text = desk.run(*words, "--format", "json")
    assert code == 0, text
    report: dict[str, Any] = json.loads(text)
    assert report["units"] == {"control": 200, "long": 200}
    assert report["left_out"] == {"not_targeted": 200}
    assert [row["feature"] for row in report["balance"]] == ["country = DE", "country = US", "spend"]
    assert len(report["differences"]) == 20
    listed = desk.listed("mail")
    assert listed.columns == ["unit_id", "variant", "attributes", "probability", "reason", "stratum"]
    first = json.loads(listed["attributes"][0])
    assert (listed["unit_id"][0], first["country"], set(listed["probability"])) == ("c-0000", "US", {0.5})
    cells = Counter(
        zip(listed["attributes"].str.json_path_match("$.country"), listed["variant"], strict=True)
    )
    assert set(cells.values()) == {100}
    code, text = desk.run(*words)
    assert (code, "of 20: its largest difference is" in text, "not_targeted" in text) == (0, True, True)
    assert desk.listed("mail").equals(listed)


def test_a_list_stands_once_the_experiment_runs(desk: Desk) -> None:
    assert desk.run("mail")[0] == 0
    desk.customers(603)
    assert desk.run("mail")[0] == 0
    desk.define("mail", "batch", status="running")
    assert desk.run("mail")[0] == 0
    desk.customers(606)
    code, text = desk.run("mail")
    assert (code, "its units are assigned already" in text) == (1, True)


def test_a_list_from_elsewhere_is_taken_as_it_is(desk: Desk) -> None:
    code, text = desk.run("given", "--variant", "arm")
    assert code == 0, text
    listed = desk.listed("given")
    assert (listed.height, listed["probability"].null_count()) == (600, 600)
    assert dict(listed.select("unit_id", "variant").iter_rows())["c-0003"] == "long"
    assert forget(desk.home, ["c-0003", "nobody"]) == {desk.home.assignments / "given.parquet": 1}
    assert "c-0003" not in desk.listed("given")["unit_id"]


@pytest.mark.parametrize(
    "content",
    [
        b"no parquet",
        parquet_bytes(pl.DataFrame({"unit_id": ["a", "a"], "variant": ["control", "long"]})),
        parquet_bytes(pl.DataFrame({"customer": ["a"]})),
    ],
)
def test_a_spoilt_list_is_told_and_spoils_no_other(
    desk: Desk, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert desk.run("mail")[0] == desk.run("given", "--variant", "arm")[0] == 0
    for name, assignment in (("mail", "batch"), ("given", "external")):
        desk.define(name, assignment, status="running")
    (desk.home.assignments / "mail.parquet").write_bytes(content)
    assert list(usable_lists(desk.home, read_definitions().catalogue)) == ["given"]
    assert "the list of mail" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hashed",), "the definition says otherwise who decides"),
        (("mail", "--variant", "arm"), "the definition says otherwise who decides"),
        (("given", "--variant", "country"), "unknown variant"),
        (("given", "--variant", "amr"), "did you mean 'arm'?"),
        (("mial",), "did you mean 'mail'?"),
        (("mail", "--design", "blocked"), "a blocked design needs covariates"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    desk: Desk, words: tuple[str, ...], said: str
) -> None:
    code, text = desk.run(*words)
    assert code == 1
    assert said in text
    assert "Traceback" not in text
    assert not list(desk.home.assignments.glob("*"))
