"""Pages and configs as one version: written beside what is in force, shown and served by one switch.

`exports/<version>/site` is a link to the version of the site that was written for it, and `site/current` leads through
`exports/current`. So the switch of the exports is that of the site, a rollback takes the pages along, and one manifest
names both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.scorecards import render_site
from fairsplit.assignment_exports.publishing import (
    CURRENT,
    current_version,
    list_versions,
    read_version,
    rollback,
)
from fairsplit.orchestration.lifecycle.acting import acts_with
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.publishing.dbt_docs import ensure_docs
from fairsplit.orchestration.publishing.exporting import SITE, export_configs, proposal
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.publishing.site.write import VERSIONS, remove_others, show, write_site

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb

    from fairsplit.assignment_exports.publishing import PublishedVersion
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.publishing.site.write import WrittenSite

#: Of how many of the newest versions the pages are kept. A rollback further back leaves the pages as they are.
KEPT_SITES: Final = 3


@dataclass(frozen=True, slots=True)
class Publication:
    """What is in force.

    Attributes:
        version: The exports; `changed` says whether they are new.
        site: The pages that were written for them.
        cut_off: The day that they show.
    """

    version: PublishedVersion
    site: WrittenSite
    cut_off: date


def ready_folders(home: Home, definitions: Definitions) -> dict[str, Path]:
    """What stands beside the pages: dbt's docs, which dbt may have to write, and the Data Docs."""
    folders = {"dbt": ensure_docs(home, definitions)}
    if home.data_docs.is_dir():
        folders["data-docs"] = home.data_docs
    return folders


def publish(
    home: Home, connection: duckdb.DuckDBPyConnection, definitions: Definitions, folders: Mapping[str, Path]
) -> Publication:
    """Publish pages and configs of what is built; killed anywhere, the old ones are in force or the new ones.

    Args:
        home: Prepared home.
        connection: A writer; results are judged.
        definitions: The catalogue.
        folders: From `ready_folders`, which is asked before the warehouse is opened.

    Raises:
        ExportError: The version cannot be written.
        LookupError: No day has been built.
    """
    proposed = proposal(home, connection, definitions)
    links = {name: f"{name}/index.html" for name in folders}
    # The pages tell what comes into force with them.
    acts = acts_with(connection, proposed.acts)
    inputs = site_inputs(connection, definitions, catalog_dir(), links, acts)
    site = write_site(home.site, render_site(inputs), folders)
    version = export_configs(home, connection, proposed, site.version)
    follow_exports(home)
    return Publication(version, site, inputs.cut_off)


def go_back(home: Home, to: str | None) -> PublishedVersion:
    """Switch back to an earlier version, pages and configs at once.

    The pages stay as they are where that version has none: it is old, or from before the first day was built.

    Args:
        home: The home.
        to: The version; by default the one before.

    Raises:
        ExportError: There is no such version, or it is damaged.
    """
    current = current_version(home.exports) if home.exports.is_dir() else None
    target = to or (current.previous if current else "")
    shown = (home.site / CURRENT).resolve()
    if target and shown.is_dir() and not (home.exports / target / SITE).is_dir():
        show(home.site, Path(VERSIONS) / shown.name)
    version = rollback(home.exports, to)
    follow_exports(home)
    return version


def follow_exports(home: Home) -> None:
    """Show the pages of the exports in force, if they have any, and remove those that no newer version has."""
    if (home.exports / CURRENT / SITE).is_dir():
        show(home.site, Path("..") / home.exports.name / CURRENT / SITE)
    newest = [read_version(home.exports / name) for name in list_versions(home.exports)[-KEPT_SITES:]]
    if (home.site / VERSIONS).is_dir():
        remove_others(
            home.site, [Path(version.links[SITE]).name for version in newest if SITE in version.links]
        )
