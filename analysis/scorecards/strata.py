"""What a page says of comparisons inside strata: that they are, why, and where pooling would have said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
_WHY = {
    "design": "Units were assigned in strata or matched blocks, so arms are compared inside them: the standard error is"
    " that of the design.",
    "phase": "The weights changed on the way, so arms are compared inside phases of equal weights and each phase counts"
    " with its share of the units: a level that moved in the meantime is no effect.",
}


def strata_notes(rows: Sequence[Row], arm_names: Mapping[str, str]) -> list[str]:
    """Sentences for under the table of metrics; none where every comparison is of all units at once.

    Args:
        rows: Comparisons of the whole population.
        arm_names: Names of the arms by id.
    """
    by_strata = [row for row in rows if row.get("stratified_by")]
    if not by_strata:
        return []
    notes = [_WHY[kind] for kind in sorted({row["stratified_by"] for row in by_strata})]
    for arm, units in sorted(
        {
            (row["variant_id"], row["left_out"])
            for row in by_strata
            if row["left_out"] and row["stratified_by"] == "phase"
        }
    ):
        notes.append(
            f"{arm_names.get(arm, arm)}: {fmt.count(units)} units of phases in which it or the control had no"
            " share, or hardly a unit, are left out of its comparison."
        )
    return notes


def pooled_words(row: Row, alpha: float) -> str:
    """Where all units thrown together would say otherwise than the phases do, what they would say; else nothing.

    Args:
        row: A comparison.
        alpha: The level at which a pooled figure would have been called a difference.
    """
    if row.get("stratified_by") != "phase" or not _says_otherwise(row, alpha):
        return ""
    pooled = fmt.percent(row.get("pooled_lift_rel"), signed=True)
    return (
        f"The weights changed on the way: all units thrown together would say {pooled}"
        f" (p {fmt.p_value(row['pooled_p_value'])}), which mixes the arms with the time."
    )


def _says_otherwise(row: Row, alpha: float) -> bool:
    """Whether pooling would call a difference that is none, miss one, or turn it round."""
    pooled, own = row.get("pooled_p_value"), row.get("p_value")
    if pooled is None or own is None:
        return False
    if (pooled <= alpha) != (own <= alpha):
        return True
    opposite: bool = row["pooled_lift_abs"] * row["lift_abs"] < 0
    return pooled <= alpha and opposite
