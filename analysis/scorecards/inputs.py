"""What the site is made of: result frames beside plain views of the definitions.

The views hold only what a page shows, so that the site can be rendered from any catalogue that can fill them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from fairsplit.analysis.errors import Problem


@dataclass(frozen=True, slots=True)
class ArmView:
    """One variant as declared.

    Attributes:
        id: Slug of the variant.
        name: What readers call it.
        is_control: Whether the other arms are compared with it.
        weight: Share of the experiment's traffic in the latest phase, 0 to 1.
        config: The variant's configuration; keys ``title``, ``description`` and ``image`` are shown as such.
        levels: Multivariate: the level of each factor, as text.
        about: ``version``, ``author``, ``tags``, ``created`` and ``updated``, where they are declared.
    """

    id: str
    name: str
    is_control: bool
    weight: float
    config: Mapping[str, Any] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name; a slug that stands in for one is shown as words."""
        if self.name != self.id:
            return self.name
        spaced = self.id.replace("_", " ")
        return spaced[:1].upper() + spaced[1:]


@dataclass(frozen=True, slots=True)
class ExperimentMetric:
    """A metric in its role within one experiment.

    Both sizes are shares of the control (0.02 is two per cent), or ``*_absolute`` in the metric's own unit.
    """

    metric: str
    role: str
    minimum_effect: float | None = None
    non_inferiority_margin: float | None = None
    minimum_effect_absolute: float | None = None
    non_inferiority_margin_absolute: float | None = None


@dataclass(frozen=True, slots=True)
class PlanView:
    """The declared plan: alpha as ``alternative`` says, ``min_sample`` per arm."""

    method: str = "fixed"
    alpha: float = 0.05
    power: float = 0.8
    alternative: str = "two-sided"
    correction: str = "holm"
    cuped_days: int = 0
    min_sample: int | None = None
    max_duration_days: float | None = None


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """One entry of the definition's history or of the lifecycle log, in words."""

    at: datetime
    what: str
    definition_hash: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """One experiment as its page shows it.

    ``start`` and ``end`` are UTC, ``end`` None while open. ``analysis`` is the declared one, which the verdict
    rests on; others are shown beside it. ``read_on`` is the day on which a plan concluded, a fixed one on its only
    reading and a group sequential one with its last look: later results are not its verdict's; None before.
    ``factors`` are the names and levels of a multivariate experiment, the reference level first. ``shipped`` is the
    variant that was shipped, empty while none is. ``activation`` says that exposures count only after an activating
    event.
    ``status`` is the one at the cut-off; ``may_act`` whether the file still lets a proposal be carried out.
    ``intake`` is the share of the eligible units that is let in, 0 to 1, from each start on.
    """

    id: str
    name: str
    owner: str
    status: str
    type: str
    unit: str
    hypothesis: str
    start: datetime
    end: datetime | None
    arms: Sequence[ArmView]
    metrics: Sequence[ExperimentMetric]
    plan: PlanView = field(default_factory=PlanView)
    description: str = ""
    tags: Sequence[str] = ()
    segments: Sequence[str] = ()
    targeting: str = ""
    stopping: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    definition_hash: str = ""
    history: Sequence[DefinitionChange] = ()
    analysis: str = "default"
    read_on: date | None = None
    factors: Sequence[tuple[str, Sequence[str]]] = ()
    shipped: str = ""
    activation: bool = False
    intake: Sequence[tuple[datetime, float]] = ()
    may_act: bool = True


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric of dbt's semantic layer: kind, direction and window (in words) as declared in its meta.

    Stored unit values are integers: the value times ``scale``. ``window_days`` is when a value is complete.
    """

    name: str
    label: str
    description: str = ""
    kind: str = "mean"
    unit: str = ""
    direction: str = "increase"
    window: str = ""
    scale: int = 1
    window_days: float = 0.0


@dataclass(frozen=True, slots=True)
class FlagView:
    """A feature flag as declared.

    ``served`` goes to the units inside the ``rollout`` (0 to 1) that the ``targeting`` lets in, in words and empty for
    everybody, and for whom every flag of ``depends_on`` serves the value beside it; ``default`` to the others.
    ``ramp`` is where its ramp stands, in words. ``overrides`` counts the units with a value of their own: no page names
    a unit. ``experiment`` is the one that it belongs to, or empty. ``history`` is when runs saw what change.
    """

    id: str
    name: str
    owner: str
    type: str
    sdk: str
    enabled: bool
    served: Any
    default: Any
    rollout: float = 1.0
    targeting: str = ""
    depends_on: Sequence[tuple[str, Any]] = ()
    overrides: int = 0
    experiment: str = ""
    ramp: str = ""
    description: str = ""
    history: Sequence[tuple[datetime, str]] = ()


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A named segment and its size.

    Of the ``units`` seen from ``first_day`` to the cut-off, ``inside`` are in it, ``unknown`` are those of which too
    little is known; what the condition asks of the time is asked at the end of the cut-off. ``condition`` is in words.
    """

    id: str
    name: str
    active: bool
    unit: str
    condition: str
    first_day: date
    units: int
    inside: int
    unknown: int
    description: str = ""
    history: Sequence[tuple[datetime, str]] = ()


