"""What changes, as server-sent events: the list of runs, the files of those that are looked at, and watched games.

`runs`     {"changed": [summary, …], "gone": [name, …]}, first all of them
`changed`  {"run": name, "parts": ["metrics", …]}
`watched`  {"run": name, "fresh": true, "lines": […]}: see `watched_tail`
`fault`    {"run": name, "said": "…"}: what of the watched game cannot be read
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool

from tetrax.fields.errors import in_words
from tetrax.live import shelf
from tetrax.live.safe_reading import Mark
from tetrax.live.shelf import Entry, Shelf
from tetrax.live.watched_tail import WatchedTail
from tetrax.live.web.serving import event
from tetrax.train.folder import mailbox

LOOK_AGAIN_SECONDS = 0.3
LIST_SECONDS = 2.0
WATCH_AGAIN_SECONDS = 5.0  # well within those after which a run thinks that nobody watches
MANY = 30  # runs that are looked at; more are looked at less often
PARTS = (*shelf.IN_SUMMARY, "evaluation", "history", "pictures", "recordings", "checkpoints", "waiting")

Event = tuple[str, Any]


class Looking:
    """What one client has been told."""

    def __init__(self, runs: Shelf, looked_at: Sequence[str], watched: str | None) -> None:
        self._shelf, self._looked_at, self._watched = runs, tuple(looked_at), watched
        self._told: dict[str, dict[str, Any]] = {}
        self._marks: dict[str, dict[str, Mark | None]] = {}
        self._tail: WatchedTail | None = None
        self._fault = ""
        self._listed = self._asked = -float("inf")
        self._is_first = True

    def look(self) -> list[Event]:
        """Return what has changed since the last time."""
        now = time.monotonic()
        events: list[Event] = []
        entries = self._shelf.entries()
        if now - self._listed >= LIST_SECONDS:
            self._listed = now
            events += self._list(entries, list(entries))
        looked_at = [name for name in self._looked_at if name in entries]
        for name in looked_at:
            events += self._changes(entries[name])
        if not self._is_first:
            events += self._list(entries, looked_at)
        self._is_first = False
        if self._watched in entries:
            events += self._watch(entries[self._watched], now)
        return events

    def _list(self, entries: dict[str, Entry], names: Sequence[str]) -> list[Event]:
        summaries = {name: self._shelf.summary(entries[name]) for name in names}
        changed = [summary for name, summary in summaries.items() if self._told.get(name) != summary]
        gone = [name for name in self._told if name not in entries]
        self._told = {name: told for name, told in self._told.items() if name in entries} | summaries
        return [("runs", {"changed": changed, "gone": gone})] if changed or gone or self._is_first else []

    def _changes(self, entry: Entry) -> list[Event]:
        now = shelf.marks(entry, PARTS)
        before = self._marks.get(entry.name, now)
        self._marks[entry.name] = now
        parts = [part for part in PARTS if before[part] != now[part]]
        return [("changed", {"run": entry.name, "parts": parts})] if parts else []

    def _watch(self, entry: Entry, now: float) -> list[Event]:
        if now - self._asked >= WATCH_AGAIN_SECONDS:
            self._asked = now
            mailbox.watch(entry.path)
        self._tail = self._tail or WatchedTail(entry.path)
        try:
            new, fault = self._tail.read_on(), ""
        except OSError as error:
            new, fault = None, in_words(error)
        events: list[Event] = [] if new is None else [("watched", {"run": entry.name, **new})]
        if fault and fault != self._fault:
            events.append(("fault", {"run": entry.name, "said": fault}))
        self._fault = fault
        return events


async def stream(looking: Looking, pause: float, is_stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Give events as they come, and a sign of life now and then."""
    silent = 0.0
    while not is_stopping():
        events = await run_in_threadpool(looking.look)
        for name, data in events:
            yield event(name, data)
        silent = 0.0 if events else silent + pause
        if silent > 10.0:
            silent = 0.0
            yield b": nothing new\n\n"
        await asyncio.sleep(pause)
