"""M37: what a search and its experiment say against one another is refused where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.judgement.conftest import METRICS

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.hashing import experiment_hash

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
id: {id}
name: Hero
owner: growth@example.com
type: ab
status: running
start: 2026-01-05
config_schema: {{type: object, properties: {{size: {{type: integer, maximum: 30}}}}}}
variants:
  - {{id: control, control: true, config: {{size: 12, colour: red}}}}
  - {{id: large, config: {{size: 20, colour: blue}}}}
metrics: {{primary: [{metric}]}}
search: {search}
"""
SOUND = "{parameters: {size: {from: 10, to: 24}, colour: {choices: [red, blue]}}}"


def loaded(folder: Path, search: str = SOUND, *, metric: str = "revenue", **more: str):
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    for name, its in {"hero": search, **more}.items():
        text = TEXT.format(id=name, search=its, metric=metric)
        (folder / "experiments" / f"{name}.yaml").write_text(text)
    return load_catalogue(folder, METRICS)


def test_m37_a_sound_search_loads_and_changes_no_hash(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.problems == ()
    search = found.experiments["hero"].search
    assert search is not None
    assert [(axis.name, axis.is_whole, axis.step, axis.choices) for axis in search.space.axes] == [
        ("size", True, 1, ()), ("colour", False, None, ("red", "blue")),
    ]  # fmt: skip
    wider = loaded(tmp_path, SOUND.replace("24", "28"))
    assert experiment_hash(found.experiments["hero"]) == experiment_hash(wider.experiments["hero"])


@pytest.mark.parametrize(
    ("search", "what", "field"),
    [
        ("{parameters: {size: {from: 10}}}", "is neither a range nor choices", "search.parameters.size"),
        ("{parameters: {size: {from: 24, to: 10}}}", "the range is empty", "search.parameters.size"),
        ("{parameters: {size: {from: 0, to: 10, log: true}}}", "a logarithm needs values above 0", "size"),
        ("{parameters: {size: {choices: [1]}}}", "has too few choices", "search.parameters.size"),
        ("{parameters: {size: {from: 13, to: 24}}}", "lies outside the search", "variants[0].config.size"),
        ("{parameters: {weight: {from: 1, to: 2}}}", "has no value of the parameter 'weight'", "variants[0].config"),
        ("{parameters: {size: {from: 10, to: 24}}, method: baysian}", "is not one of the choices", "search.method"),
        ("{parameters: {size: {from: 10, to: 24}}, method: acme.walk}", "no installed distribution", "search.method"),
        ("{parameters: {size: {from: 10, to: 24}}, follows: nobody}", "unknown experiment", "search.follows"),
        ("{parameters: {size: {from: 10, to: 24}}, follows: hero}", "batches follow one another in a circle", ""),
        ("{parameters: {size: {from: 10, to: 24}}, bach: 3}", "unknown key 'bach'", "search.bach"),
    ],
)  # fmt: skip
def test_m37_what_does_not_fit_is_refused(tmp_path: Path, search: str, what: str, field: str) -> None:
    problem = loaded(tmp_path, search).problems[0]
    assert what in problem.what
    assert problem.where.startswith("experiments/hero.yaml:")
    assert field in problem.where


def test_m37_a_search_has_a_metric_with_a_difference_and_a_chain_of_one_kind(tmp_path: Path) -> None:
    (problem,) = loaded(tmp_path, metric="revenue_rank").problems
    assert problem.what == "a search needs a difference in the metric's unit"
    other = "{parameters: {size: {from: 10, to: 22}}, follows: hero}"
    (problem,) = loaded(tmp_path, hero_2=other).problems
    assert (problem.what, problem.value) == ("searches something else", "hero")
