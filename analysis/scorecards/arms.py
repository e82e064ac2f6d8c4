"""The arms side by side: shares, units, and what each shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One configuration key over all arms; ``differs`` marks what the experiment changes."""

    key: str
    values: Sequence[str]
    differs: bool


@dataclass(frozen=True, slots=True)
class ArmCard:
    """One arm with its share, its units and what it shows."""

    id: str
    name: str
    is_control: bool
    weight: str
    units: str
    title: str
    description: str
    about: str
    image: str
    prob_best: str


def arm_cards(experiment: ExperimentView, current: Sequence[Row], units: Mapping[str, int]) -> list[ArmCard]:
    """One card per arm, in the declared order; units are unknown until someone is exposed."""
    best = {row["variant_id"]: row.get("prob_best") for row in current if row.get("role") == "primary"}
    return [
        ArmCard(
            id=arm.id,
            name=arm.label,
            is_control=arm.is_control,
            weight=fmt.setting(arm.weight),
            units=fmt.count(units.get(arm.id, 0)) if units else fmt.MISSING,
            title=as_text(arm.config.get("title", "")),
            description=as_text(arm.config.get("description", "")),
            about=_about(arm.about),
            image=_local_image(arm.config.get("image")),
            prob_best="" if best.get(arm.id) is None else fmt.probability(best[arm.id]),
        )
        for arm in experiment.arms
    ]


def _about(about: Mapping[str, Any]) -> str:
    """Version, author, days and tags on one line; what is not declared is left out."""
    words = {"version": "version {}", "author": "by {}", "created": "created {}", "updated": "updated {}"}
    parts = [text.format(about[key]) for key, text in words.items() if key in about]
    return " · ".join([*parts, *about.get("tags", ())])


def _local_image(value: object) -> str:
    """An image is shown only when the page carries it: nothing is ever fetched."""
    return value if isinstance(value, str) and value.startswith("data:image/") else ""


def config_lines(experiment: ExperimentView) -> list[ConfigLine]:
    """One line per configuration key over all arms."""
    keys = sorted({key for arm in experiment.arms for key in arm.config if key != "image" or arm.config[key]})
    lines = []
    for key in keys:
        values = [as_text(arm.config[key]) if key in arm.config else fmt.MISSING for arm in experiment.arms]
        shown = ["shown above" if value.startswith("data:image/") else value for value in values]
        lines.append(ConfigLine(key, shown, differs=len(set(values)) > 1))
    return lines


def as_text(value: object) -> str:
    """A configured value as it is read: text as it stands, anything else as JSON."""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    )
