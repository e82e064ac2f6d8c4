"""Sources in object storage, by an S3 server on loopback: the events that files give; late, restarted, missing."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
SETTINGS = IngestSettings(datetime(2026, 1, 1, tzinfo=UTC).date())
MAPPING = """
    id: shop
    files: "s3://shop/orders/**/*.ndjson*"
    columns: {event_id: id, user_id: who, occurred_at: at, value: total}
    constants: {event_name: purchase}
    properties: "*"
"""
DAY_1 = [{"id": str(n), "who": f"u{n}", "at": f"2026-01-02T10:0{n}:00Z", "total": n / 8} for n in range(5)]
DAY_2 = [{"id": "7", "who": "ünal", "at": "2026-01-03T00:00:00Z", "total": -1}]
LATE = [{"id": "8", "who": "u1", "at": "2026-01-02T23:00:00Z", "total": 2, "note": "a new column"}]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        yield boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    running.stop()


@pytest.fixture
def bucket(server: Any) -> Iterator[Any]:
    server.create_bucket(Bucket="shop")
    yield server
    for found in server.list_objects_v2(Bucket="shop").get("Contents", []):
        server.delete_object(Bucket="shop", Key=found["Key"])
    server.delete_bucket(Bucket="shop")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "landing").mkdir(parents=True)
    return tmp_path / "home"


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def events(folder: Path, files: str | None = None) -> tuple[list[tuple[object, ...]], dict[str, str], int]:
    mapping = yaml.safe_load(MAPPING) | ({"files": files} if files else {})
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        now = datetime.now(UTC)
        report = ingest_landing(folder, connection, SETTINGS, [Source.model_validate(mapping)], now)
        rows = connection.execute(
            "select * exclude (file_hash, row_md5) from landing.raw_events order by event_id"
        ).fetchall()
    return rows, report.unreadable, report.rows_read


def as_files(folder: Path, *contents: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """The events of the same rows in dropped files."""
    (folder / "landing").mkdir(parents=True)
    for number, rows in enumerate(contents):
        path = folder / "landing" / f"{number}.ndjson"
        path.write_bytes(lines(rows))
        os.utime(path, (1_770_000_000, 1_770_000_000))
    found, unreadable, _ = events(folder, "*.ndjson")
    assert not unreadable
    return found


def test_the_same_events_as_from_files_once_and_then_what_is_new(
    bucket: Any, home: Path, tmp_path: Path
) -> None:
    """Packed or not, in folders; an object of the past day that comes late, with a column more."""
    bucket.put_object(Bucket="shop", Key="orders/2026/01/a.ndjson", Body=lines(DAY_1))
    bucket.put_object(Bucket="shop", Key="orders/b.ndjson.gz", Body=gzip.compress(lines(DAY_2)))
    bucket.put_object(Bucket="shop", Key="orders/other.txt", Body=b"not asked for")
    first, unreadable, count = events(home)
    assert (unreadable, count) == ({}, 6)
    assert first == as_files(tmp_path / "two", DAY_1, DAY_2)
    assert events(home) == (first, {}, 0)
    bucket.put_object(Bucket="shop", Key="orders/2026/01/late.ndjson", Body=lines(LATE))
    second, unreadable, count = events(home)
    assert (unreadable, count) == ({}, 1)
    assert second == as_files(tmp_path / "three", DAY_1, DAY_2, LATE)


def test_an_object_that_is_written_over_leaves_its_earlier_content(
    bucket: Any, home: Path, tmp_path: Path
) -> None:
    bucket.put_object(Bucket="shop", Key="orders/a.ndjson", Body=lines(DAY_1))
    events(home)
    bucket.put_object(Bucket="shop", Key="orders/a.ndjson", Body=lines(DAY_2))
    found, unreadable, _ = events(home)
    assert unreadable == {}
    assert found == as_files(tmp_path / "both", DAY_1, DAY_2)
    assert len([path for path in (home / "landing").rglob("a.ndjson") if path.is_file()]) == 2


def test_a_copy_that_was_cut_off_begins_again(bucket: Any, home: Path, tmp_path: Path) -> None:
    bucket.put_object(Bucket="shop", Key="orders/a.ndjson", Body=lines(DAY_1))
    (home / "landing" / "objects" / "shop").mkdir(parents=True)
    (home / "landing" / "objects" / "shop" / ".new.tmp").write_bytes(lines(DAY_1)[:40])
    assert events(home)[0] == as_files(tmp_path / "one", DAY_1)


@pytest.mark.parametrize("files", ["s3://shop/orders/*.ndjson", "s3://shop/no/such.ndjson"])
def test_nothing_there_is_said(bucket: Any, home: Path, files: str) -> None:
    (reason,) = events(home, files)[1].values()
    assert "no" in reason.lower()


def test_a_bucket_that_is_gone_is_said_and_what_was_taken_stays(bucket: Any, home: Path) -> None:
    bucket.put_object(Bucket="shop", Key="orders/a.ndjson", Body=lines(DAY_1))
    before = events(home)[0]
    bucket.delete_object(Bucket="shop", Key="orders/a.ndjson")
    bucket.delete_bucket(Bucket="shop")
    after, unreadable, _ = events(home)
    bucket.create_bucket(Bucket="shop")
    assert after == before
    assert list(unreadable) == ["s3://shop/orders/**/*.ndjson*"]


def test_a_name_is_no_way_out_of_the_landing_folder(bucket: Any, home: Path) -> None:
    bucket.put_object(Bucket="shop", Key="orders/x/../../../../a.ndjson", Body=lines(DAY_1))
    rows, unreadable, _ = events(home)
    assert rows == []
    assert unreadable
    assert not list(home.rglob("a.ndjson"))


@pytest.mark.parametrize(
    "files", ["s3://key:secret@shop/a.csv", "s3://shop", "gs://sh*p/a.csv", "s3://shop/../a.csv"]
)
def test_an_address_with_a_password_or_without_a_bucket_is_refused(files: str) -> None:
    with pytest.raises(ValueError, match="must be a bucket without a password"):
        Source.model_validate(yaml.safe_load(MAPPING) | {"files": files})
