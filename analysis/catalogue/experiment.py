"""The model of one experiment file. Shape only: what needs other fields or other files is in `checks`."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator

from fairsplit.analysis.catalogue.conditions import Condition, Scalar
from fairsplit.analysis.catalogue.fields import (
    Count,
    Day,
    Duration,
    Instant,
    Items,
    Level,
    Name,
    Probability,
    ShardShare,
    Share,
    Slug,
    Strict,
    Text,
    UnitId,
    VariantId,
    fault,
)
from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.analysis.catalogue.leaves import Leaf
from fairsplit.analysis.catalogue.project import Alternative, Correction, Defaults, Method, UnitType
from fairsplit.analysis.catalogue.search import Search
from fairsplit.analysis.catalogue.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic_core import CoreSchema

Status = Literal["draft", "running", "paused", "completed", "archived", "cancelled", "failed"]
Stage = Literal["design", "setup", "validation", "pre_launch", "running", "analysis", "decision"]
Role = Literal["primary", "secondary", "guardrail"]


#: What a bandit's plan cannot choose.
BANDIT_PLAN: Mapping[str, Any] = {"method": "always_valid", "cuped_days": 0}


class Salts(Strict):
    """Salts other than `<id>-traffic` and `<id>-split`; a phase that sets them re-hashes everybody."""

    traffic: Text | None = None
    split: Text | None = None


class _EqualInSchema:
    """`equal` beside the mapping in the JSON Schema: the experiment knows its variants and writes their shares."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"const": "equal"}, handler(core)]}


class Phase(Strict):
    """Traffic and weights in force from `start` until the next phase."""

    start: Instant
    traffic: ShardShare = 1.0
    """Share of eligible units that take part."""
    weights: Annotated[dict[VariantId, Share], _EqualInSchema()]
    """Share of the participants per variant; sums to 1. `equal` for the same share each."""
    salts: Salts = Salts()
    leaves: Items[Leaf] = ()
    """Contextual bandits: contexts with weights of their own; the first that fits counts, else `weights`."""


class FormerRange(Strict):
    """A share of the layer that an experiment had before."""

    until: Instant
    """Half-open: from this instant on the next one holds."""
    from_: Annotated[ShardShare, Field(alias="from")]
    to: ShardShare


class Layer(Strict):
    """The half-open share of a layer's units that this experiment may use."""

    id: Name
    from_: Annotated[ShardShare, Field(alias="from")]
    to: ShardShare
    history: Items[FormerRange] = ()
    """The shares before the one in force, oldest first: exposures are audited by them."""

    @property
    def ranges(self) -> list[tuple[datetime | None, datetime | None, float, float]]:
        """Every share with the half-open period in which it is in force; none is open."""
        ends = [former.until for former in self.history]
        every = [*((former.from_, former.to) for former in self.history), (self.from_, self.to)]
        return [
            (start, end, *share)
            for start, end, share in zip([None, *ends], [*ends, None], every, strict=True)
        ]


class Variant(Strict):
    """One arm."""

    id: VariantId
    name: Text | None = None
    description: Text | None = None
    control: bool = False
    weight: Share | None = None
    """Short form: with `traffic`, in place of phases."""
    config: dict[str, Any] = Field(default_factory=dict)
    """What the product reads; checked against `config_schema`."""
    levels: dict[Name, Scalar] = Field(default_factory=dict)
    """Multivariate: the level of each factor."""
    version: Text | None = None
    """Of what it shows; with the keys below for people, no number depends on them."""
    author: Text | None = None
    tags: Items[Text] = ()
    created: Day | None = None
    updated: Day | None = None

    @model_validator(mode="after")
    def _updated_after_created(self) -> Variant:
        if self.created is not None and self.updated is not None and self.updated < self.created:
            raise fault("was updated before it was created", "updated ≥ created")
        return self


class Factor(Strict):
    """One dimension of a factorial design."""

    name: Name
    levels: Annotated[Items[Scalar], Field(min_length=2)]


class Exposure(Strict):
    """Which event exposes a unit, and which must have come before."""

    event: Text = "experiment_viewed"
    activation: Text | None = None
    """An event that the unit must have had before an exposure qualifies."""


