"""A home filled in any order, one filled at once, and both held against the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.oracle.brute_force import DAY, PRODUCTS, accepted, exposures, links, statistics
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, FIRST_DAY, LAST_DAY, METRICS, LandedFile

if TYPE_CHECKING:
    import random
    from datetime import date
    from pathlib import Path

    from tests.oracle.brute_force import Event, Experiment


def rebuild(folder: Path, files: list[LandedFile]) -> DrivenHome:
    home = DrivenHome(folder, EXPERIMENTS)
    for file in files:
        home.land(file)
    home.ingest()
    home.build(LAST_DAY)
    home.judge()
    return home


def in_random_order(folder: Path, files: list[LandedFile], rng: random.Random) -> DrivenHome:
    """Files in any order, runs in between, a rerun of an old day, definitions that change under way.

    A metric is declared only later; an experiment is first declared without its activation, then taken out, then
    declared again.
    """
    plain, activated = EXPERIMENTS
    home = DrivenHome(
        folder, (replace(plain, metrics=plain.metrics[:-3]), replace(activated, activation=None))
    )
    waiting = rng.sample(files, len(files))
    frontier = FIRST_DAY
    while waiting:
        for _ in range(min(len(waiting), rng.randrange(1, 4))):
            home.land(waiting.pop())
        home.ingest()
        if rng.random() < 0.7:
            frontier = min(LAST_DAY, frontier + rng.randrange(1, 6) * DAY)
            home.build(frontier)
        if rng.random() < 0.4:
            home.build(FIRST_DAY + rng.randrange(0, 5) * DAY)
            home.judge()
        if len(waiting) < len(files) // 2:
            home.withdraw(activated)
    home.declare(plain)
    home.declare(activated)
    home.ingest()
    home.build(LAST_DAY)
    home.judge()
    return home


def expect_oracle(home: DrivenHome, files: list[LandedFile]) -> None:
    events, accounts = accepted({file.content_hash: file.events for file in files})
    found = {
        row[0]: row[1:]
        for row in home.query("select file_hash, accepted, duplicates from landing.file_accounts")
    }
    assert found == {name: (count["accepted"], count["duplicates"]) for name, count in accounts.items()}
    for experiment in EXPERIMENTS:
        expect_experiment(home, experiment, events)


def expect_experiment(home: DrivenHome, experiment: Experiment, events: list[Event]) -> None:
    """Exposures and every cell of one experiment, from the events that count."""
    owner = links([event for event in events if event.day <= LAST_DAY])
    expected = {
        (unit, it.variant, it.at, it.event_id, it.second_arm_at)
        for unit, it in exposures(experiment, events, owner).items()
    }
    where = f"where experiment_id = '{experiment.id}'"
    columns = "unit_id, variant_id, exposed_at, exposure_event_id, second_arm_at"
    assert set(home.query(f"select {columns} from fct_exposures {where}")) == expected
    cells = statistics(experiment, METRICS, events, FIRST_DAY, LAST_DAY)
    seen = set()
    for row in home.records(f"from fct_sufficient_statistics {where}"):
        key = tuple(
            row[name] for name in ("cut_off", "metric", "segment", "segment_level", "variant_id", "analysis")
        )
        compare(row, cells.get(key), key, covered=METRICS[key[1]].cuped and experiment.cuped_days > 0)
        seen.add(key)
    missing = {
        key
        for key, cell in cells.items()
        if key not in seen and (key[2] == "all" or key[5] == "default") and is_reported(experiment, key[0])
    }
    assert not missing, sorted(missing)[:5]


def is_reported(experiment, cut_off: date) -> bool:
    """Cut-offs from the experiment's first day until its longest window has closed."""
    last = (experiment.end or experiment.start + 999 * DAY) + 7 * DAY
    return experiment.start.date() <= cut_off <= last.date()


def compare(row: dict, cell: dict | None, key: tuple, *, covered: bool) -> None:
    metric = METRICS[key[1]]
    cell = cell or {"n": 0, "n_open": 0}
    assert (row["n"], row["n_open"]) == (cell["n"], cell["n_open"]), key
    letters = ["y"]
    letters += ["d"] if metric.kind in {"ratio", "time_to_conversion"} else []
    letters += ["x"] if covered else []
    assert (row["covariate_status"] == "ok") == covered, key
    for name in [f"sum_{a}" for a in letters] + [
        f"sum_{a}{b}" for a, b in PRODUCTS if {a, b} <= set(letters)
    ]:
        assert row[name] == cell.get(name, 0), (key, name)
