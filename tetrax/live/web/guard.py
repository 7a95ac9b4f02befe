"""Who may talk to a page: checks of every request and websocket before it reaches anything, and headers on each answer.

A page of ours can steer a training. So no other site that a browser has open may use it: the Host header must name
this machine (else a name that was made to lead here would be its origin), an Origin must be the page's own, and whoever
comes from another machine must know the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,252}))(:[0-9]{1,5})?")
SAFE_METHODS = ("GET", "HEAD")
LARGEST_BODY = 65_536  # bytes
TOKEN = "token"  # in the address, once
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class Rights:
    """Who may talk to a page."""

    names: frozenset[str]  # that the Host header may have, in lower case, without a port
    any_address: bool = (
        False  # whether it may be any number, too: those are no names that somebody could redirect
    )
    token: str | None = None  # None: no token is asked for
    cookie: str = "tetrax"  # the token's; servers of other ports on this machine have others


class Refused(Exception):
    """A request that is not carried out: the status and the line that say why."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Guard:
    """The application behind the checks."""

    def __init__(self, app: ASGIApp, rights: Rights) -> None:
        self._app, self._rights = app, rights

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        is_http = scope["type"] == "http"
        headers = Headers(scope=scope)
        try:
            _check_host(headers, self._rights)
            _check_origin(headers, needed=not is_http or scope["method"] not in SAFE_METHODS)
            _check_site(headers)
            with_cookie = _check_token(scope, headers, self._rights)
            if is_http:
                _check_length(headers)
        except Refused as error:
            if not is_http:
                await send({"type": "websocket.close", "code": 1008, "reason": error.said[:100]})
                return
            answer: Response = PlainTextResponse(f"{error.said}\n", error.status)
            await answer(scope, receive, _with_headers(send))
            return
        if with_cookie is not None:
            await with_cookie(scope, receive, _with_headers(send))
        elif is_http:
            await self._app(scope, _limited(receive), _with_headers(send))
        else:
            await self._app(scope, receive, send)


def _check_host(headers: Headers, rights: Rights) -> None:
    given = headers.getlist("host")
    found = HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
    if found is None:
        raise Refused(400, "Host: given none, several or no name; allowed: the name of this machine")
    name = found[1].rstrip(".")
    if name not in rights.names and not (rights.any_address and _is_address(name)):
        raise Refused(403, f"Host: given {name!r}; allowed: the address that was printed at the start")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_origin(headers: Headers, *, needed: bool) -> None:
    """Refuse what another site's page sends; a safe request that tells no origin comes from the address bar or ours."""
    given = headers.getlist("origin")
    if not given and not needed:
        return
    host = headers["host"].lower()
    if len(given) != 1 or given[0].lower() not in (f"http://{host}", f"https://{host}"):
        raise Refused(403, "Origin: given another one or none; allowed: this page's own")


def _check_site(headers: Headers) -> None:
    """Refuse what a browser says it fetches for another site's page: pictures and frames tell no origin.

    Whoever follows a link to this page may come from anywhere.
    """
    site, to = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-dest")
    follows_link = headers.get("sec-fetch-mode") == "navigate" and to == "document"
    if site not in ("same-origin", "none") and not follows_link:
        raise Refused(403, f"Sec-Fetch-Site: given {site!r:.40}; allowed: this page's own")


def _check_token(scope: Scope, headers: Headers, rights: Rights) -> Response | None:
    """Refuse whoever does not know the token; return an answer that keeps it where the address has it."""
    if rights.token is None:
        return None
    words = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = [value for name, value in words if name == TOKEN]
    if given and scope["type"] == "http" and scope["method"] == "GET":
        if len(given) != 1 or not _equal(given[0], rights.token):
            raise Refused(403, "token: given a wrong one; allowed: the address that was printed at the start")
        rest = urlencode([(name, value) for name, value in words if name != TOKEN])
        # One slash: two would lead to another machine.
        target = "/" + quote(scope["path"].lstrip("/\\")) + (f"?{rest}" if rest else "")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(rights.cookie, rights.token, path="/", httponly=True, samesite="lax")
        return answer
    pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
    if not any(name == rights.cookie and _equal(value, rights.token) for name, _, value in pairs):
        raise Refused(
            403, "token: given none or a wrong one; allowed: the address that was printed at the start"
        )
    return None


def _equal(given: str, known: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), known.encode())


def _check_length(headers: Headers) -> None:
    length = headers.get("content-length")
    if length is not None and (not length.isdecimal() or int(length[:20]) > LARGEST_BODY):
        raise Refused(413, f"body: given {length[:20]} bytes; allowed: up to {LARGEST_BODY:,}")


def _limited(receive: Receive) -> Receive:
    """Return a way to receive that ends where a body is too large: what tells no length may have any."""
    received = 0

    async def receive_some() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise Refused(413, f"body: given more than is allowed: up to {LARGEST_BODY:,} bytes")
        return message

    return receive_some


def _with_headers(send: Send) -> Send:
    """Return a way to send that adds our headers, where an answer has none of its own."""

    async def send_some(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_some
