"""Great Expectations on the day profiles: judged in memory, rendered as Data Docs beside the site."""

from __future__ import annotations

import re
import shutil
import warnings
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.landing.rows import REASONS

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left}"
    ".modal,.walkthrough-card,nav form{display:none}"
)
CRITICAL, WARNING = "critical", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation's outcome.

    Attributes:
        subject: ``days`` or ``quarantine``.
        sentence: What is expected.
        severity: ``critical`` blocks publication, ``warning`` is shown.
        success: Whether all days meet it.
        failed: The days (or sampled rows) that do not, at most 20.
    """

    subject: str
    sentence: str
    severity: str
    success: bool
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All outcomes of one validation.

    Attributes:
        findings: In the order of the suites.
        docs: The Data Docs' first page.
    """

    findings: tuple[Finding, ...]
    docs: Path

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Critical expectations that failed."""
        return tuple(one for one in self.findings if not one.success and one.severity == CRITICAL)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Other expectations that failed."""
        return tuple(one for one in self.findings if not one.success and one.severity == WARNING)


@dataclass(frozen=True, slots=True)
class _Bound:
    column: str
    sentence: str
    severity: str
    lowest: float | None = None
    highest: float | None = None


_DAYS = (
    _Bound("repeated_ids", "No event id stands twice on a day.", CRITICAL, 0, 0),
    _Bound("off_day", "Every event lies on its own event day.", CRITICAL, 0, 0),
    _Bound("rows_unaccounted", "The lake holds the accepted rows of each day.", CRITICAL, 0, 0),
    _Bound("rows", "A day has events.", CRITICAL, lowest=1),
    _Bound(
        "share_without_unit", "At most 5 % of a day's events carry no unit id at all.", WARNING, highest=0.05
    ),
    _Bound("share_without_name", "At most 1 % of a day's events have no name.", WARNING, highest=0.01),
    _Bound("exposures_without_variation", "Every exposure names its variation.", WARNING, highest=0),
    _Bound("share_duplicate", "At most 10 % of a day's valid rows are duplicates.", WARNING, highest=0.1),
    _Bound("share_late", "At most 10 % of a day's events arrived after the next day.", WARNING, highest=0.1),
    _Bound(
        "rows_to_median", "A day has a third to three times the events of the week before.", WARNING, 1 / 3, 3
    ),
)


def validate_days(profile: pl.DataFrame, samples: pl.DataFrame, folder: Path) -> QualityReport:
    """Judge day profiles and quarantine samples, and render Data Docs.

    Importing Great Expectations costs two to five seconds, so it is imported here and only when there are days.
    Callers that run often skip this when no day of the profile has changed and the docs exist.

    Args:
        profile: From `profile_days`; one row per day.
        samples: From `quarantine_samples`; raw text is not given to Data Docs.
        folder: Where the Data Docs go; its content is replaced.
    """
    docs = folder / "index.html"
    shutil.rmtree(folder, ignore_errors=True)
    if profile.is_empty():
        return QualityReport((), docs)
    with warnings.catch_warnings():
        # Great Expectations 1.24 imports a deprecated module of the standard library, pandas warns it in turn.
        warnings.simplefilter("ignore")
        findings = _validate(profile, samples, folder)
    return QualityReport(tuple(findings), docs)


def _validate(profile: pl.DataFrame, samples: pl.DataFrame, folder: Path) -> list[Finding]:
    import great_expectations as gx  # noqa: PLC0415  (seconds)

    context = _context(gx, folder)
    days = profile.to_pandas().assign(event_day=[str(day) for day in profile["event_day"]])
    findings = _run(gx, context, "days", days, [_expect(gx, bound) for bound in _DAYS], key="event_day")
    if not samples.is_empty():
        # Paths, details and raw lines are the users' own text: Data Docs get none of it.
        rows = samples.select("line_number", "reason").with_row_index("row").to_pandas()
        findings += _run(gx, context, "quarantine", rows, _expect_samples(gx), key="row")
    context.build_data_docs()
    for page in folder.rglob("*.html"):
        page.write_text(_offline(page.read_text()))
    (folder / "index.html").write_text(_index(folder, findings), encoding="utf-8")
    return findings


def _index(folder: Path, findings: list[Finding]) -> str:
    """The first page: every expectation with its outcome, and the pages that tell more.

    Great Expectations fills its own first page by a script of another server, so offline it would be empty.
    """
    rows = "\n".join(
        f"<tr><td>{escape(found.subject)}</td><td>{escape(found.sentence)}</td>"
        f"<td>{'met' if found.success else 'not met: ' + escape(', '.join(found.failed))}</td></tr>"
        for found in findings
    )
    links = "\n".join(
        f'<li><a href="{page.relative_to(folder).as_posix()}">{words} {page.stem.partition("-")[0]}</a></li>'
        for part, words in (("validations", "What was found in"), ("expectations", "What is expected of"))
        for page in sorted((folder / part).rglob("*.html"))
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Quality checks</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<style>{_STYLE}</style></head>\n<body><p><a href="../quality.html">Data</a></p>\n'
        "<h1>Quality checks of the landed days</h1>\n<table><thead><tr><th>Of</th><th>Expected</th>"
        f"<th>Outcome</th></tr></thead><tbody>\n{rows}\n</tbody></table>\n"
        f"<h2>In detail</h2>\n<ul>\n{links}\n</ul></body></html>\n"
    )


def _offline(html: str) -> str:
    """A page of Data Docs without what it would load from other servers; the site works offline."""
    # Its own scripts call libraries of those servers, and would only fail.
    html = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    html = re.sub(r"url\([\"']?https?://[^)]*\)", "none", html)
    html = re.sub(r"<(?:link|img)\b[^>]*[\"']https?://[^>]*>", "", html)
    return html.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def _context(gx: Any, folder: Path) -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site(
        "fairsplit", {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    )
    return context


def _expect(gx: Any, bound: _Bound) -> Any:
    return gx.expectations.ExpectColumnValuesToBeBetween(
        column=bound.column,
        min_value=bound.lowest,
        max_value=bound.highest,
        severity=bound.severity,
        meta={"notes": bound.sentence},
    )


def _expect_samples(gx: Any) -> list[Any]:
    return [
        gx.expectations.ExpectColumnValuesToBeInSet(
            column="reason",
            value_set=list(REASONS),
            severity=CRITICAL,
            meta={"notes": "Every quarantined row has a declared reason."},
        ),
        gx.expectations.ExpectColumnValuesToBeBetween(
            column="line_number",
            min_value=1,
            severity=CRITICAL,
            meta={"notes": "Every quarantined row tells its line."},
        ),
    ]


def _run(gx: Any, context: Any, name: str, frame: Any, expectations: list[Any], *, key: str) -> list[Finding]:
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=suite)
    )
    result = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [key]},
    )
    return [_finding(name, one, key) for one in result.results]


def _finding(subject: str, outcome: Any, key: str) -> Finding:
    config = outcome.expectation_config
    unexpected = outcome.result.get("unexpected_index_list") or []
    return Finding(
        subject,
        config.meta["notes"],
        str(getattr(config.severity, "value", config.severity)),
        bool(outcome.success),
        tuple(str(one[key]) for one in unexpected[:20]),
    )
