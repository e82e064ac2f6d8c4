"""Who is exposed to which arm and when, by the exported config's bucketing, and what that changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.assignment_exports.allocation import assign
from fairsplit.orchestration.simulate.population import DAY, SECOND
from fairsplit.orchestration.simulate.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from fairsplit.assignment_exports.allocation import Allocation
    from fairsplit.orchestration.simulate.population import Population, Sessions
    from fairsplit.orchestration.simulate.scenarios import Lever, Scenario, Together

NONE: Final = -1
_AT_START: Final = 2 * SECOND
_AT_END: Final = 595 * SECOND


@dataclass(frozen=True, slots=True)
class Exposures:
    """One experiment's exposures.

    Attributes:
        variants: Variant ids in declared order.
        first: Index of each user's first exposing session, or `NONE`, shape (users,).
        effective: Index of the first session that counts and is changed: the next one where the exposure was
            logged only at the session's end, shape (users,).
        arm: The arm that each exposed user lives in, as a position in `variants`, or `NONE`.
        exposed_at: Microseconds since the world's first midnight; meaningless where `first` is `NONE`.
        events: Exposure and activation events: columns ``session``, ``offset``, ``event_name``, ``variant``,
            ``anonymous`` (true: logged without the user's id).
        lost_units: Units whose exposures a fault swallowed.
        anonymous_units: Units first seen before they logged in.
        mislogged: Whether a user's log names another arm, shape (users,).
        unrendered_units: Units that never sent the activation event.
    """

    variants: tuple[str, ...]
    first: NDArray[np.int64]
    effective: NDArray[np.int64]
    arm: NDArray[np.int64]
    exposed_at: NDArray[np.int64]
    events: pl.DataFrame
    lost_units: int
    anonymous_units: int
    mislogged: NDArray[np.bool_]
    unrendered_units: int


def draw_exposures(
    seed: int,
    allocation: Allocation,
    scenario: Scenario,
    activation: str | None,
    unit: str,
    population: Population,
    sessions: Sessions,
    first_midnight: datetime,
    listed: pl.DataFrame | None = None,
) -> Exposures:
    """Draw one experiment's exposures.

    Args:
        seed: The world's seed.
        allocation: As exported, with the status ``running`` so that past periods assign too.
        scenario: Its truth and fault.
        activation: Name of the activation event, if the experiment has one.
        unit: The column of ``population.users`` that is bucketed: ``user_id`` or ``anonymous_id``.
        population: The users.
        sessions: Their sessions.
        first_midnight: Start of the world, naive UTC.
        listed: `unit_id` and `variant` of the units that take part, where a list and not the hash decides.
    """
    rng = stream(seed, f"exposures/{allocation.experiment_id}")
    reached = rng.random(len(sessions)) < scenario.surface
    logged_again = rng.random(len(sessions)) < scenario.relogged
    variants = tuple(allocation.configs)
    session_arm = _arms_by_session(
        allocation, listed, variants, population.users[unit], population, sessions, first_midnight
    )
    users = len(population.kind)
    luck = rng.random((5, users))

    seen = np.flatnonzero(reached & (session_arm != NONE))
    first = np.full(users, NONE, dtype=np.int64)
    exposed_users, where = np.unique(sessions.user[seen], return_index=True)
    first[exposed_users] = seen[where]
    arm = np.where(first != NONE, session_arm[first], NONE)

    late = (first != NONE) & (luck[0] < scenario.late_exposure)
    exposed_at = sessions.start[first] + np.where(late, _AT_END, _AT_START)
    losing = _share_of_arm(arm, variants, scenario.lost_exposures) > luck[1]
    if scenario.lost_platform is not None:
        losing &= (population.users["platform"] == scenario.lost_platform).to_numpy()
    losing &= sessions.day[first] >= scenario.lost_from_day
    losing &= first != NONE
    kept = (first != NONE) & ~losing

    anonymous = kept & (luck[2] < scenario.anonymous_first)
    before_login = _arm_of(
        allocation, listed, variants, population.users["anonymous_id"], sessions.start[first], first_midnight
    )
    anonymous &= before_login != NONE
    arm = np.where(anonymous, before_login, arm)

    wrong = np.zeros(users, dtype=bool)
    if scenario.wrong_variant_sdk is not None:
        version = (population.users["sdk_version"] == scenario.wrong_variant_sdk).to_numpy()
        wrong = kept & version & (luck[3] < scenario.wrong_variant_share)
    unrendered = kept & (_share_of_arm(arm, variants, scenario.unrendered) > luck[4])

    index = np.arange(len(sessions))
    is_first = index == first[sessions.user]
    again = reached & logged_again & (session_arm != NONE) & (index > first[sessions.user])
    logged = np.flatnonzero((is_first | again) & kept[sessions.user])
    who = sessions.user[logged]
    logged_arm = np.where(is_first[logged], arm[who], session_arm[logged])
    logged_arm = np.where(wrong[who], (logged_arm + 1) % len(variants), logged_arm)
    offset = np.where(is_first[logged] & late[who], _AT_END, _AT_START)
    events = pl.DataFrame(
        {
            "session": logged,
            "offset": offset,
            "event_name": pl.repeat("experiment_viewed", len(logged), eager=True),
            "variant": pl.Series(list(variants), dtype=pl.String)[logged_arm],
            "anonymous": is_first[logged] & anonymous[who],
        }
    )
    if activation is not None:
        rendered = logged[~unrendered[who]]
        events = pl.concat(
            [
                events,
                pl.DataFrame(
                    {
                        "session": rendered,
                        "offset": np.full(len(rendered), _AT_START - SECOND),
                        "event_name": pl.repeat(activation, len(rendered), eager=True),
                        "variant": pl.repeat(None, len(rendered), dtype=pl.String, eager=True),
                        "anonymous": np.zeros(len(rendered), dtype=bool),
                    }
                ),
            ]
        )
    return Exposures(
        variants=variants,
        first=np.where(kept, first, NONE),
        effective=np.where(kept, first + late, NONE),
        arm=np.where(kept, arm, NONE),
        exposed_at=exposed_at,
        events=events,
        lost_units=int(losing.sum()),
        anonymous_units=int(anonymous.sum()),
        mislogged=wrong,
        unrendered_units=int(unrendered.sum()),
    )


def multipliers(
    exposures: Exposures, scenario: Scenario, lever: Lever, sessions: Sessions, variant: str | None = None
) -> NDArray[np.float64] | None:
    """The factor by which an experiment changes a lever in each session.

    Args:
        exposures: Who is exposed from when on.
        scenario: The effects.
        lever: The lever.
        sessions: All sessions.
        variant: As if every exposed unit lived in this arm; by default each in its own.

    Returns:
        Shape (sessions,), 1 before exposure and for the unexposed; none if the lever is never moved.
    """
    table = np.array([scenario.multiplier(name, lever) for name in exposures.variants])
    if (table == 1.0).all():
        return None
    start = exposures.effective[sessions.user]
    affected = np.flatnonzero((start != NONE) & (np.arange(len(sessions)) >= start))
    who = sessions.user[affected]
    factor = (
        table[exposures.arm[who]]
        if variant is None
        else np.full(len(who), table[exposures.variants.index(variant)])
    )
    if scenario.novelty_days is not None:
        since = (sessions.start[affected] - exposures.exposed_at[who]) / DAY
        factor = 1 + (factor - 1) * np.exp(-np.maximum(since, 0.0) / scenario.novelty_days)
    result = np.ones(len(sessions))
    result[affected] = factor
    return result


def joint_multiplier(
    one: Exposures, other: Exposures, together: Together, sessions: Sessions
) -> NDArray[np.float64]:
    """The factor by which two experiments change a lever in the sessions of units that are in both; else 1."""
    both, alike = np.ones(len(sessions), dtype=np.bool_), np.ones(len(sessions), dtype=np.bool_)
    for exposures, (_, treatment) in zip((one, other), together.experiments, strict=True):
        start = exposures.effective[sessions.user]
        both &= (start != NONE) & (np.arange(len(sessions)) >= start)
        treated = exposures.arm[sessions.user] == exposures.variants.index(treatment)
        alike = alike == treated
    return np.where(both, np.where(alike, 1 + together.size, 1 - together.size), 1.0)


def carried_over(
    allocation: Allocation,
    listed: pl.DataFrame | None,
    scenario: Scenario,
    population: Population,
    sessions: Sessions,
    first_midnight: datetime,
) -> NDArray[np.float64] | None:
    """The factor on page views before an experiment begins, left by an earlier one with the same salts."""
    if not scenario.carried_over:
        return None
    variants = tuple(allocation.configs)
    start = int((allocation.phases[0].start - first_midnight) / timedelta(microseconds=1))
    users = population.users
    arm = _positions(allocation, listed, variants, users["user_id"], allocation.phases[0].start, users)
    factor = _share_of_arm(arm, variants, scenario.carried_over, other=1.0)
    return np.where(sessions.start < start, factor[sessions.user], 1.0)


def _arms_by_session(
    allocation: Allocation,
    listed: pl.DataFrame | None,
    variants: tuple[str, ...],
    units: pl.Series,
    population: Population,
    sessions: Sessions,
    first_midnight: datetime,
) -> NDArray[np.int64]:
    """The arm that the SDK or the list gives in each session, under the phase then in force."""
    result = np.full(len(sessions), NONE, dtype=np.int64)
    for phase in allocation.phases:
        arm = _positions(allocation, listed, variants, units, phase.start, population.users)
        for begin, end in allocation.open_stretches(phase):
            low = (begin - first_midnight) / timedelta(microseconds=1)
            high = np.inf if end is None else (end - first_midnight) / timedelta(microseconds=1)
            # The exposure is logged seconds into the session, and must itself lie inside the period.
            inside = (sessions.start >= low) & (sessions.start + _AT_END < high)
            result[inside] = arm[sessions.user[inside]]
    return result


def _arm_of(
    allocation: Allocation,
    listed: pl.DataFrame | None,
    variants: tuple[str, ...],
    units: pl.Series,
    at: NDArray[np.int64],
    first_midnight: datetime,
) -> NDArray[np.int64]:
    result = np.full(len(units), NONE, dtype=np.int64)
    for phase in allocation.phases:
        low = (phase.start - first_midnight) / timedelta(microseconds=1)
        arm = _positions(allocation, listed, variants, units, phase.start)
        result = np.where(at >= low, arm, result)
    return result


def _positions(
    allocation: Allocation,
    listed: pl.DataFrame | None,
    variants: tuple[str, ...],
    units: pl.Series,
    at: datetime,
    attributes: pl.DataFrame | None = None,
) -> NDArray[np.int64]:
    """The position of each unit's arm in `variants`, or `NONE`."""
    if listed is None:
        arm = assign(allocation, units, at, attributes)["variant"]
    else:
        arm = units.replace_strict(listed["unit_id"], listed["variant"], default=None, return_dtype=pl.String)
    mapping = {name: position for position, name in enumerate(variants)}
    return arm.replace_strict(mapping, default=NONE, return_dtype=pl.Int64).fill_null(NONE).to_numpy()


def _share_of_arm(
    arm: NDArray[np.int64], variants: tuple[str, ...], shares: Mapping[str, float], other: float = 0.0
) -> NDArray[np.float64]:
    table = np.array([*(shares.get(name, other) for name in variants), other])
    return np.asarray(table[arm])
