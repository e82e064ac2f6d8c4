"""The demo world: users, experiments with known truth, planted faults; landed files, and the truth beside."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.allocation import allocation_of
from fairsplit.assignment_exports.release import parquet_bytes
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.lifecycle.unit_lists import list_path, usable_list
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.simulate.exposures import (
    Exposures,
    carried_over,
    draw_exposures,
    joint_multiplier,
    multipliers,
)
from fairsplit.orchestration.simulate.faults import deliver
from fairsplit.orchestration.simulate.files import write_files
from fairsplit.orchestration.simulate.outcomes import draw_outcomes, rates
from fairsplit.orchestration.simulate.population import HOSTILE_TEXTS, draw_population, draw_sessions
from fairsplit.orchestration.simulate.randomness import stream
from fairsplit.orchestration.simulate.report import describe_world
from fairsplit.orchestration.simulate.scenarios import LEVERS, SCENARIOS, TOGETHER, Scenario
from fairsplit.orchestration.simulate.standing import (
    LANDING,
    POPULATION,
    TRUTH,
    standing_truth,
    world_identity,
)
from fairsplit.orchestration.simulate.truth import Question, true_lifts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue import Experiment, MetricDefinition
    from fairsplit.assignment_exports.allocation import Allocation
    from fairsplit.orchestration.simulate.population import Population, Sessions
    from fairsplit.orchestration.simulate.scenarios import Lever

FIRST_DAY: Final = date(2026, 1, 5)
DEFAULT_DAYS: Final = 28
DEFAULT_USERS: Final = 40_000
QUICK_DAYS: Final = 14
QUICK_USERS: Final = 4_000
# The 11th day's files are lost for good; worlds that barely reach it keep all their days.
_DAY_THAT_NEVER_ARRIVES: Final = 10
_CAMPAIGNS: Final = ("winter", "newsletter", "none")
_HOSTILE_CAMPAIGNS: Final = 0.03
_HOSTILE_URLS: Final = 0.001


@dataclass(frozen=True, slots=True)
class SimulatedWorld:
    """What `simulate` wrote.

    Attributes:
        landing: Folder of the landed files.
        truth: Path of ``truth.json``.
        files: Number of files.
        events: Number of distinct valid events in them.
        content: The parsed truth.
    """

    landing: Path
    truth: Path
    files: int
    events: int
    content: Mapping[str, Any]


def simulate(
    output_dir: Path,
    seed: int,
    catalog_dir: Path,
    dbt_project_dir: Path,
    days: int = DEFAULT_DAYS,
    users: int = DEFAULT_USERS,
    progress: Callable[[str], None] | None = None,
    home: Home | None = None,
) -> SimulatedWorld:
    """Write a world: ``<output_dir>/landing/`` and ``<output_dir>/truth.json``; beside them ``population.parquet``.

    The population holds what is known of the users before the world begins, for designs. It is written before the
    lists that are drawn from it are asked for.

    Equal arguments and definitions give equal bytes, on every machine with the same library versions. The truth
    is written last; where it already tells of this very world, nothing is written again.

    Args:
        output_dir: Created when missing.
        seed: Not negative.
        catalog_dir: The catalogue whose running, paused and completed experiments are simulated.
        dbt_project_dir: For the metrics' windows.
        days: Length, from 2026-01-05 on.
        users: Number of users, bots and employees included.
        progress: Called with one line for each step.
        home: Holds the lists of experiments that are not hashed; the output folder by default.

    Returns:
        Where everything is.

    Raises:
        OrchestrationError: A number is out of range, the folder holds other landed files, or a list is missing or
            cannot be used.
    """
    say = progress or (lambda _: None)
    _check("--seed", seed, 0)
    _check("--days", days, 1)
    _check("--users", users, 100)
    metrics = load_metrics(dbt_project_dir)
    catalogue = load_catalogue(catalog_dir, metrics)
    # A holdout's measurement shows nothing to anybody: its exposures are events that come anyway.
    experiments = [
        item for item in catalogue.experiments.values() if item.status != "draft" and item.holdout is None
    ]
    home = home or Home(output_dir)
    lists = {
        item.id: usable_list(home, item)
        for item in experiments
        if item.assignment != "hash" and list_path(home, item.id).exists()
    }
    identity = world_identity(seed, days, users, experiments, metrics, lists)
    standing = standing_truth(output_dir, identity)
    if standing is not None:
        say("the world is already there")
        return _world(output_dir, standing)
    say(f"drawing {users:,} users over {days} days")
    population = draw_population(seed, users)
    _write_population(output_dir, population)
    for item in experiments:
        if item.assignment != "hash" and item.id not in lists:
            raise OrchestrationError(_no_list(item, output_dir))
    allocations = {
        item.id: replace(
            allocation_of(
                item.model_copy(update={"assignment": "hash"}), catalogue.project, catalogue.conditions
            ),
            status="running",
        )
        for item in experiments
    }
    midnight = datetime.combine(FIRST_DAY, time.min)
    empty_days = [_DAY_THAT_NEVER_ARRIVES] if days > _DAY_THAT_NEVER_ARRIVES + 1 else []
    sessions = draw_sessions(seed, population, FIRST_DAY, days, empty_days)
    exposures = {
        item.id: draw_exposures(
            seed,
            allocations[item.id],
            _scenario(item.id),
            item.exposure.activation,
            f"{item.unit}_id",
            population,
            sessions,
            midnight,
            lists.get(item.id),
        )
        for item in experiments
    }
    factors = _factors(allocations, lists, exposures, population, sessions, midnight)
    expected = rates(population, sessions, factors)
    events = _events(
        seed, population, sessions, exposures, draw_outcomes(seed, population, sessions, expected, days)
    )
    lines = deliver(seed, events, days, empty_days)
    say(f"writing {lines.height:,} events")
    landing = output_dir / LANDING
    files = write_files(landing, seed, FIRST_DAY, lines, population.users)
    question = Question(population, sessions, expected, days)
    lifts = {
        item.id: true_lifts(
            question, exposures[item.id], _scenario(item.id), item.control.id, _metrics_of(item, metrics)
        )
        for item in experiments
    }
    content = describe_world(
        seed, FIRST_DAY, days, empty_days, population, experiments, exposures, lifts, lines, files
    )
    content["world"] = identity
    aside = output_dir / f".{TRUTH}"
    aside.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    aside.replace(output_dir / TRUTH)
    return _world(output_dir, content)


def _world(output_dir: Path, content: Mapping[str, Any]) -> SimulatedWorld:
    return SimulatedWorld(
        output_dir / LANDING,
        output_dir / TRUTH,
        len(content["files"]),
        content["events"]["accepted"],
        content,
    )


def _write_population(output_dir: Path, population: Population) -> None:
    known = population.users.select(
        "user_id", "anonymous_id", "country", "platform", "language"
    ).with_columns(
        activity=pl.Series(population.activity).round(3), spending=pl.Series(population.spending).round(3)
    )
    output_dir.mkdir(parents=True, exist_ok=True)
    aside = output_dir / f".{POPULATION}"
    aside.write_bytes(parquet_bytes(known))
    aside.replace(output_dir / POPULATION)


def _no_list(experiment: Experiment, output_dir: Path) -> Problem:
    column = " and a column of variants" if experiment.assignment == "external" else ""
    return Problem(
        "the simulated users cannot be exposed, for no list says who is in which arm",
        experiment.id,
        f"assignment: {experiment.assignment}",
        hint=f"draw it with `fairsplit assign {experiment.id} --population {output_dir / POPULATION} "
        f"--unit {experiment.unit}_id`{column}, then simulate again",
    )


def _check(option: str, value: int, least: int) -> None:
    if value < least:
        raise OrchestrationError(
            Problem("out of range", where=option, value=str(value), rule=f"at least {least}")
        )


def _scenario(experiment: str) -> Scenario:
    return SCENARIOS.get(experiment, Scenario("no effect"))


def _metrics_of(
    experiment: Experiment, metrics: Mapping[str, MetricDefinition]
) -> dict[str, MetricDefinition]:
    return {use.metric: metrics[use.metric] for _, use in experiment.metric_uses}


def _factors(
    allocations: Mapping[str, Allocation],
    lists: Mapping[str, pl.DataFrame],
    exposures: Mapping[str, Exposures],
    population: Population,
    sessions: Sessions,
    midnight: datetime,
) -> dict[Lever, NDArray[np.float64]]:
    """The product of all experiments' multipliers, by lever."""
    factors: dict[Lever, NDArray[np.float64]] = {lever: np.ones(len(sessions)) for lever in LEVERS}
    for name, exposed in exposures.items():
        for lever in LEVERS:
            _multiply(factors[lever], multipliers(exposed, _scenario(name), lever, sessions))
        before = carried_over(
            allocations[name], lists.get(name), _scenario(name), population, sessions, midnight
        )
        _multiply(factors["page_views"], before)
    for together in TOGETHER:
        one, other = (exposures.get(name) for name, _ in together.experiments)
        if one is not None and other is not None:
            _multiply(factors[together.lever], joint_multiplier(one, other, together, sessions))
    return factors


