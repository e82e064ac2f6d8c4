"""System checks on what landed: each one that fails blocks everything downstream, and so the publication."""

import hashlib
import json
from datetime import datetime, time, timedelta
from pathlib import Path

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.defs.landing.assets import landed_files, raw_events
from fairsplit.orchestration.landing import landing_findings
from fairsplit.orchestration.quality import (
    conservation_problems,
    profile_days,
    quarantine_samples,
    validate_days,
)
from fairsplit.orchestration.running.partitions import DAILY, days_of
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.opening import writer
from fairsplit.orchestration.warehouse.outstanding import newest_arrival


@dg.asset_check(
    asset=landed_files,
    blocking=True,
    description="For every file: rows read = accepted + duplicates + quarantined; the lake holds the accepted.",
)
def rows_are_conserved(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Fail with every file whose rows do not add up."""
    with writer(fairsplit_home.open().warehouse) as connection:
        problems = conservation_problems(connection)
    listed = "\n".join(f"- {problem}" for problem in problems)
    return dg.AssetCheckResult(
        passed=not problems, metadata={"problems": dg.MetadataValue.md(listed or "none")}
    )


@dg.asset_check(
    asset=landed_files,
    description="Every source and file could be read; no file has too large a share of its rows in quarantine.",
)
def files_are_readable(fairsplit_home: HomeResource) -> dg.AssetCheckResult:
    """Fail where a source gives nothing, warn of files; whatever could be read was taken all the same."""
    thresholds = read_definitions().catalogue.project.thresholds
    with writer(fairsplit_home.open().warehouse) as connection:
        findings = landing_findings(connection, thresholds.quarantine_warn)
    listed = "\n".join(f"- {finding}" for finding in findings)
    is_fault = any(finding.is_fault for finding in findings)
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR if is_fault else dg.AssetCheckSeverity.WARN,
        metadata={"findings": dg.MetadataValue.md(listed or "none")},
    )


@dg.asset_check(
    asset=raw_events,
    blocking=True,
    partitions_def=DAILY,
    description="Great Expectations on each day's profile; its Data Docs stand beside the site.",
)
def days_meet_expectations(
    context: dg.AssetCheckExecutionContext, fairsplit_home: HomeResource
) -> dg.AssetCheckResult:
    """Fail where a critical expectation fails on any day up to the last one asked for; list the warnings."""
    place = fairsplit_home.open()
    with writer(place.warehouse) as connection:
        profile = profile_days(connection, days_of(context)[1])
        samples = quarantine_samples(connection)
    # Great Expectations takes seconds to load: what passed once and has not changed since passes again.
    content = repr((profile.drop("changed").rows(), samples.rows())).encode()
    state = hashlib.md5(content, usedforsecurity=False).hexdigest()
    passed = place.root / "data-docs.json"
    before = json.loads(passed.read_text()) if passed.exists() else {}
    docs = place.data_docs / "index.html"
    if before.get("state") == state and docs.exists():
        return _met(before["findings"], docs)
    passed.unlink(missing_ok=True)
    report = validate_days(profile, samples, place.data_docs)
    listed = "\n".join(
        f"- {finding.severity}: {finding.sentence} Not so: {', '.join(finding.failed)}"
        for finding in (*report.blocking, *report.warnings)
    )
    if not report.blocking:
        passed.write_text(json.dumps({"state": state, "findings": listed}))
    return _met(listed, report.docs, passed=not report.blocking)


def _met(findings: str, docs: Path, *, passed: bool = True) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        metadata={
            "findings": dg.MetadataValue.md(findings or "all expectations hold"),
            "data docs": dg.MetadataValue.path(docs),
        },
    )


@dg.asset_check(
    asset=raw_events,
    blocking=True,
    partitions_def=DAILY,
    description="The last day asked for is over, as far as the newest landed file tells.",
)
def requested_day_is_complete(
    context: dg.AssetCheckExecutionContext, fairsplit_home: HomeResource
) -> dg.AssetCheckResult:
    """Fail where the newest arrival lies within the last day asked for, or before it."""
    last = days_of(context)[1]
    with writer(fairsplit_home.open().warehouse) as connection:
        newest = newest_arrival(connection)
    over = newest is not None and newest >= datetime.combine(last + timedelta(days=1), time())
    return dg.AssetCheckResult(
        passed=over, metadata={"newest arrival": str(newest), "last day": last.isoformat()}
    )
