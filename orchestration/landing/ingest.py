"""Taking what landed: each batch of files is one transaction, and a kill anywhere leaves nothing half-taken."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairsplit.orchestration.landing import erasing, findings, lake_files, rejudging, repeated_keys
from fairsplit.orchestration.landing import stage as staging
from fairsplit.orchestration.landing.content import Content, identify
from fairsplit.orchestration.landing.credit import Credit
from fairsplit.orchestration.landing.findings import Finding
from fairsplit.orchestration.landing.lake import STAGING, carried_out, intend, open_landing, replace_views
from fairsplit.orchestration.landing.objects import land_objects
from fairsplit.orchestration.landing.rows import COUNTED_ONLY
from fairsplit.orchestration.landing.scan import Landed, landed_at, landed_files, naive_utc, stamp
from fairsplit.orchestration.landing.stage import Incoming
from fairsplit.orchestration.landing.tables import land_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue.sources import Source
    from fairsplit.orchestration.landing.cells import Layout
    from fairsplit.orchestration.landing.lake_files import LakeFile
    from fairsplit.orchestration.landing.rejudging import Due
    from fairsplit.orchestration.landing.settings import IngestSettings

BATCH_BYTES = 256 << 20
"""Files are taken together until their unpacked size passes this; a larger file is a batch of its own."""

_FLUSH_ROWS = 131_072
"""A thread writes out its rows at this many: 1.1 GB for 5 M events, where DuckDB's default takes 3.7 GB."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the manifest of another home recorded of a content: for rebuilding from the record."""

    arrived_at: datetime
    position: int


@dataclass(slots=True)
class IngestReport:
    """What one ingest did.

    Attributes:
        taken: Paths of files taken.
        same_content: Paths of files whose content was known.
        unreadable: Path → why, of files recorded as unreadable.
        rows_read: Rows of the files taken.
        rows_quarantined: Of these, quarantined.
        days: Event days that the files' rows fell on.
        again: Path → why, of the files taken that were known and are judged again.
    """

    taken: list[str] = field(default_factory=list)
    same_content: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    rows_read: int = 0
    rows_quarantined: int = 0
    days: set[date] = field(default_factory=set)
    again: dict[str, str] = field(default_factory=dict)


