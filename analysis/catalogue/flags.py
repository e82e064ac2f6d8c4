"""The models of feature flags and named segments."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from analysis.catalogue.conditions import Condition
from analysis.catalogue.experiment import TargetingTest
from analysis.catalogue.fields import Items, ShardShare, Slug, Strict, Text
from analysis.catalogue.project import UnitType


class Dependency(Strict):
    """Another flag that must serve a value first."""

    flag: Slug
    value: Any


class Flag(Strict):
    """A feature flag: `value` for the units it is rolled out to, else `default`."""

    id: Slug
    name: Text
    owner: Text
    description: Text | None = None
    type: Literal["boolean", "string", "number", "json"]
    enabled: bool = True
    default: Any
    value: Any = None
    """Served to targeted units inside the rollout."""
    rollout: ShardShare = 1.0
    targeting: Condition | None = None
    depends_on: Items[Dependency] = ()
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Unit id to the value that this unit always gets."""
    experiment: Slug | None = None
    """The experiment that this flag belongs to."""
    tests: Items[TargetingTest] = ()


class Segment(Strict):
    """A named, reusable condition."""

    id: Slug
    name: Text
    description: Text | None = None
    active: bool = True
    unit: UnitType = "user"
    """Whom it counts; a condition on attributes holds for any kind of unit."""
    condition: Condition
