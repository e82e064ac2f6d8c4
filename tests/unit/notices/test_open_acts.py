"""What a digest says of acts that are open, from tables of the declared columns."""

from __future__ import annotations

from datetime import date

import duckdb
import polars as pl

from fairsplit.analysis.judgement.next_actions import NEXT_ACTIONS
from fairsplit.analysis.judgement.rows import DECISIONS
from fairsplit.orchestration.notices.digests import _also_open

DAY = date(2026, 1, 20)


def test_the_acts_beside_the_decisions_own_are_named_in_their_order() -> None:
    key = {"experiment_id": "cta", "cut_off": DAY}
    acts = [
        key | {"position": at, "action": act} for at, act in ((2, "extend"), (1, "ship"), (3, "roll_back"))
    ]
    with duckdb.connect() as connection:
        connection.execute("create schema results")
        assert _also_open(connection) == {}
        for name, schema, rows in (
            ("decisions", DECISIONS, [key | {"decision": "ship", "action": "ship"}]),
            ("next_actions", NEXT_ACTIONS, acts),
        ):
            connection.register("given", pl.DataFrame(rows, schema=dict(schema)))
            connection.execute(f"create table results.{name} as from given")
        assert _also_open(connection) == {"cta": "Also open: extend, roll back."}
