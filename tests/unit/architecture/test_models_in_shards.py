"""Every model says what becomes of its rows in shards, and reads nothing that its shard has not."""

from __future__ import annotations

import re

from fairsplit.orchestration.project import DBT_PROJECT_DIR
from fairsplit.orchestration.sharding.models import ADDED, EVERYWHERE, FINISHED, KEPT, ROLES

SQL = {path.stem: path.read_text() for path in (DBT_PROJECT_DIR / "models").rglob("*.sql")}
SAID = re.compile(r"meta=\{'shards': '(\w+)'(, 'sums': [^}]+)?\}")
READ = re.compile(r"ref\('(\w+)'\)")
#: What a run computes anew lives for one run, and a home into which shards are brought computes everything anew.
OF_ONE_RUN = {"int_touched_partitions"}


def said() -> dict[str, tuple[str, bool]]:
    found = {name: SAID.search(text) for name, text in SQL.items()}
    assert {name for name, match in found.items() if match is None} == set()
    return {name: (match[1], bool(match[2])) for name, match in found.items() if match}


def test_every_model_says_what_becomes_of_its_rows() -> None:
    roles = said()
    assert {role for role, _ in roles.values()} == set(ROLES)
    assert {name for name, (role, _) in roles.items() if role == ADDED} == {
        name for name, (_, has_sums) in roles.items() if has_sums
    }


def test_no_shard_needs_what_is_finished_afterwards_and_no_home_what_has_stayed() -> None:
    roles = {name: role for name, (role, _) in said().items()}
    for name, text in SQL.items():
        read = set(READ.findall(text)) & roles.keys()
        if roles[name] == FINISHED:
            assert {one for one in read if roles[one] == KEPT} <= OF_ONE_RUN, name
        elif roles[name] != EVERYWHERE:
            assert {one for one in read if roles[one] == FINISHED} == set(), name
