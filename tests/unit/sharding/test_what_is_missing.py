"""Where Spark is not, one sentence says what to install."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.sharding import spark
from fairsplit.orchestration.sharding.storage import Storage, Stored


def test_a_missing_pyspark_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(OrchestrationError, match=r"pyspark is not installed.*pip install fairsplit\[spark\]"):
        spark._session("local").__enter__()


def test_a_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(OrchestrationError, match="Java is not installed"):
        spark._session("local").__enter__()


def test_a_storage_that_no_file_system_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OrchestrationError, match=r"storage cannot be opened.*ftp://host/x"):
        Storage("ftp://host/x").put(tmp_path)


def test_what_was_left_comes_back_and_other_bytes_do_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.duckdb"
    path.write_bytes(b"rows")
    storage = Storage((tmp_path / "storage").as_uri())
    first, second = storage.put(path), storage.put(path)
    assert first.name != second.name
    assert storage.get(first, tmp_path).read_bytes() == b"rows"
    with pytest.raises(OrchestrationError, match="another than was left"):
        storage.get(Stored(first.name, "0" * 64), tmp_path)
    storage.clear()
    assert not (tmp_path / "storage").exists()
    storage.clear()
