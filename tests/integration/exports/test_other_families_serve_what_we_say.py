"""flagd and GrowthBook: the published files, loaded by the real SDKs, serve exactly what Python says."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from growthbook import GrowthBook
from hypothesis import given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from analysis.catalogue.conditions import Condition, evaluate
from analysis.catalogue.experiment import Experiment
from analysis.catalogue.project import Project
from analysis.catalogue.serving import eligible_variant
from assignment_exports.allocation import allocation_of, assign
from assignment_exports.errors import ExportError
from assignment_exports.growthbook import growthbook_condition
from assignment_exports.publishing import publish
from assignment_exports.release import build_release
from tests.sdks import flagd_lets_in, growthbook_lets_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from analysis.catalogue.hashes import Sdk

UNITS = 20_000
# flagd reads the real clock, so the phases lie around it.
NOW = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - compared only across months
PAST, FUTURE = NOW - timedelta(days=180), NOW + timedelta(days=180)
PROJECT = Project.model_validate({"first_day": "2026-01-05"})
HALVES = {"control": 0.5, "red": 0.5}
TARGETING = {
    "all": [
        {"any": [{"attribute": "country", "in": ["US", "CA"]}, {"attribute": "beta", "equals": True}]},
        {"not": {"attribute": "platform", "in": ["bot"]}},
        {"attribute": "age", "gte": 18},
        {"any": [{"attribute": "app", "semver_gte": "2.0"}, {"attribute": "app", "is_null": True}]},
    ]
}


def _experiment(sdk: Sdk, name: str, weights: dict[str, float], **more: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "id": f"{sdk}_{name}",
            "name": name,
            "owner": "growth@example.com",
            "type": "abn",
            "sdk": sdk,
            "status": "running",
            "start": PAST,
            "variants": [
                {"id": variant, "control": position == 0, "config": {"rank": position}}
                for position, variant in enumerate(weights)
            ],
            "metrics": {"primary": ["checkout_conversion"]},
            "phases": [{"start": PAST, "traffic": 1.0, "weights": weights}],
            **more,
        }
    )


def _experiments(sdk: Sdk) -> list[Experiment]:
    return [
        _experiment(sdk, "plain", HALVES),
        _experiment(sdk, "unequal", {"control": 0.7, "a": 0.2999, "b": 0.0001}),
        _experiment(sdk, "empty_arm", {"control": 0.5, "off": 0.0, "on": 0.5}),
        _experiment(sdk, "partial", HALVES, phases=[{"start": PAST, "traffic": 0.1007, "weights": HALVES}]),
        _experiment(sdk, "left", HALVES, layer={"id": "checkout", "from": 0.0, "to": 0.35}),
        _experiment(sdk, "right", HALVES, layer={"id": "checkout", "from": 0.35, "to": 1.0}),
        _experiment(
            sdk,
            "ramp",
            {"control": 0.2, "red": 0.8},
            phases=[
                {"start": PAST, "traffic": 0.1, "weights": {"control": 0.9, "red": 0.1}},
                {"start": NOW - timedelta(days=30), "traffic": 0.5, "weights": {"control": 0.2, "red": 0.8}},
            ],
        ),
        _experiment(sdk, "salted", HALVES, salts={"traffic": "old salt ü", "split": "'; drop table 😀"}),
        _experiment(sdk, "targeted", HALVES, targeting=TARGETING),
        _experiment(sdk, "paused", HALVES, status="paused"),
        _experiment(sdk, "completed", HALVES, status="completed", shipped="red"),
        _experiment(sdk, "ended", HALVES, end=NOW - timedelta(days=1)),
        _experiment(sdk, "draft", HALVES, status="draft"),
    ]


DATED = [
    _experiment("flagd", "to_come", HALVES, start=FUTURE, phases=[{"start": FUTURE, "weights": HALVES}]),
    _experiment(
        "flagd", "paused_by_date", HALVES, pauses=[{"start": NOW - timedelta(days=1), "end": FUTURE}]
    ),
    _experiment("flagd", "ends_later", HALVES, end=FUTURE),
]
EXPERIMENTS = [*_experiments("flagd"), *_experiments("growthbook"), *DATED]


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    numbers = pl.int_range(UNITS, eager=True)
    odd = pl.format("ünïcode 😀 {} '\"-", numbers)
    ids = pl.select(pl.when(numbers % 1000 == 7).then(odd).otherwise(pl.format("user_{}", numbers)))
    return pl.DataFrame(
        {
            "unit_id": ids.to_series(),
            "country": pl.Series(["US", "CA", "DE", None])[numbers % 4],
            "platform": pl.Series(["web", "bot", None])[numbers % 3],
            "beta": pl.Series([True, False, None, None, None])[numbers % 5],
            "age": pl.Series([17, 18, 40, None])[(numbers // 3) % 4],
            "app": pl.Series(["1.9.9", "2.0.0", "10.0.0-beta.1", None])[(numbers // 5) % 4],
        }
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    allocations = [allocation_of(experiment, PROJECT) for experiment in EXPERIMENTS]
    release = build_release(allocations, NOW)
    assert {entry["change"] for entry in release.meta["experiments"].values()} == {"added"}
    return publish(tmp_path_factory.mktemp("exports"), release.payloads, release.meta).path


def _flagd(published: Path) -> Callable[[str, str, dict[str, Any]], Any]:
    core = FlagdCore()
    core.set_flags((published / "flagd.json").read_text())

    def serve(key: str, unit: str, attributes: dict[str, Any]) -> Any:
        return core.resolve_string_value(key, "-", EvaluationContext(unit, attributes)).value

    return serve


def _growthbook(published: Path) -> Callable[[str, str, dict[str, Any]], Any]:
    client = GrowthBook(features=json.loads((published / "growthbook.json").read_bytes())["features"])

    def serve(key: str, unit: str, attributes: dict[str, Any]) -> Any:
        client.set_attributes({"id": unit, **attributes})
        return client.get_feature_value(key, "-")

    return serve


@pytest.mark.integration
@pytest.mark.parametrize(
    "experiment",
    [item for item in EXPERIMENTS if item.status != "draft"],
    ids=lambda experiment: experiment.id,
)
def test_every_unit_gets_from_the_sdk_what_python_says(
    experiment: Experiment, units: pl.DataFrame, published: Path
) -> None:
    allocation = allocation_of(experiment, PROJECT)
    expected = assign(allocation, units["unit_id"], NOW, units)["variant"].fill_null("-").to_list()
    serve = _flagd(published) if experiment.sdk == "flagd" else _growthbook(published)
    attributes = units.drop("unit_id").rows(named=True)
    served = [
        serve(experiment.id, unit, values) for unit, values in zip(units["unit_id"], attributes, strict=True)
    ]
    assert served == expected
    if allocation.state_at(NOW) == "open":
        singly = [
            eligible_variant(experiment, PROJECT, unit, values, {}, NOW) or "-"
            for unit, values in zip(units["unit_id"][:500], attributes, strict=False)
        ]
        assert singly == expected[:500]


@pytest.mark.integration
def test_the_config_flag_serves_the_config_of_the_same_variant(published: Path) -> None:
    core = FlagdCore()
    core.set_flags((published / "flagd.json").read_text())
    client = GrowthBook(features=json.loads((published / "growthbook.json").read_bytes())["features"])
    ranks = {"control": 0, "a": 1, "b": 2}
    for number in range(500):
        context = EvaluationContext(f"user_{number}", {})
        variant = core.resolve_string_value("flagd_unequal", "-", context).value
        assert core.resolve_object_value("flagd_unequal__config", {}, context).value == {
            "rank": ranks[variant]
        }
        client.set_attributes({"id": f"user_{number}"})
        variant = client.get_feature_value("growthbook_unequal", "-")
        assert client.get_feature_value("growthbook_unequal__config", {}) == {"rank": ranks[variant]}


@pytest.mark.integration
def test_each_experiment_is_in_the_file_of_its_family_alone(published: Path) -> None:
    keys = {
        name: set(json.loads((published / f"{name}.json").read_bytes())[part])
        for name, part in (("ufc", "flags"), ("flagd", "flags"), ("growthbook", "features"))
    }
    assert keys["ufc"] == set()
    for sdk in ("flagd", "growthbook"):
        live = {item.id for item in EXPERIMENTS if item.sdk == sdk and item.status != "draft"}
        assert keys[sdk] == live | {f"{name}__config" for name in live}


def test_flagd_acts_on_dates_that_pass_while_nobody_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    allocation = allocation_of(
        _experiment(
            "flagd", "window", HALVES, start=NOW, end=FUTURE, phases=[{"start": NOW, "weights": HALVES}]
        ),
        PROJECT,
    )
    core = FlagdCore()
    core.set_flags(build_release([allocation], PAST).payloads["flagd.json"].decode())
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC in this project
    served = []
    for instant in (NOW - timedelta(seconds=1), NOW, FUTURE - timedelta(seconds=1), FUTURE):
        clock = (instant - epoch).total_seconds()
        monkeypatch.setattr("time.time", lambda c=clock: c)
        context = EvaluationContext("user_1", {})
        served.append(core.resolve_string_value("flagd_window", "-", context).value)
    drawn = assign(allocation, pl.Series(["user_1"]), NOW)["variant"].item()
    assert served == ["-", drawn, drawn, "control"]


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        (
            _experiment("flagd", "x", HALVES, targeting={"attribute": "mail", "matches": "@example"}),
            "regular expression",
        ),
        (
            _experiment("growthbook", "x", HALVES, targeting={"attribute": "mail", "matches": "@example"}),
            "regular expression",
        ),
        (_experiment("growthbook", "x", HALVES, end=FUTURE), "no clock"),
        (
            _experiment("flagd", "x", HALVES, targeting={"attribute": "properties.plan", "equals": "pro"}),
            "cannot look up",
        ),
        (
            _experiment(
                "growthbook", "x", HALVES, targeting={"attribute": "app", "semver_gt": "20260101.1.0"}
            ),
            "cannot order",
        ),
    ],
)
def test_what_a_family_cannot_express_is_withheld_with_the_way_out(
    experiment: Experiment, words: str
) -> None:
    fine = allocation_of(_experiment(experiment.sdk, "fine", HALVES), PROJECT)
    release = build_release([allocation_of(experiment, PROJECT), fine], NOW)
    entry = release.meta["experiments"][experiment.id]
    assert entry["change"] == "withheld"
    assert words in entry["reason"]
    assert "Hint" in entry["reason"]
    family = {"flagd": "flags", "growthbook": "features"}[experiment.sdk]
    payload = json.loads(release.payloads[f"{experiment.sdk}.json"])[family]
    assert set(payload) == {fine.experiment_id, f"{fine.experiment_id}__config"}


TEXTS = ["US", "DE", "true", "5", "", "ünï", "<b>", "5.5"]
VERSIONS = ["1.2.0", "2.0.0", "2.0.0-beta.1", "2.0.0-beta.1x", "10.0.1", "v3.1.4+build"]
_TESTS = st.one_of(
    st.builds(
        lambda op, values: {"attribute": "country", op: values},
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
    ),
    st.builds(
        lambda op, value: {"attribute": "country", op: value},
        st.sampled_from(["equals", "not_equals"]),
        st.sampled_from([*TEXTS, True, 5, 5.5]),
    ),
    st.builds(
        lambda name, op, value: {"attribute": name, op: value},
        st.sampled_from(["age", "country"]),
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.sampled_from([-1, 0, 18, 18.5, 65]),
    ),
    st.builds(
        lambda low, width: {"attribute": "age", "between": [low, low + width]},
        st.sampled_from([-1, 0, 18]),
        st.sampled_from([0, 1, 47.5]),
    ),
    st.builds(
        lambda op, value: {"attribute": "app", op: value},
        st.sampled_from(["semver_equals", "semver_gt", "semver_gte", "semver_lt", "semver_lte"]),
        st.sampled_from([*VERSIONS, "2", "2.0"]),
    ),
    st.builds(
        lambda name, value: {"attribute": name, "is_null": value},
        st.sampled_from(["country", "age", "app"]),
        st.booleans(),
    ),
)
CONDITIONS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from([*TEXTS, None, True, False, 5, 5.0, 5.5, 1, 0]),
        "age": st.sampled_from([None, -1, 0, 1, 18, 18.5, 64, 65.5, 100, "20", True]),
        "app": st.sampled_from([None, *VERSIONS, "not a version"]),
    },
)


@pytest.mark.integration
@settings(max_examples=300, deadline=None)
@given(CONDITIONS, st.lists(ATTRIBUTES, min_size=1, max_size=8))
def test_random_conditions_let_in_whom_the_evaluator_lets_in(
    tree: Any, subjects: list[dict[str, Any]]
) -> None:
    logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)  # it reports versions that are none
    condition = Condition.model_validate(tree)
    expected = [evaluate(condition, subject) is True for subject in subjects]
    for ask in (flagd_lets_in(condition), growthbook_lets_in(condition)):
        assert [ask(subject) for subject in subjects] == expected


def test_growthbook_refuses_what_it_would_read_as_a_path() -> None:
    with pytest.raises(ExportError, match="without dots"):
        growthbook_condition(Condition.model_validate({"attribute": "a.b", "equals": 1}))
