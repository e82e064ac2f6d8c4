"""The relative lift of two rates on the log scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_level, as_successes, together
from fairsplit.analysis.statistics.lifts import Lift
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import t_quantile

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


@quiet
def log_risk_ratio(x_c: Any, n_c: Any, x_t: Any, n_t: Any, *, alpha: Any = 0.05) -> Lift:
    """Relative lift by the log risk ratio, se^2 = 1/x_t - 1/n_t + 1/x_c - 1/n_c, normal quantile.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).

    Returns:
        Lifts whose `se` is the log ratio's; status ``not_positive`` where an arm has no success.

    Raises:
        InputError: For impossible counts and alpha outside (0, 1).

    Examples:
        >>> r = log_risk_ratio(104, 11037, 189, 11034)
        >>> r.low.round(3), r.high.round(3)
        (np.float64(0.433), np.float64(1.306))
    """
    xc, nc = as_successes(x_c, n_c, "x_c", "n_c")
    xt, nt = as_successes(x_t, n_t, "x_t", "n_t")
    xc, nc, xt, nt = together({"x_c": xc, "n_c": nc, "x_t": xt, "n_t": nt})
    level, control, treatment = as_level(alpha), xc / nc, xt / nt
    se = np.sqrt((1.0 - treatment) / xt + (1.0 - control) / xc)
    quantile = t_quantile(level / 2.0, np.array(np.inf))
    log_ratio = np.log(treatment) - np.log(control)
    shape = np.broadcast_shapes(log_ratio.shape, level.shape)
    status = reasons(
        shape,
        [
            ((nc == 0) | (nt == 0), Reason.NO_EXPOSURE),
            (xc == 0, Reason.ZERO_BASELINE),
            (xt == 0, Reason.NOT_POSITIVE),
        ],
    )
    nothing = np.full(shape, np.nan)

    def full(values: FloatArray) -> FloatArray:
        return blank(status, np.broadcast_to(values, shape))

    return Lift(
        full((treatment - control) / control),
        full(se),
        full(np.expm1(log_ratio - quantile * se)),
        full(np.expm1(log_ratio + quantile * se)),
        np.asarray(status == Reason.OK),
        nothing,
        nothing,
        nothing,
        status,
    )
