"""What may be said at every look: confidence sequences, error-spending bounds and Wald's test along the cut-offs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.asked import asked_of
from fairsplit.analysis.judgement.comparing import SMALLEST_LEVEL, at_levels, is_stratified
from fairsplit.analysis.judgement.information import (
    information_fraction,
    planned_looks,
    shared_level,
    time_fraction,
)
from fairsplit.analysis.judgement.lines import Lines
from fairsplit.analysis.judgement.pairing import successes
from fairsplit.analysis.judgement.stopped import Stopped, corrected_for_stopping
from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence
from fairsplit.analysis.statistics.group_sequential import lan_demets_bounds
from fairsplit.analysis.statistics.rare_sequences import RareSequence, rare_sequence
from fairsplit.analysis.statistics.recursive_integration import looks_taken
from fairsplit.analysis.statistics.spending import spending_function
from fairsplit.analysis.statistics.sprt import Verdict, sprt_comparison
from fairsplit.analysis.statistics.status import Reason, quiet
from fairsplit.analysis.statistics.tails import t_log_sf

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray
    from fairsplit.analysis.statistics.comparisons import Comparison

#: Units at which a confidence sequence is tightest where the plan's minimum sample is smaller than that.
LEAST_PLANNED_UNITS = 5_000
#: Guardrails of plans that end on a day spend their error by t³: as watchful in the first days as a confidence
#: sequence, and near the fixed quantile on the last, so that a margin can be cleared.
GUARDRAIL_SPENDING = ("power", 3.0)


@dataclass(frozen=True, slots=True)
class Looks:
    """Sequential results per pair; NaN where the plan has none.

    Attributes:
        low: Interval of the difference that holds at every look.
        high: Its upper end.
        rel_low: The same for the relative lift.
        rel_high: Its upper end.
        p_value: Anytime-valid p-value, the smallest so far; NaN where bounds are spent.
        bound: Critical value of the absolute statistic at this look.
        crossed: The statistic has crossed its bound at this or an earlier look.
        accepted: Wald's test has accepted that there is no effect, at this or an earlier look.
        information: Share of the planned information that has come in.
        look: Row of the look that the interval and the bound are from: this one, or on a day that is no look the one
            before; -1 where there was none.
        units_needed: Units of the arm from about which on the relative interval has two ends; NaN where it has.
        stopped: Effects of group sequential plans corrected for the stop.
    """

    low: FloatArray
    high: FloatArray
    rel_low: FloatArray
    rel_high: FloatArray
    p_value: FloatArray
    bound: FloatArray
    crossed: BoolArray
    accepted: BoolArray
    information: FloatArray
    look: np.ndarray[Any, Any]
    units_needed: FloatArray
    stopped: Stopped


@quiet
def follow(pairs: pl.DataFrame, tested: Tested, histograms: pl.DataFrame | None = None) -> Looks:
    """Sequential results of the pairs whose plan looks more than once, and of all guardrails.

    The error is shared equally (Bonferroni) between the primary metrics and arms unless the plan declares no
    correction: step-down procedures do not carry over to repeated looks. Other roles keep the plan's level.

    Args:
        pairs: From `paired`, every cut-off from the first on.
        tested: Their fixed-horizon tests.
        histograms: As in `compare_pairs`.

    Returns:
        Arrays in the pairs' order.
    """
    size = pairs.height
    method, guards = pairs["plan_method"].to_numpy(), (pairs["role"] == "guardrail").to_numpy()
    whole = (pairs["segment"] == "all").to_numpy()
    level, lines = shared_level(pairs), Lines.of(pairs)
    base = tested.comparison
    known = (base.status == Reason.OK) & np.isfinite(base.se)
    information = information_fraction(pairs, tested, lines)
    # Guardrails are watched at every look whatever the plan, so they need a bound that allows that.
    spending = whole & (
        (method == "group_sequential") | (guards & ~np.isin(method, ["always_valid", "sprt"]))
    )
    minimum = asked_of(pairs, "minimum_effect", base.control)
    planned = np.isfinite(minimum)
    # So few events in so unequal arms that no normal statistic holds: their split is tested instead.
    rare = known & (tested.method == "fisher")
    wald = known & ~guards & (method == "sprt") & planned & ~rare
    anytime = known & ~spending & ~wald & (guards | np.isin(method, ["always_valid", "sprt"]))
    bound, p_value, low, high = (np.full(size, np.nan) for _ in range(4))
    crossed, accepted = (np.zeros(size, dtype=np.bool_) for _ in range(2))
    for alternative in np.unique(pairs["alternative"].to_numpy()):
        index = np.flatnonzero(anytime & (pairs["alternative"].to_numpy() == alternative))
        if index.size == 0:
            continue
        part = pairs[index]
        units = counted_units(part)
        tuned = np.maximum(2 * part["min_sample"].to_numpy(), LEAST_PLANNED_UNITS)
        sequence = confidence_sequence(
            base.diff[index], base.se[index], units, tuned, level[index], alternative=str(alternative)
        )
        bound[index], p_value[index] = sequence.multiplier, sequence.p_value
        low[index], high[index] = sequence.low, sequence.high
    rare = rare & anytime
    by_split = _rare_looks(pairs, rare, level)
    bound[rare], p_value[rare] = by_split.multiplier, by_split.p_value
    low[rare], high[rare] = by_split.low, by_split.high
    _wald(pairs, tested, np.where(wald, minimum, np.nan), level, lines, (bound, p_value, crossed, accepted))
    p_value = lines.along(np.fmin, p_value)
    crossed[anytime] = p_value[anytime] <= level[anytime]
    spent, grown = _spending_bounds(pairs, spending, level, information, lines, base.se)
    bound = np.where(spending, spent, bound)
    alternatives = pairs["alternative"].to_numpy()
    over = spending & known & (_normal_size(tested, alternatives) >= bound)
    # A test of ranks or of a distance has no difference in the metric's unit, and few events no normal statistic.
    normal = np.isfinite(base.control) & (tested.method != "fisher")
    stopped = corrected_for_stopping(
        pairs,
        np.sign(base.diff) * _normal_size(tested, np.full(size, "two-sided")),
        base.se,
        (np.where(spending, spent, np.nan), grown),
        lines.first(over) & normal & ~guards,
        level,
        lines,
    )
    crossed |= lines.along(np.logical_or, over) & spending
    has, again = _at_bounds(pairs, tested, bound, rare, histograms)
    related = base.rel.status[rare] == Reason.OK
    again.rel.low[rare] = np.where(related, by_split.ratio_low - 1.0, np.nan)
    again.rel.high[rare] = np.where(related, by_split.ratio_high - 1.0, np.nan)
    look = lines.latest(has)
    # A day that is no look, or that adds nothing, leaves the interval of the look before in force.
    look = np.where(known & (has | spending), look, -1)

    def held(values: FloatArray) -> FloatArray:
        return np.where(look >= 0, values[look], np.nan)

    return Looks(
        np.where(anytime, low, held(again.ci_low)),
        np.where(anytime, high, held(again.ci_high)),
        held(again.rel.low),
        held(again.rel.high),
        p_value,
        np.where(look >= 0, bound[look], bound),
        crossed,
        accepted,
        information,
        look,
        _units_needed(
            base, bound, np.where(spending, information, np.nan), held(again.rel.high - again.rel.low)
        ),
        stopped,
    )


def _rare_looks(pairs: pl.DataFrame, rare: BoolArray, level: FloatArray) -> RareSequence:
    """The sequences of rare events at the rows asked for, one after the other."""
    alternatives, at = pairs["alternative"].to_numpy(), np.flatnonzero(rare)
    out = RareSequence(*(np.full(at.size, np.nan) for _ in fields(RareSequence)))
    for alternative in np.unique(alternatives[at]):
        mine = alternatives[at] == alternative
        part = pairs[at[mine]]
        counts = (*successes(part, "_control"), *successes(part))
        found = rare_sequence(*counts, level[at[mine]], alternative=alternative)
        for field in fields(RareSequence):
            getattr(out, field.name)[mine] = getattr(found, field.name)
    return out


def _wald(
    pairs: pl.DataFrame,
    tested: Tested,
    minimum: FloatArray,
    level: FloatArray,
    lines: Lines,
    into: tuple[FloatArray, FloatArray, BoolArray, BoolArray],
) -> None:
    """Wald's test of no effect against the minimum one, in the metric's unit; its first verdict stays.

    The bound of the statistic is where the likelihood ratio meets its own: (A + δ² / 2 SE²) SE / δ.
    """
    bound, p_value, crossed, accepted = into
    verdict = np.zeros(pairs.height, dtype=np.int64)
    alternatives = pairs["alternative"].to_numpy()
    base = tested.comparison
    diff, error, planned = base.diff, base.se, np.isfinite(minimum)
    stratified = is_stratified(pairs)
    if stratified.any():
        diff = np.where(stratified, pairs["precise_diff"].to_numpy(), diff)
        error = np.where(stratified, pairs["precise_se"].to_numpy(), error)
        planned = planned & np.isfinite(diff) & np.isfinite(error)
    for alternative in np.unique(alternatives[planned]):
        at = np.flatnonzero(planned & (alternatives == alternative))
        sides = 2 if alternative == "two-sided" else 1
        effect = minimum[at] * (-1.0 if alternative == "less" else 1.0)
        missed = 1 - pairs["target_power"].to_numpy()[at]
        test = sprt_comparison(diff[at], error[at], effect, level[at], missed, sides=sides)
        verdict[at] = test.verdict
        size, se = np.abs(effect), error[at]
        bound[at] = test.log_upper * se / size + size / (2 * se)
        # At most the level exactly where the likelihood ratio has reached its bound.
        p_value[at] = np.minimum(1.0, level[at] * np.exp(test.log_upper - test.llr))
    decided = lines.first(verdict != Verdict.CONTINUE)
    crossed |= lines.along(np.logical_or, decided & (verdict == Verdict.REJECT_NULL))
    accepted |= lines.along(np.logical_or, decided & (verdict == Verdict.ACCEPT_NULL))


def _spending_bounds(
    pairs: pl.DataFrame,
    spending: BoolArray,
    level: FloatArray,
    information: FloatArray,
    lines: Lines,
    se: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Critical values of the looks of plans that spend their error; infinite on days that are no look.

    Beside them the scale on which the looks hang together, 0 on days that are no look.

    The spending follows the planned information where a minimum effect is declared and the planned time elsewhere;
    how looks hang together follows the units, so that it does not depend on what was planned. A plan ends with its
    verdict day or with its planned information, whichever comes first: that look spends what is left.
    """
    guards = (pairs["role"] == "guardrail").to_numpy()
    due = np.clip(np.where(guards, time_fraction(pairs), information), 0.0, 1.0)
    ends = lines.first((pairs["cut_off"] >= pairs["verdict_day"]).to_numpy() | (due >= 1))
    after = lines.along(np.logical_or, ends) & ~ends
    is_look = (planned_looks(pairs) | ends) & ~after
    n, control = pairs["n"].to_numpy(), pairs["n_control"].to_numpy()
    units = np.where(is_look & (n + control > 0), n * control / np.maximum(n + control, 1), 0.0)
    units = _grown(pairs, se, units, lines)
    due = np.where(is_look, np.where(ends, 1.0, due), 0.0)
    names = np.where(guards, "guardrail", pairs["spending"].to_numpy())
    sided = pairs["alternative"].to_numpy() == "two-sided"
    bound = np.full(pairs.height, np.nan)
    for name in np.unique(names[spending]) if spending.any() else []:
        for sides in (1, 2):
            index = np.flatnonzero(spending & (names == name) & (sided == (sides == 2)))
            if index.size == 0:
                continue
            part = lines.part(index)
            levels = np.empty(part.shape[0])
            levels[part.row] = level[index]
            spend = spending_function(*(GUARDRAIL_SPENDING if name == "guardrail" else (str(name),)))
            grown, when = part.rising(units[index]), part.rising(due[index])
            upper = lan_demets_bounds(grown, levels, sides=sides, spending=spend, spent_by=when).upper
            # The last look may bring no unit: what is left is then spent on the look before, whose statistic stands.
            taken = looks_taken(grown)
            idle = part.matrix(ends[index], padding=False) & ~taken
            late = np.flatnonzero(idle.any(axis=1) & taken.any(axis=1))
            if late.size:
                row, newest = np.arange(late.size), taken.shape[1] - 1 - taken[late, ::-1].argmax(axis=1)
                final = when[late]
                final[row, newest] = 1.0
                again = lan_demets_bounds(
                    grown[late], levels[late], sides=sides, spending=spend, spent_by=final
                )
                upper[late, idle[late].argmax(axis=1)] = again.upper[row, newest]
            bound[index] = upper[part.row, part.column]
    return bound, units


