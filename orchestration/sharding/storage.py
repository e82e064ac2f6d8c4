"""Where tasks of other machines leave their files: a folder that all of them see, or an object store, by its URI."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyarrow import ArrowException  # type: ignore[import-untyped]
from pyarrow.fs import FileSystem, FileType  # type: ignore[import-untyped]

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was left: its name below the URI, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A folder of one run.

    Attributes:
        uri: What pyarrow knows as a file system (`file:///…`, `s3://…`, `gs://…`, `hdfs://…`), or an absolute path.
    """

    uri: str

    def put(self, path: Path) -> Stored:
        """Leave a file under a name that nobody else takes: a task that runs twice leaves two."""
        system, folder = self._opened()
        system.create_dir(folder, recursive=True)
        name = f"{uuid.uuid4().hex}{path.suffix}"
        with path.open("rb") as source, system.open_output_stream(f"{folder}/{name}") as target:
            shutil.copyfileobj(source, target)
        return Stored(name, _sha256(path))

    def get(self, stored: Stored, folder: Path) -> Path:
        """Fetch a file that was left.

        Raises:
            OrchestrationError: Its bytes are not those that were left.
        """
        system, below = self._opened()
        path = folder / stored.name
        with system.open_input_stream(f"{below}/{stored.name}") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        if (found := _sha256(path)) != stored.sha256:
            where = f"{self.uri}/{stored.name}"
            raise OrchestrationError(
                Problem("a shard's file is another than was left", where, found, f"SHA-256 {stored.sha256}")
            )
        return path

    def clear(self) -> None:
        """Take everything away that was left here."""
        system, folder = self._opened()
        if system.get_file_info(folder).type == FileType.Directory:
            system.delete_dir(folder)

    def _opened(self) -> tuple[FileSystem, str]:
        try:
            system, folder = FileSystem.from_uri(self.uri)
        except (ArrowException, OSError, ValueError) as error:
            rule = "an absolute path, or a URI that pyarrow knows as a file system"
            raise OrchestrationError(
                Problem("the shards' storage cannot be opened", "cluster.storage", self.uri, rule, str(error))
            ) from error
        return system, folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
