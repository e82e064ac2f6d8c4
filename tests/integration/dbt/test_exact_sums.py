"""Sums and sums of squares over the whole declared range of values, against whole numbers of Python."""

from __future__ import annotations

from decimal import Decimal

import pytest

pytestmark = pytest.mark.integration

VALUES = {
    "u1": ["1000000"],
    "u2": ["10000000000", "-0.000001"],
    "u3": ["-9999999999.999999", "-10000000000"],
    "u4": ["9999999999.999999", "9999999999.999999", "0.000001"],
    "u5": ["0.0000005"],
}


@pytest.mark.parametrize("metric", ["revenue_per_user", "revenue_per_user_open"])
def test_values_of_the_whole_range_sum_and_square_exactly(world, viewed, metric):
    """Case value-of-a-million: one large purchase is counted like any other, to the last digit, either sign."""
    world.experiment(metrics=(metric,))
    world.land(*(viewed(f"v-{unit}", "05 12:00", "a", user_id=unit) for unit in VALUES))
    world.land(
        *(
            {
                "id": f"{unit}-{number}",
                "name": "purchase",
                "at": f"0{6 + number} 10:00",
                "user_id": unit,
                "value": Decimal(text),
            }
            for unit, texts in VALUES.items()
            for number, text in enumerate(texts)
        )
    )
    world.run("13")

    # The lake's column has six decimals, so the half of a millionth is rounded before it is a value.
    sums = [sum(int(Decimal(text) * 10**6) for text in texts) for texts in VALUES.values()]
    sums[-1] = world.rows("select (value * 1000000)::int from stg_events where event_id = 'u5-0'")[0][0]
    found = world.statistics(metric, "13")["a"]
    assert (found["n"], found["sum_y"], found["sum_yy"]) == (5, sum(sums), sum(one * one for one in sums))
