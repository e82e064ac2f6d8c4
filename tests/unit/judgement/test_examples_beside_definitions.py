"""Tests with data and the expected decision beside a definition (mission row M58)."""

from __future__ import annotations

import pytest

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.metrics import SemanticLayer
from fairsplit.orchestration.catalogue.examples import failed_examples

SHARES = (
    "{{control: {{units: {0}, metrics: {{conversion: {{events: 500}}}}}},"
    " red: {{units: {1}, metrics: {{conversion: {{events: {2}}}}}}}}}"
)
MEANS = (
    "{{control: {{units: 1000, metrics: {{revenue: {{mean: 10, sd: 1}}}}}},"
    " red: {{units: 1000, metrics: {{revenue: {{mean: {0}, sd: 1}}}}}}}}"
)


def problems(world, data: str, expected: str, metric: str = "conversion", **more: str) -> list[str]:
    world.define(metrics=f"{{primary: [{metric}]}}", tests=f"[{{data: {data}, {expected}}}]", **more)
    layer = SemanticLayer(world.metrics, world.metrics, (), {})
    return [str(problem) for problem in failed_examples(world.folder, layer)]


@pytest.mark.parametrize(
    ("data", "metric", "expected"),
    [
        # z = 0.022 / sqrt(0.111 * 0.889 * 2 / 5000) = 3.5.
        (
            SHARES.format(5000, 5000, 610),
            "conversion",
            "decision: stop, variant: red, reason: primary_improved",
        ),
        (
            SHARES.format(5000, 5000, 390),
            "conversion",
            "decision: stop, variant: control, reason: primary_harmed",
        ),
        (SHARES.format(5000, 5000, 505), "conversion", "decision: inconclusive"),
        (SHARES.format(5000, 5000, 610), "conversion", "day: 7, decision: continue"),
        # The split of a thousand units too few is judged too.
        (SHARES.format(5000, 4000, 610), "conversion", "decision: modify, reason: invalid"),
        # z = 0.2 / sqrt(2 / 1000) = 4.5.
        (MEANS.format(10.2), "revenue", "decision: stop, variant: red"),
    ],
)
def test_m58_the_expected_decision_is_reached(world, data, metric, expected):
    assert problems(world, data, expected, metric) == []


def test_m58_a_draft_is_tested_as_if_it_ran(world):
    assert (
        problems(world, SHARES.format(5000, 5000, 610), "decision: stop, variant: red", status="draft") == []
    )


@pytest.mark.parametrize(
    ("data", "expected", "told"),
    [
        (
            SHARES.format(5000, 5000, 610),
            "decision: inconclusive",
            "the test fails (got stop red primary_improved: expected inconclusive). Hint: Ship red: ",
        ),
        (
            SHARES.format(100, 5000, 610),
            "decision: stop",
            "data.control.metrics.conversion: more events than units (500: ≤ 100)",
        ),
        (
            SHARES.format(5000, 5000, 610).replace("red", "blue"),
            "decision: stop",
            "not the declared variants",
        ),
        (
            SHARES.format(5000, 5000, 610).replace("conversion", "ctr"),
            "decision: stop",
            "not a metric of this",
        ),
    ],
)
def test_m58_what_is_not_reached_is_told_with_its_line(world, data, expected, told):
    found = problems(world, data, expected)
    assert found
    assert all(problem.startswith("experiments/cta.yaml:10 tests[0]") for problem in found)
    assert told in found[0]


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        ("{decision: stop}", "tests neither targeting nor a decision, or both"),
        ("{data: {}}", "has data without a decision, or one without data"),
        ("{expect: any, day: 3}", "has keys of a decision beside expect"),
        ("{unit: u, data: {}, decision: stop}", "has keys of targeting beside data"),
    ],
)
def test_m58_a_test_has_one_form(world, test, fault):
    world.define(tests=f"[{test}]")
    (problem,) = load_catalogue(world.folder, world.metrics).problems
    assert fault in str(problem)
