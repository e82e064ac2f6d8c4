"""The page of pairs of experiments: a heat map, what was found, and whether the scan itself can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log10
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.judgement.effects import Effect
from fairsplit.analysis.judgement.interactions import uniformity
from fairsplit.analysis.judgement.wording import p_text
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.comparisons import metric_view
from fairsplit.analysis.scorecards.headline import effect_figures
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs

Row = dict[str, Any]
#: Experiments on the heat map, those with the smallest p-values first: a person reads no larger one.
_MOST: Final = 40
_BINS: Final = 10
#: The darkest cell of the heat map: a p-value of 1e-6 or less.
_DARKEST: Final = 6
_WORDS: Final = {
    "interacts": "effects depend on each other",
    "dependent": "splits depend on each other",
    "none": "nothing found",
    "unknown": "too few shared units",
}
_EFFECTS: Final = {
    "conditional": "in {other_variant}: {variant_id}",
    "combined": "{variant_id} with {other_variant}, against both controls:",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A pair on the heat map: `depth` from 0 to `_DARKEST`, `mark` for what is flagged."""

    depth: int
    mark: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A flagged pair in words, with the effect inside each arm of the other experiment."""

    experiment: str
    href: str
    other: str
    other_href: str
    metric: str
    finding: str
    units: str
    p_value: str
    size: str
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Everything on the page.

    Attributes:
        names: Experiments on the heat map, in its order.
        grid: A row per experiment whose primary metrics are looked at, a cell per other experiment.
        lines: Flagged pairs, the clearest first.
        pairs: How many pairs were looked at.
        left_out: How many experiments do not fit on the heat map.
        bins: How many p-values lie in each tenth from 0 to 1.
        uniform: Whether the p-values are those of pairs without interaction, in a sentence; empty without any.
    """

    names: tuple[str, ...]
    grid: tuple[tuple[Cell | None, ...], ...]
    lines: tuple[Line, ...]
    pairs: int
    left_out: int
    bins: tuple[int, ...]
    uniform: str


def build(inputs: SiteInputs) -> Interactions:
    """The page's content, from `results.interactions` and the effects beside it."""
    rows = [] if inputs.interactions.is_empty() else inputs.interactions.to_dicts()
    effects: dict[tuple[str, str, str], list[Row]] = {}
    for effect in [] if inputs.interaction_effects.is_empty() else inputs.interaction_effects.to_dicts():
        effects.setdefault((effect["experiment_id"], effect["other_id"], effect["metric"]), []).append(effect)
    names = _order(rows)
    shown = names[:_MOST]
    best: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=_p):
        best.setdefault((row["experiment_id"], row["other_id"]), row)
    known = {experiment.id for experiment in inputs.experiments}
    flagged = sorted((row for row in rows if row["finding"] in {"interacts", "dependent"}), key=_p)
    p_values = [row["p_value"] for row in rows if row["p_value"] is not None]
    return Interactions(
        names=tuple(shown),
        grid=tuple(tuple(_cell(best.get((one, other))) for other in shown) for one in shown),
        lines=tuple(
            _line(
                row,
                effects.get((row["experiment_id"], row["other_id"], row["metric"]), []),
                metric_view(inputs.metrics, row["metric"]),
                known,
            )
            for row in flagged
        ),
        pairs=len(rows),
        left_out=len(names) - len(shown),
        bins=tuple(
            sum(min(int(p * _BINS), _BINS - 1) == place for p in p_values) for place in range(_BINS)
        ),
        uniform=_uniform(inputs),
    )  # fmt: skip


def document(inputs: SiteInputs) -> Row:
    """The rows behind the page, as ``api/interactions.json``."""
    return {
        "computed_at": inputs.cut_off.isoformat(),
        "interactions": _plain(inputs.interactions.to_dicts()),
        "effects": _plain(inputs.interaction_effects.to_dicts()),
    }


def _plain(rows: Sequence[Row]) -> list[Row]:
    """Rows as JSON has them: what is infinite, as degrees of freedom may be, is left to `null`."""
    return [
        {
            key: None if isinstance(value, float) and not isfinite(value) else value
            for key, value in row.items()
            if key != "cut_off"
        }
        for row in rows
    ]


def _p(row: Row) -> float:
    known = [row[name] for name in ("p_adjusted", "dependence_p_adjusted") if row[name] is not None]
    return min(known, default=1.0)


def _order(rows: Sequence[Row]) -> list[str]:
    least: dict[str, float] = {}
    for row in rows:
        for name in (row["experiment_id"], row["other_id"]):
            least[name] = min(least.get(name, 1.0), _p(row))
    return sorted(least, key=lambda name: (least[name], name))


def _cell(row: Row | None) -> Cell | None:
    if row is None:
        return None
    p = row["p_value"]
    depth = 0 if p is None else min(_DARKEST, int(-log10(max(p, 1e-300))))
    mark = {"interacts": "●", "dependent": "○"}.get(row["finding"], "")
    said = "no p-value" if p is None else p_text(p)
    words = f"{row['experiment_id']} by {row['other_id']}: {_WORDS[row['finding']]}, {said}, {row['units']:,} units"
    return Cell(depth, mark, words)


def _line(row: Row, effects: Sequence[Row], metric: MetricView, known: set[str]) -> Line:
    def link(name: str) -> str:
        return f"experiments/{safe_name(name)}.html" if name in known else ""

    def figures(value: float, its: Row) -> str:
        return "{} ({})".format(
            *effect_figures(Effect(value, its["ci_low"], its["ci_high"], relative=False), metric)
        )

    size = ""
    if row["interaction"] is not None:
        visible = fmt.amount(row["smallest_visible"], metric.unit, metric.kind, signed=True).lstrip("+")
        size = (
            f"The effect of {row['variant_id']} is {figures(row['interaction'], row)} in {row['other_variant']} "
            f"against what it is in the other's control; a difference of {visible} would be seen in four of five cases."
        )
    if row["finding"] == "dependent":
        size = f"Who is in which arm depends on the other experiment ({p_text(row['dependence_p'])})."
    return Line(
        experiment=row["experiment_id"],
        href=link(row["experiment_id"]),
        other=row["other_id"],
        other_href=link(row["other_id"]),
        metric=metric.label,
        finding=_WORDS[row["finding"]],
        units=f"{row['units']:,}",
        p_value=p_text(_p(row)),
        size=size,
        effects=tuple(
            f"{_EFFECTS[one['kind']].format(**one)} {figures(one['effect'], one)}" for one in effects
        ),
    )


def _uniform(inputs: SiteInputs) -> str:
    if inputs.interactions.is_empty():
        return ""
    found = uniformity(inputs.interactions["p_value"].fill_null(float("nan")).to_numpy())
    if found is None:
        return ""
    distance, p = found
    verdict = (
        "further from uniform than chance explains: beside what is flagged, look at how units get into experiments"
        if p < 0.001
        else "spread as those of pairs without interaction are"
    )
    return f"The p-values of the scan are {verdict} (largest distance {distance:.2f}, {p_text(p)})."
