"""The model of `catalog/project.yaml`: what holds for every experiment unless it says otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

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
    Slug,
    Strict,
    Text,
    fault,
)

Method = Literal["fixed", "group_sequential", "always_valid", "sprt", "bayesian"]
Correction = Literal["none", "bonferroni", "holm", "dunnett", "bh"]
Alternative = Literal["two_sided", "greater", "less"]
UnitType = Literal["user", "anonymous", "session"]
Engine = Literal["duckdb", "spark"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


class Defaults(Strict):
    """The plan of an experiment that does not state its own."""

    method: Method = "fixed"
    alpha: Level = 0.05
    power: Probability = 0.8
    alternative: Alternative = "two_sided"
    correction: Correction = "holm"
    cuped_days: Annotated[int, Field(ge=0, le=90)] = 14
    min_sample: Count = 100
    """Units per arm before anything is concluded."""
    max_duration: Duration = timedelta(days=28)
    winner_probability: Probability = 0.95
    """Bayesian plans: the probability of being best at which an arm is called the winner."""
    automatic: bool = False
    """Whether decisions change the exported config by themselves, of every experiment whose `stopping` says neither."""


class Thresholds(Strict):
    """Where validity checks warn and fail."""

    srm_fail: Probability = 0.001
    srm_warn: Probability = 0.01
    audit_fail: Probability = 0.01
    """Share of logged variants that differ from the expected one."""
    audit_warn: Probability = 0.001
    crossover_warn: Probability = 0.01
    """Share of units seen in two arms."""
    early_outcome_warn: Probability = 0.05
    """Share of the units with an outcome in the session of their exposure that had it before."""
    loss_fail: Probability = 0.001
    """p-value of equal loss per arm."""
    loss_warn: Probability = 0.01
    quarantine_warn: Probability = 0.05
    """Share of a landed file's rows that are in quarantine."""


class Filter(Strict):
    """Events that never count; one column, one test. An event is dropped when any filter matches it."""

    name: Slug
    kind: Literal["bot", "internal", "other"]
    column: Text
    """An event column, or `properties.<key>`."""
    equals: Text | None = None
    in_: Annotated[Items[Text] | None, Field(alias="in", min_length=1)] = None
    matches: Text | None = None
    """A regular expression (RE2), found anywhere in the value."""

    @property
    def operator(self) -> Literal["equals", "in", "matches", "none"]:
        """The test that is given."""
        if self.equals is not None:
            return "equals"
        if self.in_ is not None:
            return "in"
        return "matches" if self.matches is not None else "none"

    @property
    def values(self) -> tuple[str, ...]:
        """What the column is compared with; one value unless the operator is ``in``."""
        if self.in_ is not None:
            return self.in_
        return tuple(value for value in (self.equals, self.matches) if value is not None)


class FormerShare(Strict):
    """A share that a holdout had before."""

    until: Instant
    """Half-open: from this instant on the next one holds."""
    share: Annotated[ShardShare, Field(gt=0, lt=1)]


class Holdout(Strict):
    """A share of the units that gets no experiment among those it covers, so that their joint worth can be told."""

    id: Name
    share: Annotated[ShardShare, Field(gt=0, lt=1)]
    salt: Text | None = None
    """In place of `<id>-holdout`."""
    unit: UnitType = "user"
    """The kind of unit held out; experiments of another kind are not covered."""
    experiments: Literal["all"] | Items[Slug] = "all"
    start: Instant | None = None
    """With `all`: only experiments that start then or later, so that no unit leaves an experiment it is in."""
    history: Items[FormerShare] = ()
    """The shares before the one in force, oldest first: who was held out when is audited and measured by them."""

    @model_validator(mode="after")
    def _history_in_order(self) -> Holdout:
        ends = [former.until for former in self.history]
        if ends != sorted(set(ends)):
            raise fault("has former shares out of order", "history by ascending until")
        return self

    @model_validator(mode="after")
    def _start_goes_with_all(self) -> Holdout:
        if self.start is not None and self.experiments != "all":
            raise fault("has a start beside named experiments", "start goes with experiments: all")
        return self

    @property
    def gate_salt(self) -> str:
        """The salt that decides who is held out."""
        return self.salt or f"{self.id}-holdout"

    @property
    def shares(self) -> list[tuple[datetime | None, datetime | None, float]]:
        """Every share with the half-open period in which it is in force; none is open."""
        ends = [former.until for former in self.history]
        every = [*(former.share for former in self.history), self.share]
        return list(zip([None, *ends], [*ends, None], every, strict=True))

    @property
    def named(self) -> tuple[str, ...]:
        """The experiments that it names; none when it covers all."""
        return () if isinstance(self.experiments, str) else self.experiments


