"""What must be true of every world, and of all of them together; everything that is not, in words.

Rates are held against bounds that a correct system leaves once in a thousand tries: of a binomial where the declared
level is the probability, of a sum of unequal Bernoullis (normal, four standard deviations) where each world has a
power of its own, which is computed from the true lift and the standard error that was published.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
Worlds = list[Json]

ALPHA: Final = 0.05
#: A correct system leaves a bound this rarely.
ONCE_IN: Final = 1e-3
#: Check that must catch each planted fault, and the place that its rows must name.
PLANTED: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "lazy_images": (("srm", "all", "all"),),
    "ios_paywall": (("srm", "all", "all"), ("srm", "platform", "ios"), ("srm_diagnosis", "platform", "ios")),
    "recommendations": (("audit", "all", "all"), ("audit", "sdk_version", "4.1.0")),
    "profile_redesign": (
        ("loss:not_activated", "all", "all"),
        ("srm", "all", "all"),
        ("srm_diagnosis", "step", "not_activated"),
    ),
    "loyalty_points": (("pre_period:page_views_per_user", "all", "all"),),
    "guest_checkout": (("crossovers", "all", "all"),),
    "badge_notifications": (("fading:clicks_per_user", "all", "all"),),
    "promo_text": (("exposure_order", "all", "all"),),
}
#: Of these, the ones whose results mean nothing: no winner on any day.
INVALID: Final = ("lazy_images", "ios_paywall", "recommendations", "profile_redesign", "loyalty_points")
#: First day from which the iOS units are lost.
IOS_FROM: Final = "2026-01-14"
#: Their true lift is not what the pooled comparison estimates, as the world's page says.
CONFOUNDED: Final = ("search_rollout",)


def broken_claims(worlds: Worlds) -> list[str]:
    """Every claim that does not hold."""
    each = [f"seed {world['seed']}: {claim}" for world in worlds for claim in _of_one(world)]
    return [*each, *_of_all(worlds)]


def summary(worlds: Worlds) -> str:
    """The rates over all worlds, as a Markdown table."""
    rows = [
        "| experiment | worlds | improved | harmed | expected detections | covered | invalid |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in sorted(worlds[0]["truth"]["experiments"]):
        last = [_last_decision(world, name) for world in worlds]
        power = [one for world in worlds if (one := _power(world, name)) is not None]
        covered = [one for world in worlds if (one := _covered(world, name)) is not None]
        rows.append(
            f"| `{name}` | {len(worlds)} | {sum(one['action'] == 'ship' for one in last)} |"
            f" {sum(one['action'] == 'roll_back' for one in last)} |"
            f" {f'{sum(power):.1f}' if power else ''} | {f'{sum(covered)} of {len(covered)}' if covered else ''} |"
            f" {sum(one['action'] == 'fix_data' for one in last)} |"
        )
    return "\n".join(rows)


def _of_one(world: Json) -> Iterator[str]:
    """Counts, faults and directions, which hold in each world."""
    truth, seen = world["truth"], world["seen"]
    account = seen["accounts"][0]
    for name in ("read", "accepted", "duplicates", "quarantined"):
        if account[name] != truth["rows"][name]:
            yield f"{name}: {account[name]} rows, not {truth['rows'][name]}"
    if {row["reason"]: row["rows"] for row in seen["quarantine"]} != truth["rows"]["quarantined_by_reason"]:
        yield f"quarantine: {seen['quarantine']}"
    # A duplicate may be credited to a file that came later than the copy which the world counts.
    late, least = seen["late"][0]["events"], truth["events"]["late"]
    if not least <= late <= least + truth["rows"]["duplicates"]:
        yield f"late: {late} events, not {least}"
    if {row["event_day"]: row["rows"] for row in seen["days"]} != {
        day: count for day, count in truth["events"]["by_day"].items() if count
    }:
        yield "the events of some day are not those that were written"
    crossed = {row["experiment_id"]: row["units"] for row in seen["crossovers"]}
    planted = {
        name: one["faults"]["crossovers"]
        for name, one in truth["experiments"].items()
        if one["faults"]["crossovers"]
    }
    for name in sorted(planted.keys() | crossed.keys()):
        # A link that arrives later than the exposures joins two units into one that the world counts from the start.
        if abs(crossed.get(name, 0) - planted.get(name, 0)) > 0.02 * planted.get(name, 0):
            yield f"{name}: {crossed.get(name, 0)} units in two arms, not {planted.get(name, 0)}"
    yield from _faults(world)
    yield from _directions(world)


def _faults(world: Json) -> Iterator[str]:
    found = {
        (row["experiment_id"], row["check"], row["segment"], row["segment_level"]): row
        for row in world["seen"]["validity"]
    }
    for name, places in PLANTED.items():
        for place in places:
            if (name, *place) not in found:
                yield f"{name}: nothing says {', '.join(place)}"
    ios = found.get(("ios_paywall", "srm_diagnosis", "platform", "ios"))
    if ios is not None and IOS_FROM not in ios["sentence"]:
        yield f"ios_paywall: the diagnosis names another first day: {ios['sentence']}"
    for row in world["seen"]["decisions"]:
        if row["experiment_id"] in INVALID and row["action"] == "ship":
            yield f"{row['experiment_id']}: a winner on {row['cut_off']} in spite of its planted fault"


def _directions(world: Json) -> Iterator[str]:
    """Nobody is told to ship a worse arm or to roll back a better one, on any day."""
    for row in world["seen"]["decisions"]:
        lifts = _true_lifts(world, row["experiment_id"])
        if row["action"] == "ship" and lifts.get(row["variant_id"], 0.0) < 0:
            yield f"{row['experiment_id']}: ships the worse {row['variant_id']} on {row['cut_off']}"
        if row["action"] == "roll_back" and "primary_harmed" in row["reasons"] and min(lifts.values()) > 0:
            yield f"{row['experiment_id']}: rolls a better arm back on {row['cut_off']}"


def _of_all(worlds: Worlds) -> Iterator[str]:
    """Error rates, power and coverage, which hold over worlds."""
    names = worlds[0]["truth"]["experiments"]
    nulls = [name for name, one in names.items() if not one["has_effect"] and name not in INVALID]
    decided = [
        any(row["action"] in {"ship", "roll_back"} for row in _decisions(world, name))
        for world in worlds
        for name in nulls
    ]
    most = stats.binom.ppf(1 - ONCE_IN, len(decided), ALPHA)
    if sum(decided) > most:
        yield f"{sum(decided)} of {len(decided)} experiments without effect were decided, at most {most:.0f} may be"
    for name, one in names.items():
        power = [p for world in worlds if (p := _power(world, name)) is not None]
        # A bandit asks for an arm better than every other, which is more than one that differs from the control.
        if not power or name in INVALID or not one["has_effect"] or one["kind"] == "bandit":
            continue
        hits = sum(_last_decision(world, name)["action"] in {"ship", "roll_back"} for world in worlds)
        spread = 4 * sqrt(sum(p * (1 - p) for p in power)) + 0.5
        if hits < sum(power) - spread:
            yield f"{name}: found in {hits} of {len(power)} worlds where {sum(power):.1f} were due"
        if one["method"] == "fixed" and hits > sum(power) + spread:
            yield f"{name}: found in {hits} of {len(power)} worlds where only {sum(power):.1f} were due"
    covered = [
        one
        for world in worlds
        for name in names
        if name not in (*INVALID, *CONFOUNDED) and (one := _covered(world, name)) is not None
    ]
    least = stats.binom.ppf(ONCE_IN, len(covered), 1 - ALPHA)
    if sum(covered) < least:
        yield f"{sum(covered)} of {len(covered)} intervals cover the truth, at least {least:.0f} are due"


def _decisions(world: Json, name: str) -> list[Json]:
    return [row for row in world["seen"]["decisions"] if row["experiment_id"] == name]


def _last_decision(world: Json, name: str) -> Json:
    return max(_decisions(world, name), key=lambda row: row["cut_off"])


def _true_lifts(world: Json, name: str) -> dict[str, float]:
    """True lift by variant on the primary metric where the world knows it; 0 for a draft, which has no data."""
    truth = world["truth"]["experiments"].get(name)
    primary = [row for row in world["seen"]["primary"] if row["experiment_id"] == name]
    if truth is None or not primary:
        return {"": 0.0}
    lifts = truth["lifts"].get(primary[0]["metric"], {})
    return {variant: lift for variant, lift in lifts.items() if lift is not None} or {"": 0.0}


def _final_rows(world: Json, name: str) -> list[tuple[Json, float]]:
    """Published comparisons at the last cut-off with their true lifts."""
    rows = pl.DataFrame(
        [row for row in world["seen"]["primary"] if row["experiment_id"] == name and row["status"] == "ok"],
        infer_schema_length=None,
    )
    if rows.is_empty():
        return []
    lifts = _true_lifts(world, name)
    final = rows.filter(pl.col("cut_off") == pl.col("cut_off").max())
    return [
        (row, lifts[row["variant_id"]]) for row in final.iter_rows(named=True) if row["variant_id"] in lifts
    ]


def _power(world: Json, name: str) -> float | None:
    """Chance that the arm with the largest true lift is told apart at the last look."""
    rows = [(row, lift) for row, lift in _final_rows(world, name) if lift and row["lift_std_error"]]
    if not rows:
        return None
    row, lift = max(rows, key=lambda pair: abs(pair[1]))
    control = row["lift_abs"] / row["lift_rel"] if row["lift_rel"] else None
    if control is None:
        return None
    bound = row["seq_bound"] if row["seq_bound"] is not None else -special.ndtri(ALPHA / 2 / len(rows))
    return float(special.ndtr(abs(lift * control) / row["lift_std_error"] - bound))


def _covered(world: Json, name: str) -> bool | None:
    """Whether the first interval at the last cut-off holds the true lift."""
    rows = [(row, lift) for row, lift in _final_rows(world, name) if row["lift_rel_low"] is not None]
    if not rows:
        return None
    row, lift = rows[0]
    return bool(row["lift_rel_low"] <= lift <= row["lift_rel_high"])
