"""Rare events under looks, through the judgement: case rare-guardrail-under-looks."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.statistics.rare_sequences import rare_e_value

PLAN = "{method: always_valid, min_sample: 2}"


def days(world, events: list[tuple[int, int]], metric: str = "conversion") -> list[date]:
    """Cumulative 0/1 values of 990 and 10 more units a day."""
    dates = [date(2026, 1, 12) + timedelta(days=i) for i in range(len(events))]
    x_c = x_t = 0
    for i, (day, (c, t)) in enumerate(zip(dates, events, strict=True)):
        x_c, x_t = x_c + c, x_t + t
        for variant, x, n in (("control", x_c, 990 * (i + 1)), ("red", x_t, 10 * (i + 1))):
            world.values(variant, np.repeat([0, 1], [n - x, x]), metric=metric, cut_off=day)
    return dates


@pytest.mark.parametrize("role", ["primary", "guardrail"])
def test_the_anytime_p_value_is_that_of_the_events_split(world, role: str):
    events = [(2, 0), (1, 1), (3, 0), (0, 2)]
    if role == "primary":
        world.define(plan=PLAN, metrics="{primary: [conversion]}")
    else:
        world.define(plan=PLAN, metrics="{primary: [revenue], guardrails: [conversion]}")
    dates = days(world, events)
    found = world.judge(dates[-1])
    assert violations(found.comparisons, found.validity, found.decisions).is_empty()
    rows = found.comparisons.filter(variant_id="red", metric="conversion").sort("cut_off")
    so_far = np.cumsum(events, axis=0)
    number = np.arange(1, 5)
    log_e = rare_e_value(so_far[:, 0], 990 * number, so_far[:, 1], 10 * number)
    expected = np.minimum.accumulate(np.exp(-np.maximum(log_e, 0)))
    np.testing.assert_allclose(rows["seq_p_value"].to_numpy(), expected, rtol=1e-9)
    assert rows["seq_crossed"].to_list() == (expected <= 0.05).tolist()
    last = rows.to_dicts()[-1]
    assert last["method"] == "fisher"
    assert (
        last["seq_low"] < last["lift_abs_low"] <= last["lift_abs"] <= last["lift_abs_high"] < last["seq_high"]
    )
    assert last["seq_rel_low"] < last["lift_rel"] < last["seq_rel_high"]
    assert (last["seq_low"] > 0) == (last["seq_rel_low"] > 0)


def test_an_sprt_waits_until_events_are_many(world):
    world.define(
        plan="{method: sprt, min_sample: 2}",
        metrics="{primary: [{metric: conversion, minimum_effect: 0.5}]}",
    )
    dates = days(world, [(0, 0), (1, 1)])
    rows = world.judge(dates[-1]).comparisons.filter(
        pl.col("variant_id") == "red", pl.col("cut_off") == dates[-1]
    )
    assert rows["seq_p_value"].item() > 0.05
    assert rows["seq_crossed"].item() is False
