"""Definitions as teams write them for dbt elsewhere: read as dbt reads them, or refused with a way out."""

from __future__ import annotations

from pathlib import Path

from fairsplit.analysis.catalogue.metrics import SEMANTIC_FOLDER, SemanticLayer, read_semantic_layer

MODEL = """\
semantic_models:
  - name: {name}
    model: ref('stg_events')
    defaults: {{agg_time_dimension: occurred_at}}
    entities: [{{name: event, type: primary, expr: event_id}}, {{name: user, type: foreign, expr: user_id}}]
    dimensions:
      - {{name: occurred_at, type: time, type_params: {{time_granularity: day}}}}
    measures: [{{name: {name}_paid, agg: sum, expr: value}}, {{name: {name}_left, agg: sum, expr: value, \
non_additive_dimension: {{name: occurred_at}}}}]
{more}"""
META = "{fairsplit: {kind: revenue, unit: x, direction: increase, window: 7d}}"


def read(folder: Path, **files: str) -> SemanticLayer:
    (folder / SEMANTIC_FOLDER).mkdir(parents=True)
    for name, text in files.items():
        (folder / SEMANTIC_FOLDER / f"{name}.yml").write_text(text)
    return read_semantic_layer(folder)


def metric(measure: str, rest: str) -> str:
    return (
        f"metrics:\n  - {{name: it, label: x, type: simple, type_params: {{measure: {measure}}}, {rest}}}\n"
    )


def test_metric_time_is_the_time_of_the_event(tmp_path: Path) -> None:
    for number, (call, sql) in enumerate(
        {
            "TimeDimension('metric_time', 'week')": "date_trunc('week', occurred_at)",
            "TimeDimension('metric_time')": "date_trunc('day', occurred_at)",
            "Dimension('metric_time').grain('hour')": "date_trunc('hour', occurred_at)",
        }.items()
    ):
        rest = f"""filter: "{{{{ {call} }}}} >= '2026-01-05'", config: {{meta: {META}}}"""
        layer = read(tmp_path / str(number), a=MODEL.format(name="one", more=""), b=metric("one_paid", rest))
        assert layer.refused == {}
        assert f"({sql}) >= '2026-01-05'" in layer.measures[layer.metrics["it"].numerator].expr


def test_a_model_that_dbt_leaves_out_is_left_out(tmp_path: Path) -> None:
    off = MODEL.format(name="two", more="    config: {enabled: false}\n")
    layer = read(
        tmp_path,
        a=MODEL.format(name="one", more=""),
        b=off,
        c=metric("two_paid", f"config: {{meta: {META}}}"),
    )
    assert "unknown measure" in str(layer.refused["it"])
    assert "did you mean 'one_paid'" in str(layer.refused["it"])
    assert not [problem for problem in layer.problems if "two_left" in str(problem)]


def test_a_meta_beside_config_is_told_where_it_belongs(tmp_path: Path) -> None:
    layer = read(tmp_path, a=MODEL.format(name="one", more=""), b=metric("one_paid", f"meta: {META}"))
    problem = layer.refused["it"]
    assert problem.where == f"{SEMANTIC_FOLDER}/b.yml:2 metrics[0].meta.fairsplit"
    assert problem.hint == "write it as config: {meta: {fairsplit: ...}}"


def test_a_measure_that_is_refused_is_named_with_its_place(tmp_path: Path) -> None:
    layer = read(
        tmp_path, a=MODEL.format(name="one", more=""), b=metric("one_left", f"config: {{meta: {META}}}")
    )
    assert f"mend {SEMANTIC_FOLDER}/a.yml:8" in str(layer.refused["it"].hint)
