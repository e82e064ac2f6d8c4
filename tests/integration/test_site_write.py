from __future__ import annotations

import os

import pytest

from fairsplit.analysis.scorecards import Page
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.publishing.site import publish_site


def test_a_page_that_did_not_change_is_not_rewritten(tmp_path):
    first = publish_site(tmp_path, [Page("index.html", "a"), Page("experiments/x.html", "one")])
    before = (tmp_path / "current/index.html").stat()
    second = publish_site(tmp_path, [Page("index.html", "a"), Page("experiments/x.html", "two")])
    after = (tmp_path / "current/index.html").stat()
    assert (first.written, first.linked) == (2, 0)
    assert (second.written, second.linked) == (1, 1)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (tmp_path / "current/experiments/x.html").read_text() == "two"


def test_the_same_site_again_changes_nothing(tmp_path):
    pages = [Page("index.html", "a")]
    first = publish_site(tmp_path, pages)
    link = os.lstat(tmp_path / "current")
    second = publish_site(tmp_path, pages)
    assert second.version == first.version
    assert os.lstat(tmp_path / "current").st_mtime_ns == link.st_mtime_ns
    assert [folder.name for folder in (tmp_path / "versions").iterdir()] == [first.version]


def test_a_run_that_breaks_leaves_the_old_site(tmp_path):
    def breaking():
        yield Page("index.html", "half")
        raise RuntimeError

    publish_site(tmp_path, [Page("index.html", "whole")])
    with pytest.raises(RuntimeError):
        publish_site(tmp_path, breaking())
    assert (tmp_path / "current/index.html").read_text() == "whole"
    publish_site(tmp_path, [Page("index.html", "next")])
    assert not [folder for folder in (tmp_path / "versions").iterdir() if folder.name.startswith(".")]


def test_ready_made_folders_are_carried_along(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.html").write_text("docs")
    publish_site(tmp_path / "site", [Page("index.html", "a")], {"dbt": docs})
    assert (tmp_path / "site/current/dbt/index.html").read_text() == "docs"


def test_old_versions_are_removed_but_for_three(tmp_path):
    for text in "abcde":
        published = publish_site(tmp_path, [Page("index.html", text)])
    names = {folder.name for folder in (tmp_path / "versions").iterdir()}
    assert published.version in names
    assert len(names) == 3


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a\\b"])
def test_no_page_leads_out_of_the_site(tmp_path, path):
    with pytest.raises(OrchestrationError, match="leads out of the site"):
        publish_site(tmp_path, [Page(path, "x")])
