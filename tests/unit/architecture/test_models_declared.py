"""What the models read and write is declared beside them, column by column, and what reads the marts is an exposure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import yaml

from fairsplit.analysis.catalogue.compiled import SCHEMAS
from fairsplit.analysis.catalogue.compiled_metrics import METRIC_SCHEMAS
from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS, VALIDITY
from fairsplit.orchestration.project import DBT_PROJECT_DIR

READ = re.compile(r"\b(landing|work|catalog|journal|results)\.([a-z_]+)\b")
SOURCE = re.compile(r"source\('(\w+)', '(\w+)'\)")


def _entries(kind: str) -> Iterator[Mapping[str, Any]]:
    for path in sorted((DBT_PROJECT_DIR / "models").rglob("*.yml")):
        yield from yaml.safe_load(path.read_text()).get(kind) or ()


def _columns(entry: Mapping[str, Any]) -> list[str]:
    undescribed = [column["name"] for column in entry["columns"] if not column.get("description")]
    assert not undescribed, (entry["name"], undescribed)
    return [column["name"] for column in entry["columns"]]


def _declared() -> dict[tuple[str, str], list[str]]:
    return {
        (source["name"], table["name"]): _columns(table)
        for source in _entries("sources")
        for table in source["tables"]
    }


def _sql() -> Iterator[str]:
    for path in DBT_PROJECT_DIR.rglob("*.sql"):
        if "target" not in path.parts:
            # Comments may name what is no table.
            yield re.sub(r"\{#.*?#\}|--[^\n]*", "", path.read_text(), flags=re.DOTALL)


def test_every_table_that_a_model_reads_is_a_declared_source() -> None:
    named = {match for text in _sql() for match in [*READ.findall(text), *SOURCE.findall(text)]}
    assert named - set(_declared()) == set()


def test_sources_have_the_columns_that_they_are_written_with() -> None:
    declared = _declared()
    for table, schema in (SCHEMAS | METRIC_SCHEMAS).items():
        assert declared["catalog", table] == list(schema), table
    rows = {
        "comparisons": COMPARISONS,
        "validity": VALIDITY,
        "decisions": DECISIONS,
        "allocations": ALLOCATIONS,
    }
    for table, schema in rows.items():
        assert declared["results", table] == list(schema), table


def test_the_tables_of_a_run_have_the_columns_that_are_declared() -> None:
    macros = (DBT_PROJECT_DIR / "macros" / "run" / "work.sql").read_text()
    (ddl,) = re.findall(r"macro work_tables_ddl\(\) -%\}(.*?)\{%- endmacro", macros, flags=re.DOTALL)
    with duckdb.connect() as connection:
        connection.execute(ddl)
        tables = connection.execute(
            """select table_schema, table_name, list(column_name order by ordinal_position)
               from information_schema.columns where table_schema in ('work', 'journal') group by all"""
        ).fetchall()
    declared = _declared()
    assert {(schema, table): columns for schema, table, columns in tables} == {
        key: columns for key, columns in declared.items() if key[0] in {"work", "journal"}
    }


def test_every_model_says_its_grain_first() -> None:
    described = {entry["name"]: entry.get("description", "") for entry in _entries("models")}
    models = {path.stem for path in (DBT_PROJECT_DIR / "models").rglob("*.sql")}
    assert set(described) == models
    for name, text in described.items():
        assert re.match(r"(Grain is|One row per)", text.strip()) or name == "fct_rewrites", name
