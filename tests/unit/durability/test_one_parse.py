"""dbt's manifest is one file that every process of an installation may want to write after a change."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse import dbt

if TYPE_CHECKING:
    from pathlib import Path


def test_processes_that_load_after_a_change_parse_once(tmp_path: Path, monkeypatch) -> None:
    parsing, together, parsed = threading.Lock(), [], []

    def run_dbt(home: Home, *_: str) -> None:
        together.append(not parsing.acquire(blocking=False))
        time.sleep(0.2)  # whoever does not wait comes in between
        parsed.append(dbt.manifest_path(home).write_text("{}"))
        parsing.release()

    monkeypatch.setattr(dbt, "_artefacts", lambda home: home.root / "dbt-project")
    monkeypatch.setattr(dbt, "run_dbt", run_dbt)
    home = Home(tmp_path)
    loading = [threading.Thread(target=dbt.ensure_manifest, args=(home,)) for _ in range(3)]
    for one in loading:
        one.start()
    for one in loading:
        one.join()
    assert (together, len(parsed)) == ([False], 1)
