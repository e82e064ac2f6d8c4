"""The published site: result rows and definitions in, HTML and JSON text out."""

from fairsplit.analysis.scorecards.inputs import (
    ArmView,
    DefinitionChange,
    ExperimentMetric,
    ExperimentView,
    FailedDefinition,
    FlagView,
    MetricView,
    PlanView,
    Provenance,
    SegmentView,
    SiteInputs,
)
from fairsplit.analysis.scorecards.site import Page, render_site

__all__ = [
    "ArmView",
    "DefinitionChange",
    "ExperimentMetric",
    "ExperimentView",
    "FailedDefinition",
    "FlagView",
    "MetricView",
    "Page",
    "PlanView",
    "Provenance",
    "SegmentView",
    "SiteInputs",
    "render_site",
]