class Retention(Strict):
    """How long rows about single units are kept."""

    assignments: Duration = timedelta(days=180)
    """After the experiment's end."""


class Cluster(Strict):
    """Where the tables are built with `engine: spark`."""

    master: Text = "local[*]"
    """Spark's master: `local[n]`, `spark://host:port`, `yarn`, `k8s://…`."""
    shards: Annotated[int, Field(ge=1, le=65_536)] = 8
    """Shards of each kind of unit that experiments randomise."""
    storage: Text | None = None
    """Where the workers leave what the shards tell while a run lasts, as a URI; a folder of the home if left out."""


EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=128)]
Mailbox = Annotated[str, Field(pattern=r"^[^\s@,;<>]+@[^\s@,;<>]+$", max_length=254)]


class WebhookHook(Strict):
    """An address that takes each notice as JSON: `project`, `notice` (its name) and `text` (Markdown)."""

    address_from: EnvironmentName
    """The environment variable that holds the address: whoever knows it can post."""


class EmailHook(Strict):
    """A mail server that takes each notice as one message."""

    server: Text
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Mailbox
    to: Annotated[Items[Mailbox], Field(min_length=1)]
    user: Text | None = None
    """The sender if left out."""
    password_from: EnvironmentName | None = None
    """The environment variable that holds the password; no login if left out."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> EmailHook:
        if self.password_from is not None and self.security == "none":
            raise fault("would send a password in the clear", "security starttls or tls with password_from")
        return self


class NoticeHooks(Strict):
    """Where digests and alerts go besides their folder."""

    webhook: WebhookHook | None = None
    email: EmailHook | None = None


class Project(Strict):
    """Everything that `catalog/project.yaml` may say."""

    name: Text = "Fairsplit"
    first_day: Day | None = None
    """Events before this day are quarantined as `before_first_day`; that of the first event where it is left out."""
    last_day: Day | None = None
    """For a finished archive: no partition is offered after this day."""
    max_clock_skew: Duration = timedelta(minutes=10)
    """How far after its file's arrival an event may claim to have happened."""
    units: Items[UnitType] = ("user", "anonymous", "session")
    """Kinds of unit that experiments may randomise."""
    defaults: Defaults = Defaults()
    thresholds: Thresholds = Thresholds()
    filters: Items[Filter] = ()
    layer_salts: dict[Name, Text] = Field(default_factory=dict)
    """Salts of layers that do not use `<layer>-layer`."""
    holdouts: Items[Holdout] = ()
    """Units that are in none of several experiments."""
    retention: Retention = Retention()
    notices: NoticeHooks = NoticeHooks()
    automation: bool = True
    """Whether Dagster's schedules and sensors run as soon as the code location has loaded."""
    failed_after: Duration | None = None
    """An experiment whose gate is closed for so long has failed; never if left out."""
    engine: Engine = "duckdb"
    """What builds the tables: this machine, or a Spark cluster."""
    cluster: Cluster = Cluster()
    export_prefix: Annotated[str, Field(pattern=r"^[a-z0-9_-]*$", max_length=32)] = ""
    """Put before every exported flag key, so that several projects share one SDK environment."""

    @model_validator(mode="after")
    def _days_in_order(self) -> Project:
        first, last = self.first_day, self.last_day
        if first is not None and last is not None and last < first:
            raise fault("has a last_day before its first_day", f"last_day from {self.first_day} on")
        return self
