"""Hooks take each notice once; a hook that fails is reported, tells no secret and is tried again."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import ClassVar

import pytest
from pydantic import ValidationError

from fairsplit.analysis.catalogue.project import EmailHook, NoticeHooks, WebhookHook
from fairsplit.orchestration.notices.delivery import NEWS_FOR, deliver
from fairsplit.orchestration.notices.digests import write_alert

WEBHOOK = NoticeHooks(webhook=WebhookHook(address_from="HOOK_ADDRESS"))


class Receiver(HTTPServer):
    """A webhook on loopback that answers with `answer` and keeps what it took."""

    answer = 204

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Posted)


class Posted(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.answer < 300:
            self.server.taken.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *words) -> None:
        pass


class Mailbox(socketserver.StreamRequestHandler):
    """The few commands of SMTP that a message needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.taken.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def serving():
    running = []

    def start(server):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver(serving, monkeypatch) -> Receiver:
    server = serving(Receiver())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOOK_ADDRESS", f"http://127.0.0.1:{server.server_address[1]}/secret-path")
    return server


def test_each_notice_is_posted_once(receiver, tmp_path) -> None:
    write_alert(tmp_path, "run-1", "daily", ["scorecards"])
    assert deliver(tmp_path, WEBHOOK, "Shop") == []
    write_alert(tmp_path, "run-1", "daily", ["scorecards"])
    write_alert(tmp_path, "run-2", "daily", [])
    assert deliver(tmp_path, WEBHOOK, "Shop") == []
    assert deliver(tmp_path, WEBHOOK, "Shop") == []
    assert [key for key, _ in receiver.taken] == ["alert-run-1", "alert-run-2"]
    assert receiver.taken[0][1] == {
        "project": "Shop",
        "notice": "alert-run-1",
        "text": (
            "# The run of daily failed\n\n- **scorecards**: failed in run run-1. "
            "Nothing was published; what was landed is kept.\n"
        ),
    }


def test_a_refused_notice_is_reported_without_its_address_and_tried_again(receiver, tmp_path) -> None:
    receiver.answer = 503
    write_alert(tmp_path, "run-1", "daily", [])
    write_alert(tmp_path, "run-2", "daily", [])
    assert deliver(tmp_path, WEBHOOK, "Shop") == ["webhook: alert-run-1 was not sent (answered 503)"]
    receiver.answer = 204
    assert deliver(tmp_path, WEBHOOK, "Shop") == []
    assert [key for key, _ in receiver.taken] == ["alert-run-1", "alert-run-2"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (None, "the environment lacks a variable"),
        ("file:///etc/secret-path", "not a web address"),
        ("http://127.0.0.1:1/secret-path", "URLError"),
        ("http://[secret-path", "ValueError"),
        ("http://127.0.0.1:x/secret path", "InvalidURL"),
    ],
)
def test_an_address_that_cannot_work_stops_nothing_and_is_not_told(
    tmp_path, monkeypatch, address, words
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HOOK_ADDRESS", raising=False)
    if address is not None:
        monkeypatch.setenv("HOOK_ADDRESS", address)
    write_alert(tmp_path, "run-1", "daily", [])
    (failure,) = deliver(tmp_path, WEBHOOK, "Shop")
    assert words in failure
    assert "secret" not in failure


def test_old_news_is_not_sent_to_a_new_hook(receiver, tmp_path) -> None:
    write_alert(tmp_path, "run-1", "daily", [])
    past = time.time() - NEWS_FOR.total_seconds() - 60
    os.utime(tmp_path / "alert-run-1.md", (past, past))
    assert deliver(tmp_path, WEBHOOK, "Shop") == []
    assert receiver.taken == []


def test_each_notice_is_mailed_once_beside_the_webhook_that_is_down(serving, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("HOOK_ADDRESS", raising=False)
    mailbox = socketserver.TCPServer(("127.0.0.1", 0), Mailbox)
    mailbox.taken = []
    serving(mailbox)
    hooks = NoticeHooks(
        webhook=WEBHOOK.webhook,
        email=EmailHook(
            server="127.0.0.1",
            port=mailbox.server_address[1],
            security="none",
            sender="fairsplit@example.com",
            to=("team@example.com", "boss@example.com"),
        ),
    )
    write_alert(tmp_path, "run-1", "daily", ["scorecards"])
    for _ in range(2):
        (failure,) = deliver(tmp_path, hooks, "Shop\nBcc: all@example.com")
        assert failure.startswith("webhook")
    (mail,) = mailbox.taken
    assert "Subject: Shop Bcc: all@example.com: The run of daily failed" in mail
    assert "To: team@example.com, boss@example.com" in mail
    assert "<strong>scorecards</strong>" in mail


def test_without_a_hook_nothing_is_sent(tmp_path) -> None:
    write_alert(tmp_path, "run-1", "daily", [])
    assert deliver(tmp_path, NoticeHooks(), "Shop") == []
    assert not (tmp_path / "sent").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook": {"address_from": "https://hooks.example.com/secret"}},
        {"email": {"server": "mail", "sender": "a@example.com", "to": []}},
        {"email": {"server": "mail", "sender": "a@example.com\nBcc: b@example.com", "to": ["c@example.com"]}},
        {
            "email": {
                "server": "mail",
                "sender": "a@b",
                "to": ["c@d"],
                "security": "none",
                "password_from": "P",
            }
        },
        {"pager": {}},
    ],
)
def test_a_wrong_hook_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        NoticeHooks.model_validate(wrong)


