"""The page of content schedules, and their posts for machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fairsplit.analysis.scheduling.calendar_file import as_csv, as_ics
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairsplit.analysis.scorecards.inputs import SiteInputs

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PostLine:
    """One post as text; times are local to the schedule."""

    id: str
    when: str
    experiment: str
    href: str
    variant: str
    said: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class WeekPlan:
    """A week of one schedule: its posts by day, and how often each arm is posted and at which hour on average."""

    title: str
    days: Sequence[tuple[str, Sequence[PostLine]]]
    balance: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """A schedule with the week in force and the one before it."""

    id: str
    file: str
    channel: str
    persona: str
    zone: str
    weeks: Sequence[WeekPlan]


_SHOWN_WEEKS = 2


def build(inputs: SiteInputs) -> list[SchedulePlan]:
    """The page: each schedule's newest weeks, the newest first."""
    names = {view.id: view.name for view in inputs.experiments}
    plans = []
    for (identity,), frame in inputs.schedule.partition_by(
        "schedule_id", as_dict=True, maintain_order=True
    ).items():
        rows = frame.to_dicts()
        zone = ZoneInfo(inputs.zones.get(str(identity), "UTC"))
        weeks = sorted({row["week"] for row in rows}, reverse=True)[:_SHOWN_WEEKS]
        plans.append(
            SchedulePlan(
                str(identity),
                safe_name(str(identity)),
                rows[0]["channel"],
                rows[0]["persona"],
                zone.key,
                [_week([row for row in rows if row["week"] == week], names, zone) for week in weeks],
            )
        )
    return plans


def files(inputs: SiteInputs) -> Iterator[tuple[str, str]]:
    """Each schedule as a calendar and as CSV, as (path in the site, content)."""
    if inputs.schedule.is_empty():
        return
    for (identity,), frame in inputs.schedule.partition_by(
        "schedule_id", as_dict=True, maintain_order=True
    ).items():
        name = safe_name(str(identity))
        rows = frame.to_dicts()
        yield f"schedules/{name}.ics", as_ics(str(identity), rows)
        yield f"schedules/{name}.csv", as_csv(rows)


def documents(inputs: SiteInputs) -> Iterator[tuple[str, Row]]:
    """The answers of the scheduler's API, as (path behind ``api/``, document)."""
    begin = datetime.combine(inputs.cut_off + timedelta(days=1), time())
    rows = [] if inputs.schedule.is_empty() else inputs.schedule.to_dicts()
    coming = [row for row in rows if begin <= row["post_at"] < begin + timedelta(days=7)]
    for path, posts in (("scheduler/next-posts.json", coming), ("scheduler/calendar.json", rows)):
        yield path, {"computed_at": inputs.cut_off, "posts": [_post(row) for row in posts]}


def _post(row: Row) -> Row:
    return {
        "schedule_id": row["schedule_id"],
        "post_id": row["post_id"],
        "post_at": row["post_at"],
        "channel": row["channel"],
        "persona": row["persona"],
        "experiment_id": row["experiment_id"],
        "variant": row["variant_id"],
        "label": f"{row['experiment_id']}:{row['variant_id']}",
        "source": row["source"],
        "text": row["text"],
        "media": row["media"],
        "priority": row["priority"],
    }


def _week(rows: Sequence[Row], names: dict[str, str], zone: ZoneInfo) -> WeekPlan:
    days: dict[Any, list[PostLine]] = {}
    hours: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        local = row["post_at"].replace(tzinfo=UTC).astimezone(zone)
        days.setdefault(local.date(), []).append(
            PostLine(
                row["post_id"],
                f"{local:%H:%M}",
                names.get(row["experiment_id"], str(row["experiment_id"])),
                f"experiments/{safe_name(row['experiment_id'])}.html",
                row["variant_id"],
                row["text"] or row["media"] or "",
                row["source"],
                row["reason"] or "",
            )
        )
        hours.setdefault((row["experiment_id"], row["variant_id"]), []).append(local.hour + local.minute / 60)
    first = rows[0]["week"]
    return WeekPlan(
        fmt.day_range(first, first + timedelta(days=6)),
        [(fmt.day(day), lines) for day, lines in sorted(days.items())],
        [
            (names.get(name, name), arm, fmt.count(len(at)), f"{sum(at) / len(at):.1f} h")
            for (name, arm), at in sorted(hours.items())
        ],
    )
