"""dbt's static documentation, made again only when the project's sources changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from fairsplit.orchestration.publishing.metric_notes import metric_notes
from fairsplit.orchestration.warehouse.dbt import run_dbt, source_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home

#: dbt's page asks for files that are template text, which a browser reports as errors where no server answers.
_QUIET = {
    '<use xlink:href="{{': '<use ng-attr-xlink:href="{{',
    """href="${require('./assets/favicons/favicon.ico')}\"""": 'href="data:,"',
}


_MANIFEST: Final = "n={manifest:"
_OVERVIEW: Final = "doc.fairsplit.__overview__"


def ensure_docs(home: Home, definitions: Definitions) -> Path:
    """A folder with `index.html`, the one self-contained page of `dbt docs generate --static`, metrics described.

    Args:
        home: The home.
        definitions: The catalogue, for what is said of each metric.

    Raises:
        OrchestrationError: dbt refused; its own words are in the message.
    """
    folder = home.root / "dbt-docs"
    stamp = home.dbt_target / "docs.md5"
    notes = metric_notes(definitions)
    current = [source_hash(), hashlib.md5(json.dumps(notes).encode(), usedforsecurity=False).hexdigest()]
    written = stamp.read_text().split() if stamp.exists() else []
    if written == current and (folder / "index.html").exists():
        return folder
    static = home.dbt_target / "static_index.html"
    if written[:1] != current[:1] or not static.exists():
        target = str(home.dbt_target)
        run_dbt(home, "dbt cannot write its docs", "docs", "generate", "--static", "--target-path", target)
    folder.mkdir(parents=True, exist_ok=True)
    page = described(static.read_text(encoding="utf-8"), notes)
    for loud, quiet in _QUIET.items():
        page = page.replace(loud, quiet)
    (folder / "index.html").write_text(page, encoding="utf-8")
    stamp.write_text("\n".join(current))
    return folder


def described(page: str, notes: Mapping[str, str]) -> str:
    """Dbt's page with a note under each metric's description, and the metrics listed on its overview.

    Args:
        page: As dbt wrote it, its manifest inside; another layout than dbt 1's is left as it is.
        notes: Markdown by metric.
    """
    start = page.find(_MANIFEST) + len(_MANIFEST)
    if start < len(_MANIFEST):
        return page
    manifest, length = json.JSONDecoder().raw_decode(page[start:])
    metrics = [node for node in manifest.get("metrics", {}).values() if node["name"] in notes]
    for node in metrics:
        node["description"] = f"{node['description']}\n{notes[node['name']]}"
    if metrics and _OVERVIEW in manifest.get("docs", {}):
        lines = [
            f"- [{node['label']}](#!/metric/{node['unique_id']})"
            for node in sorted(metrics, key=lambda node: str(node["label"]).casefold())
        ]
        manifest["docs"][_OVERVIEW]["block_contents"] += "\n\n## Metrics\n\n" + "\n".join(lines)
    # A closing tag inside a text would end the page's script.
    text = json.dumps(manifest).replace("</", "<\\/")
    return page[:start] + text + page[start + length :]
