"""A bandit day by day through the whole pipeline: what it sets, when it waits, and what its units were served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from scipy import integrate, stats
from tests.oracle.bandit_world import ARMS, DAY, EQUAL, FLOOR, MAX_STEP, NAME, START, midnight, shares_of

from fairsplit.analysis.scorecards import render_site
from fairsplit.assignment_exports.publishing import current_version
from fairsplit.orchestration.project import PROJECT_ROOT
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.bandit_world import Shop

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = date(2026, 1, 4), date(2026, 1, 6), date(2026, 1, 8)


def acts(shop: Shop) -> list[tuple[date, dict[str, float], str]]:
    rows = shop.driven.query("select cut_off, weights, version from results.acts order by cut_off")
    return [(day, json.loads(weights), version) for day, weights, version in rows]


def at(shop: Shop, cut_off: date) -> list[dict]:
    return shop.driven.records(f"from results.allocations where cut_off = '{cut_off}' order by position")


def by_hand(counts: dict[str, tuple[int, int]], current: dict[str, float]) -> dict[str, float]:
    """Thompson's shares by integrating the posterior densities, held above the floor and to the step."""
    posteriors = [stats.beta(1 + good, 1 + n - good) for good, n in (counts[arm] for arm in ARMS)]

    def best(i: int) -> float:
        one, other = (posteriors[j] for j in range(3) if j != i)
        return integrate.quad(lambda p: posteriors[i].pdf(p) * one.cdf(p) * other.cdf(p), 0, 1, limit=200)[0]

    wanted = {arm: FLOOR + (1 - len(ARMS) * FLOOR) * best(i) for i, arm in enumerate(ARMS)}
    part = min(1.0, MAX_STEP / max(abs(wanted[arm] - current[arm]) for arm in ARMS))
    return {arm: current[arm] + part * (wanted[arm] - current[arm]) for arm in ARMS}


def test_an_update_follows_the_closed_windows_above_the_floor_by_at_most_a_step(week: Shop) -> None:
    before = EQUAL
    done = acts(week)
    assert [day for day, _, _ in done] == [FIRST, SECOND]
    for day, weights, _ in done:
        counts = week.closed(day)
        rows = {row["variant_id"]: row for row in at(week, day)}
        assert {arm: (round(row["mean"] * row["n"]), row["n"]) for arm, row in rows.items()} == counts
        # Weights are whole shards of 1/10000.
        assert weights == pytest.approx(by_hand(counts, before), abs=1.01e-4)
        assert weights == {arm: row["next_weight"] for arm, row in rows.items()}
        assert max(abs(weights[arm] - before[arm]) for arm in ARMS) == pytest.approx(MAX_STEP, abs=1.01e-4)
        assert min(weights.values()) >= FLOOR
        before = weights


def test_between_updates_the_weights_stay_and_say_why(week: Shop) -> None:
    reasons = {
        date(2026, 1, 2): "insufficient_sample",
        # Three days after the start every arm has enough units, and the warm-up takes four.
        date(2026, 1, 3): "warm_up",
        FIRST: None,
        date(2026, 1, 5): "not_due",
        SECOND: None,
        date(2026, 1, 7): "not_due",
    }
    assert {day: at(week, day)[0]["reason"] for day in reasons} == reasons
    # No window but that of a unit at the first midnight has closed on the first day.
    assert sum(row["n"] for row in at(week, START)) == 1


def test_what_was_served_changes_with_a_version_and_a_line_of_the_journal_only(week: Shop) -> None:
    served = {one.at.date(): one.shares for one in week.shown.values()}
    expected = dict.fromkeys(served, EQUAL)
    versions = {folder.name: folder for folder in week.driven.home.exports.glob("v*")}
    for day, weights, version in acts(week):
        expected |= {later: weights for later in served if later >= day + 2 * DAY}
        manifest = json.loads((versions[version] / "manifest.json").read_bytes())
        assert [act["cut_off"] for act in manifest["acts"]] == [day.isoformat()]
    assert served == expected
    carrying = [
        name
        for name, folder in versions.items()
        if json.loads((folder / "manifest.json").read_bytes())["acts"]
    ]
    assert sorted(carrying) == sorted(version for _, _, version in acts(week))


def test_propensities_are_the_shares_in_force_when_each_unit_came(week: Shop) -> None:
    expected = {one.unit: (one.arm, one.shares[one.arm]) for one in week.shown.values()}
    listed = pl.read_parquet(week.driven.home.exports / "current" / "assignments" / f"{NAME}.parquet")
    assert {
        unit: (arm, share) for unit, arm, share in listed.select("unit_id", "variant", "probability").rows()
    } == expected
    found = week.driven.query(
        """select unit_id, a.variant_id, logged_variant_id, weight from fct_assignments as a
           inner join catalog.phase_weights as w using (experiment_id, phase)
           where w.variant_id = a.variant_id"""
    )
    assert {unit: (arm, share) for unit, arm, _, share in found} == expected
    assert all(arm == logged for _, arm, logged, _ in found)
    # Units that came back under other weights and were served another arm stay with their first one.
    assert week.driven.query("select count(*) > 0 from fct_exposures where second_arm_at is not null") == [
        (True,)
    ]


