"""A publisher killed at any instant leaves one whole version in force; a reader never sees anything else."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairsplit.assignment_exports.publishing import current_version, publish, read_version, verify_version

ROOT = Path(__file__).resolve().parents[3]
KILLS = 12
PUBLISHER = """
import sys
from pathlib import Path
from fairsplit.assignment_exports.publishing import publish
number = int(sys.argv[2])
while True:
    number += 1
    payloads = {f"assignments/{i}.parquet": f"{number}".encode() * 40_000 for i in range(6)}
    publish(Path(sys.argv[1]), payloads, {"number": number})
    print(number, flush=True)
"""


def _whole(exports: Path) -> int:
    """Resolve once, as a reader does, and demand that every file belongs to that one version."""
    version = read_version((exports / "current").resolve())
    assert verify_version(version.path) == []
    contents = {path.read_bytes()[:8] for path in (version.path / "assignments").iterdir()}
    assert len(contents) == 1
    return int(version.manifest["number"])


@pytest.mark.fault
def test_killed_anywhere_while_publishing(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    publish(exports, {f"assignments/{i}.parquet": b"0" * 40_000 for i in range(6)}, {"number": 0})
    moments = random.Random(20260105)  # noqa: S311 - moments of killing, not secrets
    number = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(exports), str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + moments.uniform(0.0, 0.15)
        while time.monotonic() < deadline:
            assert _whole(exports) >= number
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        seen = _whole(exports)
        assert seen > number
        number = seen
    final = publish(exports, {"ufc.json": b"{}"}, {"number": number + 1})
    assert current_version(exports) is not None
    assert final.changed
    assert [path.name for path in exports.iterdir() if path.name.startswith((".staging", ".switch"))] == []
