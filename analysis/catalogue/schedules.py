"""The model of a content schedule, and what is wrong with a well-shaped one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from fairsplit.analysis.catalogue.fields import (
    Day,
    Duration,
    Instant,
    Items,
    Name,
    Slug,
    Strict,
    Text,
    VariantId,
    fault,
)
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean
from fairsplit.analysis.catalogue.times import Zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PostingHours(Strict):
    """Local hours in which posts may begin: from the first one on, before the last one."""

    from_: Annotated[int, Field(alias="from", ge=0, le=23)]
    until: Annotated[int, Field(ge=1, le=24)]
    weekdays: Annotated[Items[Weekday], Field(min_length=1)] = WEEKDAYS

    @model_validator(mode="after")
    def _not_empty(self) -> PostingHours:
        if self.from_ >= self.until:
            raise fault("holds no hour", "from < until")
        return self


class ScheduleItem(Strict):
    """What a variant posts; several of one variant take turns."""

    experiment: Slug
    variant: VariantId
    text: Text | None = None
    media: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ScheduleItem:
        if self.text is None and self.media is None:
            raise fault("posts nothing", "text or media")
        return self


class ScheduleOverride(Strict):
    """A post that somebody fixed, or with neither experiment nor variant a time at which nothing is posted."""

    at: Instant
    experiment: Slug | None = None
    variant: VariantId | None = None
    reason: Text

    @model_validator(mode="after")
    def _both_or_neither(self) -> ScheduleOverride:
        if (self.experiment is None) != (self.variant is None):
            raise fault("names half a post", "experiment and variant, or neither")
        return self


class Schedule(Strict):
    """When which variant of which experiment is posted."""

    id: Slug
    name: Text
    owner: Text
    persona: Text
    channel: Name
    zone: Zone
    """Time zone of the hours and weeks, such as `Europe/Berlin`."""
    start: Day
    """Local day from which on posts are planned."""
    end: Day | None = None
    posting_hours: PostingHours
    posts_per_hour: Annotated[int, Field(ge=1, le=60)] = 2
    posts_per_day: Annotated[int, Field(ge=1, le=200)] = 10
    spacing: Annotated[Duration, Field(gt=timedelta())] = timedelta(minutes=20)
    """Least time between two posts."""
    near_duplicate_spacing: Annotated[Duration, Field(ge=timedelta())] = timedelta(hours=2)
    """Least time between two posts of one experiment: its variants are near duplicates."""
    items: Annotated[Items[ScheduleItem], Field(min_length=2, max_length=1_000)]
    overrides: Items[ScheduleOverride] = ()

    @property
    def clock(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self.zone)

    @property
    def step(self) -> timedelta:
        """The grid of a day's slots: neither spacing nor the rate per hour is ever broken on it."""
        return max(self.spacing, timedelta(hours=1) / self.posts_per_hour)


def schedule_findings(schedule: Schedule, experiments: Mapping[str, Experiment]) -> Iterator[Finding]:
    """What the shape cannot say: names that exist, an item for every arm, equal shares.

    Args:
        schedule: Well-shaped.
        experiments: Sound experiments by id.
    """
    if schedule.end is not None and schedule.end <= schedule.start:
        yield Finding(
            ("end",), "the end is not after the start", str(schedule.end), f"after {schedule.start}"
        )
    posted: dict[str, set[str]] = {}
    for position, item in enumerate(schedule.items):
        where: KeyPath = ("items", position)
        yield from _arm_findings(item.experiment, item.variant, where, experiments)
        posted.setdefault(item.experiment, set()).add(item.variant)
    for name, variants in posted.items():
        experiment = experiments.get(name)
        if experiment is None:
            continue
        shares = {arm: share for arm, share in experiment.history[-1].weights.items() if share > 0}
        lacking = sorted(set(shares) - variants)
        if lacking:
            yield Finding(
                ("items",), f"no item for every arm of {name}", ", ".join(lacking), "one each at least"
            )
        if len(set(shares.values())) > 1:
            rule = "equal weights: each arm is posted once in each block"
            yield Finding(("items",), f"the arms of {name} have unequal weights", rule=rule)
    for position, override in enumerate(schedule.overrides):
        if override.experiment is not None and override.variant is not None:
            place: KeyPath = ("overrides", position)
            yield from _arm_findings(override.experiment, override.variant, place, experiments)
            if override.variant not in posted.get(override.experiment, ()):
                yield Finding(
                    place, "no item says what is posted", override.variant, "an item of this variant"
                )


def _arm_findings(
    name: str, variant: str, where: KeyPath, experiments: Mapping[str, Experiment]
) -> Iterator[Finding]:
    if name not in experiments:
        hint = did_you_mean(name, experiments)
        yield Finding((*where, "experiment"), "unknown experiment", name, "a file of experiments/", hint)
        return
    declared = [arm.id for arm in experiments[name].variants]
    if variant not in declared:
        rule = f"one of: {', '.join(declared)}"
        yield Finding((*where, "variant"), "unknown variant", variant, rule, did_you_mean(variant, declared))
