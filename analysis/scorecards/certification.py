"""A/A certification: a badge on every scorecard, and the page of rates of every metric and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs

Row = dict[str, Any]
_QUANTITIES: Final = {
    "false_positives": "False positives",
    "coverage": "Intervals that hold 0",
    "relative_coverage": "Relative intervals that hold 0",
    "srm_alarms": "False alarms of the split",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """What the certification says of one experiment's metrics: ``pass``, ``warn`` or ``none``, and in words."""

    status: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Rate:
    """One promise of one test, and how it was kept."""

    method: str
    is_declared: bool
    quantity: str
    promised: str
    observed: str
    interval: str
    is_flagged: bool
    why: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric, the test that judges it first."""

    metric: str
    label: str
    units: str
    experiment: str
    day: str
    rates: Sequence[Rate]


def newest(inputs: SiteInputs) -> dict[str, list[Row]]:
    """The newest rates of each metric, by its name."""
    found: dict[str, list[Row]] = {}
    # By day, so that the last day stays: a home from before the column says nothing of who is declared.
    for row in sorted(inputs.aa_certification.to_dicts(), key=lambda one: str(one["cut_off"])):
        its = found.setdefault(row["metric"], [])
        if its and its[0]["cut_off"] != row["cut_off"]:
            its.clear()
        its.append({"declared": None, **row})
    return found


def badge(
    rates: Mapping[str, Sequence[Row]], metrics: Collection[str], labels: Mapping[str, MetricView]
) -> Badge:
    """What is known of the tests that judge an experiment's metrics.

    Args:
        rates: From `newest`.
        metrics: Names of the experiment's metrics.
        labels: The metrics.
    """
    judging = {name: [row for row in rates.get(name, ()) if row["declared"] is not False] for name in metrics}
    flagged = [name for name, rows in judging.items() if any(row["flagged"] for row in rows)]
    known = [name for name, rows in judging.items() if any(row["status"] == "ok" for row in rows)]
    passed = [name for name in known if name not in flagged]
    if flagged:
        named = ", ".join(labels[name].label if name in labels else name for name in sorted(flagged))
        return Badge(
            "warn", f"On random splits of real units, the test of {named} does not keep its promise."
        )
    if not passed:
        return Badge("none", "Its tests are not certified on real units yet: fairsplit certify.")
    some = "" if len(passed) == len(judging) else f" for {len(passed)} of {len(judging)} metrics"
    return Badge("pass", f"On random splits of real units, its tests keep their promises{some}.")


def build(inputs: SiteInputs) -> list[Panel]:
    """The page's content, by metric."""
    return [
        Panel(
            metric=name,
            label=inputs.metrics[name].label if name in inputs.metrics else name,
            units=fmt.count(rows[0]["units"]),
            experiment=rows[0]["experiment_id"],
            day=f"{rows[0]['cut_off']}",
            rates=[_rate(row) for row in sorted(rows, key=_declared_first)],
        )
        for name, rows in sorted(newest(inputs).items())
    ]


def _declared_first(row: Row) -> tuple[bool, str, int]:
    order = list(_QUANTITIES)
    return (
        row["declared"] is False,
        row["method"],
        order.index(row["quantity"]) if row["quantity"] in order else -1,
    )


def _rate(row: Row) -> Rate:
    known = row["status"] == "ok"
    return Rate(
        method=row["method"],
        is_declared=row["declared"] is not False,
        quantity=_QUANTITIES.get(row["quantity"] or "", "–"),
        promised=f"{100 * row['promised']:.4g}%" if known else "",
        observed=f"{100 * row['observed']:.2f}%" if known else "",
        interval=f"{100 * row['low']:.2f}% to {100 * row['high']:.2f}%" if known else "",
        is_flagged=bool(row["flagged"]),
        why="" if known else str(row["reason"] or row["status"]).replace("_", " "),
    )
