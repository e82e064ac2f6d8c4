"""What an event adds to a sum: exact to the last digit over the whole range, half-even where digits are cut."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.measures import Measure
from fairsplit.orchestration.warehouse.measure_sql import LARGEST_WORTH, scaled

SCALES = (1, 7, 100, 1_000_000)
EDGES = ("0", "0.5", "1.5", "2.5", "-0.5", "-2.5", "0.000001", "1000000", "9999999999.999999", "10000000000")
STORED = st.decimals(-(10**10), 10**10, places=6)


def added(sql_type: str, value: Decimal, scale: int) -> int:
    measure = Measure("m", "sum", "v", scale)
    with duckdb.connect() as connection:
        found = connection.execute(f"select {scaled(measure)} from (select ?::{sql_type} as v)", [str(value)])
        return int(found.fetchall()[0][0])


def by_hand(value: Decimal, scale: int) -> int:
    return int((value * scale).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("text", EDGES)
def test_edges(text: str, scale: int) -> None:
    for value in (Decimal(text), -Decimal(text)):
        assert added("decimal(18, 6)", value, scale) == by_hand(value, scale)


@given(STORED, st.sampled_from(SCALES))
def test_every_value_that_the_lake_can_hold(value: Decimal, scale: int) -> None:
    assert added("decimal(18, 6)", value, scale) == by_hand(value, scale)


@given(st.decimals(-(10**9), 10**9, places=9))
def test_finer_digits_are_cut_half_even(value: Decimal) -> None:
    assert added("decimal(38, 9)", value, 1_000_000) == by_hand(value, 1_000_000)


@pytest.mark.parametrize("sql_type", ["double", "decimal(38, 4)", "hugeint", "varchar"])
@pytest.mark.parametrize("scale", SCALES)
def test_what_an_expression_makes_larger_than_a_value_counts_as_it_is(sql_type: str, scale: int) -> None:
    """Kind value-of-a-million: hundredths of a large value, and whatever else 64 bits hold."""
    for text in ("10000000001", "25000000000", "-9000000000000"):
        assert added(sql_type, Decimal(text), scale) == int(text) * scale


@pytest.mark.parametrize("sql_type", ["double", "decimal(38, 4)", "hugeint", "varchar"])
@pytest.mark.parametrize("text", ["1e19", "1e20", "1e25", "-1e25", "9e25", "1e27", "-1e33"])
def test_beyond_64_bits_an_event_alone_puts_its_metric_out_of_range(sql_type: str, text: str) -> None:
    """It neither stops the run, as from 1e20 on, nor counts as nothing: see `magnitude` in the models."""
    for scale in SCALES:
        bound = added(sql_type, Decimal(text), scale)
        assert bound == (-1 if text.startswith("-") else 1) * (LARGEST_WORTH if float(text) else 0)
        assert bound**2 > 5 * 10**37


def test_whole_and_binary_numbers() -> None:
    assert added("bigint", Decimal(10**10), 1_000_000) == 10**16
    assert added("double", Decimal("0.1"), 1_000_000) == 100_000
    for text in ("nan", "inf", "-inf"):
        measure = Measure("m", "sum", f"'{text}'::double", 1_000_000)
        with duckdb.connect() as connection:
            assert connection.execute(f"select {scaled(measure)}").fetchall() == [(0,)]
