"""Playing in the browser: the rules run here, one game for each page that is open, and pages show what they are sent.

A page sends the keys that go down and come up, numbered; it is sent the match when something changed, with the number
of the last key that has been played. A key is played when it arrives, unless the clock has played a tick early already.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tetrax.fields.errors import in_words
from tetrax.live.play import handling, keeping
from tetrax.live.play import key_bindings as meant
from tetrax.live.play.match import READY, RUNNING, Match
from tetrax.live.play.match_words import match_data, time_shown
from tetrax.live.play.modes import MODES, Result
from tetrax.live.play.pacing import Pace
from tetrax.live.play.seats import Seat, Setting
from tetrax.live.web import serving
from tetrax.view.as_data import rules_data

IDLE = 0.25  # seconds between looks at a game that does not run
TICKS_OF_CLOCK = 6  # after which its tenths are told anew
MOST_PLAYERS = 32
MOST_WAITING = 256  # messages of a page that are not read yet
LONGEST_DELAY = 2_000  # milliseconds
PARTS = {
    "plays": "it plays, you watch and may take over",
    "helps": "you play and may ask it",
    "beside": "each of you plays, with the same pieces",
}


class Wrong(Exception):
    """A message that no page of ours sends."""


@dataclass(frozen=True)
class House:
    """What all games of a server have in common."""

    setting: Setting
    bindings: Mapping[str, str]
    das: float  # milliseconds, that pages begin with
    arr: float
    folder: Path  # for recordings


def routes(house: House) -> list[BaseRoute]:
    """Return the page and what it talks to."""
    players = set[WebSocket]()

    async def about(request: Request) -> JSONResponse:
        return JSONResponse(_about(house))

    async def play(websocket: WebSocket) -> None:
        await websocket.accept()  # before it is refused, too: else no page is told why
        if len(players) >= MOST_PLAYERS:
            await websocket.close(1013, f"{MOST_PLAYERS} people play already")
            return
        players.add(websocket)
        try:
            await _Table(house, websocket).run()
        finally:
            players.discard(websocket)

    return [serving.page("/", "play.html"), Route("/about", about), WebSocketRoute("/play", play)]


def _about(house: House) -> dict[str, Any]:
    """Return what a page has to know before a game."""
    setting = house.setting
    return {
        "rules": rules_data(setting.board.rules),
        "modes": {name: mode.says for name, mode in MODES.items()},
        "mode": setting.mode,
        "parts": {} if setting.guest is None else PARTS,
        "part": setting.part,
        "agent": None if setting.guest is None else setting.guest.name,
        "bindings": dict(house.bindings),
        "keys": setting.board.useful_keys,
        "meanings": {meaning: meant.DOES[meaning] for meaning in meant.MEANINGS if meaning != meant.QUIT},
        "das": house.das,
        "arr": house.arr,
    }


class _Table:
    """One page and its match."""

    def __init__(self, house: House, websocket: WebSocket) -> None:
        self.house, self.websocket = house, websocket
        self.kept: list[str] = []  # games saved, that the page has not been told of
        self.not_kept = ""  # why one could not be
        self.match = Match(house.setting, self._keep)
        self.pace = Pace(house.setting.board.rules.ticks_per_second, time.monotonic())
        self.running = False
        self.key = self.played_key = self.sent_key = 0  # numbers of the page's keys
        self.sent = -1  # changes of the match that the page knows of
        self.told = -1  # ticks at which it was told something

    async def run(self) -> None:
        """Play until the page is gone."""
        messages: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        reader = asyncio.create_task(self._read(messages))
        try:
            await self._loop(messages)
        except Wrong as error:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self.websocket.close(1003, ascii(str(error))[1:-1][:100])  # at most 123 bytes
        except WebSocketDisconnect:
            pass
        finally:
            reader.cancel()
            self.match.end()

    async def _read(self, messages: asyncio.Queue[str | None]) -> None:
        """Put what the page sends in a row; None in the end."""
        try:
            while True:
                await messages.put(await self.websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError):  # gone
            await messages.put(None)
        except KeyError:
            await messages.put("bytes")  # refused as what is no JSON

    async def _loop(self, messages: asyncio.Queue[str | None]) -> None:
        while True:
            now = time.monotonic()
            if (self.match.phase == RUNNING) != self.running:
                self.running = self.match.phase == RUNNING
                self.pace.restart(now)
            message: str | None = ""
            with contextlib.suppress(TimeoutError):
                wait = max(0.0, self.pace.deadline - now) if self.running else IDLE
                message = messages.get_nowait() if not messages.empty() else await _within(wait, messages)
            if message is None:
                return
            if message:
                self._obey(message)
            if self.running and self.match.phase == RUNNING:
                for _ in range(self.pace.take_due(time.monotonic())):
                    self.match.advance()
            else:
                self.match.refresh()
            await self._send()

    async def _send(self) -> None:
        """Tell the page what changed, if anything did."""
        match = self.match
        if not match.person.hands.waiting:
            self.played_key = self.key
        ticks = match.person.session.ticks
        if match.changes != self.sent or self.played_key != self.sent_key or self.kept or self.not_kept:
            data = match_data(match) | {"key": self.played_key}
            if self.kept:
                data["kept"], self.kept = self.kept, []
            if self.not_kept:
                data["not_kept"], self.not_kept = self.not_kept, ""
            self.sent, self.sent_key = match.changes, self.played_key
        elif self.running and ticks % TICKS_OF_CLOCK == 0 and ticks != self.told:
            data = {"clock": time_shown(match)}
        else:
            return
        self.told = ticks
        await self.websocket.send_text(json.dumps(data, separators=(",", ":"), allow_nan=False))

    def _obey(self, message: str) -> None:
        """Do what a page asks for: {"press": meaning, "key": number}, {"release": …}, {"begin": …} and the like."""
        document = _object(message)
        name = next(iter(document), "")
        value = document.get(name)
        if name in ("press", "release"):
            if value not in meant.MEANINGS or value == meant.QUIT:
                raise Wrong(f"{name}: given {value!r:.40}; allowed: {', '.join(meant.MEANINGS)}")
            self._move(name, str(value), document.get("key", 0))
        elif name == "begin":
            self._begin(value)
        elif name == "pause":
            self.match.pause()
        elif name == "let_go":
            self.match.let_go()
        else:
            raise Wrong(f"given {name!r:.40}; allowed: press, release, begin, pause, let_go")

    def _move(self, name: str, meaning: str, number: Any) -> None:
        if name == "release":
            self.match.release(meaning)
            return
        self.match.press(meaning)
        if type(number) is int and number > 0:
            self.key = number
        is_played = self.running and meaning in meant.GAME_KEYS and self.match.wants_keys
        if is_played and self.pace.take_early(time.monotonic()):
            self.match.advance()

    def _begin(self, asked: Any) -> None:
        """Begin a game as a page wants it."""
        setting = self.house.setting
        if not isinstance(asked, dict):
            raise Wrong("begin: given no object; allowed: one of mode, part, das, arr")
        mode, part = asked.get("mode", setting.mode), asked.get("part", setting.part)
        if mode not in list(MODES) or part not in list(PARTS):
            raise Wrong("begin: given another mode or part; allowed: those of /about")
        das, arr = (asked.get(name, getattr(self.house, name)) for name in ("das", "arr"))
        for delay in (das, arr):
            if type(delay) not in (int, float) or not 0 <= delay <= LONGEST_DELAY:
                raise Wrong(
                    f"begin: given das {das!r:.20}, arr {arr!r:.20}; allowed: 0 to {LONGEST_DELAY} ms"
                )
        fingers = handling.handling(das, arr, setting.board.rules.ticks_per_second)
        seed = setting.seed if self.match.phase == READY else None  # that of the first game
        self.match.end()
        changed = dataclasses.replace(setting, mode=mode, part=part, handling=fingers, seed=seed)
        self.match = Match(changed, self._keep)
        self.sent, self.running = -1, False

    def _keep(self, seat: Seat, result: Result) -> None:
        """Save a game that is over or left."""
        try:
            path = keeping.keep_game(self.house.folder, self.match.setting.mode, seat)
        except OSError as error:
            self.not_kept = in_words(error)
            return
        if path is not None:
            self.kept.append(str(path))


def _object(message: str) -> dict[str, Any]:
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Wrong("given no JSON object")
    return document


async def _within(seconds: float, messages: asyncio.Queue[str | None]) -> str | None:
    async with asyncio.timeout(seconds):
        return await messages.get()


def serve(house: House, host: str, port: int, say: Callable[[str], object]) -> None:
    """Serve the page until Ctrl-C, SIGTERM or the end of its terminal; `say` is told its address."""
    if (
        hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    ):  # and not that of nohup
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    serving.serve(routes(house), host, port, "play", say=say)
