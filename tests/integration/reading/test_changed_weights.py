"""Case `phases-weights-changed` through the whole pipeline: landed events, phases in the warehouse, rows, explained."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
import yaml
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

from fairsplit.orchestration.reading.explain import explain
from fairsplit.orchestration.warehouse.opening import writer

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
START, CHANGE, LAST = date(2026, 1, 5), date(2026, 1, 7), date(2026, 1, 16)
METRICS = ("checkout_conversion", "revenue_per_user", "ctr", "revenue_p90")
#: Units and buyers by phase and arm: 40 % buy before the change, 10 % after it, in both arms.
CELLS = {
    (0, "control"): (90, 36),
    (0, "green"): (10, 4),
    (1, "control"): (50, 5),
    (1, "green"): (50, 5),
}


def events() -> list[dict]:
    rows = []
    for (phase, arm), (units, buyers) in CELLS.items():
        for number in range(units):
            unit = f"{arm}-{phase}-{number}"
            day = (START, CHANGE)[phase] + timedelta(days=number % 2)
            platform = "ios" if number % 2 else "web"

            def at(minute: int, day: date = day) -> str:
                return f"{day}T{10 + minute // 60:02}:{minute % 60:02}:00Z"

            def add(
                name: str, minute: int, unit: str = unit, platform: str = platform, **more: object
            ) -> None:
                rows.append(
                    {
                        "event_id": f"e{len(rows)}",
                        "event_name": name,
                        "occurred_at": at(minute),
                        "user_id": unit,
                    }
                    | {"platform": platform}
                    | more
                )

            add("experiment_viewed", 0, experiment_id="shift", variation_id=arm)
            if number < buyers:
                add("purchase", 5, value=10.0 + number)
            for view in range(1 + number % 3):
                add("impression", 10 + view)
            if number % 4 == 0:
                add("click", 20)
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> DrivenHome:
    made = DrivenHome(tmp_path_factory.mktemp("changed"), ())
    content = {
        "id": "shift",
        "name": "shift",
        "owner": "growth@example.com",
        "type": "ab",
        "status": "running",
        "start": str(START),
        "end": str(CHANGE + timedelta(days=2)),
        "phases": [
            {"start": str(START), "weights": {"control": 0.9, "green": 0.1}},
            {"start": str(CHANGE), "weights": {"control": 0.5, "green": 0.5}},
        ],
        "variants": [{"id": "control", "control": True}, {"id": "green"}],
        "segments": ["platform"],
        "metrics": {"primary": [METRICS[0]], "secondary": list(METRICS[1:])},
        "plan": {"min_sample": 10, "cuped_days": 0},
    }
    (made.catalog / "experiments" / "shift.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    text = "".join(json.dumps(row) + "\n" for row in events())
    made.land(LandedFile("events.ndjson", text, datetime(2026, 1, 17), ()))  # noqa: DTZ001
    made.ingest()
    made.build(LAST)
    made.judge()
    return made


def rows(home: DrivenHome, where: str = "true") -> dict[str, dict]:
    found = home.records(
        f"from results.comparisons where cut_off = date '{LAST}' and variant_id = 'green'"
        f" and analysis = 'default' and segment = 'all' and {where}"
    )
    return {row["metric"]: row for row in found}


def test_phases_weights_changed_finds_no_difference(home: DrivenHome) -> None:
    found = rows(home)
    conversion = found["checkout_conversion"]
    assert conversion["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    assert (conversion["stratified_by"], conversion["strata"], conversion["left_out"]) == ("phase", 2, 0)
    assert conversion["pooled_lift_abs"] == pytest.approx(9 / 60 - 41 / 140)
    decision = home.records(f"from results.decisions where cut_off = date '{LAST}'")[0]
    assert decision["decision"] not in {"ship", "roll_back"}


def test_phases_weights_changed_compares_segments_inside_phases(home: DrivenHome) -> None:
    found = home.records(
        f"from results.comparisons where cut_off = date '{LAST}' and variant_id = 'green'"
        " and segment = 'platform' and metric = 'checkout_conversion'"
    )
    assert {row["segment_level"]: row["strata"] for row in found} == {"ios": 2, "web": 2}
    # By hand, web units have even numbers: 18 of 45 and 2 of 5, then 3 of 25 and 3 of 25.
    assert next(row for row in found if row["segment_level"] == "web")["lift_abs"] == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("metric", METRICS[:3])
def test_every_step_walked_back_is_as_published(home: DrivenHome, metric: str) -> None:
    with writer(home.home.warehouse) as connection:
        found = explain(connection, home.definitions(), "shift", metric)
    steps = {step["name"]: step for step in found["steps"]["green"]}
    assert {"difference", "standard error", "control's mean", "difference in phase 0"} <= set(steps)
    assert all(step["agrees"] for step in found["steps"]["green"] + found["steps"]["control"])
    assert found["disagreements"] == []


def test_a_day_judged_by_itself_is_as_in_one_run(home: DrivenHome) -> None:
    before = home.hashes()
    home.query("delete from results.judged")
    home.judge()
    assert home.hashes() == before
