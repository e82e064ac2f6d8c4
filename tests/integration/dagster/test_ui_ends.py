"""`fairsplit ui` serves the code location, to this machine alone, and ends what it has started."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = pytest.mark.integration


def of_home(home: Path) -> list[str]:
    """Command lines of the living processes whose environment names the home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(home).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def graphql(port: int, query: str, **headers: str) -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    body = json.dumps({"query": query})
    client.request("POST", "/graphql", body, {"Content-Type": "application/json"} | headers)
    with client.getresponse() as answer:
        told = answer.status, answer.read().decode()
    client.close()
    return told


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc on this machine")
def test_all_children_stop_with_it(tmp_path: Path) -> None:
    """Case ui-leaves-children."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "from fairsplit.orchestration.cli import main; main()",
        "ui",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        command,
        cwd=PROJECT_ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(tmp_path / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 180
        while not answers(port) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.5)
        assert answers(port)
        assert any(re.search("daemon", line) for line in of_home(tmp_path))
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"
        status, told = graphql(port, query, Host="localhost")
        assert (status, "fairsplit" in told) == (200, True)
        assert graphql(port, query, Host="evil.example")[0] == 403
        # The port is taken: one sentence, and nothing is started.
        second = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        assert (second.returncode, "cannot listen there" in second.stderr) == (1, True)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
    assert not answers(port)
    assert of_home(tmp_path) == []
