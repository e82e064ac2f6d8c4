"""Sticky units keep their arm: over any history of traffic and weights, against plain Python on the same ids."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.bands import phase_bands, pieces
from fairsplit.analysis.catalogue.checks import experiment_findings
from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.catalogue.serving import eligible_variant
from fairsplit.assignment_exports.allocation import allocation_of, assign

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
DAY = timedelta(days=1)
PROJECT = Project.model_validate({"first_day": "2026-01-05"})
UNITS = [f"user-{number}" for number in range(3_000)]
ARMS = ("a", "b", "c")


def experiment(*phases: tuple[float, tuple[float, ...]], **more) -> Experiment:
    return Experiment.model_validate(
        {
            "id": "cta",
            "name": "A test",
            "owner": "growth@example.com",
            "type": "abn",
            "status": "running",
            "start": START,
            "sticky": True,
            "phases": [
                {
                    "start": START + number * DAY,
                    "traffic": traffic,
                    "weights": dict(zip(ARMS, weights, strict=True)),
                }
                for number, (traffic, weights) in enumerate(phases)
            ],
            "variants": [{"id": arm, "control": arm == "a"} for arm in ARMS],
            "metrics": {"primary": ["ctr"]},
            **more,
        }
    )


def md5_shard(salt: str, unit: str) -> int:
    return int(hashlib.md5(f"{salt}-{unit}".encode()).hexdigest()[:8], 16) % 10_000  # noqa: S324


def by_phase(declared: Experiment) -> list[dict[str, str | None]]:
    allocation = allocation_of(declared, PROJECT)
    units = pl.Series(UNITS)
    return [
        dict(assign(allocation, units, phase.start).select("unit_id", "variant").iter_rows())
        for phase in declared.history
    ]


def test_sticky_units_keep_their_arm_through_three_weight_changes_and_new_units_get_the_new_weights() -> None:
    phases = (
        (0.2, (0.8, 0.1, 0.1)),
        (0.4, (0.5, 0.25, 0.25)),
        (0.7, (0.2, 0.4, 0.4)),
        (1.0, (0.1, 0.1, 0.8)),
    )
    served = by_phase(experiment(*phases))
    bounds = [0, 2_000, 4_000, 7_000, 10_000]
    for unit in UNITS:
        admitted = next(number for number in range(4) if md5_shard("cta-traffic", unit) < bounds[number + 1])
        split, (first, second, _) = md5_shard("cta-split", unit), phases[admitted][1]
        arm = "a" if split < 10_000 * first else "b" if split < 10_000 * (first + second) else "c"
        assert [wave[unit] for wave in served] == [None] * admitted + [arm] * (4 - admitted)


def test_without_sticky_the_same_change_moves_units() -> None:
    phases = ((1.0, (0.8, 0.1, 0.1)), (1.0, (0.2, 0.4, 0.4)))
    before, after = by_phase(experiment(*phases, sticky=False))
    assert sum(before[unit] != after[unit] for unit in UNITS) > 1_000


def test_an_arm_that_stops_is_left_by_its_own_units_alone() -> None:
    before, after = by_phase(experiment((0.5, (0.4, 0.3, 0.3)), (1.0, (0.5, 0.0, 0.5))))
    inside = [unit for unit in UNITS if before[unit] is not None]
    assert {after[unit] for unit in inside if before[unit] == "b"} == {"a"}
    assert all(after[unit] == before[unit] for unit in inside if before[unit] != "b")


def test_a_band_whose_only_arm_stops_follows_the_new_weights() -> None:
    _, after = by_phase(experiment((1.0, (1.0, 0.0, 0.0)), (1.0, (0.0, 0.5, 0.5))))
    assert set(after.values()) == {"b", "c"}


SHARES = st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any)
PHASES = st.lists(st.tuples(st.integers(0, 20), SHARES), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(PHASES)
def test_whatever_the_history_no_unit_leaves_an_arm_that_goes_on(history) -> None:
    phases = [(traffic / 20, tuple(share / sum(shares) for share in shares)) for traffic, shares in history]
    declared = experiment(*phases)
    for (traffic, _), bands in zip(phases, phase_bands(declared), strict=True):
        edges = [bands[0].begin, *(band.end for band in bands)]
        assert (edges[0], edges[-1]) == (0, round(10_000 * traffic))
        assert [band.begin for band in bands[1:]] == [band.end for band in bands[:-1]]
    last: dict[str, str] = {}
    for phase in declared.history:
        last = {unit: arm for unit, arm in last.items() if phase.weights[arm] > 0}
        for unit in UNITS[:40]:
            arm = eligible_variant(declared, PROJECT, unit, {}, {}, phase.start)
            assert (arm is not None) == (md5_shard("cta-traffic", unit) < round(10_000 * phase.traffic))
            if arm is None:
                continue
            assert phase.weights[arm] > 0
            assert arm == last.get(unit, arm)
            last[unit] = arm


def test_a_history_without_changed_weights_is_what_it_is_without_sticky() -> None:
    phases = ((0.2, (0.5, 0.3, 0.2)), (1.0, (0.5, 0.3, 0.2)))
    assert phase_bands(experiment(*phases)) == phase_bands(experiment(*phases, sticky=False))
    assert [piece.number for piece in pieces(experiment(*phases))] == [0, 1]


@pytest.mark.parametrize(
    ("phases", "more", "path", "what"),
    [
        (
            ((0.5, (0.8, 0.1, 0.1)), (0.5, (0.6, 0.2, 0.2))),
            {},
            ("phases", 1, "weights"),
            "sticky units stay, so the new weights reach nobody",
        ),
        (((0.5, (0.8, 0.1, 0.1)), (0.5, (0.9, 0.0, 0.1))), {}, None, ""),
        (((0.5, (0.8, 0.1, 0.1)), (0.6, (0.6, 0.2, 0.2))), {}, None, ""),
        (
            ((0.5, (0.8, 0.1, 0.1)),),
            {"type": "bandit"},
            ("sticky",),
            "a bandit's units move with its weights",
        ),
    ],
)
def test_what_sticky_cannot_keep_or_reach_is_refused(phases, more, path, what) -> None:
    found = experiment_findings(experiment(*phases, **more), "cta", PROJECT, {}, {}, {})
    said = [(item.path, item.what) for item in found if item.path[0] in {"phases", "sticky"}]
    assert said == ([(path, what)] if path else [])


def test_salts_of_a_later_phase_would_move_everybody() -> None:
    declared = experiment((0.5, (0.8, 0.1, 0.1)))
    second = {"start": START + DAY, "weights": {"a": 0.8, "b": 0.1, "c": 0.1}, "salts": {"split": "again"}}
    phases = [declared.phases[0].model_dump(), second]
    anew = Experiment.model_validate({**declared.model_dump(by_alias=True), "phases": phases})
    whats = [item.what for item in experiment_findings(anew, "cta", PROJECT, {}, {}, {})]
    assert "other salts move units that are to stay" in whats
