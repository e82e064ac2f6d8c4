"""Keeping the judged tables in step with the warehouse: what changed is judged anew, cut-off by cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.judgement import (
    ALLOCATIONS,
    COMPARISONS,
    DECISIONS,
    VALIDITY,
    Judgement,
    judge_cut_offs,
    violations,
)
from fairsplit.analysis.judgement.known import version_frame
from fairsplit.analysis.judgement.pairing import SUMS
from fairsplit.analysis.judgement.rows import REQUIREMENT
from fairsplit.analysis.judgement.strata import common_frame
from fairsplit.orchestration.judging.early_outcomes import keep_early_outcomes
from fairsplit.orchestration.judging.effect_ages import keep_effect_ages
from fairsplit.orchestration.judging.holdout_leaks import LEAKS
from fairsplit.orchestration.judging.landing_losses import keep_landing_losses
from fairsplit.orchestration.judging.losing import LOSSES
from fairsplit.orchestration.judging.overlapping import keep_overlaps
from fairsplit.orchestration.judging.targeting_audits import keep_targeting_audits
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.privacy.retention import ASSIGNMENT_AUDITS, prepare_pruned
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import add_columns, insert_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "comparisons": COMPARISONS,
    "validity": VALIDITY,
    "decisions": DECISIONS,
    "allocations": ALLOCATIONS,
}
_CHECKED = ("comparisons", "validity", "decisions")
_SQL_TYPES = {
    pl.String(): "varchar",
    pl.Float64(): "double",
    pl.Int64(): "bigint",
    pl.Boolean(): "boolean",
} | {
    pl.Date(): "date",
    pl.List(pl.String()): "varchar[]",
    REQUIREMENT: "struct(requirement varchar, rule varchar, required double, observed double, met boolean)[]",
}

# What a cut-off's judgement depends on, as rows of a day: a sum of row hashes, blind to their order.
_DAY_HASHES = """
    select day, sum(h)::varchar as input_hash from (
        select cut_off as day, hash(s)::hugeint as h from fct_sufficient_statistics as s
        union all
        select exposure_day, hash((experiment_id, segment, segment_level, phase, variant_id, units))::hugeint
        from fct_daily_exposures
        union all
        select crossed_day, hash(c)::hugeint from fct_crossovers as c
        union all
        select event_day, hash(l)::hugeint from lost_units as l
        union all
        select assigned_day, hash(a)::hugeint from (from audits) as a
        union all
        select day, hash(o)::hugeint from (from shared_units) as o
        union all
        select event_day, hash(e)::hugeint from (from day_events) as e
        union all
        select exposure_day, hash(b)::hugeint from results.early_outcomes as b
        union all
        select exposure_day, hash(t)::hugeint from results.targeting_audits as t
        union all
        select known_day, hash(f)::hugeint from results.effect_ages as f
        union all
        select day, hash(k)::hugeint from (from leaks) as k
        union all
        select day, hash(p)::hugeint from by_phase as p
    ) group by day
"""

# Units whose logged variant is not the one that the configuration in force gives them.
_AUDITS = f"{ASSIGNMENT_AUDITS} union all by name from journal.pruned_audits"

_DAY_EVENTS = """
    select event_day, sum(events)::bigint as events from fct_event_quality where filter = 'kept' group by event_day
"""

_OVERLAPS = "from results.overlaps"

# Units of bandits, and of experiments whose weights changed, by the phase of their first exposure.
_BY_PHASE = f"""
    select
        i.experiment_id, i.metric, one.segment, one.level as segment_level, analyses.analysis, i.phase, i.variant_id,
        i.day, sum(analyses.sign * i.n)::hugeint as n,
        {", ".join(f"sum(analyses.sign * i.{name})::hugeint as {name}" for name in SUMS)}
    from int_increments as i
    inner join phased using (experiment_id)
    inner join (
        values ('default', 'entered', 1), ('crossovers_excluded', 'entered', 1), ('crossovers_excluded', 'crossed', -1)
    ) as analyses (analysis, part, sign) using (part),
        unnest(list_prepend({{segment: 'all', level: 'all'}}, i.segments)) as of_segments (one)
    where i.metric <> ''
    group by all
