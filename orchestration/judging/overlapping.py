"""Units that two experiments share, kept from run to run: only days whose exposures changed are paired again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# Each pair of exposures once, on the day of the second; new ones against all others, so that a day's cost
# follows the day's exposures and not the history's. A holdout's sides are meant to share nothing evenly with the rest.
_PAIRS = """
    with known as (
        select e.experiment_id, e.phase, e.variant_id, e.unit_id, e.exposure_day, c.unit_type
        from fct_exposures as e
        inner join catalog.experiments as c on e.experiment_id = c.experiment_id and c.holdout_id is null
    ),
    pairs as (
        select
            {columns}
        from known as new
        inner join known as other
            on new.unit_id = other.unit_id
            and new.unit_type = other.unit_type
            and new.experiment_id <> other.experiment_id
        where new.exposure_day >= $first
            and (other.exposure_day < $first or new.experiment_id < other.experiment_id)
    )
    select experiment_id, phase, variant_id, other_id, other_phase, other_variant, day, count(*) as units
    from pairs
    group by all
"""
_ENDS = {
    "experiment_id": ("new.experiment_id", "other.experiment_id"),
    "phase": ("new.phase", "other.phase"),
    "variant_id": ("new.variant_id", "other.variant_id"),
    "other_id": ("other.experiment_id", "new.experiment_id"),
    "other_phase": ("other.phase", "new.phase"),
    "other_variant": ("other.variant_id", "new.variant_id"),
}
_COLUMNS = ", ".join(
    f"case when new.experiment_id < other.experiment_id then {one} else {two} end as {name}"
    for name, (one, two) in _ENDS.items()
)
_INSERT = _PAIRS.format(columns=f"{_COLUMNS}, greatest(new.exposure_day, other.exposure_day) as day")

# What the pairs of a day are made of, by day; the experiments and their unit types count for every day.
_HASHES = """
    select
        exposure_day as day,
        md5(concat_ws('|',
            sum(hash((experiment_id, unit_id, phase, variant_id))::hugeint)::varchar,
            (
                select string_agg(experiment_id || ':' || unit_type, ',' order by experiment_id)
                from catalog.experiments where holdout_id is null
            )
        )) as input_hash
    from fct_exposures
    group by exposure_day
"""


def keep_overlaps(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring `results.overlaps` up to date with `fct_exposures`, in one transaction.

    Rows: experiment_id < other_id with their phases and variants, `day` of the second exposure, `units`.

    Args:
        connection: A writer without an open transaction; dbt's marts are built, schema `results` exists.
    """
    connection.execute("begin")
    connection.execute(
        f"create table if not exists results.overlaps as {_INSERT} limit 0", {"first": "0001-01-01"}
    )
    connection.execute("create table if not exists results.overlap_days (day date, input_hash varchar)")
    connection.execute(f"create or replace temp table overlap_days_now as {_HASHES}")
    first = connection.execute(
        """select min(day) from (from overlap_days_now) as now
           full join results.overlap_days as before using (day)
           where now.input_hash is distinct from before.input_hash"""
    ).fetchall()[0][0]
    if first is not None:
        connection.execute("delete from results.overlaps where day >= ?", [first])
        connection.execute(f"insert into results.overlaps {_INSERT}", {"first": first})
        connection.execute("delete from results.overlap_days where day >= ?", [first])
        connection.execute("insert into results.overlap_days from overlap_days_now where day >= ?", [first])
    connection.execute("commit")
