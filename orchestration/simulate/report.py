"""The truth file: what is in the data, counted from what was written, so that tests can compare."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.orchestration.simulate.population import DAY
from fairsplit.orchestration.simulate.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue import Experiment
    from fairsplit.orchestration.simulate.exposures import Exposures
    from fairsplit.orchestration.simulate.files import LandedFile
    from fairsplit.orchestration.simulate.population import Population

Json = dict[str, Any]


def describe_world(
    seed: int,
    first_day: date,
    days: int,
    empty_days: Sequence[int],
    population: Population,
    experiments: Sequence[Experiment],
    exposures: Mapping[str, Exposures],
    lifts: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    lines: pl.DataFrame,
    files: Sequence[LandedFile],
) -> Json:
    """The content of ``truth.json``.

    Args:
        seed: The world's seed.
        first_day: Its first day.
        days: Its length.
        empty_days: Days of the world that never arrive.
        population: The users.
        experiments: Simulated experiments.
        exposures: Theirs, by id.
        lifts: True relative lifts by experiment, metric and variant.
        lines: Landed valid lines.
        files: Landed files.
    """
    events = lines.unique("event_id", keep="first", maintain_order=True)
    kind = pl.Series(population.kind)[events["user"]]
    people = events.filter(kind == 0)
    return {
        "seed": seed,
        "users": len(population.kind),
        "days": days,
        "first_day": str(first_day),
        "last_day": str(first_day + timedelta(days=days - 1)),
        "days_that_never_arrive": [str(first_day + timedelta(days=day)) for day in empty_days],
        "files": [
            {"path": file.path, "rows": file.rows, "quarantined": file.quarantined, "status": file.status}
            for file in files
        ],
        "rows": {
            "read": sum(file.rows for file in files),
            "accepted": events.height,
            "duplicates": lines.height - events.height,
            "quarantined": sum(sum(file.quarantined.values()) for file in files),
            "quarantined_by_reason": _total(file.quarantined for file in files),
        },
        "events": {
            "accepted": events.height,
            "conflicting": lines.filter(pl.col("copy") == "other")["event_id"].n_unique(),
            "late": int((events["late_days"] > 0).sum()),
            "most_days_late": events.select(pl.col("late_days").max()).item(),
            "refunds": int((events["event_name"] == "refund").sum()),
            "with_hostile_campaign": int(_hostile(events["campaign"])),
            "by_day": {
                str(first_day + timedelta(days=day)): count
                for day, count in events.group_by((pl.col("at") // DAY).alias("day"))
                .len()
                .sort("day")
                .iter_rows()
            },
        },
        "filtered": {
            "bots": {"units": events.filter(kind == 1)["user"].n_unique(), "events": int((kind == 1).sum())},
            "internal": {
                "units": events.filter(kind == 2)["user"].n_unique(),
                "events": int((kind == 2).sum()),
            },
        },
        "experiments": {
            item.id: _experiment(item, exposures[item.id], lifts[item.id], people) for item in experiments
        },
    }


def _experiment(
    experiment: Experiment,
    exposed: Exposures,
    lifts: Mapping[str, Mapping[str, float | None]],
    people: pl.DataFrame,
) -> Json:
    scenario = SCENARIOS.get(experiment.id, Scenario("no effect"))
    logged = people.filter(pl.col("experiment_id") == experiment.id).sort("at", "event_id")
    if experiment.exposure.activation is not None:
        active = people.filter(pl.col("event_name") == experiment.exposure.activation)
        since = active.group_by("user").agg(pl.col("at").min().alias("activated_at"))
        logged = logged.join(since, on="user").filter(pl.col("at") >= pl.col("activated_at"))
    logged = logged.sort("at", "event_id")
    units = logged.group_by("user", maintain_order=True).agg(
        pl.col("variation_id").first().alias("variant"), pl.col("variation_id").n_unique().alias("arms")
    )
    counts = dict(units.group_by("variant").len().iter_rows())
    faults: Json = {
        "srm": bool(scenario.lost_exposures or scenario.unrendered),
        "srm_platform": scenario.lost_platform,
        "units_lost": exposed.lost_units,
        "units_never_activated": exposed.unrendered_units,
        "units_first_seen_anonymous": exposed.anonymous_units,
        "units_logged_in_wrong_arm": int(exposed.mislogged[units["user"].to_numpy()].sum()),
        "wrong_variant_sdk": scenario.wrong_variant_sdk,
        "exposures_after_outcomes": scenario.late_exposure > 0,
        "pre_period_imbalance": bool(scenario.carried_over),
        "novelty": scenario.novelty_days is not None,
        "weights_changed": len({tuple(phase.weights.items()) for phase in experiment.history}) > 1,
        "crossovers": int((units["arms"] > 1).sum()),
    }
    return {
        "kind": scenario.kind,
        "method": experiment.plan.method,
        "control": experiment.control.id,
        "units": {variant.id: counts.get(variant.id, 0) for variant in experiment.variants},
        "has_effect": scenario.has_effect,
        "lifts": lifts,
        "faults": faults,
    }


def _hostile(campaigns: pl.Series) -> int:
    return int((~campaigns.drop_nulls().is_in(["winter", "newsletter", "none"])).sum())


def _total(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for reasons in counts:
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items()))
