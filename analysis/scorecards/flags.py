"""The page of feature flags and segments: what exists, whom it reaches, and how many that is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, FlagView, SegmentView, SiteInputs


@dataclass(frozen=True, slots=True)
class FlagLine:
    """A flag with its values as text, whom it reaches in words, and its experiment's page and name (empty: none)."""

    flag: FlagView
    served: str
    default: str
    rollout: str
    whom: Sequence[str]
    experiment: tuple[str, str]


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """A segment with its share and counts as text."""

    segment: SegmentView
    inside: str
    share: str
    outside: str
    unknown: str


@dataclass(frozen=True, slots=True)
class FlagsPage:
    """Both tables; ``days`` are those in which a unit was seen."""

    flags: Sequence[FlagLine]
    enabled: int
    segments: Sequence[SegmentLine]
    days: str


def build(inputs: SiteInputs) -> FlagsPage:
    """The page from its inputs."""
    experiments = {view.id: view for view in inputs.experiments}
    names = {flag.id: flag.name for flag in inputs.flags}
    first = min((segment.first_day for segment in inputs.segments), default=inputs.cut_off)
    return FlagsPage(
        [_flag_line(flag, names, experiments.get(flag.experiment)) for flag in inputs.flags],
        sum(flag.enabled for flag in inputs.flags),
        [_segment_line(segment) for segment in inputs.segments],
        fmt.day_range(first, inputs.cut_off),
    )


def _flag_line(flag: FlagView, names: Mapping[str, str], experiment: ExperimentView | None) -> FlagLine:
    whom = [flag.targeting] if flag.targeting else []
    whom += [f"“{names[other]}” serves {_text(value)}" for other, value in flag.depends_on]
    return FlagLine(
        flag,
        _text(flag.served),
        _text(flag.default),
        fmt.setting(flag.rollout),
        whom,
        ("", "") if experiment is None else (f"experiments/{safe_name(experiment.id)}.html", experiment.name),
    )


def _segment_line(segment: SegmentView) -> SegmentLine:
    return SegmentLine(
        segment,
        fmt.count(segment.inside),
        fmt.percent(segment.inside / segment.units if segment.units else None),
        fmt.count(segment.units - segment.inside - segment.unknown),
        fmt.count(segment.unknown),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
