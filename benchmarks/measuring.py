"""Seconds, processor seconds and peak memory of a stage, and a description of the machine."""

from __future__ import annotations

import os
import platform
import resource
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATM = Path("/proc/self/statm")
_PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "polars", "pyarrow")


@dataclass(slots=True)
class Measurement:
    """One stage.

    Attributes:
        stage: What was done.
        rows: Events it was done with; 0 where a rate would mean nothing.
        seconds: By the clock on the wall.
        cpu_seconds: User and system time of all threads and of ended child processes: other work on the machine
            disturbs it less.
        peak_bytes: Largest resident memory of this process, sampled every 20 ms.
    """

    stage: str
    rows: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def as_row(self) -> dict[str, Any]:
        """Plain numbers, with the rate."""
        rate = round(self.rows / self.seconds) if self.rows and self.seconds else None
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        } | {"rows_per_second": rate}


@contextmanager
def measured(stage: str, rows: int = 0) -> Iterator[Measurement]:
    """Measure what is done inside; the numbers are filled in on leaving."""
    result, done = Measurement(stage, rows), threading.Event()
    sampler = threading.Thread(target=_sample, args=(result, done), daemon=True)
    sampler.start()
    cpu, wall = _cpu_seconds(), time.perf_counter()
    try:
        yield result
    finally:
        result.seconds, result.cpu_seconds = time.perf_counter() - wall, _cpu_seconds() - cpu
        done.set()
        sampler.join()


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _sample(result: Measurement, done: threading.Event) -> None:
    while True:
        result.peak_bytes = max(result.peak_bytes, _resident_bytes())
        if done.wait(0.02):
            return


def _resident_bytes() -> int:
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> dict[str, Any]:
    """Cores, memory and versions; neither names nor paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = os.getloadavg()[0]
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "load_at_start": round(load, 1),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
