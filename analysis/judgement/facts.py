"""What a judgement is made of: the marts, each as a frame under the mart's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One field a mart, by its name without `fct_`; what is not known is None, and what it would tell is not told.

    Attributes:
        sufficient_statistics: The cut-offs to judge, and of the earlier ones what `history_needed` names and every
            total. Sums are whole numbers (Decimal or Int128).
        daily_exposures: Units by arm and the day on which they entered.
        value_histograms: Of the cut-offs that percentile and rank tests are wanted for; elsewhere those have the reason
            ``histogram_missing``.
        phase_sums: Sums per phase of bandits and of experiments whose weights changed, and per stratum of lists:
            columns `PHASE_SUMS`, ``n`` and `SUMS`.
        context_sums: What contextual bandits learn from.
        crossovers: Units by the day on which they were first seen in a second arm.
        losses: Units by the day on which they were first lost at a step, by the variant that was logged and, where it
            is not declared, the one that was due.
        assignment_audits: Units and mismatched units per experiment_id, assigned_day, phase, logged variant_id,
            sdk_version and platform.
        overlaps: Units shared by two experiments, as `overlap_rows` takes them.
        event_quality: Events that count per event_day.
        early_outcomes: Per arm and exposure day the `units` with a primary conversion in the session of their exposure,
            and how many had it `early`, before the exposure.
        targeting_audits: Per arm and exposure day the `units` whose exposure tells whether the targeting lets them in,
            and the `ineligible` ones among them.
        effect_ages: Per primary metric, arm and exposure day what units did soon and late after their exposure, as
            `fading_rows` takes it.
        holdout_leaks: Held-out units that were served, as `leak_rows` takes them.
    """

    sufficient_statistics: pl.DataFrame
    daily_exposures: pl.DataFrame
    value_histograms: pl.DataFrame | None = None
    phase_sums: pl.DataFrame | None = None
    context_sums: pl.DataFrame | None = None
    crossovers: pl.DataFrame | None = None
    losses: pl.DataFrame | None = None
    assignment_audits: pl.DataFrame | None = None
    overlaps: pl.DataFrame | None = None
    event_quality: pl.DataFrame | None = None
    early_outcomes: pl.DataFrame | None = None
    targeting_audits: pl.DataFrame | None = None
    effect_ages: pl.DataFrame | None = None
    holdout_leaks: pl.DataFrame | None = None
