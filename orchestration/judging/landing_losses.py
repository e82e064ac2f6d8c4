"""Exposures that landed but are no events: copies that lost to another one, and rows in quarantine, kept by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.judging.kept_days import changed_days
from fairsplit.orchestration.landing.lake import lake_scan
from fairsplit.orchestration.provenance.code_hash import code_hash

if TYPE_CHECKING:
    import duckdb

# A copy equal to the one that counts loses nothing. What is in quarantine has no day of its own but its file's. Which
# rows are exposures, and whose, the definitions say.
_HASHES = """
    with arrivals as (
        select file_hash, arrived_at from landing.manifest where status = 'taken'
    ),
    definitions as (
        select sum(hash((experiment_id, exposure_event, unit_type))::hugeint) as h from catalog.experiments
    ),
    parts as (
        select event_day as day, hash(x) as h from landing.excluded as x where reason <> 'duplicate'
        union all
        select m.arrived_at::date, hash((q.file_hash, q.line_number, q.raw_line is null))
        from landing.quarantine as q inner join arrivals as m using (file_hash)
    )
    select day, concat_ws('|', sum(parts.h::hugeint), any_value(definitions.h), $code) as input_hash
    from parts cross join definitions group by day
"""
_EXCLUDED = """
    select
        l.experiment_id, l.variation_id as variant_id, 'deduplication' as step, l.event_day,
        count(distinct {unit}) as units, count(*) as events
    from {lake} as l
    inner join landing.excluded as x using (event_day, event_id, file_hash)
    inner join catalog.experiments as e on l.experiment_id = e.experiment_id and l.event_name = e.exposure_event
    where x.reason <> 'duplicate' and l.event_day in (from landing_losses_changes)
        -- The copy that won may say the same of the unit and its variant.
        and not exists (
            select 1 from landing.raw_events as w
            where w.event_day in (from landing_losses_changes)
                and w.event_day = l.event_day and w.event_id = l.event_id
                and w.experiment_id = l.experiment_id
                and w.variation_id is not distinct from l.variation_id
                and {winner} is not distinct from {unit})
    group by all
"""
_UNIT = """case e.unit_type
        when 'session' then {0}.session_id
        when 'anonymous' then {0}.anonymous_id
        else coalesce({0}.user_id, {0}.anonymous_id)
    end"""
# Only rows that carry the contract's names can be told apart: JSON and Parquet, not the columns of a CSV file.
_QUARANTINED = """
    with arrivals as (
        select file_hash, arrived_at::date as event_day from landing.manifest where status = 'taken'
    ),
    rows as (
        select a.event_day, q.raw_line as line
        from landing.quarantine as q inner join arrivals as a using (file_hash)
        where a.event_day in (from landing_losses_changes) and contains(q.raw_line, 'experiment_id')
            and json_valid(q.raw_line)
    ),
    named as (
        select event_day, line ->> '$.event_name' as event_name,
            coalesce(line ->> '$.experiment_id', line ->> '$.properties.experiment_id') as experiment_id,
            coalesce(line ->> '$.variation_id', line ->> '$.properties.variation_id') as variant_id,
            line ->> '$.user_id' as user_id, line ->> '$.anonymous_id' as anonymous_id,
            line ->> '$.session_id' as session_id
        from rows
    )
    select n.experiment_id, n.variant_id, 'quarantine', n.event_day, count(distinct {unit}), count(*)
    from named as n
    inner join catalog.experiments as e on n.experiment_id = e.experiment_id and n.event_name = e.exposure_event
    group by all
"""


def keep_landing_losses(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring `results.landing_losses` up to date with the landing tables, in one transaction.

    Rows as in `fct_losses`: experiment_id, variant_id, step (`deduplication`: another row won under the same event
    id, or an event took it back; `quarantine`), event_day, `units` whose exposure was lost on it, and its `events`.

    Args:
        connection: A writer without an open transaction; schema `results` exists.
    """
    connection.execute("begin")
    connection.execute(
        """create table if not exists results.landing_losses
           (experiment_id varchar, variant_id varchar, step varchar, event_day date, units bigint, events bigint)"""
    )
    changed_days(connection, "landing_losses", _HASHES, {"code": code_hash()}, "event_day")
    paths = connection.execute(
        """select h.root || '/' || f.path from landing.lake_files as f cross join landing.home as h
           where f.event_day in (from landing_losses_changes)
               and (f.event_day, f.file_hash) in (
                   select (event_day, file_hash) from landing.excluded where reason <> 'duplicate')
           order by all"""
    ).fetchall()
    if paths:
        lake = lake_scan([path for (path,) in paths])
        excluded = _EXCLUDED.format(lake=lake, unit=_UNIT.format("l"), winner=_UNIT.format("w"))
        connection.execute(f"insert into results.landing_losses {excluded}")
    quarantined = _QUARANTINED.format(unit=_UNIT.format("n"))
    connection.execute(f"insert into results.landing_losses {quarantined}")
    connection.execute("commit")
