"""The thin way: one experiment, a few events, every table stands."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


def test_one_purchase_is_counted_once_its_window_has_closed(world, viewed):
    world.experiment(metrics=("checkout_conversion", "revenue_per_user"), cuped_days=3)
    world.land(
        viewed("e1", "05 10:00", "a", user_id="u1"),
        viewed("e2", "05 11:00", "b", user_id="u2"),
        {"id": "p0", "name": "purchase", "at": "04 11:00", "user_id": "u2", "value": 2.5},
        {"id": "p1", "name": "purchase", "at": "06 11:00", "user_id": "u2", "value": 12.5},
    )  # fmt: skip
    world.run("11")
    assert world.statistics("revenue_per_user", "11")["b"]["n"] == 0
    assert world.statistics("revenue_per_user", "11")["b"]["n_open"] == 1
    world.run("13")
    b = world.statistics("revenue_per_user", "12")["b"]
    assert (b["n"], b["n_open"], b["sum_y"], b["sum_x"]) == (1, 0, 12_500_000, 2_500_000)
    assert b["sum_yx"] == 12_500_000 * 2_500_000
    assert world.statistics("checkout_conversion", "13")["b"]["sum_y"] == 1
    assert world.statistics("checkout_conversion", "13")["a"]["n"] == 1
