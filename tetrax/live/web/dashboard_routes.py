"""The routes of the dashboard: what the page asks for, answered from what is on disk."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from tetrax.fields.errors import UserError, in_words
from tetrax.live import curve_points, run_report, safe_reading, sending
from tetrax.live.metric_columns import Library, Logged
from tetrax.live.shelf import Entry, Shelf, places
from tetrax.live.web import dashboard_events, serving
from tetrax.live.web.dashboard_events import Looking
from tetrax.live.web.guard import Refused
from tetrax.live.web.recording_page import recording_page
from tetrax.live.web.serving import Answer

READING_SECONDS = 0.5  # after which an answer says what is known, and which runs are still to be read
SECONDS_FOR_EACH = 0.02
NAMES_SECONDS = 0.1  # the same where only the names of metrics are asked for
BLOCK_SECONDS = 0.01  # for which reading ahead keeps others waiting, and the block that it has begun
READ_AHEAD = 8  # runs that a page shows first: the newest
MOST_RUNS = 200  # in one answer
MOST_METRICS = 50
MOST_SMOOTH = 100_000
MOST_POINTS = 2_000
LARGEST_PICTURE = 32 * 2**20
MOST_COMMANDS = 8  # that are waited for at once
MOST_STREAMS = 24  # of events; a browser keeps one for each page
ANSWER_SECONDS = 600.0
BRANCH = "branch"


class Dashboard:
    """The runs that are shown, and what has been read of them."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._shelf = Shelf(roots)
        self._library = Library()
        self._commands = 0
        self._streams = 0

    def routes(self) -> list[BaseRoute]:
        """Return the page and what it asks for."""
        return [
            serving.page("/", "dashboard.html"),
            Route("/api/events", self._events),
            Route("/api/curves", self._curves),
            Route("/api/compare", self._compare),
            Route("/api/run", self._run),
            Route("/api/control", self._control, methods=["POST"]),
            Route("/picture", self._picture),
            Route("/recording", self._recording),
        ]

    def read_ahead(self) -> None:
        """Read the logs of the newest runs, before anybody asks for them."""
        entries = [entry for entry in self._shelf.entries().values() if not entry.is_sweep]
        entries.sort(key=lambda entry: self._shelf.summary(entry)["changed"], reverse=True)
        for entry in entries[:READ_AHEAD]:
            with contextlib.suppress(OSError):
                while (
                    self._library.columns(
                        entry.path, places(entry)["metrics"], time.monotonic() + BLOCK_SECONDS
                    )
                    is None
                ):
                    time.sleep(0.001)  # others come first

    async def _events(self, request: Request) -> Response:
        """Answer with what changes: in the list, in the runs that are named, in the watched one."""
        looked_at = request.query_params.getlist("run")[:MOST_RUNS]
        looking = Looking(self._shelf, looked_at, request.query_params.get("watched"))
        if self._streams >= MOST_STREAMS:
            raise Refused(429, f"events: given one page more; allowed: {MOST_STREAMS} at once")
        pause = dashboard_events.LOOK_AGAIN_SECONDS * (1 if len(looked_at) <= dashboard_events.MANY else 3)

        async def counted() -> AsyncIterator[bytes]:
            self._streams += 1
            try:
                async for chunk in dashboard_events.stream(looking, pause, request.app.state.is_stopping):
                    yield chunk
            finally:
                self._streams -= 1

        return serving.event_stream(counted())

    def _curves(self, request: Request) -> Response:
        """Answer with the curves of some metrics over some runs; `pending` runs are read when they are asked again."""
        asked = request.query_params
        entries = self._entries(request)
        metrics = asked.getlist("metric")[:MOST_METRICS]
        x = asked.get("x", "steps")
        if x not in curve_points.AXES:
            raise Refused(400, f"x: given {x!r:.80}; allowed: {', '.join(curve_points.AXES)}")
        smooth = _number(request, "smooth", 1, MOST_SMOOTH)
        points = _number(request, "points", 600, MOST_POINTS)
        logs, pending, faults = self._read(entries, _patience(entries) if metrics else NAMES_SECONDS)
        configs = {entry.name: _config(entry) for entry in entries}
        groups = curve_points.group(configs, seeds_together=asked.get("together") == "yes")
        curves: dict[str, list[Any]] = {metric: [] for metric in metrics}
        for group in groups:
            known = [logs[name] for name in group.runs if name in logs]
            for metric in metrics:
                drawn = curve_points.curve(known, metric, x=x, smooth=smooth, points=points)
                if drawn is not None:
                    curves[metric].append({"group": group.key, **drawn})
        return Answer(
            {
                "groups": [
                    {"key": group.key, "label": group.label, "runs": list(group.runs)} for group in groups
                ],
                "metrics": curve_points.metric_names(list(logs.values())),
                "curves": curves,
                "pending": pending,
                "faults": faults,
            }
        )

    def _read(
        self, entries: Sequence[Entry], seconds: float
    ) -> tuple[dict[str, Logged], list[str], dict[str, str]]:
        """Return the logs of runs that could be read in the time there is, the other runs, and what is wrong."""
        late = time.monotonic() + seconds
        logs: dict[str, Logged] = {}
        pending: list[str] = []
        faults: dict[str, str] = {}
        for entry in entries:
            if pending and time.monotonic() > late:
                pending.append(entry.name)
                continue
            try:
                columns = self._library.columns(entry.path, places(entry)["metrics"], late)
            except FileNotFoundError:
                continue  # nothing was logged yet
            except OSError as error:
                faults[entry.name] = in_words(error)
                continue
            if columns is None:
                pending.append(entry.name)
            else:
                logs[entry.name] = columns
        return logs, pending, faults

    def _compare(self, request: Request) -> Response:
        return Answer(run_report.compare(self._entries(request)))

    def _run(self, request: Request) -> Response:
        return Answer(run_report.describe(self._entry(request.query_params.get("run"))))

    async def _control(self, request: Request) -> Response:
        """Steer a run: as `python -m tetrax.control` does, and with its words."""
        asked = await serving.read_object(
            request, {"run": str, "command": str, "arguments": list, "at": (int, type(None))}
        )
        entry = await run_in_threadpool(self._entry, asked["run"])
        arguments = tuple(asked["arguments"])
        if not all(isinstance(word, str) for word in arguments):
            raise Refused(400, "arguments: given something else; allowed: words")
        if self._commands >= MOST_COMMANDS:
            raise Refused(429, f"command: given one more; allowed: {MOST_COMMANDS} that wait for an answer")
        self._commands += 1
        try:
            told = await run_in_threadpool(_carry_out, entry, asked["command"], arguments, asked["at"])
        except UserError as error:  # a fair question with a clear answer, as what the run itself refuses
            told = {"done": False, "step": None, "said": str(error)}
        finally:
            self._commands -= 1
        return Answer(told)

    def _picture(self, request: Request) -> Response:
        entry, path = self._file(request, "pictures")
        with safe_reading.open_file(entry.path, path) as file:
            content = file.read(LARGEST_PICTURE)
        return Response(content, media_type="image/png")

    async def _recording(self, request: Request) -> Response:
        """Answer with the page that plays a recording, which can do nothing but that."""
        entry, path = await run_in_threadpool(self._file, request, "recordings")
        thoughts = request.query_params.get("thoughts") == "yes"
        page = await run_in_threadpool(functools.partial(recording_page, entry, path, thoughts=thoughts))
        return HTMLResponse(page.html, page.status, headers={"content-security-policy": page.policy})

    def _file(self, request: Request, what: str) -> tuple[Entry, Path]:
        entry = self._entry(request.query_params.get("run"))
        path = run_report.find_file(entry, what, request.query_params.get("name", ""))
        if path is None:
            raise Refused(404, f"name: given another one; allowed: the {what} that the run has")
        return entry, path

    def _entry(self, name: str | None) -> Entry:
        """Return a run that is listed; a name is only looked up, so that nothing else can be opened."""
        entry = self._shelf.entry(name or "")
        if entry is None:
            raise Refused(404, f"run: given {name!r:.200}, which is not there; allowed: a run of the list")
        return entry

    def _entries(self, request: Request) -> list[Entry]:
        """Return the runs that are named and still there."""
        names = dict.fromkeys(request.query_params.getlist("run")[:MOST_RUNS])
        found = (self._shelf.entry(name) for name in names)
        return [entry for entry in found if entry is not None]


