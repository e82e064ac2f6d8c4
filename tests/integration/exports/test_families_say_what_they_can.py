"""What each family's published file says beside who gets what: keys, labels, dates, refusals, random conditions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import eppo_client
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conditions import trees
from tests.definitions import FUTURE, HALVES, NOW, PAST, PROJECT, experiment
from tests.sdks import flagd_lets_in, growthbook_lets_in, python_sdk

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.assignment_exports.allocation import allocation_of, assign
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.growthbook import growthbook_condition
from fairsplit.assignment_exports.release import build_release

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.assignment_exports.release import Release


def _release(*experiments: Experiment, as_of: datetime = NOW) -> Release:
    return build_release([allocation_of(item, PROJECT) for item in experiments], as_of)


@pytest.mark.integration
def test_each_experiment_is_in_the_file_of_its_family_alone() -> None:
    experiments = [experiment(f"{sdk}_plain", sdk=sdk) for sdk in FAMILIES]
    drafts = [experiment(f"{sdk}_draft", sdk=sdk, status="draft") for sdk in FAMILIES]
    release = _release(*experiments, *drafts)
    for sdk, family in FAMILIES.items():
        keys = set(json.loads(release.payloads[family.file])[family.part])
        assert keys == {f"{sdk}_plain", f"{sdk}_plain__config"}


@pytest.mark.integration
def test_the_sdk_logs_the_label_of_experiment_and_variant() -> None:
    events: list[dict[str, Any]] = []

    class Logger(eppo_client.AssignmentLogger):  # type: ignore[misc]
        def log_assignment(self, event: dict[str, Any]) -> None:
            events.append(event)

    release = _release(experiment("plain"))
    client = eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=Logger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=release.payloads["ufc.json"]),
        )
    )
    variant = client.get_string_assignment("plain", "user_1", {}, "-")
    logged = json.loads(json.dumps(events[0]))
    assert (logged["featureFlag"], logged["variation"], logged["subject"]) == ("plain", variant, "user_1")
    assert f"plain:{variant}" in json.dumps(logged)


def test_flagd_acts_on_dates_that_pass_while_nobody_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    window = experiment(
        "window", sdk="flagd", start=NOW, end=FUTURE, phases=[{"start": NOW, "weights": HALVES}]
    )
    serve = python_sdk("flagd", _release(window, as_of=PAST).payloads["flagd.json"])
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC in this project
    served = []
    for instant in (NOW - timedelta(seconds=1), NOW, FUTURE - timedelta(seconds=1), FUTURE):
        clock = (instant - epoch).total_seconds()
        monkeypatch.setattr("time.time", lambda c=clock: c)
        served.append(serve("string", "window", "user_1", {}))
    drawn = assign(allocation_of(window, PROJECT), pl.Series(["user_1"]), NOW)["variant"].item()
    assert served == ["-", drawn, drawn, "control"]


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (
            experiment("x", sdk="flagd", targeting={"attribute": "mail", "matches": "@example"}),
            "regular expression",
        ),
        (
            experiment("x", sdk="growthbook", targeting={"attribute": "mail", "matches": "@example"}),
            "regular expression",
        ),
        (experiment("x", sdk="growthbook", end=FUTURE), "no clock"),
        (
            experiment("x", sdk="flagd", targeting={"attribute": "properties.plan", "equals": "pro"}),
            "cannot look up",
        ),
        (
            experiment("x", sdk="growthbook", targeting={"attribute": "app", "semver_gt": "20260101.1.0"}),
            "cannot order",
        ),
    ],
)
def test_what_a_family_cannot_express_is_withheld_with_the_way_out(refused: Experiment, words: str) -> None:
    release = _release(refused, experiment("fine", sdk=refused.sdk))
    entry = release.meta["experiments"]["x"]
    assert entry["change"] == "withheld"
    assert words in entry["reason"]
    assert "Hint" in entry["reason"]
    family = FAMILIES[refused.sdk]
    assert set(json.loads(release.payloads[family.file])[family.part]) == {"fine", "fine__config"}


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
CONDITIONS = trees(_TESTS)
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
    condition = Condition.model_validate(tree)
    expected = [evaluate(condition, subject) is True for subject in subjects]
    for ask in (flagd_lets_in(condition), growthbook_lets_in(condition)):
        assert [ask(subject) for subject in subjects] == expected


def test_growthbook_refuses_what_it_would_read_as_a_path() -> None:
    with pytest.raises(ExportError, match="without dots"):
        growthbook_condition(Condition.model_validate({"attribute": "a.b", "equals": 1}))