class Answering(BaseHTTPRequestHandler):
    """Redirects a POST, or lets its answer drip."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.seen.append("POST")
        if self.path == "/drip":
            with contextlib.suppress(OSError):
                for byte in b"HTTP/1.0 200 OK\r\n" + b"x" * 200:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            return
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/got")
        self.end_headers()

    def do_GET(self) -> None:
        self.seen.append("GET")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


@pytest.mark.parametrize("path", ["301", "302", "303", "307", "drip"])
def test_an_answer_that_delivers_nothing_marks_nothing(tmp_path, monkeypatch, path: str) -> None:
    """Case notice-redirects-and-drips."""
    monkeypatch.setattr("fairsplit.orchestration.notices.delivery._SECONDS", 1)
    Answering.seen.clear()
    (tmp_path / "alert-1.md").write_text("# Something\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/{path}")
        hooks = NoticeHooks(webhook=WebhookHook(address_from="HOOK"))
        (failure,) = deliver(tmp_path, hooks, "Shop")
    finally:
        server.shutdown()
        server.server_close()
    assert failure.startswith("webhook: alert-1 was not sent")
    assert Answering.seen == ["POST"]
    assert not (tmp_path / "sent").exists()


class Dripping(socketserver.BaseRequestHandler):
    """A mail server whose greeting never ends."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for byte in b"220-" + b"x" * 200:
                self.request.sendall(bytes([byte]))
                time.sleep(0.05)


def test_a_mail_server_that_drips_is_given_up(tmp_path, monkeypatch) -> None:
    """Case notice-redirects-and-drips, by mail."""
    monkeypatch.setattr("fairsplit.orchestration.notices.delivery._SECONDS", 1)
    (tmp_path / "alert-1.md").write_text("# Something\n")
    (tmp_path / "alert-1.html").write_text("<p>Something")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mail = EmailHook.model_validate(
            {
                "server": "127.0.0.1",
                "port": server.server_address[1],
                "security": "none",
                "sender": "a@example.com",
                "to": ["b@example.com"],
            }
        )
        (failure,) = deliver(tmp_path, NoticeHooks(email=mail), "Shop")
        server.shutdown()
    assert failure == "email: alert-1 was not sent (TimeoutError)"
    assert not (tmp_path / "sent").exists()
