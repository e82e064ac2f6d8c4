from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairsplit.analysis.scorecards import Page
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.publishing.site import show, write_site
from fairsplit.orchestration.publishing.site.write import remove_others

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairsplit.orchestration.publishing.site import WrittenSite


def shown(site: Path, pages: Iterable[Page]) -> WrittenSite:
    """The pages, and the link to them."""
    written = write_site(site, pages)
    show(site, Path("versions") / written.version)
    return written


def test_a_page_that_did_not_change_is_not_rewritten(tmp_path):
    first = shown(tmp_path, [Page("index.html", "a"), Page("experiments/x.html", "one")])
    before = (tmp_path / "current/index.html").stat()
    second = shown(tmp_path, [Page("index.html", "a"), Page("experiments/x.html", "two")])
    after = (tmp_path / "current/index.html").stat()
    assert (first.written, first.linked) == (2, 0)
    assert (second.written, second.linked) == (1, 1)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (tmp_path / "current/experiments/x.html").read_text() == "two"


def test_the_same_site_again_changes_nothing(tmp_path):
    pages = [Page("index.html", "a")]
    first = shown(tmp_path, pages)
    link = os.lstat(tmp_path / "current")
    second = shown(tmp_path, pages)
    assert second.version == first.version
    assert os.lstat(tmp_path / "current").st_mtime_ns == link.st_mtime_ns
    assert [folder.name for folder in (tmp_path / "versions").iterdir()] == [first.version]


def test_a_run_that_breaks_leaves_the_old_site(tmp_path):
    def breaking():
        yield Page("index.html", "half")
        raise RuntimeError

    shown(tmp_path, [Page("index.html", "whole")])
    with pytest.raises(RuntimeError):
        shown(tmp_path, breaking())
    assert (tmp_path / "current/index.html").read_text() == "whole"
    shown(tmp_path, [Page("index.html", "next")])
    remove_others(tmp_path, ())
    assert not [folder for folder in (tmp_path / "versions").iterdir() if folder.name.startswith(".")]


def test_ready_made_folders_are_carried_along(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.html").write_text("docs")
    written = write_site(tmp_path / "site", [Page("index.html", "a")], {"dbt": docs})
    assert (written.index.parent / "dbt/index.html").read_text() == "docs"


def test_versions_that_are_not_named_are_removed_but_for_the_one_that_is_shown(tmp_path):
    names = [shown(tmp_path, [Page("index.html", text)]).version for text in "abcde"]
    remove_others(tmp_path, names[2:4])
    assert {folder.name for folder in (tmp_path / "versions").iterdir()} == set(names[2:])


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a\\b"])
def test_no_page_leads_out_of_the_site(tmp_path, path):
    with pytest.raises(OrchestrationError, match="leads out of the site"):
        write_site(tmp_path, [Page(path, "x")])
