"""What the warehouse expects of logged assignments, against plain Python on the same ids."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import FIRST_DAY, MIDNIGHT, LandedFile

from fairsplit.assignment_exports.designs.assigning import Design
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.lifecycle.assigning import assign_population
from fairsplit.orchestration.lifecycle.unit_lists import list_path

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

EXPERIMENT = """\
id: {name}
name: A test
owner: growth@example.com
type: ab
status: running
start: {start}
variants: [{{id: control, control: true}}, {{id: red}}]
metrics: {{primary: [checkout_conversion]}}
"""
UNITS = [f"user-{number}" for number in range(800)]
LAST_DAY = FIRST_DAY + timedelta(days=3)


def md5_shard(salt: str, unit: str) -> int:
    return int(hashlib.md5(f"{salt}-{unit}".encode()).hexdigest()[:8], 16) % 10_000  # noqa: S324


class Place:
    """A home whose definitions are written as text."""

    def __init__(self, folder: Path) -> None:
        self.driven = DrivenHome(folder, ())

    def project(self, more: str) -> None:
        (self.driven.catalog / "project.yaml").write_text(f"first_day: {FIRST_DAY}\n{more}\n")

    def define(self, name: str, more: str = "") -> None:
        text = EXPERIMENT.format(name=name, start=FIRST_DAY) + more
        (self.driven.catalog / "experiments" / f"{name}.yaml").write_text(text)

    def land(self, name: str, *views: tuple[str, str, str, datetime], **more: str) -> None:
        """One file of exposures: experiment, unit, variant, instant."""
        lines = [
            json.dumps(
                {
                    "event_id": f"{name}-{number}",
                    "event_name": "experiment_viewed",
                    "occurred_at": f"{at.isoformat()}Z",
                    "user_id": unit,
                    "experiment_id": experiment,
                    "variation_id": variant,
                    **more,
                }
            )
            for number, (experiment, unit, variant, at) in enumerate(views)
        ]
        arrived = MIDNIGHT + timedelta(days=10)
        self.driven.land(LandedFile(f"{name}.ndjson", "\n".join(lines) + "\n", arrived, []))

    def build(self) -> None:
        self.driven.ingest()
        self.driven.build(LAST_DAY)

    def assignments(self, experiment: str) -> dict[str, tuple]:
        rows = self.driven.query(
            "select unit_id, variant_id, in_traffic, reason from fct_assignments "
            f"where experiment_id = '{experiment}'"
        )
        return {row[0]: row[1:] for row in rows}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    return Place(tmp_path / "one")


def test_the_audit_knows_who_is_held_out_and_follows_a_change(place: Place, tmp_path: Path) -> None:
    def expected(share: int) -> dict[str, tuple]:
        return {
            unit: (
                "control" if md5_shard("cta-split", unit) < 5_000 else "red",
                md5_shard("q1", unit) >= share,
                "split" if md5_shard("q1", unit) >= share else "holdout",
            )
            for unit in UNITS
        }

    def declare(where: Place, share: float) -> None:
        where.project(f"holdouts: [{{id: year, share: {share}, salt: q1, experiments: [cta]}}]")
        where.define("cta")
        where.define("free")
        where.land(
            "a",
            *(
                (name, unit, "red", MIDNIGHT + timedelta(hours=3))
                for unit in UNITS
                for name in ("cta", "free")
            ),
        )

    declare(place, 0.1)
    place.build()
    assert place.assignments("cta") == expected(1_000)
    assert {row[1:] for row in place.assignments("free").values()} == {(True, "split")}
    place.project("holdouts: [{id: year, share: 0.3, salt: q1, experiments: [cta]}]")
    place.build()
    assert place.assignments("cta") == expected(3_000)
    afresh = Place(tmp_path / "two")
    declare(afresh, 0.3)
    afresh.build()
    assert afresh.assignments("cta") == expected(3_000)


def test_the_audit_expects_the_layer_share_that_was_in_force(place: Place) -> None:
    moved = FIRST_DAY + timedelta(days=1)
    place.define(
        "cta",
        f"layer: {{id: checkout, from: 0.5, to: 1.0, history: [{{until: {moved}, from: 0.0, to: 0.3}}]}}\n",
    )
    half = len(UNITS) // 2
    place.land(
        "a",
        *(
            ("cta", unit, "red", MIDNIGHT + timedelta(hours=1 if number < half else 30))
            for number, unit in enumerate(UNITS)
        ),
    )
    place.build()
    found = {unit: reason for unit, (_, _, reason) in place.assignments("cta").items()}
    for number, unit in enumerate(UNITS):
        low, high = (0, 3_000) if number < half else (5_000, 10_000)
        inside = low <= md5_shard("checkout-layer", unit) < high
        assert found[unit] == ("split" if inside else "outside_layer")


def test_an_override_leaves_out_both_sides_of_a_link_that_comes_later(place: Place, tmp_path: Path) -> None:
    """An overridden device belongs to a user who was exposed before anybody knew."""
    views = [("cta", unit, "red", MIDNIGHT + timedelta(hours=1)) for unit in UNITS[:20]]
    at = f"{(MIDNIGHT + timedelta(days=1)).isoformat()}Z"
    login = {"event_name": "login", "occurred_at": at, "user_id": "user-3", "anonymous_id": "device"}

    def fill(where: Place) -> None:
        where.define("cta", "overrides: {device: red}\n")
        where.land("a", *views)

    def link(where: Place) -> None:
        text = json.dumps({"event_id": "l", **login}) + "\n"
        where.driven.land(LandedFile("link.ndjson", text, MIDNIGHT + timedelta(days=10), []))

    fill(place)
    place.build()
    assert place.assignments("cta").keys() == set(UNITS[:20])
    link(place)
    place.build()
    place.driven.judge()
    assert place.assignments("cta").keys() == set(UNITS[:20]) - {"user-3"}
    afresh = Place(tmp_path / "two")
    fill(afresh)
    link(afresh)
    afresh.build()
    afresh.driven.judge()
    assert afresh.driven.hashes() == place.driven.hashes()


def test_an_overridden_unit_does_not_count_and_is_no_loss(place: Place, tmp_path: Path) -> None:
    overrides = "overrides: {" + ", ".join(f"user-{number}: red" for number in range(40)) + "}\n"
    views = [
        (
            "cta",
            unit,
            "control" if md5_shard("cta-split", unit) < 5_000 else "red",
            MIDNIGHT + timedelta(hours=1),
        )
        for unit in UNITS
    ]
    tried = [("cta", f"user-{number}", "red", MIDNIGHT + timedelta(days=1)) for number in range(40)]
    place.define("cta")
    place.land("a", *views)
    place.build()
    assert len(place.assignments("cta")) == len(UNITS)
    place.define("cta", overrides)
    place.land("b", *tried)
    place.build()
    place.driven.judge()
    assert place.assignments("cta").keys() == set(UNITS[40:])
    lost = place.driven.query(
        "select step, variant_id, sum(units), sum(events) from fct_losses group by all order by all"
    )
    arms = [variant for _, unit, variant, _ in views if unit in UNITS[:40]]
    before = {arm: arms.count(arm) for arm in ("control", "red")}
    # Whoever was hashed into red before is the same unit in the same arm: its second day is no second loss.
    assert lost == [
        ("override", "control", before["control"], before["control"]),
        ("override", "red", 40, before["red"] + 40),
    ]
    checks = dict(place.driven.query("select \"check\", status from results.validity where segment = 'all'"))
    assert checks["srm"] == checks["audit"] == "pass"
    assert "loss:override" not in checks
    afresh = Place(tmp_path / "two")
    afresh.define("cta", overrides)
    afresh.land("a", *views)
    afresh.land("b", *tried)
    afresh.build()
    afresh.driven.judge()
    assert afresh.driven.hashes() == place.driven.hashes()


def test_sticky_units_are_expected_in_the_split_that_let_them_in(place: Place) -> None:
    second = FIRST_DAY + timedelta(days=1)
    phases = f"""\
