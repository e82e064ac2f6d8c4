"""examples/host end to end: events in Postgres, own dbt models, metrics on them in two files, one of the library."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from tests.integration.starting.test_projects import call
from tests.postgres import postgres_server

from fairsplit.assignment_exports.bucketing import shard

HOST = Path(__file__).parents[3] / "examples" / "host"
USERS = 300
# One run of a home with Postgres and two runs of dbt.
pytestmark = [pytest.mark.integration, pytest.mark.slow]


def arm(user: str) -> str:
    return "control" if shard("new_basket-split", user) < 5_000 else "treatment"


def orders(start: datetime) -> list[tuple[int, str, datetime, str, int, int]]:
    """Every third user orders after an hour, every fifteenth again in the third day, beyond the window."""
    found = []
    for number in range(0, USERS, 3):
        status = "paid" if number % 2 == 0 else "open"
        at = start + timedelta(minutes=number, hours=1)
        found.append((number, f"u{number}", at, status, number % 7, 1_000 + number))
        if number % 15 == 0:
            found.append((10_000 + number, f"u{number}", at + timedelta(days=2), "paid", 100, 999_999))
    return [*found, (99_999, "u0", start + timedelta(hours=2), "test", 50, 1)]


def test_from_the_teams_tables_to_results(tmp_path: Path) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    start = today - timedelta(days=5)
    shutil.copytree(HOST, tmp_path / "host")
    experiments = tmp_path / "host" / "experiments"
    definition = experiments / "catalog" / "experiments" / "new_basket.yaml"
    definition.write_text(definition.read_text().replace("2026-01-05T00", f"{start:%Y-%m-%d}T00"))
    warehouse = tmp_path / "shop.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "create table raw_orders (order_id int, customer_id text, ordered_at timestamp, status text, items int, "
            "cents int)"
        )
        connection.executemany("insert into raw_orders values (?, ?, ?, ?, ?, ?)", orders(start))
    settings = {"SHOP_WAREHOUSE": str(warehouse), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}

    # The team's own command, in a project that knows nothing of Fairsplit.
    built = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "build", "--project-dir", ".", "--profiles-dir", "."],
        cwd=tmp_path / "host" / "dbt",
        env={"PATH": "/usr/bin:/bin", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-3000:]

    with postgres_server() as address:
        import adbc_driver_postgresql.dbapi as driver  # noqa: PLC0415

        with driver.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(
                "create table tracked_events (event_id text, event_name text, occurred_at timestamp, user_id text, "
                "experiment_id text, variation_id text)"
            )
            for number in range(USERS):
                user = f"u{number}"
                cursor.execute(
                    f"insert into tracked_events values ('v{number}', 'experiment_viewed', "
                    f"'{start + timedelta(minutes=number)}', '{user}', 'new_basket', '{arm(user)}')"
                )
            connection.commit()
        sound = call(experiments, "validate", **settings)
        assert sound.stdout.startswith("1 experiment, 0 flags, 0 segments, 5 metrics sound"), sound.stdout
        done = call(experiments, "run", **settings, SHOP_DATABASE=address)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = json.loads(call(experiments, "results", "--format", "json", **settings).stdout)
    totals = {
        (row["metric"], row["variant_id"]): row["total"]
        for row in found["comparisons"]
        if (row["analysis"], row["segment"]) == ("default", "all")
    }
    for variant in ("control", "treatment"):
        mine = [
            (status, items, cents)
            for number, user, _, status, items, cents in orders(start)
            if number < 10_000 and arm(user) == variant
        ]
        assert totals["order_conversion", variant] == sum(status == "paid" for status, *_ in mine)
        paid = sum(cents for status, _, cents in mine if status == "paid")
        assert totals["order_revenue", variant] == pytest.approx(paid / 100, abs=1e-9)
        assert totals["items_per_customer", variant] == sum(items for _, items, _ in mine)
        assert totals["purchases_per_user", variant] == 0
    # The way back, into the warehouse that the team's dbt fills.
    back = call(
        experiments, "publish", "--to", "duckdb:SHOP_WAREHOUSE", "--schema", "experiments", **settings
    )
    assert back.returncode == 0, back.stderr
    with duckdb.connect(str(warehouse)) as connection:
        there = connection.execute(
            """select metric, variant_id, total from experiments.fairsplit_results where analysis = 'default'
               and segment = 'all' and cut_off = (select max(cut_off) from experiments.fairsplit_results)"""
        ).fetchall()
    assert {(metric, variant): total for metric, variant, total in there} == totals
    manifest = json.loads((experiments / ".fairsplit" / "dbt-project" / "manifest.json").read_text())
    assert sorted(metric["name"] for metric in manifest["metrics"].values()) == [
        "amounts", "items_per_customer", "order_conversion", "order_revenue", "orders_made", "paid_per_order",
        "purchases_per_user",
    ]  # fmt: skip
