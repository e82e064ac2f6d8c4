"""What the landing folder holds that was not taken yet."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    import duckdb

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".inprogress", ".lock")
_AHEAD = "its time, {:%Y-%m-%d %H:%M:%S} UTC, lies ahead of the clock; correct it with `touch`"
#: A file modified less than this ago may still be written and is left for the next time.
SETTLE = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (instants are naive UTC throughout)
_LAST_MICROSECOND = (datetime(9999, 12, 31) - EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001


@dataclass(frozen=True, slots=True, order=True)
class Landed:
    r"""A file of the landing folder.

    Attributes:
        modified_at: Modification time, naive UTC, microseconds (finer is cut).
        path: Relative to the landing folder, with ``/``; bytes that are not UTF-8 as ``\xNN``.
        size_bytes: As packed.
        stamp: (size, modification time in ns, inode): differs when the file was written meanwhile.
        file: Where to open it.
        fault: Why it is not opened: only regular files are whose time does not lie ahead of the clock.
    """

    modified_at: datetime
    path: str
    size_bytes: int
    stamp: tuple[int, int, int]
    file: Path = field(compare=False)
    fault: str | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, int, datetime]:
        """What tells an unchanged file without reading it: path, packed size, modification time."""
        return self.path, self.size_bytes, self.modified_at


def naive_utc(instant: datetime) -> datetime:
    """An instant as naive UTC; naive input is taken as UTC."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written or replaced, by a link too."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def landed_files(
    landing: Path,
    now: datetime,
    settle: timedelta,
    known: Container[tuple[str, int, datetime]],
    landed_whole: tuple[str, ...] = (),
    max_clock_skew: timedelta = timedelta(minutes=10),
) -> list[Landed]:
    """Files that have settled and are not `known`, in order of arrival, then path.

    Args:
        landing: The landing folder; subfolders are walked, links to folders are not. What is no regular file, and a
            folder that cannot be opened, is among them with a `fault`.
        now: Naive UTC.
        settle: A file modified less than this before `now` may still be written.
        landed_whole: Folders whose files appear in one piece and need not settle.
        known: (path, size, modification time) of files that the manifest has.
        max_clock_skew: A file whose time lies further ahead of `now` has a wrong time.
    """
    found = []
    closed: list[OSError] = []
    for folder, folders, names in os.walk(landing, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *linked]:
            if name.startswith(".") or name.lower().endswith(_UNFINISHED):
                continue
            file = landed_at(landing, Path(folder, name))
            if file is None or file.key in known:
                continue
            if file.modified_at > now + max_clock_skew and not file.fault:
                found.append(replace(file, fault=_AHEAD.format(file.modified_at)))
                continue
            if file.modified_at <= now - settle or file.path.startswith(landed_whole or "/"):
                found.append(file)
    shut = [landed_at(landing, Path(error.filename), error.strerror) for error in closed if error.filename]
    return sorted([*found, *(file for file in shut if file is not None)])


def landed_at(landing: Path, file: Path, fault: str | None = None) -> Landed | None:
    """One file of the landing folder; none where it is gone."""
    try:
        status = file.lstat()
    except FileNotFoundError:
        return None
    mark = status.st_size, status.st_mtime_ns, status.st_ino
    modified = EPOCH + timedelta(microseconds=min(mark[1] // 1000, _LAST_MICROSECOND))
    name = file.relative_to(landing).as_posix().encode("utf-8", "surrogateescape")
    fault = fault or _not_regular(status.st_mode)
    return Landed(modified, name.decode("utf-8", "backslashreplace"), mark[0], mark, file, fault)


def _not_regular(mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return "a link, which is not followed; land the file itself"
    if not stat.S_ISREG(mode):
        return "not a regular file (a pipe, a socket or a device)"
    return None


def settled_files(landing: Path, now: datetime) -> list[Landed]:
    """Every settled file of the landing folder; `now` is naive UTC."""
    return landed_files(landing, now, SETTLE, ())


def waiting_files(landing: Path, connection: duckdb.DuckDBPyConnection, now: datetime) -> list[Landed]:
    """Settled files that no manifest row knows, read or unreadable: what the next ingest would take.

    Args:
        landing: The landing folder.
        connection: On the warehouse; the landing schema exists.
        now: Naive UTC.
    """
    known = set(connection.execute("select path, size_bytes, modified_at from landing.manifest").fetchall())
    return landed_files(landing, now, SETTLE, known)
