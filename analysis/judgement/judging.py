"""One call from facts and definitions to everything that is published about experiments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.allocating import allocation_rows, allocation_texts
from fairsplit.analysis.judgement.arms import timing
from fairsplit.analysis.judgement.audit import audit_rows
from fairsplit.analysis.judgement.balance import balance_rows
from fairsplit.analysis.judgement.batching import phase_sums, with_batches
from fairsplit.analysis.judgement.comparisons import comparison_rows
from fairsplit.analysis.judgement.custom import CustomParts, with_custom
from fairsplit.analysis.judgement.day_split import dated_split_rows, day_split_rows, day_tests
from fairsplit.analysis.judgement.deciding import conclusions, decision_rows
from fairsplit.analysis.judgement.definitions import (
    ended_by,
    experiment_frame,
    period_frame,
    use_frame,
    variant_frame,
    weight_frame,
)
from fairsplit.analysis.judgement.diagnosis import diagnosis_rows, with_location
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.fading import fading_rows
from fairsplit.analysis.judgement.freshness import completeness_rows, freshness_rows
from fairsplit.analysis.judgement.information import SEQUENTIAL
from fairsplit.analysis.judgement.known import result_hashes
from fairsplit.analysis.judgement.leaks import leak_rows
from fairsplit.analysis.judgement.losses import crossover_rows, exposure_order_rows, loss_rows, targeting_rows
from fairsplit.analysis.judgement.next_actions import NEXT_ACTIONS, NEXT_ACTIONS_KEY, next_action_rows
from fairsplit.analysis.judgement.novelty import effect_trends, novelty_rows
from fairsplit.analysis.judgement.overlap import overlap_rows
from fairsplit.analysis.judgement.pairing import defined_rows
from fairsplit.analysis.judgement.policies import CONTEXT_SUMS, policy_rows
from fairsplit.analysis.judgement.ramping import ramp_frame, stopped_frame
from fairsplit.analysis.judgement.rows import DECISIONS, VALIDITY, VALIDITY_KEY, conform
from fairsplit.analysis.judgement.searching import search_at
from fairsplit.analysis.judgement.split import split_rows
from fairsplit.analysis.judgement.strata import strata_of
from fairsplit.analysis.judgement.undeclared import with_arms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.judgement.searching import Searched


_CHECK = [pl.col(name).cast(dtype) for name, dtype in VALIDITY.items() if name != "cut_off"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is concluded at each of the cut-offs judged.

    Attributes:
        comparisons: Rows of `COMPARISONS`.
        validity: Rows of `VALIDITY`.
        decisions: Rows of `DECISIONS`, one per experiment and cut-off.
        allocations: Rows of `ALLOCATIONS`, one per bandit, cut-off and arm.
        next_actions: Rows of `NEXT_ACTIONS`, what is open to each running experiment at each cut-off.
        policies: Rows of `POLICIES`, one per contextual bandit and cut-off.
        policy_leaves: Rows of `POLICY_LEAVES`, who gets what.
        policy_coefficients: Rows of `POLICY_COEFFICIENTS`, the reward models.
    """

    comparisons: pl.DataFrame
    validity: pl.DataFrame
    decisions: pl.DataFrame
    allocations: pl.DataFrame
    next_actions: pl.DataFrame
    policies: pl.DataFrame
    policy_leaves: pl.DataFrame
    policy_coefficients: pl.DataFrame


