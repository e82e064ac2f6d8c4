"""The registry of validity checks: the facts that each one needs, and the rows that it gives at a cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from fairsplit.analysis.judgement.audit import audit_rows
from fairsplit.analysis.judgement.balance import balance_rows
from fairsplit.analysis.judgement.day_split import dated_split_rows, day_split_rows, day_tests
from fairsplit.analysis.judgement.definitions import ended_by
from fairsplit.analysis.judgement.diagnosis import diagnosis_rows, with_location
from fairsplit.analysis.judgement.fading import fading_rows
from fairsplit.analysis.judgement.freshness import completeness_rows, freshness_rows
from fairsplit.analysis.judgement.leaks import leak_rows
from fairsplit.analysis.judgement.losses import (
    crossover_rows,
    exposure_order_rows,
    loss_rows,
    targeting_rows,
)
from fairsplit.analysis.judgement.novelty import effect_trends, novelty_rows
from fairsplit.analysis.judgement.overlap import overlap_rows
from fairsplit.analysis.judgement.rows import VALIDITY, VALIDITY_KEY, conform
from fairsplit.analysis.judgement.split import split_rows
from fairsplit.analysis.judgement.undeclared import with_arms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.project import Thresholds
    from fairsplit.analysis.judgement.definitions import DefinitionFrames
    from fairsplit.analysis.judgement.facts import Facts
    from fairsplit.analysis.judgement.strata import Strata

_CHECK = [pl.col(name).cast(dtype) for name, dtype in VALIDITY.items() if name != "cut_off"]
_NONE: Final = pl.DataFrame(schema={name: dtype for name, dtype in VALIDITY.items() if name != "cut_off"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check looks at beside its facts.

    Attributes:
        cut_off: The day judged.
        strata: From `strata_of`, of `phase_sums`; None where they are not known.
        catalogue: The definitions.
        defined: The same as frames.
        ended: Experiments that have ended by then.
        trends: From `effect_trends`, of all cut-offs.
        days: From `day_tests`, of all days.
        dated: Units of a file by the day that it gives them; None where it gives none.
    """

    cut_off: date
    strata: Strata | None
    catalogue: Catalogue
    defined: DefinitionFrames
    ended: pl.Series
    trends: pl.DataFrame
    days: pl.DataFrame
    dated: pl.DataFrame | None

    @property
    def thresholds(self) -> Thresholds:
        """The project's."""
        return self.catalogue.project.thresholds


class Check(NamedTuple):
    """One kind of check.

    Attributes:
        rows: Takes what is seen and then its facts in the order of `needs` and `uses`, of dated ones what was known by
            the cut-off; gives rows of the schema `VALIDITY` but for the cut-off.
        needs: Facts without which it is not made.
        uses: Facts with which it says more.
    """

    rows: Callable[..., pl.DataFrame]
    needs: tuple[str, ...]
    uses: tuple[str, ...] = ()


def _split(
    at: Seen, daily: pl.DataFrame, audits: pl.DataFrame | None, losses: pl.DataFrame | None
) -> pl.DataFrame:
    split = split_rows(daily, at.defined.weights, at.ended, at.thresholds, at.cut_off)
    located = diagnosis_rows(daily, at.defined.weights, split, at.cut_off, audits=audits, losses=losses)
    parts = [with_location(split, located), located]
    return pl.concat([part.select(_CHECK) for part in parts if not part.is_empty()] or [_NONE])


def _dated(at: Seen) -> pl.DataFrame:
    if at.dated is None:
        return _NONE
    return dated_split_rows(at.dated, at.defined.weights, at.thresholds)


