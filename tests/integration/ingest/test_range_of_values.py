"""Values at and beyond the declared range, ±10¹⁰ with six decimals, in every format and type that can hold them."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    from pathlib import Path

ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EDGES = ("10000000000", "9999999999.999999", "1000000", "0.000001", "0")
BEYOND = ("10000000000.000001", "10000000001", "99999999999999999999")
DECIMALS = ("decimal(38,6)", "decimal(30,9)")
WIDE = (pa.decimal256(50, 6), pa.decimal256(76, 38))

pytestmark = pytest.mark.integration


def taken(folder: Path) -> tuple[dict[str, Decimal], dict[str, tuple[str, str]]]:
    """Values of the accepted events and reasons of the quarantined rows, each by what its id says was written."""
    for path in (folder / "landing").iterdir():
        os.utime(path, (ARRIVED.timestamp(), ARRIVED.timestamp()))
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        ingest_landing(folder, connection, IngestSettings(first_day=date(2026, 1, 1)), [], NOW)
        rows = connection.execute("select event_id, value from landing.raw_events").fetchall()
        refused = connection.execute(
            r"select regexp_extract(raw_line, '@(-?[0-9.]+)', 1), reason, detail from landing.quarantine"
        ).fetchall()
    return (
        {name.removeprefix("@"): value for name, value in rows},
        {name: (reason, detail) for name, reason, detail in refused},
    )


def signed(texts: tuple[str, ...]) -> list[str]:
    return [sign + text for text in texts for sign in ("", "-") if text != "0" or not sign]


@pytest.mark.parametrize("name", ["x.ndjson", "x.csv", *DECIMALS])
def test_the_edges_are_kept_to_the_digit_and_what_lies_beyond_is_quarantined(
    tmp_path: Path, name: str
) -> None:
    """Case value-of-a-million and its kind: the range of `value` is declared, and a row beyond it stops nobody."""
    landing = tmp_path / "landing"
    landing.mkdir()
    texts = signed(EDGES + BEYOND)
    when = "2026-01-06T00:00:00Z"
    if name == "x.ndjson":
        lines = [f'{{"event_id": "@{text}", "occurred_at": "{when}", "value": {text}}}' for text in texts]
        (landing / name).write_text("\n".join(lines) + "\n")
    elif name == "x.csv":
        lines = ["event_id,occurred_at,value", *(f"@{text},{when},{text}" for text in texts)]
        (landing / name).write_text("\n".join(lines) + "\n")
    else:
        with duckdb.connect() as connection:
            cells = ", ".join(f"('@{text}', timestamptz '{when}', {text}::{name})" for text in texts)
            connection.execute(
                f"copy (select * from (values {cells}) as t(event_id, occurred_at, value)) "
                f"to '{landing / 'x.parquet'}' (format parquet)"
            )

    values, refused = taken(tmp_path)

    assert values == {text: Decimal(text) for text in signed(EDGES)}
    assert set(refused) == set(signed(BEYOND))
    assert {reason for reason, _ in refused.values()} == {"wrong_type"}
    assert refused["10000000001"][1] == "value: beyond ±10000000000"


@pytest.mark.parametrize("type_", WIDE, ids=str)
def test_decimals_wider_than_duckdbs_are_kept_to_the_digit(tmp_path: Path, type_: pa.DataType) -> None:
    """DuckDB reads them as doubles: 9999999999.999999 became 10000000000, and what lies just beyond was taken."""
    landing = tmp_path / "landing"
    landing.mkdir()
    texts = signed(EDGES + BEYOND)
    numbers = [Decimal(text) for text in texts]
    table = pa.table(
        {
            "event_id": [f"@{text}" for text in texts],
            "user_id": pa.array([9007199254740993] * len(texts), pa.decimal256(40, 0)),
            "occurred_at": pa.array(
                [datetime(2026, 1, 6, tzinfo=UTC)] * len(texts), pa.timestamp("us", "UTC")
            ),
            "value": pa.array(numbers, type_),
            "price": pa.array([Decimal("12.5")] * len(texts), pa.decimal256(50, 6)),
        }
    )
    pq.write_table(table, landing / "x.parquet")

    values, refused = taken(tmp_path)

    assert values == {text: Decimal(text) for text in signed(EDGES)}
    assert refused == dict.fromkeys(signed(BEYOND), ("wrong_type", "value: beyond ±10000000000"))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        others = connection.execute("select distinct user_id, properties from landing.raw_events").fetchall()
    assert others == [("9007199254740993", '{"price":12.5}')]


def test_wide_decimals_inside_of_a_struct_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    paid = pa.array([{"net": Decimal(1)}], pa.struct([("net", pa.decimal256(40, 2))]))
    pq.write_table(pa.table({"event_id": ["@1"], "paid": paid}), tmp_path / "landing" / "x.parquet")

    assert taken(tmp_path) == ({}, {})
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        ((status, message),) = connection.execute("select status, message from landing.manifest").fetchall()
    assert status == "unreadable"
    assert message.startswith("column 'paid' holds decimals of more than 38 digits inside")


@pytest.mark.parametrize("kind", ["double", "float", "bigint", "hugeint"])
def test_numbers_of_every_parquet_type_obey_the_range(tmp_path: Path, kind: str) -> None:
    (tmp_path / "landing").mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            f"""copy (
                select '@' || n as event_id, timestamptz '2026-01-06T00:00:00Z' as occurred_at, n::{kind} as value
                from (values (1000000), (10000000000), (-10000000000), (20000000000), (-20000000000)) as t(n)
            ) to '{tmp_path / "landing" / "x.parquet"}' (format parquet)"""
        )

    values, refused = taken(tmp_path)

    assert values == {text: Decimal(text) for text in ("1000000", "10000000000", "-10000000000")}
    assert set(refused) == {"20000000000", "-20000000000"}
