"""The form page that writes an experiment's file without a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.fields import FIRST_YEAR, LAST_YEAR, SLUG, VARIANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import SiteInputs


@dataclass(frozen=True, slots=True)
class DraftForm:
    """What the form offers and checks: metrics by name and label, ids in use, patterns, first and last year."""

    metrics: Sequence[tuple[str, str]]
    taken: Sequence[str]
    slug: str = SLUG
    variant: str = VARIANT
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR)


def build(inputs: SiteInputs) -> DraftForm:
    """The form over the metrics that are defined, by label."""
    return DraftForm(
        metrics=sorted(
            ((name, metric.label) for name, metric in inputs.metrics.items()),
            key=lambda pair: (pair[1].casefold(), pair[0]),
        ),
        taken=sorted(
            {experiment.id for experiment in inputs.experiments}
            | {failed.file.removesuffix(".yaml") for failed in inputs.failed}
        ),
    )
