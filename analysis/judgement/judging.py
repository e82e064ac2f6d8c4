"""One call from facts and definitions to everything that is published about experiments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from fairsplit.analysis.judgement.allocating import allocation_rows, allocation_texts
from fairsplit.analysis.judgement.arms import timing
from fairsplit.analysis.judgement.batching import phase_sums, with_batches
from fairsplit.analysis.judgement.comparisons import comparison_rows
from fairsplit.analysis.judgement.custom import CustomParts, with_custom
from fairsplit.analysis.judgement.deciding import conclusions, decision_rows
from fairsplit.analysis.judgement.definitions import DefinitionFrames, experiment_frame, use_frame
from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.information import SEQUENTIAL
from fairsplit.analysis.judgement.known import result_hashes
from fairsplit.analysis.judgement.next_actions import NEXT_ACTIONS, NEXT_ACTIONS_KEY, next_action_rows
from fairsplit.analysis.judgement.pairing import defined_rows
from fairsplit.analysis.judgement.policies import CONTEXT_SUMS, policy_rows
from fairsplit.analysis.judgement.ramping import ramp_frame, stopped_frame
from fairsplit.analysis.judgement.rows import DECISIONS, conform
from fairsplit.analysis.judgement.searching import search_at
from fairsplit.analysis.judgement.strata import strata_of
from fairsplit.analysis.judgement.validity import sample_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.judgement.facts import Facts
    from fairsplit.analysis.judgement.searching import Searched
    from fairsplit.analysis.judgement.strata import Strata

#: Facts that `significance` and `stopping` are made of; the latter reads what the other judgements found too.
SIGNIFICANCE: Final = ("sufficient_statistics", "value_histograms", "phase_sums")
STOPPING: Final = ("sufficient_statistics", "phase_sums", "context_sums")


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
    facts: Facts,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    cut_offs: Sequence[date],
    *,
    dated: pl.DataFrame | None = None,
    custom: CustomParts | None = None,
    code_hash: str = "",
) -> Judgement:
    """Judge every experiment of the catalogue at each of several cut-offs, as of that cut-off.

    Three judgements share the statistics beside their definitions: `sample_ratio`, `significance` and `stopping`.

    Args:
        facts: What is known.
        catalogue: The sound definitions.
        metrics: Metric definitions by name.
        cut_offs: Days to judge, ascending; not empty.
        dated: Units of a file by the day that it gives them, as `dated_split_rows` takes them.
        custom: Which custom parts may decide; none may if it is left out.
        code_hash: Of the code that computes the rows.

    Returns:
        Result, validity and decision rows of those cut-offs, sorted by key. A check that fails leaves its
        experiment without a winner. What cannot be computed is a null with a status and a reason.
    """
    defined = DefinitionFrames.of(catalogue, metrics)
    defined = replace(defined, uses=with_custom(defined.uses, custom or CustomParts()))
    rows = _measured(facts, catalogue, metrics, defined, cut_offs)
    phases = {} if facts.phase_sums is None else phase_sums(rows, facts.phase_sums, defined.weights)
    rows = with_batches(rows, phases)
    strata = None if facts.phase_sums is None else strata_of(catalogue, facts.phase_sums)
    validity = sample_ratio(facts, rows, strata, catalogue, defined, cut_offs, dated)
    comparisons = significance(facts, rows, strata, code_hash)
    contexts = pl.DataFrame(schema=CONTEXT_SUMS) if facts.context_sums is None else facts.context_sums
    policies = policy_rows(contexts, catalogue, metrics, cut_offs)
    allocations = allocation_rows(phases, catalogue, metrics, cut_offs, policies)
    decisions, next_actions = stopping(comparisons, validity, allocations, catalogue, defined)
    return Judgement(
        comparisons.filter(pl.col("cut_off") >= cut_offs[0]),
        pl.concat(validity.values()),
        decisions,
        allocations,
        next_actions,
        *policies,
    )


def significance(facts: Facts, rows: pl.DataFrame, strata: Strata | None, code_hash: str) -> pl.DataFrame:
    """Rows of `COMPARISONS` of the cut-offs in `rows`: of those judged, and of what they rest on.

    Args:
        facts: Those of `SIGNIFICANCE` are read.
        rows: From `defined_rows` and `with_batches`.
        strata: From `strata_of`; None where sums by phase are not known.
        code_hash: Of the code that computes the rows.
    """
    return comparison_rows(rows, code_hash, facts.value_histograms, strata)


def stopping(
    comparisons: pl.DataFrame,
    validity: Mapping[date, pl.DataFrame],
    allocations: pl.DataFrame,
    catalogue: Catalogue,
    defined: DefinitionFrames,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Whether each experiment goes on at each cut-off, and what is open to it.

    Args:
        comparisons: From `significance`.
        validity: From `sample_ratio`, by cut-off judged.
        allocations: Rows of `ALLOCATIONS`.
        catalogue: The sound definitions.
        defined: The same as frames.

    Returns:
        Rows of `DECISIONS` and of `NEXT_ACTIONS`.
    """
    decisions, next_actions = [], []
    for cut_off, found in validity.items():
        known = comparisons.filter(pl.col("cut_off") <= cut_off)
        times, concluded = conclusions(
            known,
            defined.experiments,
            defined.uses,
            cut_off,
            ramp_frame(catalogue, cut_off),
            allocation_texts(allocations, cut_off),
        )
        said = decision_rows(concluded, times, found, stopped_frame(catalogue, cut_off), cut_off)
        said = conform(said, DECISIONS, ("experiment_id",))
        today = allocations.filter(pl.col("cut_off") == cut_off)
        searched = partial(_search_as_of, rows=known, catalogue=catalogue, uses=defined.uses, cut_off=cut_off)
        acts = next_action_rows(concluded, times, said, today, catalogue, cut_off, searched)
        decisions.append(said)
        next_actions.append(conform(acts, NEXT_ACTIONS, NEXT_ACTIONS_KEY))
    return pl.concat(decisions), pl.concat(next_actions)


def _search_as_of(
    experiment: Experiment, *, rows: pl.DataFrame, catalogue: Catalogue, uses: pl.DataFrame, cut_off: date
) -> Searched:
    """Where a search stood at a cut-off, each batch by its newest rows."""
    own = (pl.col("segment") == "all") & (pl.col("analysis") == "default")
    newest = rows.filter(own).filter(pl.col("cut_off") == pl.col("cut_off").max().over("experiment_id"))
    metric = experiment.metrics.primary[0].metric
    sign = sign_of(uses.filter(pl.col("metric") == metric)["direction"][0])
    return search_at(experiment, catalogue.experiments, newest, sign, cut_off)


def _measured(
    facts: Facts,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricDefinition],
    defined: DefinitionFrames,
    cut_offs: Sequence[date],
) -> pl.DataFrame:
    """The statistics beside their definitions, of the cut-offs to judge and of those that they rest on."""
    timed = timing(defined.experiments, defined.uses, cut_offs[-1]).select("experiment_id", "verdict_day")
    rows = defined_rows(
        facts.sufficient_statistics, cut_offs[-1], defined.experiments, defined.variants, defined.uses
    )
    rows = rows.join(timed, on="experiment_id").filter(_is_needed(cut_offs[0]))
    return _hashed(rows, result_hashes(catalogue, metrics))


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
