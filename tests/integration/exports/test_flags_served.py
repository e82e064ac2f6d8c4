"""Feature flags for random units: each family's SDK serves what the evaluator says; what it cannot say is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.definitions import NOW, catalogue, flag
from tests.sdks import python_sdk

from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import serve

if TYPE_CHECKING:
    from tests.sdks import Serve

CATALOGUES = {sdk: catalogue(sdk) for sdk in get_args(Sdk)}


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> dict[Sdk, Serve]:
    loaded = {}
    for sdk, found in CATALOGUES.items():
        version = export_catalogue(tmp_path_factory.mktemp(sdk), found, NOW)
        loaded[sdk] = python_sdk(sdk, (version.path / FAMILIES[sdk].file).read_bytes())
    return loaded


@pytest.mark.integration
@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.integers(0, 500).map(lambda number: f"user_{number}"), st.text(min_size=1)),
    st.fixed_dictionaries(
        {},
        optional={
            "country": st.sampled_from(["US", "CA", "DE", "", None, True, 5]),
            "age": st.sampled_from([5, 17.5, 18, 40, None]),
            "app": st.sampled_from(["1.9.9", "10.0.0-beta.1", "10.0.0", "x", None]),
        },
    ),
)
def test_every_flag_serves_what_the_evaluator_says(
    sdks: dict[Sdk, Serve], unit: str, attributes: dict[str, Any]
) -> None:
    for sdk, found in CATALOGUES.items():
        for item in found.flags.values():
            expected = serve(item, found.flags, unit, attributes, found.conditions, NOW)
            assert sdks[sdk](item.type, item.id, unit, attributes) == expected, (sdk, item.id)


MAIL = {"attribute": "mail", "matches": "@example"}


@pytest.mark.parametrize(
    ("sdk", "more", "message"),
    [
        (
            "ufc",
            {"depends_on": [{"flag": "express", "value": "classic"}]},
            "late: UFC cannot wait for the default of a flag that is targeted or depends on others",
        ),
        *(
            (sdk, {"depends_on": [{"flag": name, "value": value}]}, "late: the dependency can never be met")
            for sdk in get_args(Sdk)
            for name, value in (("dark", "blue"), ("dark", 1), ("after_off", None), ("theme", {"size": 3}))
        ),
        (
            "flagd",
            {"type": "json", "default": {}, "value": [1]},
            "late: flagd's JSON flags serve objects, not lists (on: [1]: an object). Hint: wrap the list",
        ),
        ("flagd", {"targeting": MAIL}, "mail: flagd cannot match a regular expression the same way"),
        ("growthbook", {"targeting": MAIL}, "mail: GrowthBook cannot match a regular expression"),
        *(
            (sdk, {"targeting": {"attribute": "id", "is_null": False}}, words)
            for sdk, words in (
                ("ufc", "UFC keeps the attribute for the unit itself"),
                ("growthbook", "GrowthBook cannot look up the attribute"),
            )
        ),
        (
            "flagd",
            {"targeting": {"attribute": "targetingKey", "in": ["user_1"]}},
            "flagd cannot look up the attribute",
        ),
        (
            "growthbook",
            {"targeting": {"attribute": "app", "semver_gt": "20260101.1.0"}},
            "GrowthBook's SDKs cannot order the version",
        ),
    ],
)
def test_what_a_family_cannot_express_is_refused_by_name(
    sdk: Sdk, more: dict[str, Any], message: str
) -> None:
    found = CATALOGUES[sdk]
    late = flag("late", **({"sdk": sdk} | more))
    with pytest.raises(ExportError) as caught:
        FAMILIES[sdk].compile_flag(late, {**found.flags, "late": late}, found.conditions, NOW, "")
    assert str(caught.value).startswith(message)


def test_growthbook_refuses_a_wanted_value_that_it_would_read_as_operators() -> None:
    other = flag("other", sdk="growthbook", type="json", default={}, value={"$gt": 1})
    late = flag("late", sdk="growthbook", depends_on=[{"flag": "other", "value": {"$gt": 1}}])
    with pytest.raises(ExportError, match="reads the wanted value as operators"):
        FAMILIES["growthbook"].compile_flag(late, {"other": other, "late": late}, {}, NOW, "")


@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_a_prefix_goes_before_every_key_that_an_sdk_looks_up(sdk: Sdk) -> None:
    found = CATALOGUES[sdk]
    compiled: dict[str, Any] = {}
    for item in found.flags.values():
        compiled |= FAMILIES[sdk].compile_flag(item, found.flags, found.conditions, NOW, "shop-")
    payload = json.dumps(FAMILIES[sdk].assemble(compiled, NOW)).encode()
    served = python_sdk(sdk, payload)
    for number in range(200):
        for item in found.flags.values():
            unit = f"user_{number}"
            expected = serve(item, found.flags, unit, {"country": "US"}, found.conditions, NOW)
            assert served(item.type, f"shop-{item.id}", unit, {"country": "US"}) == expected


def test_flags_that_share_a_dependency_say_it_once_in_ufc_and_only_so_often_in_flagd() -> None:
    def layers(sdk: Sdk) -> dict[str, Any]:
        found = {"base": flag("base", sdk=sdk, rollout=0.5)}
        before = ["base"]
        for layer in range(8):
            names = [f"{side}{layer}" for side in ("left", "right")]
            needs = [{"flag": name, "value": True} for name in before]
            found |= {name: flag(name, sdk=sdk, depends_on=needs) for name in names}
            before = names
        return found

    ufc = layers("ufc")
    compiled = FAMILIES["ufc"].compile_flag(ufc["left7"], ufc, {}, NOW, "")
    [split] = compiled["left7"]["allocations"][0]["splits"]
    assert len(split["shards"]) == 1 + 7 * 2 + 1
    flagd = layers("flagd")
    FAMILIES["flagd"].compile_flag(flagd["left5"], flagd, {}, NOW, "")
    with pytest.raises(ExportError, match="too intricate for flagd"):
        FAMILIES["flagd"].compile_flag(flagd["left7"], flagd, {}, NOW, "")
