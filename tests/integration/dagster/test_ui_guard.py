"""Dagster's web interface, asked as browsers ask that other sites have led to it. Case ui-cross-site."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import dagster as dg
import pytest
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fairsplit.orchestration.project import Home
from fairsplit.orchestration.serving.guard import names_answered
from fairsplit.orchestration.serving.webserver import GuardedWebserver

pytestmark = pytest.mark.integration

QUERY = "{ version }"
MUTATION = 'mutation { deletePipelineRun(runId: "%s") { __typename } }'
Ask = Callable[..., tuple[int, str]]


class Server:
    """A served home with one run of Dagster's in it."""

    def __init__(self, port: int, instance: dg.DagsterInstance) -> None:
        self.port, self.instance = port, instance
        self.run_id = instance.add_run(dg.DagsterRun("daily", run_id=dg.DagsterRun("daily").run_id)).run_id

    @property
    def here(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        """Status and text; header names are written with underscores."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, body, {"Content-Type": "application/json"} | told)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, text

    def graphql(self, query: str, **headers: str) -> tuple[int, str]:
        return self.ask("POST", "/graphql", json.dumps({"query": query}), **headers)

    @property
    def has_its_run(self) -> bool:
        return self.instance.has_run(self.run_id)


@contextmanager
def served(folder: Path, *, read_only: bool = False) -> Iterator[Server]:
    home = Home(folder / "home").prepare()
    (folder / "workspace.yaml").write_text("load_from: []\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        dg.DagsterInstance.from_config(str(home.dagster)) as instance,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(folder / "workspace.yaml")]), read_only=read_only
        ) as context,
    ):
        names = names_answered("127.0.0.1", ["Dagster.example.com"])
        app = GuardedWebserver(context, names, "", read_only=read_only).create_asgi_app()
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        until = time.monotonic() + 60
        while not server.started and time.monotonic() < until:
            time.sleep(0.05)
        try:
            yield Server(port, instance)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("ui")) as it:
        yield it


def test_its_own_page_works(server: Server) -> None:
    status, page = server.ask("GET", "/", Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate")
    assert (status, "<!doctype html>" in page.lower()) == (200, True)
    own = {"Origin": f"http://{server.here}", "Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}
    status, told = server.graphql(QUERY, **own)
    assert (status, "version" in json.loads(told)["data"]) == (200, True)
    with connect(f"ws://{server.here}/graphql", origin=own["Origin"], subprotocols=["graphql-ws"]) as ws:
        ws.send(json.dumps({"type": "connection_init"}))
        assert json.loads(ws.recv(timeout=30)) == {"type": "connection_ack"}


def test_programs_of_this_machine_may_ask(server: Server) -> None:
    for host in ("localhost", f"LOCALHOST:{server.port}", f"[::1]:{server.port}", "127.0.0.1."):
        assert server.graphql(QUERY, Host=host)[0] == 200
    assert server.ask("GET", "/graphql?" + urlencode({"query": QUERY}))[0] == 200


def test_a_link_on_another_page_may_be_followed(server: Server) -> None:
    led = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert server.ask("GET", "/runs", **led)[0] == 200
    # … but not opened inside that page.
    assert server.ask("GET", "/runs", **led | {"Sec_Fetch_Dest": "iframe"})[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost@evil.example", "", "[::1"]
)  # fmt: skip
def test_another_host_name_is_refused(server: Server, host: str) -> None:
    for method, path in (("GET", "/"), ("POST", "/graphql"), ("GET", "/server_info")):
        assert server.ask(method, path, Host=host)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Origin": "file://"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
    ],
)
def test_what_another_site_asks_changes_nothing(server: Server, headers: dict[str, str]) -> None:
    mutation = MUTATION % server.run_id
    assert server.graphql(mutation, **headers)[0] == 403
    # The forms that a page may send without asking first.
    form = "/graphql?" + urlencode({"query": mutation})
    assert server.ask("POST", form, **{"Content_Type": "text/plain"} | headers)[0] == 403
    assert server.ask("POST", "/report_asset_materialization/x", "{}", **headers)[0] == 403
    assert server.has_its_run


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "none"}])
@pytest.mark.parametrize("hidden", ["", "query Q { version } "])
def test_a_mutation_by_get_is_refused(server: Server, headers: dict[str, str], hidden: str) -> None:
    query = hidden + (MUTATION % server.run_id).replace("mutation", "mutation M", 1)
    for method in ("GET", "HEAD"):
        asked = urlencode({"query": query, "operationName": "M"})
        status, _ = server.ask(method, f"/graphql?{asked}", **headers)
        assert status in {403, 405}
    assert server.has_its_run


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_websocket_of_another_site_is_refused(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.here}/graphql", origin=origin, subprotocols=["graphql-ws"]).close()
    assert refused.value.response.status_code == 403


def test_a_proxys_name_is_answered_once_it_is_declared(server: Server) -> None:
    behind = {"Host": "dagster.example.com", "Sec_Fetch_Site": "same-origin"}
    assert server.graphql(QUERY, Origin="https://dagster.example.com", **behind)[0] == 200
    assert server.graphql(QUERY, Origin="https://dagster.example.com:8443", **behind)[0] == 403
    assert server.graphql(QUERY, Origin="https://example.com", **behind)[0] == 403


def test_who_only_looks_changes_nothing(tmp_path: Path) -> None:
    with served(tmp_path, read_only=True) as server:
        own = {"Origin": f"http://{server.here}"}
        assert server.graphql(QUERY, **own)[0] == 200
        status, told = server.graphql(MUTATION % server.run_id, **own)
        assert (status, "this server only shows" in told) == (400, True)
        # One that Dagster ties to no permission.
        assert server.graphql("mutation { setNuxSeen }", **own)[0] == 400
        assert server.ask("POST", "/report_asset_materialization/x", "{}", **own)[0] == 403
        assert server.has_its_run
    # The same mutation, where it is allowed.
    with served(tmp_path) as server:
        assert server.graphql(MUTATION % server.run_id, **own | {"Origin": f"http://{server.here}"})[0] == 200
        assert not server.has_its_run
