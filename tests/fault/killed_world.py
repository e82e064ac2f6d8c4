"""The world in which commands are killed; apart from the test, so that it is built anew only when it changes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import polars as pl
from tests.command import ROOT, fairsplit

if TYPE_CHECKING:
    from pathlib import Path

MAILING = """\
id: {name}
name: A mailing
owner: growth@example.com
type: ab
status: {status}
assignment: batch
start: 2026-01-05T00:00:00Z
end: 2026-01-06T00:00:00Z
variants: [{{id: control, control: true}}, {{id: letter}}]
metrics: {{primary: [checkout_conversion]}}
"""
DRAFT = """\
id: fresh
name: A draft
owner: growth@example.com
type: ab
status: draft
start: 2026-02-01T00:00:00Z
variants: [{id: control, control: true}, {id: b}]
metrics: {primary: [checkout_conversion]}
"""


def world(folder: Path) -> None:
    """A home of three days with a list that is past its retention, and a day that waits."""
    home, catalog = folder / "home", folder / "catalog"
    shutil.copytree(ROOT / "catalog", catalog)
    (catalog / "experiments" / "old.yaml").write_text(MAILING.format(name="old", status="completed"))
    (catalog / "experiments" / "new.yaml").write_text(MAILING.format(name="new", status="draft"))
    (catalog / "experiments" / "fresh.yaml").write_text(DRAFT)
    project = catalog / "project.yaml"
    project.write_text(project.read_text().replace("assignments: 180d", "assignments: 1d"))
    people = folder / "people.parquet"
    pl.DataFrame({"unit_id": [f"user-{number}" for number in range(300)]}).write_parquet(people)
    fairsplit(home, "assign", "old", "--population", str(people), catalog=catalog)
    fairsplit(home, "simulate", "--users", "100", "--days", "4", "--output", str(home), catalog=catalog)
    waiting = folder / "waiting"
    for path in sorted(home.glob("landing/**/*2026-01-08*")):
        target = waiting / path.relative_to(home / "landing")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    fairsplit(home, "run", catalog=catalog)
