"""Rules of named segments that need one another, and of behavioural ones their exported attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.behaviour import behaviour_faults
from fairsplit.analysis.catalogue.checks import identity_findings
from fairsplit.analysis.catalogue.conditions import condition_faults, segment_names
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.flags import Segment
    from fairsplit.analysis.catalogue.project import Project

#: The key beside the attributes in an exported line.
UNIT_COLUMN = "unit_id"


def segment_findings(segments: Mapping[str, Segment], project: Project) -> dict[str, list[Finding]]:
    """What is wrong with each well-shaped segment, by the name of its file."""
    edges = {stem: segment_names(segment.membership) for stem, segment in segments.items()}
    exported: dict[tuple[str, str], str] = {}
    findings: dict[str, list[Finding]] = {}
    for stem, segment in segments.items():
        findings[stem] = [
            *identity_findings(segment.id, stem),
            *_form_findings(segment, segments, project),
            *_attribute_findings(segment, exported),
        ]
        if circle := circle_of(stem, edges):
            findings[stem].append(
                Finding(
                    ("condition",),
                    "segments refer to one another in a circle",
                    " → ".join(circle),
                    "no circle",
                    "take one of these references away",
                )
            )
    return findings


def _form_findings(segment: Segment, segments: Mapping[str, Segment], project: Project) -> Iterator[Finding]:
    if segment.unit not in project.units:
        yield Finding(("unit",), "the project declares no such unit", segment.unit, ", ".join(project.units))
    if (segment.condition is None) is (segment.behaviour is None):
        yield Finding((), "a segment has one definition", rule="exactly one of condition, behaviour")
    elif segment.behaviour is not None:
        for path, what, value, rule in behaviour_faults(segment.behaviour):
            yield Finding(("behaviour", *path), what, shown(value), rule)
    if segment.condition is None:
        return
    active = {name: other for name, other in segments.items() if other.active}
    for path, what, value, rule in condition_faults(segment.condition, ("condition",), active):
        hint = did_you_mean(value, active) if path[-1] == "segment" else ""
        yield Finding(path, what, shown(value), rule, hint)
    for name in sorted(segment_names(segment.condition) & active.keys()):
        if active[name].unit != segment.unit:
            what, rule = "uses a segment of another kind of unit", f"unit: {segment.unit}"
            yield Finding(("condition",), what, f"{name}: {active[name].unit}", rule)


def _attribute_findings(segment: Segment, exported: dict[tuple[str, str], str]) -> Iterator[Finding]:
    """Each exported attribute of a kind of unit has one meaning."""
    rules = segment.behaviour.rules if segment.behaviour is not None and segment.active else ()
    for rule in rules:
        if rule.as_ is None:
            continue
        key = (segment.unit, rule.as_)
        if rule.as_ == UNIT_COLUMN or key in exported:
            taken = (
                "it holds the unit's id" if rule.as_ == UNIT_COLUMN else f"segment {exported[key]} exports it"
            )
            yield Finding(("behaviour",), "the attribute's name is taken", rule.as_, taken)
        exported.setdefault(key, segment.id)


def circle_of(start: str, edges: Mapping[str, set[str]]) -> list[str]:
    """A way from a node back to itself, or nothing."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for following in sorted(edges.get(way[-1], ())):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