#: A check is added here; what it needs becomes a dependency of the asset `sample_ratio`.
CHECKS: Final = (
    Check(_split, ("daily_exposures",), ("assignment_audits", "losses")),
    Check(lambda at, _: day_split_rows(at.days, at.thresholds, at.cut_off), ("daily_exposures",)),
    Check(
        lambda at, daily, _: crossover_rows(
            daily, at.defined.experiments, at.defined.periods, at.ended, at.thresholds, at.cut_off
        ),
        ("daily_exposures",),
        ("crossovers",),
    ),
    Check(
        lambda at, rows, _: balance_rows(rows, at.strata, at.ended, at.thresholds, at.cut_off),
        ("sufficient_statistics",),
        ("phase_sums",),
    ),
    Check(lambda at, _: novelty_rows(at.trends, at.thresholds, at.cut_off), ("sufficient_statistics",)),
    Check(lambda at, daily: freshness_rows(daily, at.defined.experiments, at.cut_off), ("daily_exposures",)),
    Check(_dated, ()),
    Check(
        lambda at, audits: audit_rows(audits, at.defined.experiments, at.thresholds, at.cut_off),
        ("assignment_audits",),
    ),
    Check(
        lambda at, losses, daily: loss_rows(
            losses, daily, at.defined.variants, at.defined.periods, at.ended, at.thresholds, at.cut_off
        ),
        ("losses", "daily_exposures"),
    ),
    Check(
        lambda at, leaks, daily: leak_rows(
            leaks, daily, at.defined.variants, at.catalogue, at.thresholds, at.cut_off
        ),
        ("holdout_leaks", "daily_exposures"),
    ),
    Check(
        lambda at, events: completeness_rows(events, at.defined.experiments, at.cut_off), ("event_quality",)
    ),
    Check(
        lambda at, early: exposure_order_rows(early, at.defined.periods, at.ended, at.thresholds, at.cut_off),
        ("early_outcomes",),
    ),
    Check(
        lambda at, audits: targeting_rows(audits, at.defined.periods, at.ended, at.thresholds, at.cut_off),
        ("targeting_audits",),
    ),
    Check(
        lambda at, ages: fading_rows(ages, at.defined.variants, at.defined.uses, at.thresholds, at.cut_off),
        ("effect_ages",),
    ),
    Check(
        lambda at, overlaps: overlap_rows(overlaps, at.defined.experiments, at.thresholds, at.cut_off),
        ("overlaps",),
    ),
)
#: Facts that the checks read.
SAMPLE_RATIO: Final = tuple(dict.fromkeys(name for check in CHECKS for name in (*check.needs, *check.uses)))


def sample_ratio(
    facts: Facts,
    rows: pl.DataFrame,
    strata: Strata | None,
    catalogue: Catalogue,
    defined: DefinitionFrames,
    cut_offs: Sequence[date],
    dated: pl.DataFrame | None = None,
) -> dict[date, pl.DataFrame]:
    """Every check of the split and of the data behind it, as of each cut-off.

    Args:
        facts: Those of `SAMPLE_RATIO` are read; a check whose facts are missing is not made.
        rows: From `defined_rows` and `with_batches`.
        strata: From `strata_of`; None where sums by phase are not known.
        catalogue: The sound definitions.
        defined: The same as frames.
        cut_offs: Days to judge, ascending.
        dated: Units of a file by the day that it gives them, as `dated_split_rows` takes them.

    Returns:
        Rows of `VALIDITY` by cut-off, in the order of the days.
    """
    made = [check for check in CHECKS if all(getattr(facts, name) is not None for name in check.needs)]
    trends = effect_trends(facts.sufficient_statistics, defined.experiments, defined.variants, defined.uses)
    days = day_tests(facts.daily_exposures, defined.weights)
    lost = None if facts.losses is None else with_arms(facts.losses, defined.variants)
    whole = {name: getattr(facts, name) for name in SAMPLE_RATIO} | {"sufficient_statistics": rows}
    found = {}
    for cut_off in cut_offs:
        known = whole | {
            "daily_exposures": _daily(facts, cut_off),
            "losses": None if lost is None else lost.filter(pl.col("event_day") <= cut_off),
        }
        ended = ended_by(defined.experiments, cut_off)
        seen = Seen(cut_off, strata, catalogue, defined, ended, trends, days, dated)
        parts = [check.rows(seen, *(known[name] for name in (*check.needs, *check.uses))) for check in made]
        told = pl.concat([part.select(_CHECK) for part in parts if not part.is_empty()] or [_NONE])
        found[cut_off] = conform(told.with_columns(cut_off=pl.lit(cut_off)), VALIDITY, VALIDITY_KEY)
    return found


def _daily(facts: Facts, cut_off: date) -> pl.DataFrame:
    """Units by day up to the cut-off, with those who had crossed over by then."""
    daily = facts.daily_exposures.filter(pl.col("exposure_day") <= cut_off)
    if facts.crossovers is None:
        return daily
    return _crossed_by(daily, facts.crossovers.filter(pl.col("crossed_day") <= cut_off))


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
