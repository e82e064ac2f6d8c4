"""The published pages: each version against its name, which is a checksum, and the link in force."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.home.damage import Damage, mending_link, put_aside
from fairsplit.orchestration.publishing.site.write import CURRENT, VERSIONS, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_LINK_RULE = "a link that leads to one of versions/"


def find(home: Home, publish: Callable[[], object] | None) -> list[Damage]:
    """Versions of the site that are not as published, and a link that leads to none.

    Args:
        home: The home.
        publish: Publishes the site; none where nothing is built.
    """
    folder = home.site / VERSIONS
    if not folder.is_dir():
        return []
    link = home.site / CURRENT
    versions = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    in_force = link.resolve() if link.is_symlink() else None
    found = []
    for version in versions:
        if version.is_dir() and is_whole(version):
            continue
        hint = "`fairsplit fsck --repair` " + (
            "publishes it anew" if version == in_force else "moves it to strays/"
        )
        problem = Problem(
            "pages are not as published",
            f"site/{VERSIONS}/{version.name}",
            rule="a version is named by the checksum of its files",
            hint=hint,
        )
        mend = publish if version == in_force else partial(put_aside, home, version)
        found.append(Damage(problem, mend))
    if in_force not in versions:
        found.append(_of_link(home, link, publish))
    return found


def _of_link(home: Home, link: Path, publish: Callable[[], object] | None) -> Damage:
    value = str(link.readlink()) if link.is_symlink() else ""
    hint = "`fairsplit fsck --repair` publishes anew"
    problem = Problem("`current` leads to no pages", "site/current", value, _LINK_RULE, hint)
    return Damage(problem, mending_link(home, link, publish))
