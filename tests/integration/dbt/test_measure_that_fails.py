"""A measure whose expression fails on an event, beside another of the same part: the event counts for neither."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration


def test_a_part_that_two_measures_share_fails_in_each_for_itself(world, viewed):
    """Kind key-that-a-kind-cannot-use: what validate accepts cannot stop a run."""
    shared = "cast(url as int)"
    measures = [
        {"name": "whole", "agg": "sum", "expr": shared},
        {"name": "dear", "agg": "sum", "expr": f"case when country = 'US' then {shared} end"},
        {"name": "twice", "agg": "sum", "expr": f"{shared} * 2"},
    ]
    meta = {"kind": "mean", "unit": "x", "direction": "increase", "window": "7d"}
    metrics = [
        {"name": f"of_{one['name']}", "label": "It", "type": "simple", "type_params": {"measure": one["name"]},
         "config": {"meta": {"fairsplit": meta}}} for one in measures
    ]  # fmt: skip
    model = {"name": "events", "model": "ref('stg_events')", "measures": measures}
    world.define(json.dumps({"semantic_models": [model], "metrics": metrics}))
    world.experiment(metrics=tuple(one["name"] for one in metrics))
    world.land(
        viewed("v", "05 12:00", "a", user_id="u1"),
        *(
            {"id": url, "name": "page", "at": "06 12:00", "user_id": "u1", "url": url, "country": country}
            for url, country in (("x", "US"), ("7", "US"), ("5", "DE"), ("1e400", "DE"))
        ),
    )
    world.run("13")
    sums = {one["name"]: world.statistics(one["name"], "13")["a"]["sum_y"] / 1_000_000 for one in metrics}
    assert sums == {"of_whole": 12, "of_dear": 7, "of_twice": 24}
