"""Serving a page: an application of routes behind the guard, on a port of this machine, until it is stopped.

`serve` is all that an entry needs. Files of `pages/` are at /pages/NAME. An endpoint says what is wrong by raising
`Refused` or UserError, or by letting an OSError through, which the page gets as {"error": "…"}; `read_object` reads
what a page has sent.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tetrax.fields.errors import UserError, in_words, wrong
from tetrax.live.web.guard import TOKEN, Guard, Refused, Rights

PAGES = Path(__file__).parent / "pages"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
LAST_PORT = 65_535
SECONDS_TO_END = 2  # for what is being answered when the server is stopped
LARGEST_MESSAGE = 65_536  # bytes, of a websocket

Lifespan = Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]


def make_app(
    routes: Sequence[BaseRoute],
    rights: Rights,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    lifespan: Lifespan | None = None,
) -> ASGIApp:
    """Return the application of some routes and the files of `pages/`, behind the guard.

    Endless answers end where `request.app.state.is_stopping()`.
    """
    app = Starlette(
        routes=[*routes, Mount("/pages", StaticFiles(directory=PAGES))],
        exception_handlers={
            Refused: _refuse,
            UserError: _say_what_is_wrong,
            OSError: _say_what_cannot_be_read,
            HTTPException: _say_what_http_says,
            Exception: _say_that_it_failed,
        },
        lifespan=lifespan,
    )
    app.state.is_stopping = is_stopping
    return Guard(app, rights)


def page(path: str, name: str) -> Route:
    """Return the route at which a file of `pages/` is the page."""

    async def show(request: Request) -> Response:
        return FileResponse(PAGES / name)

    return Route(path, show)


def serve(
    routes: Sequence[BaseRoute],
    host: str,
    port: int,
    title: str,
    *,
    say: Callable[[str], object],
    lifespan: Lifespan | None = None,
    address_path: str = "/",
) -> None:
    """Serve routes until Ctrl-C or SIGTERM; `say` is told the address to open, which is `title`'s.

    On another address than loopback a token is asked for, which that address has in it. UserError for a host or port
    that cannot be had; port 0 takes any that is free.
    """
    listening = listen(host, port)
    address, bound = listening.getsockname()[:2]
    rights = rights_for(host, address, bound)
    server: uvicorn.Server | None = None

    def is_stopping() -> bool:
        return server is not None and server.should_exit

    app = make_app(routes, rights, is_stopping=is_stopping, lifespan=lifespan)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="error",  # faults of ours, with their traceback; requests that are none are no news
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="auto" if lifespan is None else "on",
            ws_max_size=LARGEST_MESSAGE,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
    )
    shown = _shown(host, address)
    query = "" if rights.token is None else f"{'&' if '?' in address_path else '?'}{TOKEN}={rights.token}"
    with contextlib.closing(listening):
        say(f"{title}: http://{shown}:{bound}{address_path}{query}")
        server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; UserError where there can be none."""
    if not 0 <= port <= LAST_PORT:
        raise wrong("--port", port, f"0 (any that is free) to {LAST_PORT:,}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise wrong("--host", host, "a name or an address of this machine") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise UserError(
            f"--host {host} --port {port}: {reason}; allowed: an address of this machine, and a port that is free"
        ) from None
    return listening


def rights_for(host: str, address: str, port: int) -> Rights:
    """Return who may talk to a page that is served at an address, which `host` stands for."""
    where = ipaddress.ip_address(address.partition("%")[0])
    cookie = f"tetrax_{port}"
    if where.is_loopback:
        return Rights(LOOPBACK_NAMES | {_bare(host), _bare(address)}, cookie=cookie)
    names = {_bare(host), _bare(address), socket.gethostname().lower(), *LOOPBACK_NAMES}
    return Rights(
        frozenset(names),
        any_address=where.is_unspecified,
        token=secrets.token_urlsafe(24),
        cookie=cookie,
    )


async def read_object(request: Request, types: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Return the JSON object of a request, with the names that are given and no others; Refused for anything else.

    A name that is missing is None, where that is one of its types.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Content-Type: given another one; allowed: application/json")
    try:
        document = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refused(400, "body: given no JSON; allowed: an object") from None
    if not isinstance(document, dict) or not document.keys() <= types.keys():
        raise Refused(400, f"body: given something else; allowed: an object of {', '.join(types)}")
    for name, kinds in types.items():
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        if type(document.get(name)) not in allowed:
            listed = " or ".join("null" if kind is type(None) else kind.__name__ for kind in allowed)
            raise Refused(400, f"{name}: given {document.get(name)!r:.80}; allowed: {listed}")
    return {name: document.get(name) for name in types}


class Answer(JSONResponse):
    """JSON in plain letters: what files and their names are made of need not be text."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of a JSON value."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def event(name: str, data: Any) -> bytes:
    """Return a server-sent event with JSON data."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode()


def event_stream(events: AsyncIterator[bytes]) -> Response:
    """Return an answer that goes on: events as an iterator gives them, until it ends or the client goes."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


def _bare(name: str) -> str:
    """Return a name as a Host header has it, without a port."""
    name = name.partition("%")[0].lower().rstrip(".")
    return f"[{name}]" if ":" in name else name


def _shown(host: str, address: str) -> str:
    """Return the name to open: that of this machine where it is served on all its addresses."""
    return (
        socket.gethostname()
        if ipaddress.ip_address(address.partition("%")[0]).is_unspecified
        else _bare(host)
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Answer({"error": error.said}, error.status)


async def _say_what_is_wrong(request: Request, error: Exception) -> Response:
    return Answer({"error": str(error)}, 400)


async def _say_what_cannot_be_read(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return Answer({"error": in_words(error)}, 404)


async def _say_what_http_says(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Answer({"error": HTTPStatus(error.status_code).phrase}, error.status_code, headers=error.headers)


async def _say_that_it_failed(request: Request, error: Exception) -> Response:
    return Answer({"error": "it failed; the terminal in which the page was started says why"}, 500)
