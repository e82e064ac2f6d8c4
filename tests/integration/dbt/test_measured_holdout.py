"""A holdout's joint effect: the gate's two sides, held against brute force on the same events in any order."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.oracle.brute_force import DAY, Event, Experiment, accepted, shard
from tests.oracle.checks import expect_experiment
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, FIRST_DAY, LAST_DAY, MIDNIGHT, make_events, split

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.warehouse.opening import reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.worlds import LandedFile

pytestmark = pytest.mark.integration

JOINT = Experiment(
    "joint",
    MIDNIGHT + 3 * DAY,
    MIDNIGHT + 11 * DAY,
    ("held", "rest"),
    ("checkout_conversion", "revenue_per_user", "purchase_conversion_1d"),
    segments=("platform",),
    cuped_days=3,
)
DEFINITION = f"""\
id: joint
name: Everything under the holdout
owner: growth@example.com
type: ab
holdout: year
status: running
start: {JOINT.start.isoformat()}Z
end: {JOINT.end.isoformat()}Z
variants: [{{id: rest}}, {{id: held, control: true}}]
exposure: {{event: page_view}}
segments: [platform]
metrics: {{primary: [checkout_conversion], secondary: [revenue_per_user, purchase_conversion_1d]}}
plan: {{cuped_days: 3, min_sample: 2}}
"""
PROJECT = f"first_day: {FIRST_DAY}\nholdouts: [{{id: year, share: 0.4, salt: q1, experiments: [plain]}}]\n"


def with_gate(events: list[Event]) -> list[Event]:
    """What a log would hold if every page view of a user were an exposure to the side of the gate they are on."""
    return [
        replace(
            event,
            name="experiment_viewed",
            anonymous_id=None,
            experiment_id="joint",
            variation_id="held" if shard("q1", event.user_id) < 4_000 else "rest",
        )
        for event in events
        if event.name == "page_view" and event.user_id
    ]


def prepared(folder: Path) -> DrivenHome:
    home = DrivenHome(folder, EXPERIMENTS)
    (home.catalog / "project.yaml").write_text(PROJECT)
    return home


def declare(home: DrivenHome) -> None:
    (home.catalog / "experiments" / "joint.yaml").write_text(DEFINITION)


def finish(home: DrivenHome) -> None:
    home.ingest()
    home.build(LAST_DAY)
    home.judge()


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_both_sides_equal_brute_force_whatever_the_order(tmp_path: Path, seed: int) -> None:
    files: list[LandedFile] = split(seed, make_events(seed, 400))
    waiting = random.Random(seed).sample(files, len(files))  # noqa: S311
    mixed = prepared(tmp_path / "mixed")
    for number, day in enumerate((FIRST_DAY + 5 * DAY, FIRST_DAY + 10 * DAY)):
        mixed.land(waiting.pop())
        mixed.ingest()
        mixed.build(day)
        if not number:
            declare(mixed)  # days that are built already are its days too
    for file in waiting:
        mixed.land(file)
    finish(mixed)

    afresh = prepared(tmp_path / "afresh")
    declare(afresh)
    for file in files:
        afresh.land(file)
    finish(afresh)
    left, right = mixed.hashes(), afresh.hashes()
    assert {name for name in left if left[name] != right[name]} == set()

    events, _ = accepted({file.content_hash: file.events for file in files})
    for home in (mixed, afresh):
        expect_experiment(home, JOINT, events + with_gate(events))
        assert home.query(
            "select count(distinct variant_id) from fct_exposures where experiment_id = 'joint'"
        ) == [(2,)]
        # A row a unit and day is kept, however often the event came.
        counts = "count(*), count(distinct (event_day, raw_id))"
        found = home.query(f"select {counts} from int_exposure_events where experiment_id = 'joint'")[0]
        assert len(set(found)) == 1


def test_a_measured_holdout_is_sound_and_shares_units_with_nobody(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    declare(home)
    for file in split(5, make_events(5, 400)):
        home.land(file)
    finish(home)
    checks = dict(
        home.query(
            "select \"check\", status from results.validity where experiment_id = 'joint' and segment = 'all'"
            f" and cut_off = '{LAST_DAY}'"
        )
    )
    assert (checks["srm"], checks["holdout_leak"]) == ("pass", "fail"), checks
    # Both sides are computed from the gate: held against the gate they could only agree.
    assert "audit" not in checks
    assert home.query(
        "select distinct reason, in_traffic from fct_assignments where experiment_id = 'joint'"
    ) == [("split", True)]
    assert home.query(
        "select weight from catalog.phase_weights where experiment_id = 'joint' order by all"
    ) == [
        (0.4,),
        (0.6,),
    ]
    assert home.query("from fct_overlaps where 'joint' in (experiment_id, other_id)") == []
    with reader(home.home.warehouse) as connection:
        inputs = site_inputs(connection, home.definitions(), home.catalog, {})
    page = next(page.content for page in render_site(inputs) if page.path == "experiments/joint.html")
    assert "Everything under the holdout" in page
    units = home.query("select count(*) from fct_exposures where experiment_id = 'joint'")[0][0]
    kept = page[page.index("Units kept, per arm") :]
    exposed = re.search(r'<tr><th scope="row">Exposed</th>(.*?)</tr>', kept, re.DOTALL)
    assert exposed is not None
    assert sum(map(int, re.findall(r"<span>(\d+)</span>", exposed[1]))) == units
    # The experiment that it covers shares units with others as ever.
    assert home.query("from fct_overlaps where experiment_id = 'activated' limit 1")
