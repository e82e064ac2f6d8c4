"""One damage of a home, and how it can be mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairsplit.analysis.errors import Problem
    from fairsplit.orchestration.project import Home

#: In the home: what was found and belongs to nothing; kept, for somebody may know what it is.
STRAYS = "strays"


@dataclass(frozen=True, slots=True)
class Damage:
    """What a check has found.

    Attributes:
        problem: Its sentence: what, where, value, rule, hint.
        mend: Gives again what was there; none where nothing in the home can. Whether it helped the next check tells.
        rebuilds: After it the days are to be built anew.
    """

    problem: Problem
    mend: Callable[[], object] | None = None
    rebuilds: bool = False


def mending_link(home: Home, link: Path, publish: Callable[[], object] | None) -> Callable[[], object] | None:
    """What takes a link to a published version away and publishes anew; none where nothing can be published."""
    if publish is None:
        return None

    def mend() -> None:
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            put_aside(home, link)
        publish()

    return mend


def put_aside(home: Home, path: Path) -> Path:
    """Move something of the home to `strays/`, under the name that it had in the home."""
    aside = home.root / STRAYS / path.relative_to(home.root)
    number = 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{path.name}-{number}")
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    return aside