def _carry_out(entry: Entry, command: str, arguments: tuple[str, ...], at: int | None) -> dict[str, Any]:
    """Steer a run and return what came of it; UserError for what it is not even asked."""
    try:
        safe_reading.read_object(entry.path, places(entry)["config"])
    except (OSError, ValueError) as error:
        said = in_words(error) if isinstance(error, OSError) else str(error)
        raise Refused(
            400, f"run: given one that cannot be steered ({said}); allowed: one that is trained"
        ) from None
    if command == "set" and arguments and run_report.is_shell(arguments[0]):
        raise Refused(
            400,
            f"set: given {arguments[0]!r:.80}, which runs programs; allowed: with python -m tetrax.control",
        )
    if command == BRANCH:
        if at is not None:
            raise Refused(400, f"at: given {at}; allowed: nothing with {BRANCH}, which is done at once")
        if len(arguments) != 1 or not _is_plain_name(arguments[0]):
            raise Refused(
                400, "NEW_DIR: given something else; allowed: one name, of a new folder beside the run's"
            )
        new = entry.path.absolute().parent / arguments[0]
        step = sending.branch(entry.path, new, ANSWER_SECONDS)
        return {"done": True, "step": step, "said": f"{new} begins at step {step:,}"}
    reply = sending.tell(entry.path, command, arguments, at, ANSWER_SECONDS)
    if reply is None:
        return {"done": None, "step": at, "said": f"waits for step {at:,}"}
    return {"done": reply.done, "step": reply.step, "said": reply.said}


def _is_plain_name(name: str) -> bool:
    return (
        name not in ("", ".", "..") and not set(name) & set("/\\") and name.isprintable() and len(name) <= 200
    )


def _patience(entries: Sequence[Entry]) -> float:
    """Return for how long logs are read before an answer, which takes the longer the more runs are in it."""
    return READING_SECONDS + SECONDS_FOR_EACH * len(entries)


def _config(entry: Entry) -> dict[str, Any]:
    try:
        return safe_reading.read_object(entry.path, places(entry)["config"])
    except (OSError, ValueError):
        return {}


def _number(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number that is asked for."""
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and 1 <= int(given) <= most):
        raise Refused(400, f"{name}: given {given!r:.80}; allowed: 1 to {most:,}")
    return int(given)
