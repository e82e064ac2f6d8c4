"""`fairsplit status`: where the home stands, in ten lines."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json
from fairsplit.orchestration.project import Home, catalog_dir


@app.command(epilog="Example: `fairsplit status --format json`")
def status(output: FormatOption = ReportFormat.text) -> None:
    """Say what is landed, built, outstanding, failing and gated, and what to do."""
    from fairsplit.orchestration.reading.status import read_status
    from fairsplit.orchestration.running.partitions import AUTOMATION

    now = datetime.now(UTC).replace(tzinfo=None)
    found = read_status(Home.from_environment(), catalog_dir(), now)
    if output is ReportFormat.json:
        print_json(asdict(found) | {"automation": AUTOMATION, "next_steps": found.next_steps})
        return
    days = found.outstanding
    print(f"landed       {found.files[0]:,} files, {found.rows[0]:,} rows, {found.rows[1]:,} in quarantine")
    print(f"arrived      {found.newest_arrival or 'nothing yet'}")
    print(f"waiting      {found.waiting:,} files; {found.files[1]:,} could not be read")
    print(f"built        up to {found.built_to}" if found.built_to else "built        nothing yet")
    print(f"outstanding  {days[0]} to {days[1]}" if days else "outstanding  nothing")
    print(f"published    {found.published or 'nothing yet'}")
    print(f"last run     {found.last_run or 'none'}")
    print(f"definitions  {len(found.definition_problems)} faults; automation {'on' if AUTOMATION else 'off'}")
    print(f"gates closed {', '.join(found.gated) or 'none'}")
    print(f"to do        {'; '.join(found.next_steps) or 'nothing'}")
