"""Sources in object storage: objects that are new are copied to the landing folder and are files like any other.

An object is known by size and time of change. One that was written over is landed beside its earlier content, so that
the landed files stay the record; which of their events counts is decided by event id.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pyarrow.fs as pafs  # type: ignore[import-untyped]

from fairsplit.analysis.catalogue.sources import glob_regex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fairsplit.analysis.catalogue.sources import Source

_CHUNK_BYTES = 4 << 20


def land_objects(landing: Path, sources: Sequence[Source]) -> dict[str, str]:
    """Copy the new objects of every source in object storage; a copy that was cut off is begun again.

    Args:
        landing: The landing folder.
        sources: The others are passed over.

    Returns:
        Source → why it gives nothing, or not everything; the others are landed nevertheless.
    """
    faults = {}
    for source in sources:
        if source.in_storage and source.files and source.landed_below:
            try:
                if not _land(landing / source.landed_below, source.files):
                    faults[source.id] = "no object has such a name"
            except (OSError, ValueError) as error:  # Arrow's own are among these
                faults[source.id] = str(error).strip().splitlines()[0]
    return faults


def _land(folder: Path, address: str) -> int:
    """Copy what is new; how many objects there are."""
    scheme, _, pattern = address.partition("://")
    storage = _filesystem(scheme)
    # The listing begins at the last folder before the first star.
    base = (
        re.split(r"[*?]", pattern, maxsplit=1)[0].rpartition("/")[0]
        if re.search(r"[*?]", pattern)
        else pattern
    )
    names = re.compile(f"(?s)^(?:{glob_regex(pattern)})$")
    count = 0
    for found in _listed(storage, base):
        if found.type == pafs.FileType.File and names.match(found.path):
            count += 1
            _copy(storage, found, folder, found.path.partition("/")[2])
    return count


def _listed(storage: pafs.FileSystem, base: str) -> list[pafs.FileInfo]:
    found = storage.get_file_info(base)
    if found.type == pafs.FileType.File:
        return [found]
    listed = storage.get_file_info(pafs.FileSelector(base, recursive=True))
    return sorted(listed, key=lambda one: str(one.path))


def _copy(storage: pafs.FileSystem, found: pafs.FileInfo, folder: Path, key: str) -> None:
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise ValueError(f"{key} is no name of a file")
    changed_ns = found.mtime_ns
    places = folder / key, folder / f"changed-{changed_ns}" / key
    for place in places:
        if place.exists() and (place.stat().st_size, place.stat().st_mtime_ns) == (found.size, changed_ns):
            return
    place = places[1] if places[0].exists() else places[0]
    unfinished = folder / ".new.tmp"
    place.parent.mkdir(parents=True, exist_ok=True)
    with storage.open_input_stream(found.path, compression=None) as source, unfinished.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
        copy.flush()
        os.fsync(copy.fileno())
    if unfinished.stat().st_size != found.size:
        unfinished.unlink()
        raise OSError(f"{found.path} was written while it was read; it is read again the next time")
    os.utime(unfinished, ns=(changed_ns, changed_ns))
    unfinished.replace(place)


def _filesystem(scheme: str) -> pafs.FileSystem:
    """The storage of a scheme; keys, region and endpoint are those of the environment, as its own tools have them.

    Raises:
        ValueError: The account of Azure is not named.
    """
    if scheme == "s3":
        return pafs.S3FileSystem(
            endpoint_override=os.environ.get("AWS_ENDPOINT_URL"), connect_timeout=10, request_timeout=60
        )
    if scheme == "gs":
        return pafs.GcsFileSystem()
    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise ValueError("the environment variable AZURE_STORAGE_ACCOUNT is not set")
    return pafs.AzureFileSystem(account_name=account)
