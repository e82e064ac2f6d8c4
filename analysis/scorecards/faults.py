"""What most likely closed the gate, and the next step of this failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView

Row = dict[str, Any]

#: Checks by how directly they name a cause: a lost step explains a skewed split, not the other way round.
_NEAREST_FIRST = ("audit", "holdout_leak", "loss", "targeting", "exposure_order", "crossovers", "srm")
#: From this share of what two independent draws would disagree in, the logged arms are not this configuration's.
_HAND_LOGGED = 0.6
#: A part of the traffic stands out when it is off this many times as often as the whole.
_STANDS_OUT = 3.0


@dataclass(frozen=True, slots=True)
class Fault:
    """The likeliest cause of a closed gate and what to do about it, in whole sentences."""

    cause: str
    step: str


def likeliest(experiment: ExperimentView, checks: Sequence[Row]) -> Fault | None:
    """The likeliest cause among the checks that fail; None where none does.

    Args:
        experiment: The definition.
        checks: Validity rows of the newest cut-off.
    """
    failed = [row for row in checks if row["status"] == "fail"]
    if not failed:
        return None
    order = {code: place for place, code in enumerate(_NEAREST_FIRST)}
    first = min(failed, key=lambda row: order.get(_family(row), len(order)))
    family = _family(first)
    if family == "audit":
        return _audit(experiment, [row for row in checks if row["check"] == "audit"])
    if family.startswith("srm"):
        return _split(experiment, checks, first)
    return Fault(_sentence(first), wording.check_advice(first["check"]))


def _family(row: Row) -> str:
    return str(row["check"]).partition(":")[0]


def _sentence(row: Row) -> str:
    text = str(row.get("sentence") or wording.CHECK_REASONS.get(row.get("reason") or "", ""))
    return text[:1].upper() + text[1:]


def _audit(experiment: ExperimentView, rows: Sequence[Row]) -> Fault:
    """Variants that something else assigned, or one version of the SDK that serves another arm."""
    whole = next((row for row in rows if row.get("segment") == "all"), rows[0])
    share = whole.get("statistic") or 0.0
    by_chance = 1 - sum(arm.weight**2 for arm in experiment.arms)
    if by_chance > 0 and share >= _HAND_LOGGED * by_chance:
        return Fault(
            f"{fmt.percent(share)} of the logged variants are not those of this configuration, about as many as two"
            " independent draws disagree in: something else assigned them, by hand or in another system.",
            "If that is meant, declare assignment: external in the definition; else serve the exported configuration"
            " and log what it served.",
        )
    parts = [
        row
        for row in rows
        if row.get("segment") in {"sdk_version", "platform"}
        and (row.get("statistic") or 0.0) >= _STANDS_OUT * share
    ]
    if parts:
        worst = max(parts, key=lambda row: row["statistic"])
        place = f"{worst['segment'].replace('_', ' ').replace('sdk', 'SDK')} {worst['segment_level']}"
        return Fault(
            f"{place} logs another variant than it should in {fmt.percent(worst['statistic'])} of its units.",
            f"Mend or withdraw {place}, and begin anew with new salts: who was served what is not known.",
        )
    return Fault(_sentence(whole), wording.check_advice("audit"))


def _split(experiment: ExperimentView, checks: Sequence[Row], first: Row) -> Fault:
    """Where the imbalance lies, as far as the diagnosis found a place."""
    located = [row for row in checks if row["check"] == "srm_diagnosis" and row["status"] == "warn"]
    if located:
        place = max(located, key=lambda row: row.get("statistic") or 0.0)
        return Fault(
            _sentence(place),
            "Begin the search there: compare what that part loads, logs and filters under each arm.",
        )
    short = _shortest(experiment, first)
    return Fault(
        f"{short} loses units in every part of the traffic alike, so nothing about a platform or a version explains"
        " it: a redirect, a crash or a slow page before the exposure is logged."
        if short
        else _sentence(first),
        "Log the exposure when the variant is chosen, before anything of it loads, and begin anew.",
    )


def _shortest(experiment: ExperimentView, row: Row) -> str:
    """The arm that has least of what was due, where the check counts every arm."""
    observed, expected = (_counts(row.get(name)) for name in ("observed", "expected"))
    if len(observed) != len(experiment.arms) or len(expected) != len(observed) or not all(expected):
        return ""
    shares = [got / due for got, due in zip(observed, expected, strict=True)]
    return experiment.arms[shares.index(min(shares))].label


def _counts(text: object) -> list[float]:
    try:
        return [float(part.replace(",", "")) for part in str(text or "").split(" / ")]
    except ValueError:
        return []
