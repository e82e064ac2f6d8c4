"""A page of the published site as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.scorecards.naming import safe_name
from fairsplit.analysis.scorecards.sharing import self_contained
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.publishing.site.write import CURRENT

if TYPE_CHECKING:
    from pathlib import Path


def shared_page(site: Path, experiment: str) -> str:
    """The page of an experiment as it was published last, with everything inside.

    Args:
        site: The site's folder.
        experiment: Id of the experiment.

    Raises:
        OrchestrationError: Nothing is published, or no page of that experiment.
    """
    current = site / CURRENT
    if not (current / "index.html").is_file():
        raise OrchestrationError(
            Problem("no site is published yet", where=site.name, hint="run `fairsplit run` first")
        )
    pages = current / "experiments"
    page = pages / f"{safe_name(experiment)}.html"
    if not page.is_file():
        known = ", ".join(sorted(path.stem for path in pages.glob("*.html")))
        raise OrchestrationError(
            Problem("no page of this experiment is published", "EXPERIMENT", experiment, f"one of {known}")
        )
    assets = {path.name: path.read_text(encoding="utf-8") for path in (current / "assets").iterdir()}
    return self_contained(page.read_text(encoding="utf-8"), assets)