def counted_units(pairs: pl.DataFrame) -> FloatArray:
    """Units of both arms that the difference is made of."""
    units = pairs["n"] + pairs["n_control"]
    if "left_out" in pairs.columns:
        units = units - pairs["left_out"].fill_null(0)
    return units.cast(pl.Float64).to_numpy()


def _grown(pairs: pl.DataFrame, se: FloatArray, units: FloatArray, lines: Lines) -> FloatArray:
    """The scale on which looks hang together: units, and once strata weigh them the variance of the sum of effects.

    A difference whose strata weigh as much as they have units is the sum of their effects over the number of units. The
    sum grows by independent increments, each with the variance that its units bring, while the difference's own
    information may even fall when a stratum of uneven shares begins (decision 0611). The scale goes on where the units
    left it, so that no later look changes an earlier one.
    """
    stratified = is_stratified(pairs)
    if not stratified.any():
        return units
    variance = np.nan_to_num((counted_units(pairs) * se) ** 2)
    since, usable = lines.along(np.logical_or, stratified), (units > 0) & (variance > 0)
    before, first = lines.latest(usable & ~since), lines.latest(lines.first(usable & since))
    start = np.where(before >= 0, before, first)
    going_on = units[start] * variance / np.where(variance[start] > 0, variance[start], 1.0)
    return np.where(since, np.where(usable & (start >= 0), going_on, 0.0), units)