"""


# The same of lists that were drawn in strata or blocks, by the stratum of the unit that was listed.
_BY_STRATUM = f"""
    with listed as (
        select e.* replace (a.stratum::integer as phase)
        from fct_exposures as e
        inner join catalog.assigned_units as a on e.experiment_id = a.experiment_id and e.logged_id = a.unit_id
        where a.stratum is not null
    ),
    valued as (
        select experiment_id, metric, unit_id, day, true as is_entry, y, d, x, w, 0 as y_before, 0 as d_before
        from int_unit_values where experiment_id in (select experiment_id from listed)
        union all
        select experiment_id, metric, unit_id, day, is_entry, y, d, x, w, y_before, d_before
        from int_open_values where experiment_id in (select experiment_id from listed)
    ),
    added as (
        select
            e.experiment_id, w.metric, e.phase, e.variant_id, e.segments, e.second_arm_at,
            cast(e.exposed_at + to_microseconds(coalesce(w.window_end - 1, 0)) as date) as day, 1 as n,
            {", ".join(f"0::hugeint as {name}" for name in SUMS)}
        from listed as e inner join int_metric_windows as w using (experiment_id)
        union all
        select
            e.experiment_id, v.metric, e.phase, e.variant_id, e.segments, e.second_arm_at, v.day, 0 as n,
            y - y_before, d - d_before, if(is_entry, x, 0), if(is_entry, w, 0),
            y * y - y_before * y_before, y * d - y_before * d_before, (y - y_before) * x, (y - y_before) * w,
            d * d - d_before * d_before, (d - d_before) * x, (d - d_before) * w,
            if(is_entry, x * x, 0), if(is_entry, x * w, 0), if(is_entry, w * w, 0)
        from valued as v inner join listed as e using (experiment_id, unit_id)
    ),
    parts as (
        select *, 'default' as analysis, 1 as sign from added
        union all
        select *, 'crossovers_excluded', 1 from added
        union all
        select * replace (greatest(day, cast(second_arm_at as date)) as day), 'crossovers_excluded', -1
        from added where second_arm_at is not null
    )
    select
        experiment_id, metric, one.segment, one.level as segment_level, analysis, phase, variant_id, day,
        sum(sign * n)::hugeint as n,
        {", ".join(f"coalesce(sum(sign * {name}), 0)::hugeint as {name}" for name in SUMS)}
    from parts, unnest(list_prepend({{segment: 'all', level: 'all'}}, segments)) as of_segments (one)
    where day <= (select value::date from work.state where key = 'frontier')
    group by all
"""


def judge_outstanding(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> list[date]:
    """Judge every cut-off from the first one whose inputs changed, and replace its rows.

    Methods that look repeatedly depend on the looks before, so a changed day is followed by all later ones. Equal
    inputs, definitions and code are never judged twice.

    Args:
        connection: A writer; dbt's marts are built.
        definitions: The catalogue and its metrics.

    Returns:
        Cut-offs judged anew, oldest first; empty when nothing had changed.
    """
    _prepare(connection)
    keep_overlaps(connection)
    keep_early_outcomes(connection, definitions)
    keep_effect_ages(connection, definitions)
    keep_landing_losses(connection)
    keep_targeting_audits(connection, definitions)
    connection.execute(f"create or replace temp table lost_units as {LOSSES}")
    definitions = in_force(connection, definitions)
    _sum_by_phase(connection, definitions)
    cut_offs = _changed_cut_offs(connection, version_frame(definitions.catalogue))
    if not cut_offs:
        return []
    judged = judge_cut_offs(
        connection.sql("from fct_sufficient_statistics order by all").pl(),
        connection.sql("from fct_daily_exposures order by all").pl(),
        definitions.catalogue,
        definitions.metrics,
        cut_offs,
        histograms=connection.sql(
            "from fct_value_histograms where cut_off >= ? order by all", params=[cut_offs[0]]
        ).pl(),
        crossovers=connection.sql("from fct_crossovers order by all").pl(),
        leaks=connection.sql(f"from ({LEAKS}) order by all").pl(),
        # A unit that is shown a variant on purpose is no loss of the split.
        losses=connection.sql("from lost_units where step <> 'override' order by all").pl(),
        audits=connection.sql(f"from ({_AUDITS}) order by all").pl(),
        events=connection.sql(f"from ({_DAY_EVENTS}) order by all").pl(),
        overlaps=connection.sql(f"from ({_OVERLAPS}) order by all").pl(),
        early_outcomes=connection.sql("from results.early_outcomes order by all").pl(),
        targeting=connection.sql("from results.targeting_audits order by all").pl(),
        effect_ages=connection.sql("from results.effect_ages order by all").pl(),
        by_phase=connection.sql("from by_phase order by all").pl(),
        code_hash=code_hash(),
    )
    _replace(connection, judged, cut_offs[0])
    return cut_offs


def broken_results(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The judged rows that break an invariant, each with its rule; empty when all hold."""
    return violations(*(connection.sql(f"from results.{name}").pl() for name in _CHECKED))


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    prepare_pruned(connection)
    connection.execute("create schema if not exists results")
    for name, schema in _TABLES.items():
        types = {column: _SQL_TYPES[kind] for column, kind in schema.items()}
        columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
        connection.execute(f"create table if not exists results.{name} ({columns})")
        # A home that was judged before a column existed gets it empty; with the new code all its days are judged anew.
        add_columns(connection, f"results.{name}", types)
    connection.execute(
        "create table if not exists results.judged (cut_off date, input_hash varchar, code_hash varchar)"
    )


