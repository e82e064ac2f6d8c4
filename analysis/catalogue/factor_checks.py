"""Rules of the factors of a multivariate experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.yaml_source import KeyPath


def factor_findings(experiment: Experiment) -> Iterator[Finding]:
    """Factors that are declared in vain, too few, or not set by every variant in a combination of its own."""
    if experiment.type != "multivariate":
        if experiment.factors:
            yield Finding(
                ("factors",),
                "only a multivariate experiment has factors",
                experiment.type,
                "type: multivariate",
            )
        return
    levels = {factor.name: factor.levels for factor in experiment.factors}
    if len(levels) < 2:
        yield Finding(
            ("type",), "a multivariate experiment has fewer than two factors", rule="factors: [...]"
        )
        return
    cells: dict[tuple[Any, ...], str] = {}
    for position, variant in enumerate(experiment.variants):
        where: KeyPath = ("variants", position, "levels")
        if set(variant.levels) != set(levels):
            yield Finding(
                where, "does not set every factor once", ", ".join(variant.levels), ", ".join(levels)
            )
            continue
        for name, level in variant.levels.items():
            if level not in levels[name]:
                allowed = ", ".join(str(known) for known in levels[name])
                yield Finding((*where, name), "unknown level", str(level), f"one of: {allowed}")
        cell = tuple(variant.levels[name] for name in levels)
        if cell in cells:
            what = f"the same combination of levels as variant '{cells[cell]}'"
            yield Finding(where, what, rule="each combination once")
        cells.setdefault(cell, variant.id)
