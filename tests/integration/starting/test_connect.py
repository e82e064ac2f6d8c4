"""`fairsplit connect`: a table becomes a source file that has been tried."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.integration.starting.test_projects import call

from fairsplit.analysis.catalogue.loading import read_source
from fairsplit.orchestration.starting.writing import write_project

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path / "team")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "create table orders (order_id int, customer_id text, created_at text, total decimal(18, 2))"
        )
        connection.execute(
            "insert into orders values (1, 'ann', '2026-01-05 10:00:00', 9.90), (2, 'bob', 'yesterday', 1)"
        )
        connection.execute("create table nothing (id int)")
    return tmp_path / "team"


def test_from_first_rows_to_a_file(project: Path) -> None:
    """One of two rows has no time: it is said before anything is landed. The file is not written over."""
    words = [
        "connect",
        "orders",
        "--table",
        "orders",
        "--from",
        "duckdb:SHOP",
        "--watermark",
        "created_at",
        "--yes",
    ]
    shop = str(project.parent / "shop.duckdb")
    done = call(project, *words, SHOP=shop)
    assert done.returncode == 0, done.stderr
    assert "2 rows give 1 events\n  1 rows are set aside: invalid_occurred_at\n" in done.stdout
    assert "event_id=1, event_name=orders, occurred_at=2026-01-05 10:00:00" in done.stdout
    assert shop not in done.stdout
    file = project / "catalog" / "sources" / "orders.yaml"
    source = read_source(file.read_text(), "orders")
    assert (source.columns["user_id"].column, source.constants) == ("customer_id", {"event_name": "orders"})
    assert not (project / ".fairsplit" / "landing").exists()
    assert call(project, "validate").returncode == 0
    again = call(project, *words, SHOP=shop)
    assert (again.returncode, "the source is there already" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--table", "away", "--from", "duckdb:SHOP"], "away"),
        (["--table", "nothing", "--from", "duckdb:SHOP"], "the table is empty"),
        (["--table", "orders", "--from", "postgresql://me:secret@x/y"], "names no database"),
        (["--table", "orders", "--from", "duckdb:NOT_SET"], "NOT_SET is not set"),
    ],
)
def test_what_cannot_be_connected_is_one_sentence(project: Path, words: list[str], said: str) -> None:
    done = call(project, "connect", "x", *words, "--yes", SHOP=str(project.parent / "shop.duckdb"))
    assert (done.returncode, said in done.stderr, "secret" in done.stderr) == (1, True, False), done.stderr
    assert done.stderr.count("\n") == 1