def _sum_by_phase(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """The sums of phases and of a list's strata, for the experiments alone that are judged by them."""
    experiments = definitions.catalogue.experiments.values()
    bandits = [item.id for item in experiments if item.bandit is not None]
    changed = common_frame(definitions.catalogue)["experiment_id"].unique().to_list()
    connection.execute("create or replace temp table phased (experiment_id varchar)")
    insert_frame(
        connection,
        "phased",
        pl.DataFrame({"experiment_id": sorted({*bandits, *changed})}, schema={"experiment_id": pl.String}),
    )
    connection.execute(f"create or replace temp table by_phase as {_BY_PHASE}")
    connection.execute(f"insert into by_phase by name {_BY_STRATUM}")


def _changed_cut_offs(connection: duckdb.DuckDBPyConnection, versions: pl.DataFrame) -> list[date]:
    """All calendar days from the first changed one to the frontier."""
    connection.execute("drop table if exists results.judging")
    connection.register("_versions", versions)
    connection.execute(
        f"""
        create temp table judging as
        with audits as ({_AUDITS}),
        shared_units as ({_OVERLAPS}),
        day_events as ({_DAY_EVENTS}),
        leaks as ({LEAKS}),
        hashes as ({_DAY_HASHES}),
        days as (
            select unnest(generate_series(
                (select value::date from catalog.settings where key = 'first_day'),
                (select value::date from work.state where key = 'frontier'), interval 1 day))::date as cut_off
        ),
        known as (
            select days.cut_off, sum(hash((v.experiment_id, v.definition_hash, v.status))::hugeint) as definitions
            from days inner join _versions as v on days.cut_off >= v.known_from and days.cut_off < v.known_until
            group by days.cut_off
        )
        select
            cut_off, coalesce(input_hash, '') as input_hash,
            concat($code, coalesce(known.definitions, 0)::varchar) as code_hash
        from days
        left join hashes on days.cut_off = hashes.day
        left join known using (cut_off)
        """,
        {"code": code_hash()},
    )
    connection.unregister("_versions")
    rows = connection.execute(
        """
        with first as (
            select min(cut_off) as day from judging as now
            left join results.judged as before using (cut_off)
            where before.cut_off is null or before.input_hash <> now.input_hash or before.code_hash <> now.code_hash
        )
        select cut_off from judging, first where cut_off >= first.day order by cut_off
        """
    ).fetchall()
    return [row[0] for row in rows]


def _replace(connection: duckdb.DuckDBPyConnection, judged: Judgement, first: date) -> None:
    """Put the new rows in place of all rows from `first` on, in one transaction."""
    connection.execute("begin")
    for name in _TABLES:
        connection.execute(f"delete from results.{name} where cut_off >= ?", [first])
        insert_frame(connection, f"results.{name}", getattr(judged, name))
    connection.execute("delete from results.judged where cut_off >= ?", [first])
    connection.execute("insert into results.judged from judging where cut_off >= ?", [first])
    connection.execute("commit")
