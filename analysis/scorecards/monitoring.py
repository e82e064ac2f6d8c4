"""Monitoring numbers in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import SiteInputs
    from fairsplit.analysis.scorecards.portfolio import Summary

Samples = list[tuple["Mapping[str, str]", float]]


def text(inputs: SiteInputs, summaries: Sequence[Summary], units: Mapping[tuple[str, str], int]) -> str:
    """All metrics of one publication.

    Args:
        inputs: Of the site.
        summaries: Lines of the portfolio.
        units: Units exposed by experiment and variant.

    Returns:
        The exposition text; a metric without samples is left out.
    """
    statuses = [view.status for view in inputs.experiments]
    started = sum(status != "draft" for status in statuses)
    ended = sum(status in {"completed", "archived"} for status in statuses)
    accounts = inputs.file_accounts
    instant = datetime.combine(inputs.cut_off + timedelta(days=1), time(), UTC).timestamp()
    families: list[tuple[str, str, str, Samples]] = [
        ("ab_test_experiments_created_total", "counter", "Experiments defined.", [({}, len(statuses))]),
        ("ab_test_experiments_started_total", "counter", "Experiments that were started.", [({}, started)]),
        ("ab_test_experiments_completed_total", "counter", "Experiments completed.", [({}, ended)]),
        (
            "ab_test_variant_assignments_total",
            "counter",
            "Units exposed per variant.",
            [({"experiment": key[0], "variant": key[1]}, count) for key, count in sorted(units.items())],
        ),
        (
            "ab_test_metric_events_total",
            "counter",
            "Events accepted.",
            [] if accounts.is_empty() else [({}, int(accounts["accepted"].sum()))],
        ),
        (
            "ab_test_statistical_test_duration_seconds",
            "gauge",
            "Seconds of the last computation of all statistics.",
            [({"step": step}, seconds) for step, seconds in sorted(inputs.run_seconds.items())],
        ),
        (
            "fairsplit_experiment_valid",
            "gauge",
            "1 while no validity check of the experiment fails.",
            [({"experiment": s.id}, float(s.worst != "fail")) for s in summaries],
        ),
        (
            "fairsplit_definitions_broken",
            "gauge",
            "Definitions that do not load.",
            [({}, len(inputs.failed))],
        ),
        (
            "fairsplit_rows_quarantined_total",
            "counter",
            "Rows set aside at landing.",
            [] if accounts.is_empty() else [({}, int(accounts["quarantined"].sum()))],
        ),
        ("fairsplit_cut_off_timestamp_seconds", "gauge", "End of the last complete day.", [({}, instant)]),
    ]
    lines: list[str] = []
    for name, kind, about, samples in families:
        if samples:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
