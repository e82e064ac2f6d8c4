"""Who may speak with the web interface: a browser that was led here by another site is refused.

The interface has no accounts, so that any page in the browser of whoever may reach it could otherwise act for them:
by a request of its own, by a form, by a websocket, or by a name that resolves to this machine (DNS rebinding). A proxy
in front of it adds accounts; these rules hold there too.

Source: Fetch Metadata Request Headers (https://www.w3.org/TR/fetch-metadata/) and RFC 6454 (Origin).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERY_INTERFACE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - names no host
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY_VIOLATION = 1008


def names_answered(interface: str, allowed: Collection[str]) -> frozenset[str]:
    """The host names that are answered: the loopback's, the interface's own, and those that were declared.

    Args:
        interface: What the server listens on; one that means every interface names no host.
        allowed: Declared names, without ports.
    """
    own = set() if interface in _EVERY_INTERFACE else {interface}
    return frozenset(name.lower() for name in (*LOOPBACK_NAMES, *own, *allowed))


class Guard:
    """ASGI middleware that answers 403 to what another site has caused, and closes such websockets unopened.

    Args:
        app: What is guarded.
        names: Host names that are answered; see `names_answered`.
        read_only: Refuse whatever is no query.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str], *, read_only: bool = False) -> None:
        self._app, self._names, self._read_only = app, names, read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what nothing speaks against; see ASGI 3.0."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refusal})
        else:
            await PlainTextResponse(f"refused: {refusal}\n", status_code=403)(scope, receive, send)

    def _refusal(self, headers: Headers, scope: Scope) -> str | None:
        """Why a request is refused; none where it is not."""
        hosts = headers.getlist("host")
        host = _authority(f"//{hosts[0]}") if len(hosts) == 1 else None
        if host is None or host[0] not in self._names:
            return "the host name is not one of this server's; `fairsplit ui --allow-host NAME` adds one"
        origin = headers.get("origin")
        if origin is not None and not _same(origin, host):
            return "it comes from another site (Origin)"
        method = scope.get("method", "GET")
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not (
            # A link that somebody follows: it opens a page of its own and changes nothing.
            method in _READING
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        ):
            return "it comes from another site (Sec-Fetch-Site)"
        if self._read_only and method not in _READING and not scope["path"].endswith("/graphql"):
            return "this server only shows"
        return None


def _authority(address: str) -> tuple[str, int | None] | None:
    """Host name in lower case, without a final dot, and port, the scheme's own where none is written."""
    try:
        parts = urlsplit(address)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if name is None or parts.username is not None:
        return None
    return name.rstrip("."), port or _DEFAULT_PORTS.get(parts.scheme)


def _same(origin: str, host: tuple[str, int | None]) -> bool:
    """Whether a page of that origin is one of this server's: same name and, where the host has one, same port."""
    found = _authority(origin)
    if found is None:
        return False
    # A Host without a port is one behind a proxy at the scheme's own.
    return found == (host[0], host[1] or _DEFAULT_PORTS.get(urlsplit(origin).scheme))
