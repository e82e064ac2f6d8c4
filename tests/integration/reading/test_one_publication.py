"""Pages and configs are one version: one switch, one rollback, one manifest."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS

from fairsplit.assignment_exports import publishing
from fairsplit.assignment_exports.publishing import verify_version
from fairsplit.orchestration.publishing import publication
from fairsplit.orchestration.publishing.publication import go_back, publish
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.publishing.publication import Publication

pytestmark = pytest.mark.integration
FLAG = """
id: dark
name: Dark
owner: a@example.com
type: boolean
default: false
rollout: {}
"""


class Desk:
    """A home of its own, whose only flag is edited between publications."""

    def __init__(self, driven: DrivenHome) -> None:
        self.driven, self.home = driven, driven.home

    def publish(self, rollout: float) -> Publication:
        folder = self.driven.catalog / "flags"
        folder.mkdir(exist_ok=True)
        (folder / "dark.yaml").write_text(FLAG.format(rollout))
        with writer(self.home.warehouse) as connection:
            return publish(self.home, connection, self.driven.definitions(), {})

    def shown(self) -> tuple[str, str]:
        """What the page and the config in force say of the flag."""
        page = (self.home.site / "current" / "flags.html").read_text()
        served = (self.home.exports / "current" / "ufc.json").read_text()
        return page, served


@pytest.fixture
def desk(home: DrivenHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    shutil.copytree(home.home.root.parent, tmp_path / "copy", symlinks=True)
    driven = DrivenHome(tmp_path / "copy", EXPERIMENTS)
    monkeypatch.setattr(publication, "catalog_dir", lambda: driven.catalog)
    return Desk(driven)


def test_one_switch_shows_and_serves_and_one_rollback_takes_both_back(desk: Desk, monkeypatch) -> None:
    first = desk.publish(0.3)
    before = desk.shown()
    link = desk.home.site / "current"
    assert str(link.readlink()) == "../exports/current/site"
    assert link.resolve().name == first.site.version
    manifest = json.loads((desk.home.exports / "current" / "manifest.json").read_bytes())
    assert manifest["links"] == {"site": f"../../site/versions/{first.site.version}"}

    # A run that dies before its switch has written both and shows neither.
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "_switch", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            desk.publish(0.6)
    assert desk.shown() == before

    second = desk.publish(0.6)
    after = desk.shown()
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert second.version.previous == first.version.version
    assert verify_version(second.version.path) == []

    go_back(desk.home, None)
    assert desk.shown() == before
    # What was rolled back stays so, pages and configs alike.
    assert not desk.publish(0.6).version.changed
    assert desk.shown() == before
    go_back(desk.home, second.version.version)
    assert desk.shown() == after


def test_pages_that_change_alone_are_a_version_too(desk: Desk) -> None:
    first = desk.publish(0.3)
    path = next((desk.driven.catalog / "experiments").glob("*.yaml"))
    # A comment is shown with the definition and changes no config.
    path.write_text(path.read_text() + "# looked at by two people\n")
    second = desk.publish(0.3)
    assert (first.version.content, first.site.version) != (second.version.content, second.site.version)
    assert second.version.content == first.version.content
    assert second.version.changed


def test_going_back_to_a_version_without_pages_leaves_them(desk: Desk) -> None:
    desk.publish(0.3)
    driven = desk.driven
    old = driven.export()
    assert old.links, "an export alone keeps the pages"
    manifest = old.path / "manifest.json"
    said = {name: value for name, value in old.manifest.items() if name not in {"links", "sha256"}}
    said["sha256"] = publishing._manifest_hash(said)
    manifest.write_bytes(publishing.canonical_json(said))
    (old.path / "site").unlink()
    new = desk.publish(0.6)
    page, _ = desk.shown()
    go_back(desk.home, old.version)
    assert desk.shown()[0] == page
    assert (desk.home.site / "current").resolve().name == new.site.version
    go_back(desk.home, new.version.version)
    assert str((desk.home.site / "current").readlink()) == "../exports/current/site"