def judge_cut_offs(
    statistics: pl.DataFrame,
    daily_exposures: pl.DataFrame,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    cut_offs: Sequence[date],
    *,
    histograms: pl.DataFrame | None = None,
    crossovers: pl.DataFrame | None = None,
    early_outcomes: pl.DataFrame | None = None,
    targeting: pl.DataFrame | None = None,
    effect_ages: pl.DataFrame | None = None,
    losses: pl.DataFrame | None = None,
    audits: pl.DataFrame | None = None,
    leaks: pl.DataFrame | None = None,
    events: pl.DataFrame | None = None,
    overlaps: pl.DataFrame | None = None,
    by_phase: pl.DataFrame | None = None,
    by_context: pl.DataFrame | None = None,
    dated: pl.DataFrame | None = None,
    code_hash: str = "",
    custom: CustomParts | None = None,
) -> Judgement:
    """Judge every experiment of the catalogue at each of several cut-offs, as of that cut-off.

    Args:
        statistics: `fct_sufficient_statistics`: the cut-offs to judge, and of the earlier ones what `history_needed`
            names and every total. Sums are whole numbers (Decimal or Int128).
        daily_exposures: `fct_daily_exposures`.
        catalogue: The sound definitions.
        metrics: Metric definitions by name.
        cut_offs: Days to judge, ascending; not empty.
        histograms: `fct_value_histograms` of the cut-offs that percentile and rank tests are wanted for; elsewhere
            those have the reason ``histogram_missing``.
        early_outcomes: Per arm and exposure day the `units` with a primary conversion in the session of their
            exposure, and how many had it `early`, before the exposure.
        targeting: Per arm and exposure day the `units` whose exposure tells whether the targeting lets them in, and the
            `ineligible` ones among them.
        effect_ages: Per primary metric, arm and exposure day what units did soon and late after their exposure, as
            `fading_rows` takes it.
        crossovers: `fct_crossovers`: units by the day on which they were first seen in a second arm.
        losses: `fct_losses`: units by the day on which they were first lost at a step, by the variant that was logged
            and, where it is not declared, the one that was due.
        audits: Units and mismatched units of `fct_assignments` per experiment_id, assigned_day, phase, logged
            variant_id, sdk_version and platform.
        leaks: Held-out units that were served, as `leak_rows` takes them.
        events: Events that count per event_day.
        overlaps: Units shared by two experiments, as `overlap_rows` takes them.
        by_phase: Sums per phase of bandits and of experiments whose weights changed, and per stratum of lists: columns
            `PHASE_SUMS`, ``n`` and `SUMS`.
        by_context: `fct_context_sums`, of contextual bandits.
        dated: Units of a file by the day that it gives them, as `dated_split_rows` takes them.
        code_hash: Of the code that computes the rows.
        custom: Which custom parts may decide; none may if it is left out.

    Returns:
        Result, validity and decision rows of those cut-offs, sorted by key. A check that fails leaves its
        experiment without a winner. What cannot be computed is a null with a status and a reason.
    """
    experiments, variants = experiment_frame(catalogue), variant_frame(catalogue)
    uses, weights = (
        with_custom(use_frame(catalogue, metrics), custom or CustomParts()),
        weight_frame(catalogue),
    )
    thresholds = catalogue.project.thresholds
    timed = timing(experiments, uses, cut_offs[-1]).select("experiment_id", "verdict_day")
    rows = defined_rows(statistics, cut_offs[-1], experiments, variants, uses)
    rows = rows.join(timed, on="experiment_id").filter(_is_needed(cut_offs[0]))
    rows = _hashed(rows, result_hashes(catalogue, metrics))
    phases = {} if by_phase is None else phase_sums(rows, by_phase, weights)
    policies = policy_rows(
        pl.DataFrame(schema=CONTEXT_SUMS) if by_context is None else by_context, catalogue, metrics, cut_offs
    )
    allocations = allocation_rows(phases, catalogue, metrics, cut_offs, policies)
    rows = with_batches(rows, phases)
    strata = None if by_phase is None else strata_of(catalogue, by_phase)
    comparisons = comparison_rows(rows, code_hash, histograms, strata)
    trends = effect_trends(statistics, experiments, variants, uses)
    days, periods = day_tests(daily_exposures, weights), period_frame(catalogue)
    lost_by_arm = None if losses is None else with_arms(losses, variants)
    validity, decisions, next_actions = [], [], []
    for cut_off in cut_offs:
        daily = daily_exposures.filter(pl.col("exposure_day") <= cut_off)
        if crossovers is not None:
            daily = _crossed_by(daily, crossovers.filter(pl.col("crossed_day") <= cut_off))
        lost = None if lost_by_arm is None else lost_by_arm.filter(pl.col("event_day") <= cut_off)
        ended = ended_by(experiments, cut_off)
        split = split_rows(daily, weights, ended, thresholds, cut_off)
        located = diagnosis_rows(daily, weights, split, cut_off, audits=audits, losses=lost)
        checks = [
            with_location(split, located),
            located,
            day_split_rows(days, thresholds, cut_off),
            crossover_rows(daily, experiments, periods, ended, thresholds, cut_off),
            balance_rows(rows, strata, ended, thresholds, cut_off),
            novelty_rows(trends, thresholds, cut_off),
            freshness_rows(daily, experiments, cut_off),
        ]
        checks += _where_known(
            (dated, dated_split_rows, weights, thresholds),
            (audits, audit_rows, experiments, thresholds, cut_off),
            (lost, loss_rows, daily, variants, periods, ended, thresholds, cut_off),
            (leaks, leak_rows, daily, variants, catalogue, thresholds, cut_off),
            (events, completeness_rows, experiments, cut_off),
            (early_outcomes, exposure_order_rows, periods, ended, thresholds, cut_off),
            (targeting, targeting_rows, periods, ended, thresholds, cut_off),
            (effect_ages, fading_rows, variants, uses, thresholds, cut_off),
            (overlaps, overlap_rows, experiments, thresholds, cut_off),
        )
        found = pl.concat(
            [check.select(_CHECK) for check in checks if not check.is_empty()]
            or [pl.DataFrame(schema=dict(VALIDITY))]
        )
        found = conform(found.with_columns(cut_off=pl.lit(cut_off)), VALIDITY, VALIDITY_KEY)
        known = comparisons.filter(pl.col("cut_off") <= cut_off)
        times, concluded = conclusions(
            known,
            experiments,
            uses,
            cut_off,
            ramp_frame(catalogue, cut_off),
            allocation_texts(allocations, cut_off),
        )
        said = decision_rows(concluded, times, found, stopped_frame(catalogue, cut_off), cut_off)
        said = conform(said, DECISIONS, ("experiment_id",))
        today = allocations.filter(pl.col("cut_off") == cut_off)
        searched = partial(_search_as_of, rows=known, catalogue=catalogue, uses=uses, cut_off=cut_off)
        acts = next_action_rows(concluded, times, said, today, catalogue, cut_off, searched)
        validity.append(found)
        decisions.append(said)
        next_actions.append(conform(acts, NEXT_ACTIONS, NEXT_ACTIONS_KEY))
    return Judgement(
        comparisons.filter(pl.col("cut_off") >= cut_offs[0]),
        pl.concat(validity),
        pl.concat(decisions),
        allocations,
        pl.concat(next_actions),
        *policies,
    )


