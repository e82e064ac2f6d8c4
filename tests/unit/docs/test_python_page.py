"""docs/python.md has every column of every frame in the words of dbt's docs, and every option of the functions."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import yaml

import fairsplit
from fairsplit.analysis.flat_files.differences import DIFFERENCES
from fairsplit.analysis.judgement import rows

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SECTIONS = {
    head.split(",")[0]: dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))
    for head, text in re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
MARTS = ROOT / "dbt_project" / "models" / "marts"


def test_every_column_is_described_in_the_words_of_dbts_docs() -> None:
    sources = yaml.safe_load((MARTS / "results.yml").read_text())["sources"]
    tables = {table["name"]: table["columns"] for source in sources for table in source["tables"]}
    models = yaml.safe_load((MARTS / "marts.yml").read_text())["models"]
    tables["exposures"] = next(model["columns"] for model in models if model["name"] == "fct_exposures")
    for section, table in (
        ("results", "comparisons"),
        ("decisions", "decisions"),
        ("validity", "validity"),
        ("allocations", "allocations"),
        ("exposures", "exposures"),
    ):
        assert SECTIONS[section] == {one["name"]: one["description"].strip() for one in tables[table]}
    schemas = {
        "results": rows.COMPARISONS,
        "decisions": rows.DECISIONS,
        "validity": rows.VALIDITY,
        "allocations": rows.ALLOCATIONS,
        "Scorecard.differences": DIFFERENCES,
    }
    for section, schema in schemas.items():
        assert list(SECTIONS[section]) == list(schema), section


def test_every_option_of_analyze_is_named() -> None:
    options = [name for name in inspect.signature(fairsplit.analyze).parameters if name != "data"]
    assert set(options) <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_pages_plan_is_what_it_says() -> None:
    """The example of the page runs; 3,841 an arm is Fleiss' figure for 10 % against 12 %."""
    (example,) = re.findall(r"^(fairsplit\.plan\(0\.10.*)$", PAGE, re.MULTILINE)
    designs = eval(example, {"fairsplit": fairsplit})  # noqa: S307
    assert designs["control"][0] == 3_841
