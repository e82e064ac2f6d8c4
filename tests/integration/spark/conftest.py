"""A standalone Spark cluster on loopback, for as long as the tests of this folder run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 2
START_SECONDS = 120


@dataclass(frozen=True)
class StandaloneCluster:
    """Its address, and the processes of its workers."""

    master: str
    workers: tuple[subprocess.Popen[bytes], ...]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandaloneCluster]:
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed: `make test-spark` does it")
    if not shutil.which("java"):
        pytest.skip("no Java: install Java 17 from the distribution's packages")
    home, logs = Path(pyspark.__file__).parent, tmp_path_factory.mktemp("spark")
    with ExitStack() as running:
        port = free_port()
        address = f"spark://127.0.0.1:{port}"
        master = ("Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port()))
        running.enter_context(started(home, logs / "master", *master))
        wait_for(port)
        workers = tuple(
            running.enter_context(
                started(
                    home, logs / f"worker-{number}", "Worker", "--host", "127.0.0.1", "--webui-port",
                    str(free_port()), "--cores", "1", "--memory", "1g", address,
                )
            )
            for number in range(WORKERS)
        )  # fmt: skip
        yield StandaloneCluster(address, workers)


@contextmanager
def started(home: Path, folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of Spark's daemons, stopped by its own id."""
    folder.mkdir()
    environment = os.environ | {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(folder),
        "SPARK_DAEMON_MEMORY": "512m",
    }
    command = [
        str(home / "bin" / "spark-class"),
        f"org.apache.spark.deploy.{name.lower()}.{name}",
        *arguments,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return
