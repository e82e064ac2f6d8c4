"""M56: definitions name custom parts; what is not installed is refused with its place and a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairsplit.analysis.catalogue.metrics import read_semantic_layer

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
semantic_models:
  - name: events
    model: ref('stg_events')
    defaults: {agg_time_dimension: occurred_at}
    entities: [{name: event, type: primary, expr: event_id}, {name: user, type: foreign, expr: user_id}]
    dimensions: [{name: occurred_at, type: time, type_params: {time_granularity: day}}]
    measures: [{name: paid, agg: sum, expr: value}]
metrics:
  - name: spend
    label: Spend
    type: simple
    type_params: {measure: paid}
    config:
      meta:
        fairsplit:
          unit: USD per user
          direction: increase
          window: 7d
"""
PLACE = "          "


def layer(folder: Path, *lines: str):
    (folder / "models" / "semantic").mkdir(parents=True)
    text = HEAD + "".join(f"{PLACE}{line}\n" for line in lines)
    (folder / "models" / "semantic" / "metrics.yml").write_text(text)
    return read_semantic_layer(folder)


@pytest.mark.usefixtures("example_parts")
def test_m56_a_metric_may_be_judged_by_a_custom_test_or_statistic(tmp_path: Path) -> None:
    tested = layer(tmp_path / "a", "kind: revenue", "test: robust.trimmed_mean").metrics["spend"]
    assert (tested.test, tested.is_custom, tested.histogram, tested.without_difference) == (
        "robust.trimmed_mean", True, True, True,
    )  # fmt: skip
    made = layer(tmp_path / "b", "kind: custom", "statistic: robust.trimmed_value").metrics["spend"]
    assert (made.test, made.histogram, made.without_difference) == ("robust.trimmed_value", True, False)


@pytest.mark.usefixtures("example_parts")
@pytest.mark.parametrize(
    ("lines", "what", "hint"),
    [
        (("kind: revenue", "test: robust.trimmed_men"), "no installed distribution brings robust.trimmed_men",
         "did you mean 'robust.trimmed_mean'?"),
        (("kind: revenue", "test: other.part"), "no installed distribution brings other.part",
         "install the distribution that has it; installed are: robust.trimmed_mean"),
        (("kind: revenue", "test: robust.trimmed_mean", "cuped: true"),
         "robust.trimmed_mean and cuped do not go together", "leave one of them out"),
        (("kind: custom",), "a custom metric and its statistic go together", ""),
        (("kind: custom", "statistic: robust.nothing"), "no installed distribution brings robust.nothing",
         "install the distribution"),
        (("kind: funnel", "test: robust.trimmed_mean"), "a custom test is not computed for kind funnel",
         "one of: proportion, welch, z"),
        (("kind: revenue", "test: welsh"), "is not one of the choices", "did you mean 'welch'?"),
        (("kind: revenue", "test: Robust.X"), "no installed distribution brings Robust.X", "installed are"),
    ],
)  # fmt: skip
def test_m56_what_cannot_be_used_is_refused_where_it_stands(
    tmp_path: Path, lines: tuple[str, ...], what: str, hint: str
) -> None:
    found = layer(tmp_path, *lines)
    assert "spend" not in found.metrics
    problem = next(one for one in found.problems if one.what.startswith(what))
    assert "models/semantic/metrics.yml" in problem.where
    assert hint in problem.hint


def test_m56_without_the_distribution_the_metric_alone_is_broken(tmp_path: Path) -> None:
    found = layer(tmp_path, "kind: revenue", "test: robust.trimmed_mean")
    (problem,) = found.problems
    assert "install the distribution that has it; installed are: none" in problem.hint
    assert ":20 " in problem.where
