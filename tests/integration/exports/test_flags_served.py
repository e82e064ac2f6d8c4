"""Feature flags: the real SDK serves what the Python evaluator says, dependencies and overrides included."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import eppo_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.catalogue import Flag
from analysis.catalogue.conditions import Condition
from assignment_exports.errors import ExportError
from assignment_exports.flags import serve
from assignment_exports.ufc import assemble
from assignment_exports.ufc_flags import ufc_flag

AS_OF = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
SEGMENTS = {"north": Condition.model_validate({"attribute": "country", "in": ["US", "CA"]})}


def _flag(name: str, **more: Any) -> Flag:
    return Flag.model_validate({"id": name, "name": name, "owner": "web@example.com", **more})


FLAGS = {
    flag.id: flag
    for flag in (
        _flag("dark", type="boolean", default=False, rollout=0.3),
        _flag("off", type="boolean", default=False, enabled=False),
        _flag(
            "checkout",
            type="string",
            default="classic",
            value="express",
            rollout=0.5,
            targeting={"any": [{"segment": "north"}, {"attribute": "age", "gte": 18}]},
            overrides={"user-3": "express", "user-4": "classic", "user-5": "debug"},
        ),
        _flag(
            "wallet",
            type="boolean",
            default=False,
            value=True,
            rollout=0.8,
            depends_on=[{"flag": "checkout", "value": "express"}, {"flag": "dark", "value": False}],
        ),
        _flag(
            "coupons", type="number", default=0, value=12.5, depends_on=[{"flag": "wallet", "value": True}]
        ),
        _flag(
            "theme",
            type="json",
            default={"size": 1},
            value={"size": 2, "name": "größer"},
            targeting={"not": {"segment": "north"}},
            overrides={"user-9": {"size": 9}},
        ),
        _flag("after_off", type="boolean", default=False, depends_on=[{"flag": "off", "value": False}]),
    )
}


@pytest.fixture(scope="module")
def client() -> eppo_client.EppoClient:
    compiled: dict[str, Any] = {}
    for flag in FLAGS.values():
        compiled |= ufc_flag(flag, FLAGS, SEGMENTS)
    return eppo_client.init(
        eppo_client.ClientConfig(
            api_key="offline",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(
                flags_configuration=json.dumps(assemble(compiled, AS_OF)).encode()
            ),
        )
    )


def _served(client: eppo_client.EppoClient, flag: Flag, unit: str, attributes: dict[str, Any]) -> Any:
    get = {
        "boolean": client.get_boolean_assignment,
        "string": client.get_string_assignment,
        "number": client.get_numeric_assignment,
        "json": client.get_json_assignment,
    }[flag.type]
    default: Any = {"boolean": True, "string": "?", "number": -1.0, "json": None}[flag.type]
    return get(flag.id, unit, attributes, default)


@pytest.mark.integration
@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 500).map(lambda number: f"user-{number}"),
    st.fixed_dictionaries(
        {},
        optional={
            "country": st.sampled_from(["US", "CA", "DE", None]),
            "age": st.sampled_from([5, 18, 40, None]),
        },
    ),
)
def test_every_flag_serves_what_the_evaluator_says(
    client: eppo_client.EppoClient, unit: str, attributes: dict[str, Any]
) -> None:
    for flag in FLAGS.values():
        assert _served(client, flag, unit, attributes) == serve(flag, FLAGS, unit, attributes, SEGMENTS), (
            flag.id
        )


@pytest.mark.integration
def test_every_value_is_served_to_somebody(client: eppo_client.EppoClient) -> None:
    units = [f"user-{number}" for number in range(2_000)]
    seen = {
        flag.id: {json.dumps(_served(client, flag, unit, {"country": "US"})) for unit in units}
        for flag in FLAGS.values()
    }
    assert seen["checkout"] == {'"classic"', '"express"', '"debug"'}
    assert seen["wallet"] == {"true", "false"}
    assert seen["coupons"] == {"0.0", "12.5"}
    assert seen["off"] == {"false"}
    assert seen["after_off"] == {"true"}
    assert 500 < sum(_served(client, FLAGS["dark"], unit, {}) for unit in units) < 700


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (
            {"flag": "checkout", "value": "classic"},
            "late: UFC cannot wait for the default of a flag that is targeted or depends on others",
        ),
        ({"flag": "dark", "value": "blue"}, "late: the dependency can never be met"),
        ({"flag": "off", "value": True}, "late: the dependency can never be met"),
    ],
)
def test_what_ufc_cannot_express_is_refused_by_name(need: dict[str, Any], message: str) -> None:
    flag = _flag("late", type="boolean", default=False, depends_on=[need])
    with pytest.raises(ExportError) as caught:
        ufc_flag(flag, {**FLAGS, "late": flag}, SEGMENTS)
    assert str(caught.value).startswith(message)
