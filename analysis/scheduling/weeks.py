"""One week of a content schedule: its slots, what somebody fixed, and what is planned around it."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.schedules import WEEKDAYS
from fairsplit.analysis.scheduling.hours import hour_of_week
from fairsplit.analysis.scheduling.placing import Candidate, Placed, Slot, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.schedules import Schedule, ScheduleOverride
    from fairsplit.analysis.statistics.checks import FloatArray

#: A week is planned from what was known at the end of this many days before its Monday: the plan stands when it begins.
DAYS_BEFORE = 2

#: `results.schedule`: one row per post. `cut_off` is what the week was planned from, `post_at` naive UTC, `block` the
#: matched block that draws the arms (null for what somebody fixed), `value` what the hour is worth against the mean.
SCHEDULE: Mapping[str, pl.DataType] = {
    "schedule_id": pl.String(),
    "cut_off": pl.Date(),
    "week": pl.Date(),
    "post_at": pl.Datetime("us"),
    "post_id": pl.String(),
    "channel": pl.String(),
    "persona": pl.String(),
    "experiment_id": pl.String(),
    "variant_id": pl.String(),
    "block": pl.Int64(),
    "source": pl.String(),
    "priority": pl.Float64(),
    "value": pl.Float64(),
    "text": pl.String(),
    "media": pl.String(),
    "reason": pl.String(),
}
#: `results.schedule_weeks`: what each planned week follows from.
SCHEDULE_WEEKS: Mapping[str, pl.DataType] = {
    "schedule_id": pl.String(),
    "week": pl.Date(),
    "input_hash": pl.String(),
}
SCHEDULE_KEY = ("schedule_id", "post_at", "post_id")


def known_day(week: date) -> date:
    """The cut-off that a week is planned from."""
    return week - timedelta(days=DAYS_BEFORE)


def priority(decision: str, fraction: float | None, fraction_a_week_ago: float | None) -> float:
    """What a post of an experiment is worth: more the nearer its decision is, nothing once it is concluded.

    One, and up to one more for the share of the planned information that is in, and up to one more for the pace of the
    last week: half where it takes another such week to the end.

    >>> priority("continue", 0.5, 0.0), priority("stop", 0.5, 0.25), priority("continue", None, None)
    (2.0, 0.0, 1.0)
    """
    if decision == "stop":
        return 0.0
    if fraction is None or not math.isfinite(fraction):
        return 1.0
    share = min(max(fraction, 0.0), 1.0)
    pace = max(share - (fraction_a_week_ago or 0.0), 0.0)
    return 1 + share + (pace / (pace + 1 - share) if pace > 0 else 0.0)


def week_rows(
    schedule: Schedule,
    experiments: Mapping[str, Experiment],
    priorities: Mapping[str, float],
    effects: FloatArray,
    week: date,
) -> list[dict[str, Any]]:
    """The posts of one week as rows of `SCHEDULE`, by time.

    Args:
        schedule: Checked.
        experiments: In force, by id.
        priorities: By experiment id; what is not there, or not above 0, is not posted.
        effects: From `hour_effects`.
        week: Its Monday, local.
    """
    days = [day for number in range(7) if _counts(schedule, day := week + timedelta(days=number))]
    fixed = [one for one in schedule.overrides if _local_day(schedule, one.at) in days]
    posts = [one for one in fixed if one.experiment is not None]
    slots = [
        slot
        for slot in _slots(schedule, days, effects)
        if all(abs(slot.at - one.at) >= schedule.step for one in fixed)
    ]
    candidates = [
        Candidate(
            name,
            [arm for arm, share in experiments[name].history[-1].weights.items() if share > 0],
            priorities[name],
            [one.at for one in posts if one.experiment == name],
        )
        for name in sorted({item.experiment for item in schedule.items})
        if priorities.get(name, 0) > 0
    ]
    room = {
        day: schedule.posts_per_day - sum(_local_day(schedule, one.at) == day for one in posts)
        for day in days
    }
    placed = place(slots, candidates, room, schedule.near_duplicate_spacing, f"{schedule.id}|{week}")
    return _rows(schedule, week, placed, posts, priorities, effects)


def _counts(schedule: Schedule, day: date) -> bool:
    inside = schedule.start <= day and (schedule.end is None or day < schedule.end)
    return inside and WEEKDAYS[day.weekday()] in schedule.posting_hours.weekdays


def _slots(schedule: Schedule, days: Sequence[date], effects: FloatArray) -> Iterator[Slot]:
    hours = schedule.posting_hours
    for day in days:
        # By the clock on the wall: an hour that a change of the clock skips or shows twice has its slots once.
        begin = datetime.combine(day, time(hours.from_), schedule.clock)
        last = datetime.combine(day, time()) + timedelta(hours=hours.until)
        end = last.replace(tzinfo=schedule.clock).astimezone(UTC)
        at = begin.astimezone(UTC)
        while at < end:
            instant = at.replace(tzinfo=None)
            of_week = hour_of_week(instant, schedule.clock)
            yield Slot(instant, day, of_week % 24, math.exp(float(effects[of_week])))
            at += schedule.step


def _rows(
    schedule: Schedule,
    week: date,
    placed: Sequence[Placed],
    fixed: Sequence[ScheduleOverride],
    priorities: Mapping[str, float],
    effects: FloatArray,
) -> list[dict[str, Any]]:
    posts = [
        *((post.at, post.experiment, post.variant, post.block, "planned", None) for post in placed),
        *((one.at, one.experiment, one.variant, None, "override", one.reason) for one in fixed),
    ]
    turns: dict[tuple[Any, Any], int] = {}
    rows = []
    for at, experiment, variant, block, source, reason in sorted(
        posts, key=lambda post: (post[0], str(post[1]))
    ):
        items = [one for one in schedule.items if (one.experiment, one.variant) == (experiment, variant)]
        turn = turns.get((experiment, variant), 0)
        turns[experiment, variant] = turn + 1
        item = items[turn % len(items)]
        rows.append(
            {
                "schedule_id": schedule.id,
                "cut_off": known_day(week),
                "week": week,
                "post_at": at,
                "post_id": f"{schedule.id}-{at:%Y%m%dT%H%M}",
                "channel": schedule.channel,
                "persona": schedule.persona,
                "experiment_id": experiment,
                "variant_id": variant,
                "block": block,
                "source": source,
                "priority": priorities.get(str(experiment)),
                "value": math.exp(float(effects[hour_of_week(at, schedule.clock)])),
                "text": item.text,
                "media": item.media,
                "reason": reason,
            }
        )
    return rows


def _local_day(schedule: Schedule, at: datetime) -> date:
    return at.replace(tzinfo=UTC).astimezone(schedule.clock).date()
