"""The models of feature flags and named segments."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fairsplit.analysis.catalogue.behaviour import Behaviour
from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.catalogue.experiment import TargetingTest
from fairsplit.analysis.catalogue.fields import (
    Duration,
    Instant,
    Items,
    ShardShare,
    Slug,
    Strict,
    Text,
    UnitId,
    fault,
)
from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.analysis.catalogue.project import UnitType


class Dependency(Strict):
    """Another flag that must serve a value first."""

    flag: Slug
    value: Any


class FlagStep(Strict):
    """A wider rollout, and how long the one before lasts."""

    rollout: ShardShare
    after: Annotated[Duration, Field(gt=timedelta())]


class FlagRamp(Strict):
    """Steps of a rising rollout after the declared one; the guardrails of the flag's experiment watch it."""

    start: Instant
    steps: Annotated[Items[FlagStep], Field(min_length=1)]


class Flag(Strict):
    """A feature flag: `value` for the units it is rolled out to, else `default`."""

    id: Slug
    name: Text
    owner: Text
    description: Text | None = None
    type: Literal["boolean", "string", "integer", "number", "json"]
    """SDKs tell them apart: a `number` is asked for as a float, an `integer` as a whole number."""
    sdk: Sdk = "ufc"
    """The SDK family that serves it and whose hash decides the rollout; flags depend on flags of their own family."""
    enabled: bool = True
    default: Any
    value: Any = None
    """Served to targeted units inside the rollout."""
    rollout: ShardShare = 1.0
    ramp: FlagRamp | None = None
    """How the rollout widens by itself; needs an `experiment`, whose guardrails stop it."""
    targeting: Condition | None = None
    depends_on: Items[Dependency] = ()
    overrides: dict[UnitId, Any] = Field(default_factory=dict)
    """Unit id to the value that this unit always gets."""
    experiment: Slug | None = None
    """The experiment that this flag belongs to."""
    tests: Items[TargetingTest] = ()

    @model_validator(mode="after")
    def _ramp_rises_and_is_watched(self) -> Flag:
        if self.ramp is None:
            return self
        shares = [self.rollout, *(step.rollout for step in self.ramp.steps)]
        if any(late <= early for early, late in pairwise(shares)):
            raise fault("rollout does not rise from step to step", "each step is wider than the one before")
        if self.experiment is None:
            raise fault("has a ramp that nobody watches", "experiment: one whose guardrails stop it")
        return self

    @property
    def served(self) -> Any:
        """What the flag serves inside its rollout: a boolean flag without a value turns its default round."""
        if self.value is None:
            return not self.default if self.type == "boolean" else self.default
        return self.value


class Segment(Strict):
    """A named, reusable condition on a unit's attributes, or on what it did."""

    id: Slug
    name: Text
    description: Text | None = None
    active: bool = True
    """An inactive segment is neither exported nor can it be named in a condition."""
    unit: UnitType = "user"
    """Whom it counts; a condition on attributes holds for any kind of unit."""
    condition: Condition | None = None
    behaviour: Behaviour | None = None

    @property
    def attribute(self) -> str:
        """The subject attribute that says whether a unit is in a behavioural segment."""
        return f"segment:{self.id}"

    @property
    def membership(self) -> Condition:
        """What the segment's name stands for in a condition.

        No SDK sees events, so a behavioural segment stands for a test of the attribute that is exported for it. Its
        name has a colon, which no declared attribute has.
        """
        if self.condition is not None:
            return self.condition
        return Condition.model_construct(attribute=self.attribute, equals=True)
