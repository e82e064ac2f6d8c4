"""The warehouse and the catalogue as the site's inputs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from operator import attrgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import polars as pl

from fairsplit.analysis.judgement.acting import act_text
from fairsplit.analysis.judgement.acting import in_force as with_acts
from fairsplit.analysis.lifecycle.clock import clock_lines, failed_experiments, launched, status_told
from fairsplit.analysis.scorecards import FailedDefinition, Provenance, SiteInputs
from fairsplit.analysis.scorecards.inputs import DefinitionChange, SynthesisView
from fairsplit.analysis.scorecards.views import experiment_view, flag_view, metric_view, segment_view
from fairsplit.orchestration.catalogue.loading import definition_files
from fairsplit.orchestration.judging.programme import read_days
from fairsplit.orchestration.landing import landing_findings
from fairsplit.orchestration.lifecycle.acting import acts_done, ramps_of_flags, with_ramps
from fairsplit.orchestration.lifecycle.noted import named_histories
from fairsplit.orchestration.lifecycle.transitions import histories
from fairsplit.orchestration.provenance.code_hash import code_hash, commit
from fairsplit.orchestration.reading.segments import segment_sizes
from fairsplit.orchestration.warehouse.opening import has_table
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue, MetricDefinition
    from fairsplit.orchestration.catalogue.loading import Definitions

# A week holds every weekday; a longer look back would cost each publication a pass over that many days of events.
_SEGMENT_DAYS: Final = 7
_FRAMES = {
    "comparisons": "from results.comparisons order by all",
    "validity": "from results.validity order by all",
    "decisions": "from results.decisions order by cut_off, experiment_id",
    "allocations": "from results.allocations order by all",
    "next_actions": "from results.next_actions order by all",
    "policies": "from results.policies where cut_off = $cut_off order by all",
    "policy_leaves": "from results.policy_leaves where cut_off = $cut_off order by all",
    "policy_coefficients": "from results.policy_coefficients where cut_off = $cut_off order by all",
    "schedule": "from results.schedule order by post_at, schedule_id",
    "interactions": "from results.interactions order by all",
    "interaction_effects": "from results.interaction_effects order by all",
    "programme": "from results.programme order by all",
    "programme_experiments": "from results.programme_experiments order by all",
    "syntheses": "from results.syntheses order by all",
    "synthesis_studies": "from results.synthesis_studies order by all",
    "search": "from results.search order by search_id, position",
    "aa_certification": "from results.aa_certification order by all",
    "daily_exposures": "from fct_daily_exposures order by all",
    "losses": """
        select experiment_id, variant_id, step, sum(units)::bigint as units, sum(events)::bigint as events
        from (
            select experiment_id, variant_id, step, event_day, units, events from fct_losses
            union all
            select experiment_id, variant_id, step, event_day, units, events from fct_logged_units
        ) where event_day <= $cut_off group by all having sum(units) > 0 order by all""",
    "histograms": "from fct_value_histograms where cut_off = $cut_off order by all",
    "file_accounts": "from landing.file_accounts order by position",
    "quarantine": "select reason, file_hash, count(*) as rows from landing.quarantine group by all order by all",
    "days": "from landing.days order by event_day",
}
#: Results that an earlier version did not write: until the next run judges, such a home has pages without them.
_LATER: Final = {
    "next_actions",
    "policies",
    "policy_leaves",
    "policy_coefficients",
    "schedule",
    "interactions",
    "interaction_effects",
    "programme",
    "programme_experiments",
    "syntheses",
    "synthesis_studies",
    "search",
    "aa_certification",
}


def site_inputs(
    connection: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    catalog: Path,
    links: Mapping[str, str],
    acts: pl.DataFrame | None = None,
) -> SiteInputs:
    """Gather everything that the pages show.

    Args:
        connection: On the warehouse; results are judged.
        definitions: The catalogue and its metrics.
        catalog: The catalogue's folder, for the text of the definitions.
        links: Parts of the site beside the pages.
        acts: What was done by itself, rows of `ACTS`; by default what the journal has.

    Raises:
        LookupError: No day has been built.
    """
    cut_off = built_day(connection)
    frames = {
        name: connection.sql(query, params={"cut_off": cut_off} if "$cut_off" in query else None).pl()
        for name, query in _FRAMES.items()
        if name not in _LATER or has_table(connection, "results", name)
    }
    position = connection.execute("select max(position) from landing.manifest").fetchall()[0][0]
    declared = definitions.catalogue.experiments
    done = acts_done(connection) if acts is None else acts
    definitions = replace(definitions, catalogue=with_acts(launched(definitions.catalogue), done))
    catalogue = definitions.catalogue
    end_of_day = datetime.combine(cut_off + timedelta(days=1), time())
    failed = failed_experiments(frames["decisions"].iter_rows(named=True), catalogue.project.failed_after)
    past_names = named_histories(connection)
    ramps = ramps_of_flags(connection, catalogue)
    verdict_days = read_days(definitions, frames["comparisons"], cut_off)
    past = histories(catalog, connection)
    told = _acts(done)
    named = {name: segment.name for name, segment in catalogue.segments.items()}
    sizes = segment_sizes(connection, catalogue, _SEGMENT_DAYS)
    texts = {
        PurePosixPath(name).stem: content.decode(errors="replace")
        for name, content in definition_files(catalog / "experiments").items()
    }
    return SiteInputs(
        cut_off=cut_off,
        experiments=[
            replace(
                experiment_view(
                    item,
                    texts.get(item.id, ""),
                    verdict_days.get(item.id),
                    status_told(item, end_of_day, failed),
                ),
                history=sorted(
                    [
                        *(
                            DefinitionChange(line.at, line.what, line.definition_hash)
                            for line in past.get(item.id, ())
                        ),
                        *told.get(item.id, ()),
                        *(DefinitionChange(*line) for line in clock_lines(declared[item.id], end_of_day)),
                    ],
                    key=attrgetter("at"),
                ),
            )
            for item in catalogue.experiments.values()
        ],
        metrics={name: metric_view(metric) for name, metric in definitions.metrics.items()},
        flags=[
            replace(
                flag_view(flag, named, state.words if (state := ramps.get(name)) else ""),
                history=past_names.get(("flag", name), ()),
            )
            for name, flag in with_ramps(catalogue, ramps).flags.items()
        ],
        segments=[
            replace(
                segment_view(catalogue.segments[size["segment"]], named, size),
                history=past_names.get(("segment", size["segment"]), ()),
            )
            for size in sizes
        ],
        synthesis_views=[
            SynthesisView(one.id, one.name, one.owner, one.description or "")
            for one in catalogue.syntheses.values()
        ],
        failed=[FailedDefinition(name, problems) for name, problems in catalogue.broken.items()],
        funnels=_funnels(frames["histograms"], definitions.metrics),
        landing_findings=_findings(connection, catalogue),
        provenance=Provenance(commit(), code_hash(), position),
        links=links,
        zones={name: schedule.zone for name, schedule in catalogue.schedules.items()},
        **frames,
    )


def _findings(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> pl.DataFrame:
    found = landing_findings(connection, catalogue.project.thresholds.quarantine_warn)
    rows = [(finding.subject, finding.message) for finding in found]
    return pl.DataFrame(rows, schema={"subject": pl.String, "message": pl.String}, orient="row")


def _acts(journal: pl.DataFrame) -> dict[str, list[DefinitionChange]]:
    """What decisions did by themselves, from the midnight that ended their day, as changes of the definition."""
    changes: dict[str, list[DefinitionChange]] = {}
    for act in journal.iter_rows(named=True):
        at = datetime.combine(act["cut_off"] + timedelta(days=1), time())
        changes.setdefault(act["experiment_id"], []).append(DefinitionChange(at, act_text(act)))
    return changes


def _funnels(histograms: pl.DataFrame, metrics: Mapping[str, MetricDefinition]) -> pl.DataFrame:
    """Units that reached each step: of a funnel metric the histogram counts units by steps reached."""
    steps = pl.DataFrame(
        [
            {"metric": metric.name, "position": position, "step": step}
            for metric in metrics.values()
            for position, step in enumerate(metric.funnel, start=1)
        ],
        schema={"metric": pl.String, "position": pl.Int64, "step": pl.String},
    )
    totals = histograms.filter(pl.col("segment") == "all")
    return (
        totals.join(steps, on="metric")
        .group_by("experiment_id", "metric", "variant_id", "position", "step")
        .agg(pl.col("units").filter(pl.col("value") >= pl.col("position")).sum())
        .sort("experiment_id", "metric", "variant_id", "position")
    )
