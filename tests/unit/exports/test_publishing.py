from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.publishing import (
    current_version,
    list_versions,
    publish,
    renew,
    rollback,
    verify_version,
)

META = {"cut_off": "2026-01-31"}


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


def test_current_is_a_relative_link_to_one_whole_version(exports: Path) -> None:
    published = publish(exports, {"ufc.json": b"{}", "assignments/cta.parquet": b"PAR1"}, META)
    assert (exports / "current").readlink() == Path(published.version)
    manifest = json.loads((exports / "current" / "manifest.json").read_bytes())
    assert manifest["files"]["assignments/cta.parquet"] == {
        "sha256": hashlib.sha256(b"PAR1").hexdigest(),
        "bytes": 4,
    }
    assert manifest["previous"] == ""
    assert manifest["cut_off"] == "2026-01-31"
    assert verify_version(published.path) == []


def test_the_same_content_is_not_published_twice(exports: Path) -> None:
    first = publish(exports, {"ufc.json": b"{}"}, META)
    again = publish(exports, {"ufc.json": b"{}"}, {"cut_off": "2026-02-01"})
    assert (again.version, again.changed) == (first.version, False)
    assert list_versions(exports) == [first.version]


def test_new_content_names_the_version_before_it_and_leaves_it_untouched(exports: Path) -> None:
    first = publish(exports, {"ufc.json": b"1"}, META)
    second = publish(exports, {"ufc.json": b"2"}, META)
    assert second.previous == first.version
    assert (first.path / "ufc.json").read_bytes() == b"1"
    assert (exports / "current" / "ufc.json").read_bytes() == b"2"


def test_rollback_goes_back_and_the_withdrawn_content_stays_out(exports: Path) -> None:
    first = publish(exports, {"ufc.json": b"1"}, META)
    second = publish(exports, {"ufc.json": b"2"}, META)
    assert rollback(exports).version == first.version
    assert publish(exports, {"ufc.json": b"2"}, META).version == first.version
    third = publish(exports, {"ufc.json": b"3"}, META)
    assert (third.changed, third.previous) == (True, first.version)
    assert rollback(exports, second.version).version == second.version
    assert (exports / "current" / "ufc.json").read_bytes() == b"2"


def test_a_version_finished_by_a_killed_run_is_adopted(exports: Path) -> None:
    publish(exports, {"ufc.json": b"1"}, META)
    second = publish(exports, {"ufc.json": b"2"}, META)
    (exports / "current").unlink()
    (exports / "current").symlink_to(second.previous)
    adopted = publish(exports, {"ufc.json": b"2"}, META)
    assert (adopted.version, adopted.changed) == (second.version, True)
    assert len(list_versions(exports)) == 2


def test_leftovers_of_a_killed_run_are_swept(exports: Path) -> None:
    publish(exports, {"ufc.json": b"1"}, META)
    (exports / ".staging-dead" / "assignments").mkdir(parents=True)
    (exports / ".staging-dead" / "assignments" / "half.parquet").write_bytes(b"PA")
    (exports / ".switch-dead").symlink_to("v000009-000000000000")
    publish(exports, {"ufc.json": b"2"}, META)
    assert [path.name for path in exports.iterdir() if path.name.startswith((".staging", ".switch"))] == []


def test_attachments_are_hashed_but_not_part_of_the_content(exports: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.duckdb"
    snapshot.write_bytes(b"one")
    first = publish(exports, {"ufc.json": b"1"}, META, {"fairsplit.duckdb": snapshot})
    snapshot.write_bytes(b"two")
    assert publish(exports, {"ufc.json": b"1"}, META, {"fairsplit.duckdb": snapshot}).version == first.version
    assert first.manifest["files"]["fairsplit.duckdb"]["sha256"] == hashlib.sha256(b"one").hexdigest()


def test_a_renewed_version_has_new_attachments_and_lacks_files_but_is_the_same_otherwise(
    exports: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.duckdb"
    snapshot.write_bytes(b"one")
    assert renew(exports, {"fairsplit.duckdb": snapshot}) is None
    lists = {"assignments/old.parquet": b"o", "assignments/new.parquet": b"n"}
    first = publish(exports, {"ufc.json": b"1", **lists}, META, {"fairsplit.duckdb": snapshot})
    publish(exports, {"ufc.json": b"2", **lists}, META, {"fairsplit.duckdb": snapshot})
    rollback(exports)
    snapshot.write_bytes(b"two")
    renewed = renew(
        exports, {"fairsplit.duckdb": snapshot}, ["assignments/old.parquet", "assignments/no.parquet"]
    )
    assert renewed is not None
    assert (exports / "current").readlink() == Path(renewed.version)
    assert (renewed.previous, renewed.manifest["cut_off"]) == (first.version, META["cut_off"])
    assert {
        path.relative_to(renewed.path).as_posix(): path.read_bytes()
        for path in renewed.path.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    } == {"ufc.json": b"1", "assignments/new.parquet": b"n", "fairsplit.duckdb": b"two"}
    assert verify_version(renewed.path) == []
    # The content is told as ever, and what was rolled back stays so.
    left = {"ufc.json": b"1", "assignments/new.parquet": b"n"}
    assert not publish(exports, left, META).changed
    assert not publish(exports, {"ufc.json": b"2", **lists}, META).changed


def test_tampering_shows(exports: Path) -> None:
    published = publish(exports, {"ufc.json": b"1", "results.parquet": b"x"}, META)
    (published.path / "ufc.json").write_bytes(b"9")
    (published.path / "results.parquet").unlink()
    (published.path / "stray.txt").write_bytes(b"")
    assert [problem.where.split("/")[1] for problem in verify_version(published.path)] == [
        "results.parquet",
        "stray.txt",
        "ufc.json",
    ]


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil", "manifest.json", "", "a\\b"])
def test_a_payload_cannot_leave_its_version(exports: Path, name: str) -> None:
    with pytest.raises(ExportError, match="a payload has an impossible name"):
        publish(exports, {name: b""}, META)


def test_rolling_back_without_an_earlier_version_says_so(exports: Path) -> None:
    with pytest.raises(ExportError, match="nothing is published yet"):
        rollback(exports)
    assert current_version(exports.parent) is None
    first = publish(exports, {"ufc.json": b"1"}, META)
    with pytest.raises(ExportError, match="there is no earlier version"):
        rollback(exports)
    with pytest.raises(ExportError, match=f"no such version .*try {first.version}"):
        rollback(exports, "v000099-000000000000")
