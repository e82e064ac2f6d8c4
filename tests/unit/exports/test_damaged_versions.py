"""What is published is what was meant: a damaged version is published anew, and versions do not grow without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.publishing import (
    KEPT_VERSIONS,
    current_version,
    list_versions,
    publish,
    verify_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOADS = {"ufc.json": b"{}\n", "flagd.json": b"[]\n"}


def overwrite(version: Path) -> None:
    (version / "ufc.json").write_bytes(b"{ }\n")


def delete(version: Path) -> None:
    (version / "ufc.json").unlink()


def add(version: Path) -> None:
    (version / "more.json").write_bytes(b"1")


def tear(version: Path) -> None:
    (version / "manifest.json").write_bytes(b'{"version": "v0')


@pytest.mark.parametrize("damage", [overwrite, delete, add, tear])
def test_a_damaged_version_is_published_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Case publication-tampered."""
    first = publish(tmp_path, PAYLOADS, {})
    damage(first.path)
    again = publish(tmp_path, PAYLOADS, {})
    assert again.changed
    assert again.version != first.version
    assert verify_version((tmp_path / "current").resolve()) == []
    assert not publish(tmp_path, PAYLOADS, {}).changed


def test_a_link_to_somewhere_else_is_no_version_in_force(tmp_path: Path) -> None:
    elsewhere = publish(tmp_path / "elsewhere", PAYLOADS, {})
    exports = tmp_path / "exports"
    publish(exports, PAYLOADS, {})
    (exports / "current").unlink()
    (exports / "current").symlink_to(elsewhere.path)
    assert publish(exports, PAYLOADS, {}).changed
    assert (exports / "current").resolve().parent == exports


def test_a_folder_in_place_of_the_link_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with pytest.raises(ExportError, match="`current` is no link"):
        publish(tmp_path, PAYLOADS, {})
    assert (tmp_path / "current").is_dir()


def test_old_versions_go_and_the_one_before_stays(tmp_path: Path) -> None:
    """Case export-versions-grow."""
    for number in range(KEPT_VERSIONS + 5):
        publish(tmp_path, {"ufc.json": str(number).encode()}, {})
    versions = list_versions(tmp_path)
    assert len(versions) == KEPT_VERSIONS
    current = current_version(tmp_path)
    assert current.version == versions[-1]
    assert current.previous == versions[-2]
