"""A stranger's test of docs/deployment.md: its commands are run, from a project folder that nobody may write to.

What needs root, a proxy or a container engine is marked in the page (`console`); there the commands, files and options
that it names are checked, by systemd's own verification where it is installed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import typer

from fairsplit.orchestration.cli import app, commands
from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = pytest.mark.integration

PAGE = (PROJECT_ROOT / "docs" / "deployment.md").read_text()
EXAMPLES = PROJECT_ROOT / "examples" / "deployment"
PROJECT, HOME, SETTINGS, PORT = "/opt/fairsplit", "/var/lib/fairsplit", "/etc/fairsplit", "3000"
UNITS = ("fairsplit-daemon.service", "fairsplit-ui.service")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def as_an_ordinary_user() -> list[str]:
    """What makes root obey the modes of files, as every other user does."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root writes anywhere, and there is no setpriv to forbid it")
    capabilities = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"]


@pytest.fixture
def project(tmp_path: Path):
    """The project as it is installed, without permission to write, and a command that runs it."""
    folder = tmp_path / "opt"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if name.startswith("tests/") or not (PROJECT_ROOT / name).exists():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT_ROOT / name, target, follow_symlinks=False)
    command = folder / ".venv" / "bin" / "fairsplit"
    command.parent.mkdir(parents=True)
    command.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={folder}/src\n"
        f'exec {sys.executable} -c "from fairsplit.orchestration.cli import main; main()" "$@"\n'
    )
    command.chmod(0o755)
    everything = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in everything:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.slow
def test_every_command_of_the_page_runs(project: Path, tmp_path: Path) -> None:
    """Case read-only-project, and what a stranger does with the page in hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copytree(PROJECT_ROOT / "catalog", tmp_path / "etc" / "catalog")
    script = "\n".join(blocks("sh"))
    for place, here in ((PROJECT, project), (HOME, tmp_path / "home"), (SETTINGS, tmp_path / "etc")):
        script = script.replace(place, str(here))
    before = sorted(project.rglob("*"))
    done = subprocess.run(
        [*as_an_ordinary_user(), "bash", "-euo", "pipefail", "-c", script.replace(PORT, str(port))],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith(("FAIRSPLIT", "DAGSTER"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "home" / "dbt-project" / "manifest.json").exists()
    assert sorted(project.rglob("*")) == before
    assert (tmp_path / "home" / "site" / "current" / "index.html").exists()
    assert (tmp_path / "home" / "landing" / "event.ndjson").exists()
    with duckdb.connect(str(tmp_path / "home" / "warehouse.duckdb"), read_only=True) as connection:
        days = connection.execute("select count(distinct event_day) from landing.days").fetchall()[0][0]
    assert days >= 3
    assert "dagster_webserver_version" in done.stdout


def test_no_command_is_left_unmarked() -> None:
    assert set(re.findall(r"^```(\w*)$", PAGE, flags=re.MULTILINE)) == {"sh", "console", ""}
    for line in "".join(blocks("console")).splitlines():
        assert re.match(r"[#$] \S", line), line
        words = shlex.split(line[2:])
        assert words[0] in {
            "git", "make", "useradd", "install", "cp", "systemctl", "journalctl", "nginx", "docker"
        }, line  # fmt: skip
        for word in words:
            if word.startswith(f"{PROJECT}/"):
                assert (PROJECT_ROOT / word.removeprefix(f"{PROJECT}/")).exists(), word
            if word.startswith("fairsplit-"):
                assert (EXAMPLES / f"{word}.service").exists(), word
        if words[:2] == ["docker", "run"]:
            parsed(words[words.index("fairsplit") + 1 :])


def parsed(words: list[str]) -> None:
    """Refuse what the command line would refuse."""
    assert commands.__all__
    group = typer.main.get_command(app)
    command = group.commands[words[0]]
    command.make_context(words[0], words[1:])


def settings(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (EXAMPLES / unit).read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS)
def test_units_start_what_the_page_tries(unit: str, tmp_path: Path) -> None:
    exported = re.findall(r"^export (FAIRSPLIT_.*)$", PAGE, flags=re.MULTILINE)
    assert settings(unit, "Environment") == exported
    (start,) = settings(unit, "ExecStart")
    program, *words = shlex.split(start)
    assert program == f"{PROJECT}/.venv/bin/fairsplit"
    parsed(words)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze to verify the unit")
    copy = tmp_path / unit
    copy.write_text((EXAMPLES / unit).read_text().replace(program, "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr.strip()) == (0, "")


def test_proxy_and_image_lead_to_the_same_places() -> None:
    proxy = (EXAMPLES / "nginx.conf").read_text()
    assert proxy.count("{") == proxy.count("}")
    assert f"proxy_pass http://127.0.0.1:{PORT};" in proxy
    assert "proxy_set_header Host $http_host;" in proxy
    (name,) = re.findall(r"server_name (\S+);", proxy)
    (start,) = settings("fairsplit-ui.service", "ExecStart")
    assert f"--port {PORT} --allow-host {name}" in start

    image = (EXAMPLES / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in image.splitlines() if line and not line.startswith("#")]
    told = {keyword: text for keyword, text in lines if keyword != "RUN"}
    assert json.loads(told["ENTRYPOINT"]) == [f"{PROJECT}/.venv/bin/fairsplit"]
    assert told["ENV"].split() == re.findall(r"^export (FAIRSPLIT_.*)$", PAGE, flags=re.MULTILINE)
    assert (told["WORKDIR"], told["VOLUME"], told["EXPOSE"]) == (PROJECT, HOME, PORT)
    parsed(json.loads(told["CMD"]))
    for keyword, text in lines:
        if keyword == "RUN":
            subprocess.run(["bash", "-n", "-c", text], check=True)
