"""The pages of what is built, published: by the daily job, and by who mends the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.publishing.dbt_docs import ensure_docs
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.publishing.site.write import publish_site

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.publishing.site.write import PublishedSite


def ready_folders(home: Home, definitions: Definitions) -> dict[str, Path]:
    """What stands beside the pages: dbt's docs, which dbt may have to write, and the Data Docs."""
    folders = {"dbt": ensure_docs(home, definitions)}
    if home.data_docs.is_dir():
        folders["data-docs"] = home.data_docs
    return folders


def publish_pages(
    home: Home, connection: duckdb.DuckDBPyConnection, definitions: Definitions, folders: dict[str, Path]
) -> tuple[PublishedSite, date]:
    """Publish the site; it and the cut-off that it shows.

    Args:
        home: The home.
        connection: On the warehouse; results are judged.
        definitions: The catalogue.
        folders: From `ready_folders`, which is asked before the warehouse is opened.

    Raises:
        LookupError: No day has been built.
    """
    links = {name: f"{name}/index.html" for name in folders}
    inputs = site_inputs(connection, definitions, catalog_dir(), links)
    return publish_site(home.site, render_site(inputs), folders), inputs.cut_off
