"""dbt's static documentation, made again only when the project's sources changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.warehouse.dbt import run_dbt, source_hash

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home


#: dbt's page asks for files that are template text, which a browser reports as errors where no server answers.
_QUIET = {
    '<use xlink:href="{{': '<use ng-attr-xlink:href="{{',
    """href="${require('./assets/favicons/favicon.ico')}\"""": 'href="data:,"',
}


def ensure_docs(home: Home) -> Path:
    """A folder with `index.html`, the one self-contained page of `dbt docs generate --static`.

    Raises:
        OrchestrationError: dbt refused; its own words are in the message.
    """
    folder = home.root / "dbt-docs"
    stamp = home.dbt_target / "docs.md5"
    current = source_hash()
    if stamp.exists() and stamp.read_text() == current and (folder / "index.html").exists():
        return folder
    target = str(home.dbt_target)
    run_dbt(home, "dbt cannot write its docs", "docs", "generate", "--static", "--target-path", target)
    folder.mkdir(parents=True, exist_ok=True)
    page = (home.dbt_target / "static_index.html").read_text(encoding="utf-8")
    for loud, quiet in _QUIET.items():
        page = page.replace(loud, quiet)
    (folder / "index.html").write_text(page, encoding="utf-8")
    stamp.write_text(current)
    return folder
