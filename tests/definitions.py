"""Two dozen experiments and flags of one SDK family that use all that can be published, and units to serve."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from fairsplit.analysis.catalogue import Catalogue, Flag, Segment
from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue.hashes import Sdk

# SDKs read the real clock, so the phases lie around it: half a year before and after.
NOW: Final = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - compared only across months
PAST: Final = NOW - timedelta(days=180)
FUTURE: Final = NOW + timedelta(days=180)
HALVES: Final = {"control": 0.5, "red": 0.5}
HELD: Final = ("held", "held_layer", "held_completed", "held_ended")
PROJECT: Final = Project.model_validate(
    {
        "first_day": "2026-01-05",
        "layer_salts": {"checkout": "checkout-2026"},
        "holdouts": [
            {"id": "year", "share": 0.0703, "experiments": list(HELD)},
            {"id": "ads", "share": 0.5, "salt": "ads ü", "experiments": ["held_layer"]},
        ],
    }
)
_NORTH: Final = {"attribute": "country", "in": ["US", "CA"]}
_SEASON: Final = {"when": {"from": f"{PAST:%F}", "until": f"{FUTURE:%F}", "zone": "Asia/Kathmandu"}}
_GONE: Final = {"when": {"until": f"{PAST:%F}"}}
_TARGETING: Final = {
    "all": [
        {"any": [{"segment": "north"}, {"attribute": "beta", "equals": True}]},
        {"not": {"attribute": "platform", "in": ["bot"]}},
        {"attribute": "age", "gte": 18},
        {"any": [{"attribute": "app", "semver_gte": "2.0"}, {"attribute": "app", "is_null": True}]},
    ]
}


def experiment(name: str, weights: Mapping[str, float] = HALVES, **more: Any) -> Experiment:
    """A running experiment with one phase since `PAST`, unless said otherwise."""
    return Experiment.model_validate(
        {
            "id": name,
            "name": name,
            "owner": "growth@example.com",
            "type": "abn",
            "status": "running",
            "start": PAST,
            "variants": [
                {"id": variant, "control": position == 0, "config": {"colour": variant, "rank": position}}
                for position, variant in enumerate(weights)
            ],
            "metrics": {"primary": ["checkout_conversion"]},
            "phases": [{"start": PAST, "traffic": 1.0, "weights": dict(weights)}],
            **more,
        }
    )


def flag(name: str, **more: Any) -> Flag:
    """A boolean flag that is off by default, unless said otherwise."""
    common = {"id": name, "name": name, "owner": "web@example.com", "type": "boolean", "default": False}
    return Flag.model_validate(common | more)


def catalogue(sdk: Sdk) -> Catalogue:
    """All definitions of one family."""
    named = {"north": Segment.model_validate({"id": "north", "name": "North", "condition": _NORTH})}
    experiments = {item.id: item for item in _experiments(sdk)}
    flags = {item.id: item for item in _flags(sdk)}
    return Catalogue(PROJECT, experiments, flags, named, {}, (), {})


def units(count: int) -> pl.DataFrame:
    """Units with odd ids here and there, and attributes in every combination, missing ones included."""
    numbers = pl.int_range(count, eager=True)
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


def _experiments(sdk: Sdk) -> list[Experiment]:
    def one(name: str, weights: Mapping[str, float] = HALVES, **more: Any) -> Experiment:
        return experiment(name, weights, sdk=sdk, **more)

    ramp = [
        {"start": PAST, "traffic": 0.1, "weights": {"control": 0.9, "red": 0.1}},
        {"start": NOW - timedelta(days=30), "traffic": 0.5, "weights": {"control": 0.2, "red": 0.8}},
    ]
    bands = [
        {"start": PAST, "traffic": 0.3, "weights": {"control": 0.9, "red": 0.1}},
        {"start": PAST + timedelta(days=30), "traffic": 0.6, "weights": HALVES},
        {"start": NOW - timedelta(days=30), "traffic": 0.8, "weights": {"control": 0.2, "red": 0.8}},
    ]
    # The first leaf that fits: by one level, by two features, and whoever lacks an attribute.
    leaves = [
        {"when": {"country": ["US", "CA"], "platform": ["web"]}, "weights": {"control": 0.1, "red": 0.9}},
        {"when": {"platform": ["bot", "unknown"]}, "weights": {"control": 0.8, "red": 0.2}},
        {"when": {"country": ["unknown", "US"]}, "weights": {"control": 0.35, "red": 0.65}},
    ]
    learned = [
        {"start": PAST, "traffic": 0.9, "weights": HALVES},
        {"start": NOW - timedelta(days=30), "traffic": 0.9, "weights": HALVES, "leaves": leaves},
    ]
    # An override is served whatever else is said.
    tried: dict[str, dict[str, Any]] = {
        "targeted": {"targeting": _NORTH},
        "nobody": {"phases": [{"start": PAST, "traffic": 0.0, "weights": HALVES}]},
        "paused": {"status": "paused"},
        "completed": {"status": "completed"},
        "ended": {"end": NOW - timedelta(days=1)},
        "draft": {"status": "draft"},
    }
    overrides = {"user_1": "red", "user_2": "control", "user_4": "red"}
    last = {
        "start": FUTURE,
        "traffic": 1.0,
        "weights": {"control": 0.0, "red": 1.0},
        "salts": {"split": "x"},
    }
    same_everywhere = [
        one("plain"),
        one("thirds", {"control": 1 / 3, "short": 1 / 3, "long": 1 / 3}),
        one("unequal", {"control": 0.7, "a": 0.2999, "b": 0.0001}),
        one("empty_arm", {"control": 0.5, "off": 0.0, "on": 0.5}),
        one("partial", phases=[{"start": PAST, "traffic": 0.1007, "weights": HALVES}]),
        one("left", layer={"id": "checkout", "from": 0.0, "to": 0.35}),
        one("right", layer={"id": "checkout", "from": 0.35, "to": 1.0}, targeting={"not": _NORTH}),
        one("salted", salts={"traffic": "old salt ü", "split": "'; drop table units; -- 😀"}),
        one("targeted", targeting=_TARGETING),
        one("ramp", {"control": 0.2, "red": 0.8}, phases=ramp if sdk == "growthbook" else [*ramp, last]),
        one("pause_over", pauses=[{"start": PAST, "end": NOW - timedelta(days=1)}]),
        one("paused", status="paused"),
        one("completed", status="completed", shipped="red"),
        one("ended", end=NOW - timedelta(days=1)),
        one("draft", status="draft"),
        one("sticky", {"control": 0.2, "red": 0.8}, sticky=True, phases=bands),
        one("contextual", phases=learned),
        one("contextual_targeted", phases=learned, targeting=_TARGETING),
        one("held"),
        one("held_layer", layer={"id": "offers", "from": 0.1, "to": 0.9}),
        one("held_completed", status="completed", shipped="red"),
        one("held_ended", end=NOW - timedelta(days=1)),
        *(one(f"tried_{name}", overrides=overrides, **more) for name, more in tried.items()),
    ]
    dated = [
        one("to_come", start=FUTURE, phases=[{"start": FUTURE, "weights": HALVES}]),
        one("paused_by_date", pauses=[{"start": NOW - timedelta(days=1), "end": FUTURE}]),
        one("ends_later", end=FUTURE),
    ]
    return same_everywhere if sdk == "growthbook" else [*same_everywhere, *dated]


def _flags(sdk: Sdk) -> list[Flag]:
    def one(name: str, **more: Any) -> Flag:
        return flag(name, sdk=sdk, **more)

    def needs(**values: Any) -> list[dict[str, Any]]:
        return [{"flag": name, "value": value} for name, value in values.items()]

    same_everywhere = [
        one("dark", rollout=0.3),
        one("off", enabled=False, overrides={"user_1": True}),
        one("after_off", depends_on=needs(off=False)),
        one(
            "express",
            type="string",
            default="classic",
            value="express",
            rollout=0.5,
            targeting={"any": [{"segment": "north"}, {"attribute": "age", "gte": 18}]},
            overrides={"user_3": "express", "user_4": "classic", "user_5": "debug"},
        ),
        one("wallet", value=True, rollout=0.8, depends_on=needs(express="express", dark=False)),
        one(
            "coupons",
            type="number",
            default=0,
            value=12.5,
            depends_on=needs(wallet=True),
            overrides={"user_8": 1},
        ),
        one("limit", type="integer", default=10, value=20, rollout=0.5, overrides={"user_8": -3}),
        one("half_price", type="number", default=1, value=0.5, depends_on=needs(coupons=12.5), rollout=0.5),
        one(
            "theme",
            type="json",
            default={"size": 1, "fonts": ["serif"]},
            value={"size": 2, "name": "größer", "dark": True, "font": None},
            targeting={"all": [{"not": _NORTH}, {"attribute": "app", "semver_lt": "10.0.0"}]},
            overrides={"user_9": {"size": 9}, "ünïcode 😀 7 '\"-": {}},
        ),
        one("themed", depends_on=needs(theme={"size": 1.0, "fonts": ["serif"]}) if sdk != "ufc" else ()),
    ]
    # GrowthBook has no clock.
    dated = [
        one("season", targeting={"all": [_SEASON, _NORTH]}, rollout=0.9),
        one("seasonal", depends_on=needs(season=True), targeting={"not": _GONE}, overrides={"user_2": True}),
        one("gone", type="string", default="no", value="yes", targeting=_GONE),
        one("after_gone", depends_on=needs(gone="yes")),
    ]
    # UFC cannot wait for the default of a flag that is targeted or depends on others.
    waiting = [
        one("patient", depends_on=needs(express="classic"), rollout=0.9),
        one("doubly", type="string", default="no", value="yes", depends_on=needs(patient=True, coupons=0)),
    ]
    out_of_season = one("out_of_season", depends_on=needs(season=False, gone="no"))
    return {
        "ufc": [*same_everywhere, *dated],
        "flagd": [*same_everywhere, *dated, *waiting, out_of_season],
        "growthbook": [*same_everywhere, *waiting],
    }[sdk]