def history_needed(
    catalogue: Catalogue, metrics: Mapping[str, MetricDefinition], cut_offs: Sequence[date]
) -> pl.DataFrame:
    """Which earlier cut-offs' statistics a judgement of `cut_offs` is made of, beside the totals that trends ask for.

    Returns:
        One row per experiment and metric: `looks_again`, whether every earlier cut-off counts, and `verdict_day`, the
        one that counts for a fixed plan. Of other cut-offs only the totals are looked at (`segment` and `analysis`
        ``all`` and ``default``).
    """
    experiments, uses = experiment_frame(catalogue), use_frame(catalogue, metrics)
    timed = timing(experiments, uses, cut_offs[-1]).select("experiment_id", "plan_method", "verdict_day")
    return (
        uses.select("experiment_id", "metric", "role")
        .join(timed, on="experiment_id", how="inner")
        .group_by("experiment_id", "metric", maintain_order=True)
        .agg(looks_again=_looks_again().any(), verdict_day=pl.col("verdict_day").first())
    )


def _search_as_of(
    experiment: Experiment, *, rows: pl.DataFrame, catalogue: Catalogue, uses: pl.DataFrame, cut_off: date
) -> Searched:
    """Where a search stood at a cut-off, each batch by its newest rows."""
    own = (pl.col("segment") == "all") & (pl.col("analysis") == "default")
    newest = rows.filter(own).filter(pl.col("cut_off") == pl.col("cut_off").max().over("experiment_id"))
    metric = experiment.metrics.primary[0].metric
    sign = sign_of(uses.filter(pl.col("metric") == metric)["direction"][0])
    return search_at(experiment, catalogue.experiments, newest, sign, cut_off)


def _where_known(*asked: tuple[Any, ...]) -> list[pl.DataFrame]:
    """The rows of each check whose facts are given: facts, check, and what else the check takes."""
    return [check(facts, *rest) for facts, check, *rest in asked if facts is not None]


def _is_needed(first: date) -> pl.Expr:
    """The cut-offs asked for, what repeated looks build on, and the day on which a fixed plan concluded."""
    return (pl.col("cut_off") >= first) | _looks_again() | (pl.col("cut_off") == pl.col("verdict_day"))


def _looks_again() -> pl.Expr:
    return pl.col("plan_method").is_in((*SEQUENTIAL, "bayesian")) | (pl.col("role") == "guardrail")


def _hashed(rows: pl.DataFrame, hashes: pl.DataFrame) -> pl.DataFrame:
    """Each row with the hash of the definitions that its cut-off knew."""
    every = rows.join(hashes, on=["experiment_id", "metric"], how="left", maintain_order="left")
    known = (pl.col("cut_off") >= pl.col("known_from")) & (pl.col("cut_off") < pl.col("known_until"))
    return every.filter(known).drop("known_from", "known_until")


def _crossed_by(daily: pl.DataFrame, crossovers: pl.DataFrame) -> pl.DataFrame:
    """The totals' crossover counts as they were known; segments keep none, since no check reads them."""
    key = ["experiment_id", "variant_id", "exposure_day", "phase"]
    counts = crossovers.group_by(key, maintain_order=True).agg(pl.col("units").sum().alias("crossovers"))
    counts = counts.with_columns(segment=pl.lit("all"))
    return (
        daily.drop("crossovers", strict=False)
        .join(counts, on=[*key, "segment"], how="left")
        .with_columns(pl.col("crossovers").fill_null(0))
    )