class MetricUse(Strict):
    """A metric and what is asked of it; a bare name is the metric with nothing more asked."""

    metric: Name
    minimum_effect: Size | None = None
    """Smallest effect worth finding: a share of the control, or `{absolute: 0.5}` in the metric's own unit."""
    non_inferiority_margin: Size | None = None
    """Guardrails: the harm that is tolerated, below 1 as a share of the control, or `{absolute: 0.5}`."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value

    @field_validator("non_inferiority_margin")
    @classmethod
    def _leaves_something(cls, margin: Size | None) -> Size | None:
        if margin is not None and margin.relative is not None and margin.relative >= 1:
            raise fault("tolerates the loss of everything", "< 1, or {absolute: …} in the metric's unit")
        return margin

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(core)]}


class Metrics(Strict):
    """Metrics by role."""

    primary: Annotated[Items[MetricUse], Field(min_length=1)]
    """They decide, under the plan's correction."""
    secondary: Items[MetricUse] = ()
    """Read with Benjamini-Hochberg; they never decide."""
    guardrails: Items[MetricUse] = ()
    """They must not be harmed."""


class Plan(Strict):
    """How the experiment is judged; what is left out comes from `project.yaml`."""

    method: Method | None = None
    alpha: Level | None = None
    """Two-sided unless `alternative` says otherwise."""
    power: Probability | None = None
    alternative: Alternative | None = None
    correction: Correction | None = None
    cuped_days: Annotated[int | None, Field(ge=0, le=90)] = None
    min_sample: Count | None = None
    """Units per arm."""
    max_duration: Duration | None = None
    winner_probability: Probability | None = None
    looks: Annotated[int | None, Field(ge=1, le=365)] = None
    """Group sequential: planned looks; a look a day if left out."""
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"


class PoorPerformer(Strict):
    """An arm below a floor is proposed for disabling."""

    metric: Name
    threshold: float
    min_exposures: Count


class RampStep(Strict):
    """A wider share of traffic, and what must hold before it comes into force."""

    traffic: ShardShare
    after: Duration
    """Least time at the traffic before."""
    min_sample: Count = 1
    """Least units per arm exposed by then."""


class Ramp(Strict):
    """Steps of rising traffic after the declared one; weights and salts stay, so nobody who is in moves."""

    steps: Annotated[Items[RampStep], Field(min_length=1)]

    @model_validator(mode="after")
    def _rises(self) -> Ramp:
        shares = [step.traffic for step in self.steps]
        if any(late <= early for early, late in pairwise(shares)):
            raise fault("traffic does not rise from step to step", "each step is wider than the one before")
        return self


class Bandit(Strict):
    """How the weights follow the reward. Each update is a new phase; an arm of weight 0 stays out."""

    algorithm: Literal["thompson", "top_two", "ucb", "epsilon_greedy", "contextual"]
    reward: Name
    """A primary metric with a closed window."""
    features: Annotated[Items[Text], Field(max_length=4)] = ()
    """Contextual: the declared segments whose levels may choose the arm."""
    depth: Annotated[int | None, Field(ge=1, le=3)] = None
    """Contextual: most splits from the whole to a leaf; 2 if left out."""
    epsilon: Annotated[float | None, Field(gt=0, le=1)] = None
    """Epsilon-greedy: the share that goes to all arms alike."""
    floor: Annotated[ShardShare, Field(gt=0)] = 0.05
    """Least share of an arm; propensities near 0 would make every later estimate wide."""
    max_step: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Most by which any arm's share changes in one update."""
    warm_up: Duration = timedelta(days=7)
    """Least time under the declared weights."""
    update_every: Annotated[int, Field(ge=1, le=365)] = 1
    """Least days between two updates."""


class Stopping(Strict):
    """Which rules may propose the end."""

    efficacy: bool = True
    futility: bool = True
    harm: bool = True
    binding_futility: bool = False
    whole_weeks: bool = True
    """No efficacy stop before whole weeks have passed."""
    poor_performer: PoorPerformer | None = None
    automatic: bool | None = None
    """True: a decision changes the exported config by itself."""