def _multiply(product: NDArray[np.float64], factor: NDArray[np.float64] | None) -> None:
    if factor is not None:
        product *= factor


def _events(
    seed: int,
    population: Population,
    sessions: Sessions,
    exposures: Mapping[str, Exposures],
    outcomes: pl.DataFrame,
) -> pl.DataFrame:
    """All events in the order of time, with ids."""
    rng = stream(seed, "events")
    shown = [
        exposed.events.with_columns(
            experiment_id=pl.when(pl.col("variant").is_not_null()).then(pl.lit(name)),
        ).rename({"variant": "variation_id"})
        for name, exposed in exposures.items()
    ]
    nowhere = pl.lit(None, pl.String)
    plain = outcomes.with_columns(anonymous=pl.lit(value=False), experiment_id=nowhere, variation_id=nowhere)
    everything = pl.concat([plain, *shown], how="diagonal")
    session = everything["session"].to_numpy()
    user = sessions.user[session]
    everything = everything.with_columns(
        user=pl.Series(user),
        at=pl.Series(sessions.start[session] + everything["offset"].to_numpy()),
        internal=pl.Series(population.kind[user] == 2),
        platform=population.users["platform"][user],
        session_id=pl.format("s-{}-{}", pl.lit(seed), "session"),
    ).sort("at", "session", "event_name", "experiment_id", maintain_order=True)
    count = everything.height
    campaigns = pl.Series([*_CAMPAIGNS, *HOSTILE_TEXTS])
    hostile = rng.random(count) < _HOSTILE_CAMPAIGNS
    choice = np.where(
        hostile,
        rng.integers(len(_CAMPAIGNS), len(campaigns), count),
        rng.integers(0, len(_CAMPAIGNS), count),
    )
    hostile_url = pl.Series(rng.random(count) < _HOSTILE_URLS)
    texts = pl.Series(HOSTILE_TEXTS)[rng.integers(0, len(HOSTILE_TEXTS), count)]
    return everything.with_columns(
        event_id=pl.format("event-{}-{}", pl.lit(seed), pl.int_range(count)),
        campaign=pl.when(pl.col("experiment_id") == "promo_text").then(campaigns[choice]),
        url=pl.when(hostile_url & pl.col("url").is_not_null()).then(texts).otherwise("url"),
    ).drop("session", "offset")
