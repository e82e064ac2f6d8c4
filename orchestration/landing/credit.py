"""Which copy of an event counts, and what the SQL side owes because of new files; free of arrival order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.landing.lake import lake_scan
from fairsplit.orchestration.landing.sql import same_content

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from fairsplit.orchestration.landing.lake_files import LakeFile

_NARROW = "event_day, event_id, file_hash, row_md5, user_id, anonymous_id, session_id, experiment_id"
_RETRACTS = """case when contains(properties, '"retracts"')
    then case when json_type(properties, '$.retracts') in ('VARCHAR', 'BIGINT', 'UBIGINT')
        then nullif(properties ->> '$.retracts', '') end end"""
_NOTHING = "select * from (select null::date as event_day, null::varchar as event_id) where false"
_NO_REMOVED = f"""select * replace (event_day::date as event_day), false as was_visible
    from (select {", ".join(f"null::varchar as {name}" for name in _NARROW.split(", "))}) where false"""


class Credit:
    """The credit of one batch.

    Args:
        cursor: Writer on the warehouse.
        home: The home folder.
        fresh: The batch's lake files, in place but not listed yet.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, home: Path, fresh: list[LakeFile]) -> None:
        self._cursor = cursor
        self._root = home.resolve()
        self._fresh = fresh

    def prepare(self, retaken: list[str]) -> None:
        """Find what the batch changes, before its transaction: fills temporary tables only.

        Args:
            retaken: Contents of the batch that are in the lake already; their old rows leave it.
        """
        removed = self._rows_of(retaken) if retaken else _NO_REMOVED
        self._cursor.execute(f"create or replace temp table removed as {removed}")
        self._cursor.execute(
            f"""create or replace temp table contested as
                {self._contested()} union select event_day, event_id from removed"""
        )
        self._cursor.execute(
            f"""create or replace temp table new_retractions as
                select event_day, event_id, file_hash, retracts
                from (select *, {_RETRACTS} as retracts from {self._scan(self._fresh)}) where retracts is not null"""
            if self._fresh
            else "create or replace temp table new_retractions as select *, '' as file_hash, '' as retracts from ("
            + _NOTHING
            + ")"
        )

    def _rows_of(self, file_hashes: list[str]) -> str:
        paths = self._paths("list_contains(?, file_hash)", [file_hashes])
        if not paths:
            return _NO_REMOVED
        return f"""select {_NARROW}, x.event_id is null as was_visible
            from {lake_scan(paths)} left join landing.excluded as x using (event_day, event_id, file_hash)"""

    def prepare_removal(self) -> None:
        """Make the keys of ``temp.removed``, whose rows have left the lake, contested; in the caller's transaction."""
        run = self._cursor.execute
        run("create or replace temp table contested as select distinct event_day, event_id from removed")
        run(
            "create or replace temp table new_retractions as select *, '' as file_hash, '' as retracts from ("
            + _NOTHING
            + ")"
        )

    def _scan(self, files: list[LakeFile]) -> str:
        return lake_scan([f"{self._root}/{one.path}" for one in files])

    def _paths(self, where: str, parameters: list[object]) -> list[str]:
        """Absolute paths of listed lake files."""
        rows = self._cursor.execute(
            f"select path from landing.lake_files where {where} order by path", parameters
        )
        return [f"{self._root}/{path}" for (path,) in rows.fetchall()]

    def _contested(self) -> str:
        """Keys of the batch that more than one file holds; reads nothing but ids of the batch's days."""
        if not self._fresh:
            return _NOTHING
        fresh = self._scan(self._fresh)
        days = sorted({one.event_day for one in self._fresh})
        parts = []
        if len({one.file_hash for one in self._fresh}) > 1:
            parts.append(f"select event_day, event_id from {fresh} group by all having count(*) > 1")
        older = self._paths("list_contains(?, event_day)", [days])
        if older:
            parts.append(
                f"""select distinct event_day, event_id from {lake_scan(older)} older
                    semi join {fresh} fresh using (event_day, event_id)"""
            )
        return " union ".join(parts) or _NOTHING

    def commit(self, batch: int) -> None:
        """Write excluded copies, retractions and the outbox; part of the caller's transaction.

        The batch's lake files are listed already.
        """
        run = self._cursor.execute
        before = "create or replace temp table retracted_before as from landing.retracted"
        run(before)
        for table in ("retractions", "excluded"):
            run(
                f"""delete from landing.{table} where (event_day, event_id, file_hash) in (
                        select (event_day, event_id, file_hash) from removed)"""
            )
        run("insert into landing.retractions from new_retractions")
        self._load_copies("contested")
        self._exclude_losers()
        moved = run(
            """select count(*) from (
                   (from landing.retracted except from retracted_before)
                   union all (from retracted_before except from landing.retracted))"""
        ).fetchall()[0][0]
        known = run("select count(*) from landing.retracted").fetchall()[0][0]
        if moved or known:
            self._apply_retractions(everywhere=bool(moved))
        self._write_outbox(batch)

    def _load_copies(self, keys: str) -> None:
        """All copies of the keys, with whether the view showed them before this batch."""
        self._cursor.execute(f"create or replace temp table copies as {self._copies(keys)}")

    def _copies(self, keys: str) -> str:
        wanted = self._cursor.execute(f"select distinct event_day from {keys}").fetchall()
        days = [day for (day,) in wanted]
        paths = self._paths("list_contains(?, event_day)", [days]) if days else []
        if not paths:
            typed = ", ".join(
                f"null::{'date' if name == 'event_day' else 'varchar'} as {name}"
                for name in _NARROW.split(", ")
            )
            return f"select {typed}, null::varchar as retracts, false as was_visible where false"
        hashes = ", ".join(f"'{one}'" for one in sorted({one.file_hash for one in self._fresh})) or "''"
        return f"""
            select c.*, c.file_hash not in ({hashes}) and x.event_id is null as was_visible
            from (select {_NARROW}, {_RETRACTS} as retracts from {lake_scan(paths)}
                  semi join {keys} using (event_day, event_id)) c
            left join landing.excluded x using (event_day, event_id, file_hash)"""

    def _exclude_losers(self) -> None:
        """Of the copies of a key the smallest (row_md5, file_hash) stays; the others are excluded."""
        self._cursor.execute(
            """delete from landing.excluded
               where (event_day, event_id) in (select (event_day, event_id) from copies)"""
        )
        self._cursor.execute(
            f"""insert into landing.excluded
               select event_day, event_id, file_hash,
                   case when {same_content("row_md5", "best")} then 'duplicate' else 'conflict' end
               from (
                   select *, min(row_md5) over (partition by event_day, event_id) as best,
                       row_number() over (partition by event_day, event_id order by row_md5, file_hash) as place
                   from copies)
               where place > 1"""
        )

    def _apply_retractions(self, *, everywhere: bool) -> None:
        """Exclude the winning copies that a retraction in force names, and bring back those that none names now.

        Args:
            everywhere: The set of retracted ids changed, so that any day may hold a named event; else only the
                batch's own rows and the contested keys may.
        """
        run = self._cursor.execute
        run(
            """create or replace temp table changed_ids as
               (from landing.retracted except from retracted_before)
               union (from retracted_before except from landing.retracted)"""
        )
        named = []
        if everywhere:
            every = self._paths("true", [])
            named.append(
                f"select distinct event_day, event_id from {lake_scan(every)} semi join changed_ids using (event_id)"
            )
        if self._fresh:
            named.append(
                f"""select distinct event_day, event_id from {self._scan(self._fresh)}
                    semi join landing.retracted using (event_id)"""
            )
        named.append(
            "select distinct event_day, event_id from copies semi join landing.retracted using (event_id)"
        )
        run(f"create or replace temp table named as {' union '.join(named)}")
        run("delete from named where (event_day, event_id) in (select (event_day, event_id) from copies)")
        run(f"insert into copies {self._copies('named')}")
        run(
            """delete from landing.excluded where reason = 'retracted'
               and (event_day, event_id) in (select (event_day, event_id) from copies)"""
        )
        run(
            """insert into landing.excluded
               select c.event_day, c.event_id, c.file_hash, 'retracted'
               from copies c semi join landing.retracted using (event_id)
               anti join landing.excluded x using (event_day, event_id, file_hash)
               where c.retracts is null"""
        )

    def _write_outbox(self, batch: int) -> None:
        """Name every raw id of each row that came into the view, left it, or was replaced."""
        run = self._cursor.execute
        run(
            """create or replace temp table changes as
               with shown as (
                   select *, (event_day, event_id, file_hash) not in (
                       select (event_day, event_id, file_hash) from landing.excluded) as is_visible
                   from copies
                   union all by name
                   select *, false as is_visible from removed
               ), moved as (
                   select *, count(distinct row_md5) filter (is_visible or was_visible) over key_copies = 1
                       and bool_or(is_visible) over key_copies and bool_or(was_visible) over key_copies as same_row
                   from shown window key_copies as (partition by event_day, event_id)
               )
               select event_day, user_id, anonymous_id, session_id, experiment_id, was_visible as shrunk
               from moved where is_visible <> was_visible and not same_row"""
        )
        if self._fresh:
            run(
                f"""insert into changes
                    select event_day, user_id, anonymous_id, session_id, experiment_id, false
                    from {self._scan(self._fresh)} anti join copies using (event_day, event_id)"""
            )
        ids = """unnest(['user', 'anonymous', 'session']) as id_kind,
            unnest([user_id, anonymous_id, session_id]) as raw_id"""
        run(
            f"""insert into landing.touched_units
                select distinct {batch}, event_day, id_kind, raw_id from (select event_day, {ids} from changes)
                where raw_id is not null"""
        )
        run(
            f"""insert into landing.touched_exposures
                select distinct {batch}, experiment_id, id_kind, raw_id, event_day, shrunk
                from (select event_day, experiment_id, shrunk, {ids} from changes where experiment_id is not null)
                where raw_id is not null"""
        )
        run(
            f"""insert into landing.touched_links
                select distinct {batch}, anonymous_id, event_day, shrunk from changes
                where anonymous_id is not null and user_id is not null"""
        )
