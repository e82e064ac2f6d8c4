"""Definitions drawn from the JSON Schemas: what is accepted is compiled whole, what is refused says where and why."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.test_catalogue_faults import EXPERIMENT

from fairsplit.analysis.catalogue import compile_tables, json_schemas, load_catalogue
from fairsplit.analysis.catalogue.compiled_metrics import compile_metrics
from fairsplit.analysis.catalogue.measures import AGGREGATIONS
from fairsplit.analysis.catalogue.metric_definition import MetricMeta
from fairsplit.analysis.catalogue.metric_rules import KINDS
from fairsplit.analysis.catalogue.metrics import SemanticLayer, read_semantic_layer
from fairsplit.analysis.judgement.definitions import experiment_frame, use_frame, variant_frame, weight_frame
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.orchestration.catalogue.loading import read_metrics_that_bind
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, EVENT_TYPES
from fairsplit.orchestration.project import DBT_PROJECT_DIR
from fairsplit.orchestration.warehouse.measure_sql import KEEP_TRIES_WHOLE, scaled, worth

NOW = datetime(2026, 2, 1, tzinfo=UTC).replace(tzinfo=None)
LAYER: SemanticLayer = read_semantic_layer(DBT_PROJECT_DIR)
SCHEMA = json_schemas()["experiment"]
NAMES = st.sampled_from(["control", "red", "country", "checkout_conversion", "ctr", "revenue_p90", "cta"])


def from_schema(schema: dict[str, Any], root: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Documents that fit a JSON Schema, or nearly: of the keywords, those that our models use."""
    if "$ref" in schema:
        return from_schema(root["$defs"][schema["$ref"].rpartition("/")[2]], root, depth)
    if "anyOf" in schema:
        return st.one_of([from_schema(one, root, depth) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    of_type = {"object": _objects, "array": _lists, "string": _texts, "integer": _numbers, "number": _numbers}
    draw = of_type.get(str(schema.get("type")))
    if draw is not None:
        return draw(schema, root, depth)
    return {"boolean": st.booleans(), "null": st.none()}.get(str(schema.get("type")), NAMES)


def _lists(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    inner = from_schema(schema.get("items", {}), root, depth + 1)
    return st.lists(inner, min_size=least, max_size=max(least, 0 if depth > 4 else 2))


def _numbers(schema: dict[str, Any], _root: dict[str, Any], _depth: int) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 400 if schema["type"] == "integer" else 2))
    # Of few digits, as people write them.
    short = (
        st.floats(low, high)
        .map(lambda value: float(f"{value:.3g}"))
        .filter(lambda value: low <= value <= high)
    )
    return st.integers(low, high) if schema["type"] == "integer" else short


def _objects(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    own = schema.get("properties", {})
    needed = {name: from_schema(own[name], root, depth + 1) for name in schema.get("required", ())}
    others = {name: one for name, one in own.items() if name not in needed}
    free = [*schema.get("patternProperties", {}).values()]
    if not own:
        values = from_schema(free[0], root, depth + 1) if free else NAMES
        return st.dictionaries(NAMES, values, max_size=2)

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        document = {name: draw(one) for name, one in needed.items()}
        count = 0 if depth > 3 or not others else draw(st.integers(0, 2))
        for name in (
            draw(st.lists(st.sampled_from(sorted(others)), max_size=count, unique=True)) if count else ()
        ):
            document[name] = draw(from_schema(others[name], root, depth + 1))
        return document

    return drawn()


def _texts(schema: dict[str, Any], _root: dict[str, Any], _depth: int) -> st.SearchStrategy[str]:
    pattern = schema.get("pattern", "")
    if "smhdw" in pattern or "s|m|h|d|w" in pattern:
        return st.sampled_from(["7d", "24h", "28d", "4w"])
    if schema.get("format") == "date" or "instant" in schema.get("description", "").lower():
        return st.sampled_from(
            ["2026-01-05", "2026-01-05T00:00:00Z", "2026-01-20T12:00:00+02:00", "2026-02-02"]
        )
    fitting = NAMES.filter(lambda text: re.search(pattern, text) is not None) if pattern else NAMES
    return (
        fitting if "regular" not in schema.get("description", "") else st.sampled_from(["^a", "(?=x)", "("])
    )


KEYS = {name: from_schema(one, SCHEMA, 1) for name, one in SCHEMA["properties"].items() if name != "id"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_drawn_experiment_is_compiled_or_refused_in_full(data: st.DataObject) -> None:
    changed = data.draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3, unique=True))
    sound = {**EXPERIMENT, "metrics": {"primary": ["checkout_conversion"]}}
    document = sound | {name: data.draw(KEYS[name]) for name in changed}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments").mkdir()
        (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
        text = yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)
        (folder / "experiments" / "cta.yaml").write_text(text)
        catalogue = load_catalogue(folder, LAYER.metrics)
        for problem in catalogue.problems:
            assert re.match(r"experiments/cta\.yaml:\d+", problem.where), problem
            assert all((problem.what, problem.value, problem.rule, problem.hint)), problem
        if catalogue.problems:
            assert catalogue.experiments == {}
            return
        compile_tables(catalogue)
        compile_metrics(catalogue.experiments.values(), LAYER.metrics, LAYER.measures)
        for frame in (experiment_frame, variant_frame, weight_frame):
            assert frame(catalogue).height > 0
        use_frame(catalogue, LAYER.metrics)
        export_catalogue(folder / "exports", catalogue, NOW)


META = MetricMeta.model_json_schema(by_alias=True)
EVENTS = {
    "name": "events",
    "model": "ref('stg_events')",
    "entities": [
        {"name": "event", "type": "primary", "expr": "event_id"},
        {"name": "user", "type": "foreign", "expr": "user_id"},
    ],
    "dimensions": [{"name": "country", "type": "categorical"}],
}
EXPRESSIONS = [
    "value",
    "value * 3",
    "case when event_name = 'a' then 1 end",
    "url",
    "value > 1",
    "cast(url as int)",
    "1/0",
]
FILTERS = [
    None,
    "{{ Dimension('event__country') }} = 'DE'",
    "value > 1",
    "country",
    "now() > occurred_at",
    ["true", "false"],
]


@st.composite
def metrics_drawn(draw: st.DrawFn, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures, and the metrics over them: a metric of the given name for experiments, and its parts."""
    one, two = f"{name}_one", f"{name}_two"
    kind = draw(st.sampled_from(sorted(KINDS.keys() - {"custom"})))
    rule, fitting = KINDS[kind], draw(st.integers(0, 3)) > 0
    measures = [
        {
            "name": measure,
            "agg": draw(st.sampled_from(rule.aggs if fitting else AGGREGATIONS)),
            "expr": draw(st.sampled_from(EXPRESSIONS)),
        }
        for measure in (one, two)
    ]
    parts = [
        {
            "name": f"{measure}_part",
            "label": measure,
            "type": "simple",
            "type_params": {"measure": measure},
        }
        for measure in (one, two)
    ]
    inputs = [f"{one}_part", f"{two}_part"]
    params = draw(
        st.sampled_from(
            [
                ("simple", {"measure": one}),
                ("ratio", {"numerator": inputs[0], "denominator": inputs[1]}),
                ("derived", {"expr": f"2 * {inputs[0]} - {inputs[1]} / 3", "metrics": inputs}),
                ("derived", {"expr": " / ".join(inputs), "metrics": inputs}),
                ("conversion", {"conversion_type_params": {
                    "base_measure": one, "conversion_measure": two, "entity": "user", "window": "1 day"}}),
                ("cumulative", {"measure": one}),
            ]
        )
    )  # fmt: skip
    meta = draw(from_schema(META, META)) | {"window": draw(st.sampled_from(["7d", "1d", "open"]))}
    if fitting:
        own = {"percentile": {"percentile": 0.5}, "retention": {"retention_day": 2, "window": "1d"},
               "funnel": {"funnel": [two, one]}}  # fmt: skip
        over = draw(st.sampled_from(["all", "nonzero"]))
        options = {"cuped": draw(st.booleans()), "winsorize": {"lower": 0.0, "upper": 0.9, "over": over}}
        used = {
            option: options[option] for option in rule.options if option in options and draw(st.booleans())
        }
        plain = {
            "unit": "x",
            "direction": draw(st.sampled_from(["increase", "decrease"])),
            "window": meta["window"],
        }
        meta = {"kind": kind, "test": draw(st.sampled_from(rule.tests)), **plain, **used, **own.get(kind, {})}
    it = {"name": name, "label": "It", "type": params[0], "type_params": params[1],
          "filter": draw(st.sampled_from(FILTERS)), "config": {"meta": {"fairsplit": meta}}}  # fmt: skip
    return measures, [*parts, it]


def semantic_text(measures: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> str:
    """The definitions as a file of the semantic layer, without YAML's aliases."""
    return json.dumps({"semantic_models": [EVENTS | {"measures": measures}], "metrics": metrics})


@settings(max_examples=60, deadline=None)
@given(metrics_drawn("it"))
def test_a_drawn_metric_is_computed_or_refused_in_full(
    drawn: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models" / "semantic"
        folder.mkdir(parents=True)
        (folder / "metrics.yml").write_text(semantic_text(*drawn))
        layer = read_metrics_that_bind(Path(name))
    for problem in layer.problems:
        assert re.match(r"models/semantic/metrics\.yml:\d+ \S", problem.where), problem
        assert all((problem.what, problem.value, problem.rule, problem.hint)), problem
    if "it" not in layer.metrics:
        assert layer.problems
        return
    metric = layer.metrics["it"]
    with duckdb.connect() as connection:
        connection.execute(KEEP_TRIES_WHOLE)
        columns = ", ".join(f'"{name}" {EVENT_TYPES.get(name, "varchar")}' for name in EVENT_COLUMNS)
        connection.execute(f"create table events ({columns})")
        connection.execute(
            "insert into events by name select 9999999999.999999 as value, 'x' as url, 'DE' as country"
        )
        connection.execute("insert into events by name select -1 as value, '7' as url, 'a' as event_name")
        for name in metric.measures:
            connection.execute(
                f"select {scaled(layer.measures[name])}, {worth(layer.measures[name])} from events"
            )
