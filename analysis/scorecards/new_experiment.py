"""The form page that writes an experiment's file without a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from fairsplit.analysis.catalogue.conditions import OPERATORS
from fairsplit.analysis.catalogue.fields import FIRST_YEAR, LAST_YEAR, SLUG, VARIANT
from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.analysis.catalogue.project import Method, UnitType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import SiteInputs


@dataclass(frozen=True, slots=True)
class DraftForm:
    """What the form offers and checks.

    Attributes:
        metrics: By name and label.
        taken: Ids in use.
        segments: Named segments, by id and name.
        splits: Context columns by which some experiment splits its results.
        data: Of the planner's calculator.
        slug: What an id matches.
        variant: What an arm's id matches.
        years: First and last year of a start.
        units: Kinds of unit.
        sdks: SDK families.
        methods: Of a plan.
        operators: Of a targeting test on one attribute.
    """

    metrics: Sequence[tuple[str, str]]
    taken: Sequence[str]
    segments: Sequence[tuple[str, str]]
    splits: Sequence[str]
    data: Mapping[str, Any]
    slug: str = SLUG
    variant: str = VARIANT
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR)
    units: Sequence[str] = get_args(UnitType)
    sdks: Sequence[str] = get_args(Sdk)
    methods: Sequence[str] = get_args(Method)
    operators: Sequence[str] = OPERATORS


def build(inputs: SiteInputs, data: Mapping[str, Any]) -> DraftForm:
    """The form over the metrics that are defined, by label.

    Args:
        inputs: The site's inputs.
        data: Of the planner's calculator.
    """
    return DraftForm(
        metrics=sorted(
            ((name, metric.label) for name, metric in inputs.metrics.items()),
            key=lambda pair: (pair[1].casefold(), pair[0]),
        ),
        taken=sorted(
            {experiment.id for experiment in inputs.experiments}
            | {failed.file.removesuffix(".yaml") for failed in inputs.failed}
        ),
        segments=sorted((segment.id, segment.name) for segment in inputs.segments),
        splits=sorted({name for experiment in inputs.experiments for name in experiment.segments}),
        data=data,
    )
