"""Rates with few events that are looked at again and again: e-values of the events' split between two arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_level, as_successes, together
from fairsplit.analysis.statistics.melded import melded_interval
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.status import quiet
from fairsplit.analysis.statistics.tails import ALTERNATIVES

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.tails import Alternative

#: Events that the prior on the treatment's share of events weighs: differences by a factor are looked for.
CONCENTRATION = 20.0
#: An end keeps less than half of the probability beyond it.
_LARGEST_TAIL = 0.4999
#: Log-odds at which a share of events is 0 or 1.
_EDGE = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class RareSequence:
    """What holds at every look, arrays of one shape.

    Attributes:
        log_e: Log e-value of this look against equal rates.
        p_value: min(1, 1 / e) of this look; the smallest so far is valid at any time.
        low: Lower end of the difference of rates; it inverts the e-value.
        high: Upper end.
        ratio_low: Lower end of the ratio of rates.
        ratio_high: Upper end.
        multiplier: Normal quantile of the smaller probability beyond an end: the fixed test's bound at this look.
    """

    log_e: FloatArray
    p_value: FloatArray
    low: FloatArray
    high: FloatArray
    ratio_low: FloatArray
    ratio_high: FloatArray
    multiplier: FloatArray


@quiet
def rare_e_value(
    x_c: Any, n_c: Any, x_t: Any, n_t: Any, alternative: Alternative = "two-sided"
) -> FloatArray:
    """Log e-value of the events so far against "both arms have one rate".

    With one rate each further event falls into the treatment with probability q = n_t / (n_c + n_t), whatever the rate
    is; against that stands a Beta(20 q, 20 (1 - q)) mixture of other shares (for a one-sided alternative its part
    beyond q). It is the sequential multinomial test of a split, of events instead of units, and may be
    looked at after every event: P(ever e >= 1 / alpha) <= alpha.

    Args:
        x_c: Events of the control so far, shape (...).
        n_c: Its units.
        x_t: Events of the treatment.
        n_t: Its units.
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Natural logarithms; 0 without events.

    Raises:
        InputError: For impossible counts and unknown words.

    Source:
        Lindon and Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS, eq. 6; conditioning on
        the events as in Turner, Ly and Grünwald (2024), Journal of Statistical Planning and Inference 230.

    Examples:
        >>> rare_e_value(0, 9_900, [0, 1, 3], 100).round(3)
        array([0.   , 0.   , 4.046])
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    xc, nc = as_successes(x_c, n_c, "x_c", "n_c")
    xt, nt = as_successes(x_t, n_t, "x_t", "n_t")
    xc, nc, xt, nt = together({"x_c": xc, "n_c": nc, "x_t": xt, "n_t": nt})
    q = nt / (nc + nt)
    a, b = CONCENTRATION * q, CONCENTRATION * (1.0 - q)
    log_e = _log_mixture(xc, xt, a, b) - special.xlogy(xt, q) - special.xlog1py(xc, -q)
    if alternative == "greater":
        log_e = log_e + np.log(special.betaincc(a + xt, b + xc, q)) - np.log(special.betaincc(a, b, q))
    elif alternative == "less":
        log_e = log_e + np.log(special.betainc(a + xt, b + xc, q)) - np.log(special.betainc(a, b, q))
    return np.asarray(log_e)


@quiet
def rare_sequence(
    x_c: Any, n_c: Any, x_t: Any, n_t: Any, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> RareSequence:
    """The e-value with the intervals of difference and ratio that hold at every look.

    The treatment's share of events has the confidence sequence of all shares that the mixture has not refuted. The
    binomial probabilities beyond its ends are what the exact interval of the two rates may leave out there, so that
    difference and ratio leave out 0 and 1 where the e-value reaches 1 / alpha. A one-sided interval has the end of the
    two-sided one.

    Args:
        x_c: Events of the control so far, shape (...).
        n_c: Its units, above 0.
        x_t: Events of the treatment.
        n_t: Its units, above 0.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Sequences at this look.

    Raises:
        InputError: For impossible counts, alpha outside (0, 1) and unknown words.

    Examples:
        >>> r = rare_sequence(20, 9_000, 15, 1_000)
        >>> f"{r.p_value:.2e} {r.ratio_low:.2f} {r.ratio_high:.1f}"
        '2.85e-04 1.63 25.5'
    """
    log_e = rare_e_value(x_c, n_c, x_t, n_t, alternative)
    names = {"x_c": x_c, "n_c": n_c, "x_t": x_t, "n_t": n_t}
    given = together(
        {name: np.asarray(v, dtype=np.float64) for name, v in names.items()} | {"alpha": as_level(alpha)}
    )
    shape = given[0].shape
    xc, nc, xt, nt, level = (v.reshape(-1) for v in given)
    q = nt / (nc + nt)
    log_mixture = _log_mixture(xc, xt, CONCENTRATION * q, CONCENTRATION * (1.0 - q))

    def excess(log_odds: FloatArray, at: np.ndarray[Any, Any]) -> FloatArray:
        likelihood = xt[at] * special.log_expit(log_odds) + xc[at] * special.log_expit(-log_odds)
        return np.asarray(log_mixture[at] - likelihood + np.log(level[at]))

    middle = np.log(np.maximum(xt, 0.5)) - np.log(np.maximum(xc, 0.5))
    below, _ = rowwise_root(excess, -_EDGE, middle, xc.size)
    above, _ = rowwise_root(excess, middle, _EDGE, xc.size)
    low_tail = np.where(xt > 0, special.betainc(np.maximum(xt, 1.0), xc + 1.0, special.expit(below)), np.nan)
    high_tail = np.where(
        xc > 0, special.betainc(np.maximum(xc, 1.0), xt + 1.0, special.expit(-above)), np.nan
    )
    # Where an arm has no event its end is not reached by any evidence; the other's probability stands for both.
    low_tail, high_tail = np.fmin(low_tail, _LARGEST_TAIL), np.fmin(high_tail, _LARGEST_TAIL)
    low_tail = np.where(xt > 0, low_tail, high_tail)
    high_tail = np.where(xc > 0, high_tail, low_tail)
    difference, ratio = melded_interval(xc, nc, xt, nt, (low_tail, high_tail), mid=False)
    low, high, ratio_low, ratio_high = *difference, *ratio
    if alternative == "greater":
        high, ratio_high = np.ones_like(high), np.full_like(high, np.inf)
    elif alternative == "less":
        low, ratio_low = -np.ones_like(low), np.zeros_like(low)
    return RareSequence(
        log_e,
        np.exp(-np.maximum(log_e, 0.0)),
        low.reshape(shape),
        high.reshape(shape),
        ratio_low.reshape(shape),
        ratio_high.reshape(shape),
        -special.ndtri(np.minimum(low_tail, high_tail)).reshape(shape),
    )


def _log_mixture(x_c: FloatArray, x_t: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(special.betaln(a + x_t, b + x_c) - special.betaln(a, b))
