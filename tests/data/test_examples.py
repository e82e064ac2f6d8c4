"""The commands of the examples' READMEs run as they stand there; Udacity goes through the whole event path."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.data
ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_readme(example: str, data_dir: Path, folder: Path) -> str:
    """Run every command block of an example's README in an empty folder beside the examples."""
    (folder / "examples").symlink_to(ROOT / "examples")
    programs = folder / "bin"
    programs.mkdir()
    for name, arguments in (
        ("fairsplit", '-c "from fairsplit.orchestration.cli import main; main()" '),
        ("python", ""),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (programs / name).chmod(0o755)
    blocks = COMMANDS.findall((ROOT / "examples" / example / "README.md").read_text())
    assert blocks
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSPLIT_")} | {
        "FAIRSPLIT_DATA": str(data_dir),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(blocks)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_every_example_is_listed() -> None:
    listed = (ROOT / "examples" / "README.md").read_text()
    # `deployment` is no data set: docs/deployment.md shows it.
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()} - {"deployment"}
    assert [name for name in sorted(folders) if f"{name}/README.md" not in listed] == []


@pytest.mark.parametrize(
    ("example", "facts"),
    [
        ("cookie_cats", ("44,700 / 45,489", "p = 0.00861", "0.0016", "0.074", "0.376", "0.050")),
        ("hillstrom", ("21,306 / 21,307 / 21,387", "18.3%", "15.1%", "0.653", "1.42", "1.2×10⁻⁷", "0.0011")),
        ("upworthy", ("4,873 experiments", "753 fail", "2,203, 1,711 after")),
    ],
)
def test_flat_file_examples(example: str, facts: tuple[str, ...], data_dir: Path, tmp_path: Path) -> None:
    text = run_readme(example, data_dir, tmp_path)
    assert [fact for fact in facts if fact not in text] == []


@pytest.fixture(scope="module")
def udacity(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that the README's two commands leave."""
    folder = tmp_path_factory.mktemp("udacity")
    index = Path(run_readme("udacity", data_dir, folder).splitlines()[-1])
    assert (folder / index).is_file()
    return folder / "home"


def rows(home: Path, sql: str) -> list[dict]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.integration
class TestUdacity:
    def arm(self, home: Path, experiment: str, arm: str, level: str = "all") -> dict:
        (found,) = rows(
            home,
            f"""from results.comparisons where experiment_id = '{experiment}' and variant_id = '{arm}'
            and segment_level = '{level}' and analysis = 'default'
            and cut_off = (select max(cut_off) from results.comparisons)""",
        )
        return found

    def test_agreeing_visits_as_published(self, udacity: Path, reference: dict) -> None:
        expected = reference["udacity_ab_data"]["clean"]
        treated = self.arm(udacity, "landing_page_agreeing", "treatment")
        untreated = self.arm(udacity, "landing_page_agreeing", "control")
        assert (
            (untreated["total"], untreated["n"])
            == (expected["x_ctrl"], expected["n_ctrl"])
            == (17489, 145274)
        )
        assert (
            (treated["total"], treated["n"]) == (expected["x_treat"], expected["n_treat"]) == (17264, 145310)
        )
        assert treated["method"] == "two_proportion_z"
        assert treated["statistic"] == pytest.approx(expected["z_pooled"], rel=1e-9)
        assert round(treated["statistic"], 4) == -1.3109
        assert treated["p_value"] == pytest.approx(expected["p_two_sided"], rel=1e-9)
        low, high = expected["ci95_unpooled"]
        assert treated["lift_abs_low"] == pytest.approx(low, rel=1e-6)
        assert treated["lift_abs_high"] == pytest.approx(high, rel=1e-6)

    @pytest.mark.parametrize("country", ["US", "UK", "CA"])
    def test_countries(self, udacity: Path, reference: dict, country: str) -> None:
        expected = reference["udacity_ab_data"]["clean_by_country"][country]
        treated = self.arm(udacity, "landing_page_agreeing", "treatment", country)
        assert (treated["total"], treated["n"]) == (expected["x_treat"], expected["n_treat"])
        assert treated["p_value"] == pytest.approx(expected["p_two_sided"], rel=1e-9)

    def test_the_default_stands_beside_it(self, udacity: Path, reference: dict) -> None:
        arms = [self.arm(udacity, "landing_page", arm) for arm in ("control", "treatment")]
        assert sum(arm["n"] for arm in arms) == reference["udacity_ab_data"]["users"]
        assert arms[1]["status"] == "ok"
        crossed = rows(
            udacity, "select sum(units)::int as n from fct_crossovers where experiment_id = 'landing_page'"
        )
        assert crossed == [{"n": reference["udacity_ab_data"]["users_in_both_groups"]}]

    def test_split_and_verdict(self, udacity: Path, reference: dict) -> None:
        newest = "cut_off = date '2017-01-24' and experiment_id = 'landing_page_agreeing'"
        (square,) = rows(
            udacity,
            f"""from results.validity where "check" = 'srm_chi_square' and segment = 'all' and {newest}""",
        )
        assert square["p_value"] == pytest.approx(
            reference["udacity_ab_data"]["clean_srm_5050"]["p"], rel=1e-9
        )
        assert rows(udacity, f"from results.validity where status = 'fail' and {newest}") == []
        (said,) = rows(udacity, f"from results.decisions where {newest}")
        assert said["reasons"] == ["no_difference_found"]

    def test_every_row_of_the_log_is_accounted_for(self, udacity: Path) -> None:
        (account,) = rows(udacity, "from landing.file_accounts")
        assert account["rows_read"] == account["accepted"] + account["duplicates"] + account["quarantined"]
        assert account["quarantined"] == 0
        (days,) = rows(udacity, "select count(distinct cut_off)::int as n from results.decisions")
        assert days == {"n": 23}

    def test_both_policies_have_a_page(self, udacity: Path) -> None:
        for experiment in ("landing_page", "landing_page_agreeing"):
            page = (udacity / "site" / "current" / "experiments" / f"{experiment}.html").read_text()
            assert "No clear difference" in page
