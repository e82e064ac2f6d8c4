"""The bound by which sums are refused holds for every moment, and lets the whole declared range in."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations_with_replacement

import duckdb
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from fairsplit.orchestration.project import DBT_PROJECT_DIR

LARGEST = 10**16
HIGHEST = 2**127 - 1
LETTERS = ("y", "y_before", "d", "d_before", "x", "w")
#: Rows below this size have no magnitude: so many of them fit beside the others.
ROWS = 10**9

edges = st.sampled_from([0, 1, LARGEST, LARGEST - 1, 10**14, 10**14 + 1, 7 * 10**18, 10**25, 2**100])
whole = st.one_of(edges, st.integers(0, 2 * LARGEST), st.integers(0, 10**24))
values = st.tuples(whole, st.sampled_from([-1, 1])).map(lambda pair: pair[0] * pair[1])
rows = st.lists(st.tuples(*[st.none() | values] * len(LETTERS)), min_size=1, max_size=8)


@cache
def _macros() -> tuple[str, int]:
    """The SQL of one row's magnitude, and the largest that all rows may have."""
    text = (DBT_PROJECT_DIR / "macros" / "definitions" / "range.sql").read_text()
    parts = [re.search(rf"\{{%- macro {name}\(.*?endmacro -%\}}", text, re.DOTALL) for name in _NAMES]
    source = "".join(part[0] for part in parts if part)
    environment = Environment(extensions=["jinja2.ext.do"])  # noqa: S701
    environment.globals["return"] = lambda value: value
    module = environment.from_string(source).module
    return str(module.magnitude(LETTERS)), int(str(module.largest_magnitude()))


_NAMES = ("magnitude", "largest_magnitude")


def magnitudes(table: list[tuple[int | None, ...]]) -> list[int]:
    sql, _ = _macros()
    cells = ", ".join(
        "(" + ", ".join("null::hugeint" if one is None else f"{one}::hugeint" for one in row) + ")"
        for row in table
    )
    with duckdb.connect() as connection:
        found = connection.execute(f"select {sql} from (values {cells}) as rows ({', '.join(LETTERS)})")
        return [row[0] for row in found.fetchall()]


@given(rows)
def test_no_moment_of_rows_that_are_let_in_leaves_128_bits(table):
    _, largest = _macros()
    found = magnitudes(table)
    let_in = [row for row, one in zip(table, found, strict=True) if one <= largest]
    total = sum(one for one in found if one <= largest)
    if total > largest:
        return
    for one, other in combinations_with_replacement(range(len(LETTERS)), 2):
        products = sum(abs((row[one] or 0) * (row[other] or 0)) for row in let_in if row)
        # Units of two arms are added and taken away again, beside all the rows without magnitude.
        assert 2 * products + ROWS * (10**14) ** 2 <= HIGHEST


def test_half_a_million_units_at_the_end_of_the_range_are_let_in():
    _, largest = _macros()
    (one,) = magnitudes([(LARGEST, None, None, None, None, None)])
    assert one * 500_000 <= largest
    (with_covariate,) = magnitudes([(-LARGEST, None, LARGEST, None, LARGEST, LARGEST)])
    assert with_covariate * 30_000 <= largest
