"""Who may speak to the server, and what the page may do.

Three doors: the name in the ``Host`` header on loopback (a web site cannot reach us through a name
of its own that resolves to 127.0.0.1), the origin of requests that browsers send (no site can post
to us), and the token.
"""

from __future__ import annotations

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predict.errors import UsageError
from serve.errors import answer

COOKIE = "text3dsam-token"
LEAST_TOKEN = 16
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/", "/api/login")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether an address to bind to can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_token(token: str | None) -> None:
    """Refuse tokens that can be guessed or that no header can carry.

    Raises:
        UsageError: Too short, or not printable ASCII without spaces, quotes, commas, semicolons.
    """
    if token is None:
        return
    plain = token.isascii() and token.isprintable() and not set(token) & set(' ",;\\')
    if not LEAST_TOKEN <= len(token) <= 512 or not plain:
        raise UsageError(
            f"--token: expected {LEAST_TOKEN} or more letters, digits, - or _, "
            f"received {len(token)} characters"
        )


def same_token(given: str, token: str) -> bool:
    """Whether two tokens are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode(), token.encode())


class Doors:
    """ASGI middleware: refuses strangers and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, *, token: str | None, loopback: bool) -> None:
        """Guard an application.

        Args:
            app: The application.
            token: What API requests must carry; None where none is asked for.
            loopback: Whether the server listens on loopback only.
        """
        self.app = app
        self.token = token
        self.loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                page = scope["path"] == "/" or scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if page else "no-store")
            await send(message)

        refusal = self._refusal(scope["path"], Headers(scope=scope))
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await answer(*refusal)(scope, receive, send_with_headers)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.loopback and _host_name(host) not in _LOOPBACK_NAMES:
            return 421, f"host: expected localhost or 127.0.0.1, received {host[:80]!r}"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host.lower():
            return 403, "origin: expected this server's own page, received another site's"
        # A link from elsewhere may open the page itself and nothing more.
        opened = path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opened:
            return 403, "sec-fetch-site: expected this server's own page, received another site's"
        if self.token is None or path in _OPEN or path.startswith("/static/"):
            return None
        if not any(same_token(given, self.token) for given in _tokens(headers)):
            return 401, "token: expected the one printed at the server's start"
        return None


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    """Host and port of an origin, or an empty text."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _tokens(headers: Headers) -> list[str]:
    kind, _, value = headers.get("authorization", "").partition(" ")
    tokens = [value.strip()] if kind.lower() == "bearer" else []
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    return tokens if cookie is None else [*tokens, cookie.value]