sticky: true
phases:
  - {{start: {FIRST_DAY}, traffic: 0.6, weights: {{control: 0.9, red: 0.1}}}}
  - {{start: {second}, traffic: 0.9, weights: {{control: 0.1, red: 0.9}}}}
"""

    def expected(unit: str) -> tuple[str, int]:
        early = md5_shard("cta-traffic", unit) < 6_000
        control = 9_000 if early else 1_000
        return "control" if md5_shard("cta-split", unit) < control else "red", 1 if early else 2

    # All are exposed under the second phase: those of the first band in the split that they were let in under.
    inside = {unit: expected(unit) for unit in UNITS if md5_shard("cta-traffic", unit) < 9_000}
    place.define("cta", phases)
    place.land("a", *(("cta", unit, arm, MIDNIGHT + timedelta(days=2)) for unit, (arm, _) in inside.items()))
    place.build()
    place.driven.judge()
    found = place.driven.query("select unit_id, variant_id, phase, in_traffic from fct_assignments")
    assert {row[0]: row[1:] for row in found} == {unit: (*told, True) for unit, told in inside.items()}
    checks = dict(place.driven.query("select \"check\", status from results.validity where segment = 'all'"))
    assert checks["srm"] == checks["audit"] == "pass"
    # Under the second phase's weights alone the same units would be a mismatch beyond doubt.
    red = sum(arm == "red" for arm, _ in inside.values())
    assert red < 0.6 * len(inside)


def test_a_start_that_moves_takes_back_what_counted_before_it(place: Place, tmp_path: Path) -> None:
    views = [
        ("cta", unit, ("control", "red")[number % 2], MIDNIGHT + timedelta(days=number % 3))
        for number, unit in enumerate(UNITS[:90])
    ]

    def start(where: Place, days: int) -> None:
        text = EXPERIMENT.format(name="cta", start=FIRST_DAY + timedelta(days=days))
        (where.driven.catalog / "experiments" / "cta.yaml").write_text(text)

    def exposed() -> int:
        return place.driven.query("select count(*) from fct_exposures")[0][0]

    start(place, 0)
    place.land("a", *views)
    place.build()
    assert exposed() == 90
    start(place, 1)
    place.build()
    place.driven.judge()
    assert exposed() == 60
    afresh = Place(tmp_path / "two")
    start(afresh, 1)
    afresh.land("a", *views)
    afresh.build()
    afresh.driven.judge()
    assert afresh.driven.hashes() == place.driven.hashes()


def test_a_list_says_what_is_expected(place: Place) -> None:
    place.project("holdouts: [{id: year, share: 0.2, salt: q1, experiments: [mail]}]")
    place.define("mail", "assignment: batch\n")
    catalogue = place.driven.definitions().catalogue
    population = pl.DataFrame({"unit_id": UNITS, "country": ["US", "DE"] * (len(UNITS) // 2)})
    design = Design("stratified", strata=("country",))
    assigned = assign_population(place.driven.home, catalogue, "mail", population, design=design)
    held = [unit for unit in UNITS if md5_shard("q1", unit) < 2_000]
    assert assigned.left_out == {"holdout": len(held)}
    listed = dict(assigned.table.select("unit_id", "variant").iter_rows())
    assert listed.keys() == set(UNITS) - set(held)
    place.land("a", *(("mail", unit, listed.get(unit, "red"), MIDNIGHT) for unit in [*UNITS, "stranger"]))
    place.build()
    expected = {unit: (listed[unit], True, "list") for unit in listed}
    expected |= dict.fromkeys(held, (None, False, "holdout")) | {"stranger": (None, False, "not_listed")}
    assert place.assignments("mail") == expected


def test_a_list_in_place_of_a_lost_one_must_agree_with_the_warehouse(place: Place) -> None:
    def give(arms: dict[str, str]) -> None:
        population = pl.DataFrame({"unit_id": list(arms), "arm": list(arms.values())})
        catalogue = place.driven.definitions().catalogue
        assign_population(place.driven.home, catalogue, "given", population, variant="arm")

    place.project("")
    place.define("given", "assignment: external\n")
    arms = {unit: ("control", "red")[number % 2] for number, unit in enumerate(UNITS)}
    other = {unit: ("red", "control")[number % 2] for number, unit in enumerate(UNITS)}
    path = list_path(place.driven.home, "given")
    give(arms)
    # One unit saw the other arm, and one was never listed: the right list is no less right.
    seen = {**arms, "user-7": "control", "stranger": "red"}
    place.land("a", *(("given", unit, arm, MIDNIGHT) for unit, arm in seen.items()))
    place.build()
    right = path.read_bytes()
    path.unlink()
    for wrong, said in (
        ({**arms, "user-4": "red"}, "user-4: red here, control there"),
        ({unit: arm for unit, arm in arms.items() if unit != "user-5"}, "user-5: no variant here, red there"),
    ):
        with pytest.raises(OrchestrationError, match=f"contradicts 1 assignments.*{said}"):
            give(wrong)
    assert not path.exists()
    give({**arms, "late": "red"})
    path.unlink()

    place.build()
    assert {told[0] for told in place.assignments("given").values()} == {None}
    # 799 of 800 logged variants are others than these, and the audit lets 1 % pass.
    with pytest.raises(
        OrchestrationError, match=r"contradicts 799 assignments.*user-0: red here, control there"
    ):
        give(other)
    # With the one that was logged wrong, nine of 800 are 1.1 %, and eight are 1 %.
    with pytest.raises(OrchestrationError, match="contradicts 9 assignments"):
        give(arms | {unit: other[unit] for unit in UNITS[10:18]})
    give(arms | {unit: other[unit] for unit in UNITS[10:17]})
    path.unlink()
    give(arms)
    assert path.read_bytes() == right
