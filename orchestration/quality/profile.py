"""The quality profile: small numbers per event day, computed again only for days whose rows changed."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date

    import duckdb

# A day's rows follow from its lake files and from what is excluded of them.
_FINGERPRINTS = """
    select event_day, md5(string_agg(f.path || ':' || coalesce(x.gone, 0), ',' order by f.path)) as fingerprint
    from landing.lake_files f
    left join (select event_day, file_hash, count(*) as gone from landing.excluded group by all) x
        using (event_day, file_hash)
    where event_day <= $through group by event_day"""

_HISTORY = """
    select p.* exclude (fingerprint), list_contains($changed, event_day) as changed,
        p.rows - a.rows as rows_unaccounted,
        coalesce(d.duplicates, 0) / (p.rows + coalesce(d.duplicates, 0)) as share_duplicate,
        p.rows / (
            select median(h.rows) from quality.day_profiles h
            where h.event_day between p.event_day - 7 and p.event_day - 1) as rows_to_median
    from quality.day_profiles p
    join landing.days a using (event_day)
    left join (
        select event_day, sum(n)::bigint as duplicates from (
            select event_day, count(*) as n from landing.excluded where reason <> 'retracted' group by all
            union all
            select event_day, sum(same + differing)::bigint from landing.repeats group by all)
        group by all) d using (event_day)
    where event_day <= $through
    order by event_day"""


def profile_days(connection: duckdb.DuckDBPyConnection, through: date) -> pl.DataFrame:
    """Profile the event days up to `through` whose rows changed since they were last profiled.

    Args:
        connection: A writer on the warehouse; the profiles are kept in ``quality.day_profiles``.
        through: Last day, included.

    Returns:
        One row per event day up to `through`, in order: the columns of ``profile.sql``, `changed` (whether the day
        was profiled now), `rows_unaccounted` (rows beyond those accepted), `share_duplicate` of the valid rows, and
        `rows_to_median` of the seven days before (null on the first).
    """
    scan = (files("fairsplit.orchestration.quality") / "profile.sql").read_text()
    with connection.cursor() as cursor:
        cursor.execute("create schema if not exists quality")
        nothing = scan.replace("$first::date", "date '0001-01-01'").replace(
            "$last::date", "date '0001-01-01'"
        )
        cursor.execute(
            f"create table if not exists quality.day_profiles as select *, '' as fingerprint from ({nothing}) limit 0"
        )
        now = dict(cursor.execute(_FINGERPRINTS, {"through": through}).fetchall())
        then = dict(cursor.execute("select event_day, fingerprint from quality.day_profiles").fetchall())
        changed = sorted(
            day for day in now.keys() | then.keys() if now.get(day) != then.get(day) and day <= through
        )
        cursor.execute("begin")
        cursor.execute("delete from quality.day_profiles where list_contains(?, event_day)", [changed])
        for day in changed:
            # Day by day: one scan over many days keeps all of their distinct ids in memory at once.
            cursor.execute(
                f"insert into quality.day_profiles select *, $mark from ({scan})",
                {"first": day, "last": day, "mark": now.get(day, "")},
            )
        cursor.execute("commit")
        return pl.DataFrame(
            cursor.sql(_HISTORY, params={"changed": changed, "through": through}).to_arrow_table()
        )


def quarantine_samples(connection: duckdb.DuckDBPyConnection, per_reason: int = 20) -> pl.DataFrame:
    """Some quarantined rows of each reason, the newest files first: path, line_number, reason, detail, raw_line.

    What was erased is only counted in quarantine: it has no line to show.
    The text is the users' own and may be hostile: escape it wherever it is shown.
    """
    rows = connection.sql(
        """select m.path, q.line_number, q.reason, q.detail, left(q.raw_line, 1000) as raw_line
           from landing.quarantine q join landing.manifest m on m.file_hash = q.file_hash and m.status = 'taken'
           where q.reason <> 'erased'
           qualify row_number() over (partition by q.reason order by m.position desc, q.line_number) <= ?
           order by q.reason, m.position desc, q.line_number""",
        params=[per_reason],
    )
    return pl.DataFrame(rows.to_arrow_table())
