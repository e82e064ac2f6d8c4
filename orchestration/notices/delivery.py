"""Sends notices to the hooks that the project names; the notices' folder is the outbox.

Each message is sent to a hook until the hook takes it, and then a marker beside the messages keeps it from being
sent again. A kill between the two may repeat one message; its name, which it carries as its key, is the same then.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import smtplib
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from fairsplit.analysis.catalogue.project import EmailHook, NoticeHooks, WebhookHook

#: Older messages are no news: they are neither retried nor sent to a hook that is configured later.
NEWS_FOR = timedelta(days=7)
_SECONDS = 10
_REFUSED = (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError)


def deliver(folder: Path, hooks: NoticeHooks, project: str) -> list[str]:
    """Send what is new to every hook.

    Args:
        folder: Notices as `fairsplit.orchestration.notices.digests` leaves them.
        hooks: Where to send.
        project: Name that the messages carry.

    Returns:
        What failed, a sentence each, without secrets; it is tried again at the next delivery.
    """
    senders: dict[str, Callable[[Path], None]] = {}
    if (webhook := hooks.webhook) is not None:
        senders["webhook"] = lambda path: _post(webhook, path, project)
    if (email := hooks.email) is not None:
        senders["email"] = lambda path: _mail(email, path, project)
    if not senders or not folder.is_dir():
        return []
    failures = []
    with _alone(folder):
        messages = _recent(folder)
        for hook, send in senders.items():
            for path in messages:
                marker = folder / "sent" / f"{path.stem}.{hook}"
                if marker.exists():
                    continue
                try:
                    _within_seconds(lambda send=send, path=path: send(path))  # type: ignore[misc]
                except (OrchestrationError, *_REFUSED) as error:
                    failures.append(f"{hook}: {path.stem} was not sent ({_reason(error)})")
                    break  # the hook is down: one wait is enough
                marker.parent.mkdir(exist_ok=True)
                marker.touch()
    return failures


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One delivery at a time: a run and the sensor that watches runs may both have something to say."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _recent(folder: Path) -> list[Path]:
    since = (datetime.now(UTC) - NEWS_FOR).timestamp()
    dated = sorted((path.stat().st_mtime, path) for path in folder.glob("*.md"))
    return [path for at, path in dated if at >= since]


def _secret(name: str, where: str, environment: Mapping[str, str] = os.environ) -> str:
    value = environment.get(name, "")
    if not value:
        raise OrchestrationError(Problem("the environment lacks a variable", where=where, value=name))
    return value


def _reason(error: Exception) -> str:
    """The fault in words that hold no address and no password."""
    if isinstance(error, OrchestrationError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"answered {error.smtp_code}"
    return type(error).__name__


def _post(hook: WebhookHook, path: Path, project: str) -> None:
    address = _secret(hook.address_from, "notices.webhook.address_from")
    if not address.startswith(("https://", "http://")):
        raise OrchestrationError(
            Problem("not a web address", where=hook.address_from, rule="begins with https:// or http://")
        )
    body = json.dumps({"project": project, "notice": path.stem, "text": path.read_text(encoding="utf-8")})
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        address,
        data=body.encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": path.stem},
    )
    _POSTING.open(request, timeout=_SECONDS).close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its text: the hook's address is to be corrected instead."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        """Follow nothing; the answer counts as an error with its code."""


_POSTING = urllib.request.build_opener(_NoRedirect)


def _within_seconds(send: Callable[[], None]) -> None:
    """Send within `_SECONDS` in all: a timeout of the socket's starts anew with each byte that drips in."""
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            send()
        except urllib.error.HTTPError as error:
            error.close()
            failures.append(error)
        except Exception as error:  # noqa: BLE001  (raised below: what is lost in a thread would count as sent)
            failures.append(error)

    sending = threading.Thread(target=attempt, daemon=True)
    sending.start()
    sending.join(_SECONDS)
    if sending.is_alive():
        raise TimeoutError(f"no whole answer within {_SECONDS} s")
    if failures:
        raise failures.pop()


def _mail(hook: EmailHook, path: Path, project: str) -> None:
    text = path.read_text(encoding="utf-8")
    message = EmailMessage()
    message["From"], message["To"] = hook.sender, ", ".join(hook.to)
    message["Subject"] = f"{' '.join(project.split())}: {text.splitlines()[0].removeprefix('# ')}"
    message["Message-ID"] = f"<{path.stem}.{path.stat().st_mtime_ns}@{hook.sender.partition('@')[2]}>"
    message.set_content(text)
    message.add_alternative(path.with_suffix(".html").read_text(encoding="utf-8"), subtype="html")
    password = _secret(hook.password_from, "notices.email.password_from") if hook.password_from else None
    connect = smtplib.SMTP_SSL if hook.security == "tls" else smtplib.SMTP
    with connect(hook.server, hook.port, timeout=_SECONDS) as server:
        if hook.security == "starttls":
            server.starttls()
        if password is not None:
            server.login(hook.user or hook.sender, password)
        server.send_message(message)