class Pause(Strict):
    """Exposures in `[start, end)` do not qualify; without an end the pause lasts."""

    start: Instant
    end: Instant | None = None


class TargetingTest(Strict):
    """What somebody with these attributes should get; run by `fairsplit validate`."""

    attributes: dict[str, Scalar | None] = Field(default_factory=dict)
    unit: Text | None = None
    """A unit id; needed when a variant is expected."""
    at: Instant | None = None
    """The instant whose phase applies; the last phase if left out."""
    expect: Text
    """`none` (not eligible), `any` (eligible), or a variant id."""


class GivenValues(Strict):
    """What the units of an arm show of a metric: `events` of a share, else `mean` and `sd`."""

    events: Annotated[int | None, Field(ge=0, le=10**12)] = None
    mean: float | None = None
    sd: Annotated[float | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _one_form(self) -> GivenValues:
        if (self.events is None) == (self.mean is None) or (self.mean is None) != (self.sd is None):
            raise fault("has not one of the two forms", "events, or mean and sd")
        return self


class GivenArm(Strict):
    """The units of an arm, and what they show."""

    units: Annotated[int, Field(ge=0, le=10**12)]
    metrics: dict[Name, GivenValues]


class ExperimentTest(TargetingTest):
    """A test of the targeting, or of the decision: what is decided if the arms show these data."""

    expect: Text | None = None  # type: ignore[assignment]
    data: dict[VariantId, GivenArm] | None = None
    day: Annotated[int | None, Field(ge=1, le=3650)] = None
    """The day of the experiment, from 1, at whose end it is decided; the day of the verdict if left out."""
    decision: Literal["continue", "stop", "extend", "modify", "inconclusive"] | None = None
    variant: VariantId | None = None
    """The variant that the decision is about."""
    reason: Text | None = None
    """The code of the first reason."""

    @model_validator(mode="after")
    def _one_form(self) -> ExperimentTest:
        of_targeting = self.expect is not None
        if of_targeting == (self.data is not None):
            raise fault("tests neither targeting nor a decision, or both", "expect, or data and decision")
        if (self.data is None) != (self.decision is None):
            raise fault("has data without a decision, or one without data", "data and decision")
        if of_targeting and (self.day is not None or self.variant is not None or self.reason is not None):
            raise fault("has keys of a decision beside expect", "day, variant and reason go with data")
        if not of_targeting and (self.attributes or self.unit is not None or self.at is not None):
            raise fault("has keys of targeting beside data", "attributes, unit and at go with expect")
        return self


class Experiment(Strict):
    """One experiment as the user wrote it."""

    id: Slug
    """Equals the file's name."""
    name: Text
    owner: Text
    hypothesis: Text | None = None
    description: Text | None = None
    tags: Items[Text] = ()
    type: Literal["ab", "abn", "multivariate", "feature", "bandit", "aa"]
    unit: UnitType = "user"
    sdk: Sdk = "ufc"
    """The SDK family that serves it and whose hash decides: Eppo (UFC), OpenFeature flagd, or GrowthBook."""
    assignment: Literal["hash", "batch", "external"] = "hash"
    """Who decides: the hash, a design over a known population (`fairsplit assign`), or a list from elsewhere."""
    holdout: Name | None = None
    """The holdout whose joint effect it measures: held-out units against the others, whose arms no exposure logs."""
    since: Name | None = None
    """Of a measured holdout: units seen since the `last_ship` (default), since the `start`, or from the ship of the
    experiment with this id to the next."""
    status: Status
    stage: Stage | None = None
    start: Instant
    end: Instant | None = None
    """Half-open: the instant itself is outside."""
    traffic: ShardShare | None = None
    """Short form: with `weight` on each variant, in place of phases."""
    phases: Items[Phase] = ()
    """History of traffic and weights, oldest first."""
    pauses: Items[Pause] = ()
    sticky: bool = False
    """True: units keep their arm when weights change; the new weights hold for the traffic that they let in."""
    ramp: Ramp | None = None
    """How traffic widens; proposed, or done where `stopping.automatic` is set."""
    bandit: Bandit | None = None
    """Type `bandit`: how the weights follow the reward."""
    search: Search | None = None
    """Which parameters of the variants' config are searched for their best values, batch by batch."""
    layer: Layer | None = None
    salts: Salts = Salts()
    variants: Annotated[Items[Variant], Field(min_length=2, max_length=100)]
    factors: Items[Factor] = ()
    config_schema: dict[str, Any] | Text | None = None
    """A JSON Schema that every variant's config satisfies, or the name of one that is shipped: `page`, `image`."""
    targeting: Condition | None = None
    overrides: Annotated[dict[UnitId, VariantId], Field(default_factory=dict, max_length=1_000)]
    """Unit id to the variant that this unit always gets, for trying it out; such units do not count."""
    segments: Items[Text] = ()
    """Context columns or `properties.<key>` to split results by."""
    exposure: Exposure = Exposure()
    metrics: Metrics
    plan: Plan = Plan()
    stopping: Stopping = Stopping()
    crossovers: Literal["include", "exclude"] = "include"
    """Units seen in two arms; excluding them is shown beside the default."""
    shipped: VariantId | None = None
    """Completed: the variant that everybody gets; control if left out."""
    tests: Items[ExperimentTest] = ()

    @model_validator(mode="before")
    @classmethod
    def _equal_weights(cls, value: Any) -> Any:
        """`weights: equal` as the share of each declared variant."""
        match value:
            case {"phases": list(phases), "variants": list(variants)} if variants:
                names = [variant.get("id") for variant in variants if isinstance(variant, dict)]
                equal = {name: 1 / len(names) for name in names if isinstance(name, str)}
                shared = [
                    phase | {"weights": equal}
                    if isinstance(phase, dict) and phase.get("weights") == "equal"
                    else phase
                    for phase in phases
                ]
                return value | {"phases": shared}
        return value

    @property
    def control(self) -> Variant:
        """The control arm of a checked experiment."""
        return next(variant for variant in self.variants if variant.control)

    @property
    def history(self) -> tuple[Phase, ...]:
        """The phases; the short form is one phase, and variants without weights share equally."""
        if self.phases:
            return self.phases
        given = [variant.weight for variant in self.variants]
        equal = 1 / len(self.variants)
        weights = {
            variant.id: equal if all(weight is None for weight in given) else variant.weight or 0.0
            for variant in self.variants
        }
        return (
            Phase(start=self.start, traffic=1.0 if self.traffic is None else self.traffic, weights=weights),
        )

    @property
    def metric_uses(self) -> tuple[tuple[Role, MetricUse], ...]:
        """Every metric with its role."""
        return (
            *(("primary", use) for use in self.metrics.primary),
            *(("secondary", use) for use in self.metrics.secondary),
            *(("guardrail", use) for use in self.metrics.guardrails),
        )

    def with_defaults(self, defaults: Defaults) -> Experiment:
        """The same experiment with every open question of its plan and its stopping answered by the project.

        A declared end says how long the experiment lasts, whatever the project's longest duration is. A bandit is
        looked at whenever its weights move, and its shares adjust for nothing: its plan is always valid and has no
        covariate.
        """
        answers = {**defaults.model_dump(exclude={"automatic"}), **(BANDIT_PLAN if self.bandit else {})}
        if self.end is not None:
            answers["max_duration"] = self.end - self.start
        stated = self.plan.model_dump(exclude_none=True)
        said = self.stopping.automatic
        stopping = self.stopping.model_copy(
            # A holdout is only measured: it has nothing to serve.
            update={"automatic": defaults.automatic and self.holdout is None if said is None else said}
        )
        return self.model_copy(update={"plan": Plan(**{**answers, **stated}), "stopping": stopping})

    def periods(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """Half-open intervals in which exposures qualify: start to end but for pauses; none for a draft."""
        if self.status == "draft":
            return ()
        result: list[tuple[datetime, datetime | None]] = []
        begin: datetime | None = self.start
        for pause in self.pauses:
            if begin is not None and begin < pause.start:
                result.append((begin, pause.start))
            begin = pause.end
        if begin is not None and (self.end is None or begin < self.end):
            result.append((begin, self.end))
        return tuple(result)
