"""Holdouts with two ships, a share that grows and leaks: coverage of what each read-out declares, through the pipeline.

Every run has a holdout, units and an exposing event of its own, so that one home holds all of them. All units are first
seen on the first day (case `holdout-in-exposure-time`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats
from tests.oracle.brute_force import shard
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

pytestmark = [
    pytest.mark.simulation,
    pytest.mark.slow,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

#: Runs of the whole simulation and of the sample that continuous integration takes; a fifth of them leaks.
RUNS, SAMPLE, UNITS, ALPHA = 40, 5, 500, 0.05
START, LAST = datetime(2026, 1, 5), date(2026, 1, 17)  # noqa: DTZ001
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST, GROWN, SECOND = START + 3 * DAY, START + 5 * DAY, START + 7 * DAY
#: How likely a unit buys within a day of each of its three visits, on either side.
VISITS = (START, FIRST, SECOND)
HELD, REST = (0.3, 0.25, 0.2), (0.3, 0.4, 0.5)
FEATURE = """\
id: {name}
name: A feature
owner: growth@example.com
type: feature
status: completed
start: 2026-01-01
end: {end}Z
shipped: on
variants: [{{id: off, control: true}}, {{id: on}}]
metrics: {{primary: [purchase_conversion_1d]}}
"""
READ_OUT = """\
id: {name}
name: What the holdout says
owner: growth@example.com
type: ab
holdout: h{run}
since: {since}
status: running
start: 2026-01-05
variants: [{{id: held, control: true}}, {{id: rest}}]
exposure: {{event: visit_{run}}}
metrics: {{primary: [purchase_conversion_1d]}}
plan: {{cuped_days: 0, min_sample: 2}}
stopping: {{whole_weeks: false}}
"""


def event(name: str, unit: str, at: datetime, **more: object) -> dict[str, object]:
    said = {"event_id": f"{name}-{unit}-{at}", "event_name": name, "user_id": unit}
    return said | {"occurred_at": at.isoformat() + "Z"} | more


def events_of(run: int, rng: np.random.Generator, *, leaks: bool) -> list[dict[str, object]]:
    """What the units of one run do; where it leaks a fifth of the held-out units is served the first feature."""
    events = []
    for number in range(UNITS):
        unit = f"r{run}-u{number}"
        place = shard(f"salt{run}", unit)
        for visit, at in enumerate(VISITS):
            # From its growth on, the share holds out more units, which no longer get what has shipped.
            held = place < (1_000 if at < GROWN else 3_000)
            events.append(event(f"visit_{run}", unit, at + HOUR))
            if rng.random() < (HELD if held else REST)[visit]:
                events.append(event("purchase", unit, at + 2 * HOUR, value=1))
        if leaks and place < 1_000 and number % 5 == 0:
            shown = {"experiment_id": f"first-{run}", "variation_id": "on"}
            events.append(event("experiment_viewed", unit, FIRST - HOUR, **shown))
    return events


@dataclass(frozen=True)
class ReadOuts:
    """Comparisons and leak checks of all read-outs of so many runs, each on its last day."""

    runs: int
    leaking: int
    comparisons: pl.DataFrame
    leaks: pl.DataFrame


@pytest.fixture(scope="module", params=[SAMPLE, RUNS], ids=["sample", "whole"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ReadOuts:
    runs = request.param
    leaking = runs // 5
    home, rng = DrivenHome(tmp_path_factory.mktemp("holdouts"), []), np.random.default_rng(642)
    history = f"[{{until: {GROWN.isoformat()}Z, share: 0.1}}]"
    holdouts = "".join(
        f"  - {{id: h{run}, share: 0.3, salt: salt{run}, history: {history}, "
        f"experiments: [first-{run}, second-{run}]}}\n"
        for run in range(runs)
    )
    (home.catalog / "project.yaml").write_text(f"first_day: 2026-01-01\nholdouts:\n{holdouts}")
    texts = {}
    for run in range(runs):
        texts[f"first-{run}"] = FEATURE.format(name=f"first-{run}", end=FIRST.isoformat())
        texts[f"second-{run}"] = FEATURE.format(name=f"second-{run}", end=SECOND.isoformat())
        texts[f"between-{run}"] = READ_OUT.format(name=f"between-{run}", run=run, since=f"first-{run}")
        texts[f"after-{run}"] = READ_OUT.format(name=f"after-{run}", run=run, since="last_ship")
    for name, text in texts.items():
        (home.catalog / "experiments" / f"{name}.yaml").write_text(text)
    events = [one for run in range(runs) for one in events_of(run, rng, leaks=run < leaking)]
    text = "".join(json.dumps(one) + "\n" for one in events)
    home.land(LandedFile("all.ndjson", text, START + 12 * DAY + 2 * HOUR, ()))
    home.ingest()
    home.build(LAST)
    home.judge()
    read = "experiment_id, variant_id, n, lift_abs, lift_abs_low, lift_abs_high, status"
    found = home.query(
        f"""select {read} from results.comparisons where comparison is not null and segment = 'all'
            and analysis = 'default' and metric = 'purchase_conversion_1d'
            qualify cut_off = max(cut_off) over (partition by experiment_id)"""
    )
    leaks = home.query(
        f"""select experiment_id, status from results.validity where "check" = 'holdout_leak'
            and cut_off = date '{LAST}'"""
    )
    return ReadOuts(
        runs,
        leaking,
        pl.DataFrame(found, schema=read.split(", "), orient="row"),
        pl.DataFrame(leaks, schema=["experiment_id", "status"], orient="row"),
    )


@pytest.mark.parametrize(("name", "visit"), [("between", 1), ("after", 2)])
def test_each_read_out_covers_the_effect_in_its_own_calendar_time(rows, name, visit):
    runs = rows.runs
    mine = rows.comparisons.filter(pl.col("experiment_id").str.starts_with(f"{name}-"))
    assert mine["status"].to_list() == ["ok"] * runs
    truth = REST[visit] - HELD[visit]
    missed = mine.filter((pl.col("lift_abs_low") > truth) | (pl.col("lift_abs_high") < truth))
    assert missed.height <= stats.binom.isf(1e-3, runs, ALPHA)
    # All of them together, as a check that no visit of another time was counted.
    error = np.sqrt(0.25 / (0.1 * UNITS * runs))
    assert mine["lift_abs"].mean() == pytest.approx(truth, abs=4 * error)
    # Between the ships the share grew: units that were on both sides do not count.
    sides = UNITS * runs * 0.7
    assert mine["n"].sum() == pytest.approx(sides, abs=4 * np.sqrt(sides * 0.3))


def test_leaks_are_named_in_the_runs_that_have_them_and_in_no_other(rows):
    failed = set(rows.leaks.filter(pl.col("status") == "fail")["experiment_id"])
    assert {f"between-{run}" for run in range(rows.leaking)} <= failed
    assert not {name for name in failed if int(name.rpartition("-")[2]) >= rows.leaking}
