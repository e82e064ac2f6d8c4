"""dbt's docs describe every column that judging writes, and none that it does not."""

from __future__ import annotations

import pytest
import yaml

from fairsplit.analysis.judgement.interactions import INTERACTION_EFFECTS, INTERACTIONS
from fairsplit.analysis.judgement.next_actions import NEXT_ACTIONS
from fairsplit.analysis.judgement.programme import PROGRAMME, PROGRAMME_EXPERIMENTS
from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS, VALIDITY
from fairsplit.analysis.judgement.searching import SEARCH
from fairsplit.orchestration.project import DBT_PROJECT_DIR

WRITTEN = {
    "comparisons": COMPARISONS,
    "validity": VALIDITY,
    "decisions": DECISIONS,
    "allocations": ALLOCATIONS,
    "next_actions": NEXT_ACTIONS,
    "interactions": INTERACTIONS,
    "interaction_effects": INTERACTION_EFFECTS,
    "programme": PROGRAMME,
    "programme_experiments": PROGRAMME_EXPERIMENTS,
    "search": SEARCH,
}


@pytest.mark.parametrize("table", WRITTEN)
def test_every_column_is_described(table: str) -> None:
    (source,) = yaml.safe_load((DBT_PROJECT_DIR / "models/marts/results.yml").read_text())["sources"]
    (described,) = [one for one in source["tables"] if one["name"] == table]
    assert {column["name"] for column in described["columns"]} == set(WRITTEN[table])
    assert all(column["description"].strip() for column in described["columns"])
