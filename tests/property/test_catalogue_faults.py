"""Whatever a user writes, loading answers with problems and never with a traceback."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsplit.analysis.catalogue import MetricDefinition, compile_tables, load_catalogue
from fairsplit.analysis.catalogue.metrics import read_semantic_layer

EXPERIMENT = yaml.safe_load(
    """
    id: cta
    name: Button
    owner: growth@example.com
    type: ab
    status: running
    start: '2026-01-05'
    end: '2026-02-02T00:00:00Z'
    phases: [{start: '2026-01-05', traffic: 0.5, weights: {control: 0.5, red: 0.5}}]
    pauses: [{start: '2026-01-10', end: '2026-01-11'}]
    layer: {id: checkout, from: 0.0, to: 0.5}
    variants: [{id: control, control: true, config: {colour: blue}}, {id: red, config: {colour: red}}]
    config_schema: {type: object, properties: {colour: {type: string}}}
    targeting: {all: [{attribute: country, in: [US]}, {not: {attribute: age, lt: 18}}]}
    segments: [country]
    exposure: {event: experiment_viewed}
    metrics: {primary: [{metric: sales, minimum_effect: 0.02}]}
    plan: {method: fixed, max_duration: 28d}
    tests: [{attributes: {country: US, age: 30}, expect: any}]
    """
)
SEMANTIC = yaml.safe_load(
    """
    semantic_models: [{name: events, measures: [{name: sales, agg: sum, expr: value}]}]
    metrics:
      - name: sales
        type: simple
        type_params: {measure: sales}
        config: {meta: {fairsplit: {kind: revenue, unit: USD, direction: increase, window: 7d}}}
    """
)
SALES = MetricDefinition(
    name="sales",
    label="Sales",
    description="",
    kind="revenue",
    unit="USD",
    direction="increase",
    window_start=timedelta(0),
    window_end=timedelta(days=7),
    cuped=False,
    winsorize=None,
    percentile=None,
    funnel=(),
    test="welch",
    numerator="sales",
    denominator=None,
    scale_y=1,
    scale_d=1,
    definition_hash="x",
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "28d", "red"]
    ),
    st.sampled_from(["control", "999999w", "#", "[", "(?", "$ref"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def places(node, path=()):
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(node, path, value):
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(node, dict):
        return {key: replaced(inner, rest, value) if key == head else inner for key, inner in node.items()}
    return [replaced(inner, rest, value) if place == head else inner for place, inner in enumerate(node)]


def expect_in_full(problems):
    """Mission M02: each says what, the value, the rule and a way out, on one line."""
    for problem in problems:
        assert "\n" not in str(problem)
        assert all((problem.what, problem.value, problem.rule, problem.hint)), problem


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_experiment_with_anything_anywhere_loads_or_is_told(data):
    definition = EXPERIMENT
    for _ in range(data.draw(st.integers(1, 2))):
        definition = replaced(
            definition, data.draw(st.sampled_from(list(places(definition)))), data.draw(anything)
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments").mkdir()
        (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
        (folder / "experiments" / "cta.yaml").write_text(yaml.safe_dump(definition, allow_unicode=True))
        catalogue = load_catalogue(folder, {"sales": SALES})
    assert set(catalogue.experiments) | set(catalogue.broken) == {"cta"}
    assert all(problem.where.startswith("experiments/cta.yaml:") for problem in catalogue.problems)
    expect_in_full(catalogue.problems)
    compile_tables(catalogue)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_metric_file_with_anything_anywhere_loads_or_is_told(data):
    definition = replaced(SEMANTIC, data.draw(st.sampled_from(list(places(SEMANTIC)))), data.draw(anything))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models" / "semantic"
        folder.mkdir(parents=True)
        (folder / "metrics.yml").write_text(yaml.safe_dump(definition, allow_unicode=True))
        problems = read_semantic_layer(Path(name)).problems
    assert all(problem.where.startswith("models/semantic/metrics.yml:") for problem in problems)
    expect_in_full(problems)