def test_moving_weights_raise_no_alarm(week: Shop) -> None:
    splits = week.driven.query(
        """select "check", status, count(*) from results.validity where "check" in ('srm', 'srm_day') group by all"""
    )
    assert {(check, status) for check, status, _ in splits} == {("srm", "pass"), ("srm_day", "pass")}
    # Pooled over the phases the same units are far from any one set of weights.
    units = [one.arm for one in week.shown.values()]
    pooled = stats.chisquare([units.count(arm) for arm in ARMS], [len(units) * EQUAL[arm] for arm in ARMS])
    assert pooled.pvalue < 1e-6


def test_each_day_judges_itself_alone_as_if_all_were_judged_anew(week: Shop, tmp_path: Path) -> None:
    assert all(judged == [day] for day, judged in week.judged.items())
    shop = week.fork(tmp_path / "anew")
    before = shop.driven.hashes()
    shop.driven.query("delete from results.judged")
    assert len(shop.driven.judge()) == len(week.judged)
    assert shop.driven.hashes() == before


def test_a_faulty_split_freezes_the_weights_and_says_so(week: Shop, tmp_path: Path) -> None:
    shop = week.fork(tmp_path / "faulty")
    shop.day(THIRD, lost=1.0)
    # An update was due, and its numbers are known.
    assert at(shop, THIRD)[0]["reason"] is None
    assert acts(shop) == acts(week)
    [(action, sentence)] = shop.driven.query(
        f"select action, sentence from results.decisions where cut_off = '{THIRD}'"
    )
    assert action == "fix_data"
    version = current_version(shop.driven.home.exports)
    assert version is not None
    entry = version.manifest["experiments"][NAME]
    assert (entry["change"], version.manifest["acts"]) == ("kept", [])
    assert "split" in entry["reason"]
    last = acts(week)[-1][1]
    assert shares_of(shop.config_at(midnight(THIRD + 9 * DAY))) == last
    with writer(shop.driven.home.warehouse) as connection:
        inputs = site_inputs(connection, shop.driven.definitions(), shop.driven.catalog, {})
    page = next(page.content for page in render_site(inputs) if page.path == f"experiments/{NAME}.html")
    assert sentence in page
    assert entry["reason"] in page


KILLED = """
import os, signal, sys
from pathlib import Path
from fairsplit.assignment_exports import publishing
from fairsplit.orchestration.publishing import exporting
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse.opening import writer

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

root, catalog, moment = sys.argv[1:]
publish = exporting.export_catalogue
if moment == "proposed":
    exporting.export_catalogue = die
if moment == "written":
    publishing._switch = die
if moment == "switched":
    exporting.export_catalogue = lambda *a, **k: (publish(*a, **k), die())
home = Home(Path(root))
with writer(home.warehouse) as connection:
    proposed = exporting.proposal(home, connection, read_definitions(Path(catalog)))
    exporting.export_configs(home, connection, proposed)
"""


@pytest.fixture(scope="module")
def judged(week: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The day of the third update, judged and not yet published."""
    shop = week.fork(tmp_path_factory.mktemp("judged") / "shop")
    shop.land(f"{THIRD}.ndjson", THIRD, shop.live(THIRD))
    shop.judge(THIRD)
    return shop


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["proposed", "written", "switched"])
def test_a_kill_leaves_an_act_served_and_remembered_or_neither(
    judged: Shop, moment: str, tmp_path: Path
) -> None:
    shop = judged.fork(tmp_path / "killed")
    home, before = shop.driven.home, acts(judged)
    words = [sys.executable, "-W", "ignore", "-c", KILLED, str(home.root), str(shop.driven.catalog), moment]
    done = subprocess.run(words, cwd=PROJECT_ROOT, env={**os.environ}, check=False)
    assert done.returncode == -signal.SIGKILL
    # What the next run does first.
    shop.driven.ingest()
    served = shares_of(shop.config_at(midnight(THIRD + 2 * DAY)))
    if moment == "switched":
        assert acts(shop)[:-1] == before
        day, weights, version = acts(shop)[-1]
        assert (day, weights) == (THIRD, served)
        assert version == (home.exports / "current").readlink().name
    else:
        assert (acts(shop), served) == (before, before[-1][1])
    shop.driven.export()
    *earlier, (day, weights, _) = acts(shop)
    assert (earlier, day) == (before, THIRD)
    assert weights == shares_of(shop.config_at(midnight(THIRD + 2 * DAY)))
    # The shares have moved by now, so the chance is that of the differences inside phases; as the base rate stands
    # still, the posteriors of the plain sums say nearly the same.
    assert weights == pytest.approx(by_hand(shop.closed(THIRD), before[-1][1]), abs=2e-3)
    assert (
        shares_of(shop.config_at(midnight(THIRD + timedelta(days=2)) - timedelta(seconds=1))) == before[-1][1]
    )