def _units_needed(base: Comparison, bound: FloatArray, spent: FloatArray, width: FloatArray) -> FloatArray:
    """Units of the arm at which the control's mean is as far from 0 as the bound, so that a lift has two ends.

    A bound that is spent falls with the root of the information while the mean's distance grows with it; others (whose
    `spent` information is NaN) stay about where they are.
    """
    usual = special.stdtrit(np.where(np.isfinite(base.df), base.df, 1e9), 1 - base.alpha / 2)
    here = np.where(np.isfinite(bound) | np.isnan(spent), bound, usual / np.sqrt(spent))
    # Fieller's g at the bound: above 1 no relative interval ends.
    g = base.rel.g * (here / usual) ** 2
    needed = np.ceil(base.n_treatment * np.where(np.isnan(spent), g, np.sqrt(g)))
    return np.where(np.isfinite(width) | ~np.isfinite(needed), np.nan, needed)


def _normal_size(tested: Tested, alternative: np.ndarray[Any, Any]) -> FloatArray:
    """The statistic's size as a standard normal deviate of equal tail probability."""
    t = tested.comparison.statistic
    signed = np.where(alternative == "two-sided", np.abs(t), np.where(alternative == "less", -t, t))
    return -special.ndtri_exp(t_log_sf(signed, tested.comparison.df))


def _at_bounds(
    pairs: pl.DataFrame,
    tested: Tested,
    bound: FloatArray,
    done: BoolArray,
    histograms: pl.DataFrame | None,
) -> tuple[BoolArray, Comparison]:
    """Where there is a level whose quantile is the bound, and there, except where done, the same tests at it."""
    one_sided = pairs["alternative"].to_numpy() != "two-sided"
    tail = special.ndtr(-bound) * np.where(one_sided, 1.0, 2.0)
    has = np.isfinite(bound) & (tail > SMALLEST_LEVEL) & (tested.comparison.status == Reason.OK)
    level = np.where(has & ~done, tail, tested.comparison.alpha)
    return has, at_levels(pairs, tested, level, histograms)