def ingest_landing(
    home: Path,
    connection: duckdb.DuckDBPyConnection,
    settings: IngestSettings,
    sources: Sequence[Source],
    now: datetime,
    *,
    recorded: Mapping[str, datetime] | None = None,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Take every settled file of ``landing/`` that was not taken yet.

    Args:
        home: The home folder; files are read from ``landing/`` and written to ``lake/``.
        connection: A writer on the home's warehouse.
        settings: From the catalogue's project settings.
        sources: The catalogue's sources; a file that none covers is read by the contract's own names.
        now: The instant of this ingest, for settling; aware, or naive UTC.
        recorded: Content hash → arrival from another home's manifest, for a rebuild; else the modification time
            when first seen counts.
        progress: Called with one line for each batch.

    Returns:
        What was done.

    Raises:
        duckdb.Error: The warehouse cannot be written; nothing of the current batch was taken.
    """
    open_landing(connection, home)
    with connection.cursor() as cursor:
        run = _Run(home, cursor, settings, recorded or {}, progress or (lambda _: None))
        with bounded_memory(cursor), repeated_keys.in_sql(cursor):
            instant = naive_utc(now)
            empty = land_tables(cursor, home / "landing", sources, instant)
            empty |= land_objects(home / "landing", sources)
            run.report.unreadable |= {
                f"{source.table or source.files}": empty[source.id]
                for source in sources
                if source.id in empty
            }
            landed_whole = tuple(source.landed_below for source in sources if source.landed_below)
            files = landed_files(
                home / "landing",
                instant,
                settings.settle,
                run.known_files(),
                landed_whole,
                settings.max_clock_skew,
            )
            run.take([*files, *run.files_to_take_again(sources)], sources)
            rejudging.answered(cursor)
            named = {source.id: f"source {source.id} ({source.place})" for source in sources}
            faults = [Finding(named[one], message, is_fault=True) for one, message in empty.items()]
            findings.keep(cursor, [*faults, *run.findings])
    return run.report


@contextmanager
def bounded_memory(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Flat memory: rows in any order (line numbers are columns), and few rows held back for each day's file."""
    wanted = {"preserve_insertion_order": "false", "partitioned_write_flush_threshold": str(_FLUSH_ROWS)}
    before = {
        name: cursor.execute(f"select current_setting('{name}')::varchar").fetchall()[0][0] for name in wanted
    }
    try:
        for name, value in wanted.items():
            cursor.execute(f"set {name} = {value}")
        yield
    finally:
        for name, value in before.items():
            cursor.execute(f"set {name} = {value}")


@dataclass(slots=True)
class _Record:
    """A manifest row to be."""

    landed: Landed
    arrived_at: datetime
    status: str
    content: Content | None = None
    source: Source | None = None
    message: str | None = None
    first_position: int | None = None
    why_again: str | None = None


@dataclass(frozen=True, slots=True)
class _Staged:
    """A batch in the lake's folders that nobody lists yet.

    Attributes:
        counts: By content.
        moved: Its files.
        erased: Rows of erased persons that were left out, by content.
        rejected: SELECT of its quarantine rows.
    """

    counts: dict[str, lake_files.Counts] = field(default_factory=dict)
    moved: list[LakeFile] = field(default_factory=list)
    erased: dict[str, int] = field(default_factory=dict)
    rejected: str | None = None


class _Run:
    """One ingest: walks the files in order of arrival, in batches of one layout."""

    def __init__(
        self,
        home: Path,
        cursor: duckdb.DuckDBPyConnection,
        settings: IngestSettings,
        recorded: Mapping[str, datetime],
        progress: Callable[[str], None],
    ) -> None:
        self._home = home
        self._cursor = cursor
        self._settings = settings
        self._recorded = recorded
        self._progress = progress
        self._taken: set[str] = {
            row[0]
            for row in cursor.execute(
                "select file_hash from landing.manifest where status = 'taken'"
            ).fetchall()
        }
        # What is broken is tried again, for its source may have been mended; only news of it is recorded.
        self._broken: dict[tuple[str, int, datetime], str] = {
            (path, size, modified): message
            for path, size, modified, message in cursor.execute(
                """select path, size_bytes, modified_at, message from landing.manifest
                   where status = 'unreadable' order by position"""
            ).fetchall()
        }
        self._records: list[_Record] = []
        self._waiting: dict[str, int] = {}
        self._layout: Layout | None = None
        self._key: object = None
        self._due: dict[str, Due] = {}
        self._asked: set[str] = set()
        self.report = IngestReport()
        self.findings: list[Finding] = []

    def known_files(self) -> set[tuple[str, int, datetime]]:
        """(path, packed size, modification time) of every file that was taken or holds known content."""
        rows = self._cursor.execute(
            """select path, size_bytes, modified_at from landing.manifest
               where status in ('taken', 'same_content')"""
        )
        return set(rows.fetchall())

    def files_to_take_again(self, sources: Sequence[Source]) -> list[Landed]:
        """Known files that are asked for, or that changed settings may judge otherwise."""
        landing = self._home / "landing"
        found = {}
        for path in rejudging.asked(self._cursor):
            landed = landed_at(landing, landing / path)
            if landed is None:
                self.findings.append(Finding(path, "is to be taken again and is not in the landing folder"))
            else:
                found[path] = landed
        self._asked = set(found)
        for due in rejudging.due(
            self._cursor, self._settings, sources, lambda path: source_of(sources, path)
        ):
            self._due[due.file_hash] = due
            there = [landed_at(landing, landing / path) for path in due.paths]
            kept = next((landed for landed in there if landed is not None and not landed.fault), None)
            if kept is not None:
                found.setdefault(kept.path, kept)
        return list(found.values())

    def take(self, files: Iterable[Landed], sources: Sequence[Source]) -> None:
        """Take the files, batch by batch."""
        for landed in {landed.path: landed for landed in files}.values():
            self._add(landed, source_of(sources, landed.path))
            if sum(self._waiting.values()) > BATCH_BYTES:
                self._flush()
        self._flush()
        for due in self._due.values():
            message = f"{due.why} changed, and it cannot be judged again: it is no more in the landing folder"
            self.findings.append(Finding(due.paths[0], f"{message}; its rows stay as they were"))

    def _add(self, landed: Landed, source: Source | None) -> None:
        """Identify a file and put it into the batch; a file that changes meanwhile is left for the next time."""
        record = _Record(landed, landed.modified_at, "unreadable", source=source)
        layout = None
        try:
            if landed.fault:
                raise OSError(landed.fault)
            content = identify(landed.file)
            if stamp(landed.file) != landed.stamp:
                return
            record.content = content.read_as(source.format) if source and source.format else content
            record.arrived_at = self._recorded.get(content.file_hash, landed.modified_at)
            if self._is_taken_again(record):
                layout = self._layout_of(record)
                record.status = "taken"
            elif content.file_hash in self._taken or content.file_hash in self._waiting:
                record.status = "same_content"
            else:
                layout = self._layout_of(record)
                record.status = "taken"
        except FileNotFoundError:
            return
        except staging.STAGE_ERRORS as error:
            record.message = staging.words_of(error)
        if layout is not None:
            self._enter(layout, record)
            self._waiting[content.file_hash] = content.size_bytes
        self._records.append(record)

    def _is_taken_again(self, record: _Record) -> bool:
        """Whether the content is known and is taken all the same; its arrival stays unless it was asked for."""
        file_hash = _content(record).file_hash
        if file_hash not in self._taken or file_hash in self._waiting:
            return False
        due = self._due.pop(file_hash, None)
        if record.landed.path in self._asked:
            record.why_again = "asked for"
        elif due:
            record.why_again, record.arrived_at = f"{due.why} changed", due.arrived_at
        else:
            return False
        positions = self._cursor.execute(
            "select min(position) from landing.manifest where file_hash = ? and status <> 'unreadable'",
            [file_hash],
        )
        record.first_position = positions.fetchall()[0][0]
        return True

    def _layout_of(self, record: _Record) -> Layout:
        """The file's layout; refuses a file that holds no event column and that no source covers."""
        layout = staging.layout_of(self._cursor, _incoming(record))
        names = layout.names()
        if names is not None and record.source is None and not {"event_id", "occurred_at"} & set(names):
            columns = ", ".join(names[:20])
            raise OSError(f"no event column (found: {columns}); declare the file in catalog/sources/")
        return layout

    def _enter(self, layout: Layout, record: _Record) -> None:
        """Begin a new batch where the file's layout is another."""
        key = (_content(record).format, record.source.id if record.source else None, repr(layout))
        if key != self._key:
            self._flush()
        self._key, self._layout = key, layout

    def _flush(self) -> None:
        """Take the gathered files in one transaction."""
        records, self._records, self._waiting = self._records, [], {}
        layout = self._layout
        if layout is None or not any(record.status == "taken" for record in records):
            self._commit(records, None)
            return
        try:
            out = self._stage(records, layout)
        except staging.STAGE_ERRORS:
            # Whose fault it is shows when each file is read alone; where none is, the disk or the memory is.
            if not self._mark_unreadable(records, layout):
                raise
            self._records = records
            self._flush()
            return
        for record in list(records):
            if record.status == "taken" and stamp(record.landed.file) != record.landed.stamp:
                records.remove(record)
                for folder in out.glob(f"*/file_hash={_content(record).file_hash}"):
                    shutil.rmtree(folder)
        self._commit(records, out)

    def _stage(self, records: list[_Record], layout: Layout) -> Path:
        batch = [_incoming(record) for record in records if record.status == "taken"]
        return staging.stage(self._cursor, self._home, batch, layout, self._settings)

    def _mark_unreadable(self, records: list[_Record], layout: Layout) -> bool:
        """Mark the files that cannot be staged; whether there are any."""
        found = False
        for record in records:
            if record.status == "taken":
                fault = staging.fault(self._cursor, self._home, _incoming(record), layout, self._settings)
                if fault:
                    record.status, record.message, found = "unreadable", fault, True
        return found

    def _commit(self, records: list[_Record], out: Path | None) -> None:
        """Lake files first, durably; then everything that the warehouse knows of them, in one transaction."""
        self.findings += [_unreadable(one) for one in records if one.status == "unreadable"]
        records = self._news(records)
        if not records:
            return
        staged = self._place(out)
        taken = [record for record in records if record.status == "taken"]
        retaken = [_content(record).file_hash for record in taken if record.why_again]
        credit = Credit(self._cursor, self._home, staged.moved)
        credit.prepare(retaken)
        self._cursor.execute("begin")
        try:
            old = rejudging.forget(self._cursor, retaken)
            if old:
                intend(self._home, old)
            position = self._write(records, staged)
            for record in taken:
                rejudging.note(self._cursor, _content(record).file_hash, self._settings, record.source)
            if staged.moved or retaken:
                credit.commit(position)
            replace_views(self._cursor)
            self._cursor.execute("commit")
        except BaseException:
            self._cursor.execute("rollback")
            raise
        for path in old:
            (self._home / path).unlink(missing_ok=True)
        carried_out(self._home)
        shutil.rmtree(self._home / "lake" / STAGING, ignore_errors=True)
        self._note(records, staged)

    def _place(self, out: Path | None) -> _Staged:
        """Count the staged rows and put their files where the lake has them."""
        if out is None:
            return _Staged()
        lake_files.put_in_order(self._cursor, out)
        erased = erasing.strip_staged(self._cursor, out)
        counts = lake_files.count_rows(self._cursor, out)
        for file_hash, rows in erased.items():
            counts[file_hash] = counts.get(file_hash, lake_files.Counts()).with_erased(rows)
        rejected = lake_files.rejected_rows(out)
        return _Staged(counts, lake_files.move_to_lake(self._cursor, self._home, out), erased, rejected)

    def _write(self, records: list[_Record], staged: _Staged) -> int:
        """The batch's rows of the landing tables, within the transaction; its first position in the manifest."""
        run = self._cursor.execute
        position: int = run("select coalesce(max(position), 0) + 1 from landing.manifest").fetchall()[0][0]
        self._write_manifest(records, staged.counts, position)
        lake_files.list_files(self._cursor, staged.moved)
        if staged.counts:
            run("insert into landing.repeats from repeats")
        if staged.rejected:
            run(f"insert into landing.quarantine from ({staged.rejected}) where reason not in {COUNTED_ONLY}")
            for record in records:
                header = staging.header_of(_incoming(record)) if record.status == "taken" else None
                if header is not None:
                    columns, delimiter = header
                    row = [_content(record).file_hash, delimiter, columns]
                    run("insert into landing.headers values (?, ?, ?)", row)
        erasing.note_removed(self._cursor, staged.erased)
        return position

    def _news(self, records: list[_Record]) -> list[_Record]:
        """Without files known to be broken, and without twins of a file that was not taken after all."""
        taken = self._taken | {_content(one).file_hash for one in records if one.status == "taken"}
        return [
            one
            for one in records
            if (one.status != "same_content" or _content(one).file_hash in taken)
            and (one.status != "unreadable" or self._broken.get(one.landed.key) != one.message)
            and not (one.status == "unreadable" and one.why_again)
        ]

    def _write_manifest(
        self, records: list[_Record], counts: dict[str, lake_files.Counts], position: int
    ) -> None:
        for number, record in enumerate(records, start=position):
            content = record.content
            count = lake_files.Counts()
            if content is not None and record.status == "taken":
                count = counts.get(content.file_hash, count)
            self._cursor.execute(
                f"insert into landing.manifest values ({', '.join('?' * 16)})",
                [
                    number,
                    record.landed.path,
                    content.file_hash if content else None,
                    record.landed.size_bytes,
                    record.landed.modified_at,
                    record.arrived_at,
                    content.format if content else None,
                    record.source.id if record.source else None,
                    record.status,
                    count.read,
                    count.quarantined,
                    count.repeated,
                    count.differing,
                    count.without_event,
                    record.message,
                    count.repeated_hour,
                ],
            )

    def _note(self, records: list[_Record], staged: _Staged) -> None:
        report, counts = self.report, staged.counts.values()
        for record in records:
            if record.status == "taken":
                report.taken.append(record.landed.path)
                if record.why_again:
                    report.again[record.landed.path] = record.why_again
                self._taken.add(_content(record).file_hash)
            elif record.status == "same_content":
                report.same_content.append(record.landed.path)
            else:
                report.unreadable[record.landed.path] = record.message or ""
        report.rows_read += sum(count.read for count in counts)
        report.rows_quarantined += sum(count.quarantined for count in counts)
        report.days |= {file.event_day for file in staged.moved}
        self._progress(f"{len(records)} files, {sum(count.read for count in counts):,} rows")


def _unreadable(record: _Record) -> Finding:
    message = record.message or ""
    if record.why_again:
        message = f"cannot be judged again ({record.why_again}), its rows stay as they were: {message}"
    return Finding(record.landed.path, message)


def source_of(sources: Sequence[Source], path: str) -> Source | None:
    """The source that covers a landed path; none where the file follows the contract's own names."""
    return next((source for source in sources if source.covers(path)), None)


def _content(record: _Record) -> Content:
    if record.content is None:
        raise TypeError(f"{record.landed.path} was not identified")
    return record.content


def _incoming(record: _Record) -> Incoming:
    return Incoming(record.landed, _content(record), record.arrived_at, record.source, record.first_position)