@dataclass(frozen=True, slots=True)
class FailedDefinition:
    """An experiment file that could not be loaded: it has no results, only problems."""

    file: str
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the published numbers were computed from.

    Attributes:
        commit: Commit of the project that computed them; empty outside a repository.
        code_hash: Hash of the code that computes results.
        manifest_position: Knowledge cut-off: the last landed file that was known.
        publication: Identity of this publication in the ledger; empty before the first.
    """

    commit: str = ""
    code_hash: str = ""
    manifest_position: int | None = None
    publication: str = ""


def _empty() -> pl.DataFrame:
    return pl.DataFrame()


@dataclass(frozen=True, slots=True)
class SynthesisView:
    """A synthesis as declared: experiments whose effects are combined.

    Attributes:
        id: Its slug.
        name: What readers call it.
        owner: Whom to ask.
        description: Why these belong together, if it is said.
    """

    id: str
    name: str
    owner: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class SiteInputs:
    """Everything that the site shows. An empty frame leaves its panel out, or says that nothing is known.

    Attributes:
        cut_off: The last calendar day (UTC, inclusive) that the results know of.
        experiments: All definitions that loaded.
        metrics: Metric definitions by name.
        flags: Feature flags that loaded.
        segments: Named segments that loaded.
        failed: Definition files that did not load.
        comparisons: ``results.comparisons`` for this cut-off and, for the lift over time, for earlier ones.
        validity: ``results.validity``; rows of the newest cut-off per experiment are shown.
        decisions: ``results.decisions`` of all cut-offs: the newest is the verdict, all are the decision log.
        allocations: ``results.allocations`` of all cut-offs.
        next_actions: ``results.next_actions`` of all cut-offs.
        policies: ``results.policies`` of the newest cut-off.
        policy_leaves: ``results.policy_leaves`` of the newest cut-off.
        policy_coefficients: ``results.policy_coefficients`` of the newest cut-off.
        schedule: ``results.schedule``: the posts of content schedules.
        zones: Time zone of each content schedule, by id.
        interactions: ``results.interactions``.
        interaction_effects: ``results.interaction_effects``.
        programme: ``results.programme``.
        programme_experiments: ``results.programme_experiments``.
        syntheses: ``results.syntheses``.
        synthesis_studies: ``results.synthesis_studies``.
        search: ``results.search``.
        aa_certification: ``results.aa_certification``.
        synthesis_views: What the syntheses are.
        daily_exposures: ``fct_daily_exposures``.
        losses: ``fct_losses`` (experiment_id, variant_id, step, units, events).
        funnels: Steps of conversion funnels (experiment_id, metric, variant_id, position, step, units).
        histograms: ``fct_value_histograms`` of the cut-off.
        file_accounts: ``landing.file_accounts`` with ``path`` and ``arrived_at`` where known.
        quarantine: Quarantined rows counted: (reason, rows), and ``file_hash`` where known. Never raw lines.
        landing_findings: What is wrong with sources and landed files: (subject, message).
        days: Event days: (event_day, rows) and whatever of ``fct_event_quality`` is numeric.
        provenance: Hashes and positions that make the page reproducible.
        run_seconds: Seconds of the last run's steps, for monitoring only: step to seconds.
        links: Parts of the site beside the pages that exist: name ("dbt", "data-docs") to its index path.
    """

    cut_off: date
    experiments: Sequence[ExperimentView]
    metrics: Mapping[str, MetricView]
    flags: Sequence[FlagView] = ()
    segments: Sequence[SegmentView] = ()
    failed: Sequence[FailedDefinition] = ()
    comparisons: pl.DataFrame = field(default_factory=_empty)
    validity: pl.DataFrame = field(default_factory=_empty)
    decisions: pl.DataFrame = field(default_factory=_empty)
    allocations: pl.DataFrame = field(default_factory=_empty)
    next_actions: pl.DataFrame = field(default_factory=_empty)
    policies: pl.DataFrame = field(default_factory=_empty)
    policy_leaves: pl.DataFrame = field(default_factory=_empty)
    policy_coefficients: pl.DataFrame = field(default_factory=_empty)
    schedule: pl.DataFrame = field(default_factory=_empty)
    zones: Mapping[str, str] = field(default_factory=dict)
    interactions: pl.DataFrame = field(default_factory=_empty)
    interaction_effects: pl.DataFrame = field(default_factory=_empty)
    programme: pl.DataFrame = field(default_factory=_empty)
    programme_experiments: pl.DataFrame = field(default_factory=_empty)
    syntheses: pl.DataFrame = field(default_factory=_empty)
    synthesis_studies: pl.DataFrame = field(default_factory=_empty)
    search: pl.DataFrame = field(default_factory=_empty)
    aa_certification: pl.DataFrame = field(default_factory=_empty)
    synthesis_views: Sequence[SynthesisView] = ()
    daily_exposures: pl.DataFrame = field(default_factory=_empty)
    losses: pl.DataFrame = field(default_factory=_empty)
    funnels: pl.DataFrame = field(default_factory=_empty)
    histograms: pl.DataFrame = field(default_factory=_empty)
    file_accounts: pl.DataFrame = field(default_factory=_empty)
    quarantine: pl.DataFrame = field(default_factory=_empty)
    landing_findings: pl.DataFrame = field(default_factory=_empty)
    days: pl.DataFrame = field(default_factory=_empty)
    provenance: Provenance = field(default_factory=Provenance)
    run_seconds: Mapping[str, float] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
