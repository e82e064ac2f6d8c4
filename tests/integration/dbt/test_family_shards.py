"""The warehouse's hash of each SDK family is the SDK's: every shard of the dbt macros equals Python's."""

from __future__ import annotations

from pathlib import Path

import duckdb
import jinja2
import polars as pl
import pytest

from fairsplit.assignment_exports.bucketing import shards

MACROS = Path(__file__).resolve().parents[3] / "dbt_project" / "macros"


def _definitions() -> str:
    texts = [(MACROS / name).read_text() for name in ("events/shard.sql", "run/family_shards.sql")]
    call = "{{ define_family_shards() }}"
    return jinja2.Environment(autoescape=False).from_string("".join(texts) + call).render()  # noqa: S701 - SQL


@pytest.mark.integration
@pytest.mark.parametrize("salt", ["cta-split", "ünï😀", "'; --", ""])
def test_sql_hashes_as_the_sdks_do(salt: str) -> None:
    units = pl.Series(
        "unit",
        [
            *(f"user_{number}" for number in range(3_000)),
            *("x" * length for length in range(300)),
            *(f"ünï😀{'ß' * (number % 50)}{number}" for number in range(300)),
            "a\ufffdb",
            "y" * 2_000,
        ],
    )
    for sdk in ("ufc", "flagd", "growthbook"):
        rows = (
            pl.DataFrame({"unit": units}).with_row_index("n").with_columns(sdk=pl.lit(sdk), salt=pl.lit(salt))
        )
        with duckdb.connect() as connection:
            connection.register("rows", rows.to_arrow())
            connection.execute(_definitions())
            found = connection.sql("select family_shard(sdk, salt, unit) from rows order by n").fetchall()
        assert [value for (value,) in found] == shards(salt, units, sdk).tolist()
