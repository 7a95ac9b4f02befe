"""What a person sees of a run: a live view in a terminal, plain text anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tetrax.train.folder import mailbox
from tetrax.train.folder.log import Row
from tetrax.train.machine import memory
from tetrax.train.report import keyboard, live_panel, terminal
from tetrax.train.report.clock import Clock
from tetrax.train.report.keyboard import Keyboard
from tetrax.train.report.live_panel import Entry, Screen
from tetrax.train.report.metric_labels import Measures, find_running
from tetrax.train.report.rows import CAP, EVALUATION, SO_FAR
from tetrax.view.shown_games import Picture

PLAIN_SECONDS = 10.0  # between reports of metrics where there is no terminal
SHARE = 0.005  # of the time of one core that drawing may take
FASTEST, SLOWEST = 0.125, 3.0  # seconds between two pictures


@dataclass(frozen=True)
class Header:
    """What a run is, known before it starts. Steps count one seed."""

    title: str  # "ppo · small"
    details: str  # "guideline, drop · seed 0 · 2 CPU cores"
    folder: Path
    total_steps: int
    measures: Measures
    logs: str = ""  # where they are, in one line


@dataclass(frozen=True)
class Summary:
    """What a run came to."""

    headline: str
    facts: dict[str, str]  # label → text
    commands: dict[str, str] = field(default_factory=dict)  # what for → command line


class Display(Protocol):
    """Shows a run; the loop calls it, and nothing it does comes back."""

    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def start(self, header: Header, rows: list[Row]) -> None:
        """Show what will run; `rows` are those of its earlier part, if it is resumed."""

    def phase(self, name: str) -> None:
        """Say what is being done now: compiling, training, evaluating, saving."""

    def row(self, row: Row, picture: Picture | None) -> None:
        """Show the metrics of a chunk and one of the games being played."""

    def evaluation(self, row: Row) -> None:
        """Show the results of an evaluation while training."""

    def note(self, text: str) -> None:
        """Say something in one line."""

    def finish(self, summary: Summary) -> None:
        """Show what the run came to; nothing follows."""

    def restore_terminal(self) -> None:
        """Leave the terminal usable: the process ends right after this, from another thread."""


def make_display() -> Display:
    """Return the live view for a terminal and the plain one for a file or a pipe."""
    console = terminal.console()
    return LiveDisplay(console) if terminal.is_live(console) else PlainDisplay()


class SilentDisplay:
    """Shows nothing."""

    def __enter__(self) -> SilentDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def start(self, header: Header, rows: list[Row]) -> None: ...
    def phase(self, name: str) -> None: ...
    def row(self, row: Row, picture: Picture | None) -> None: ...
    def evaluation(self, row: Row) -> None: ...
    def note(self, text: str) -> None: ...
    def finish(self, summary: Summary) -> None: ...
    def restore_terminal(self) -> None: ...


class PlainDisplay(SilentDisplay):
    """Prints a line now and then."""

    def __init__(self) -> None:
        self._last_line = -PLAIN_SECONDS
        self._clock: Clock | None = None
        self._measures = Measures()  # until the header says which game it is

    def start(self, header: Header, rows: list[Row]) -> None:
        self._clock = Clock(header.total_steps, rows[-1]["step"] if rows else 0)
        self._measures = header.measures
        _print(f"{header.title}: {header.details}")
        _print(f"run folder: {header.folder}")
        if header.logs:
            _print(header.logs)

    def row(self, row: Row, picture: Picture | None) -> None:
        assert self._clock is not None, "start comes first"
        self._clock.update(row)
        now = time.monotonic()
        if now - self._last_line >= PLAIN_SECONDS:
            self._last_line = now
            _print("  ".join([self._clock.text(), *_metrics(self._measures, row)]))

    def evaluation(self, row: Row) -> None:
        _print("  ".join(_metrics(self._measures, row)))

    def note(self, text: str) -> None:
        _print(text)

    def finish(self, summary: Summary) -> None:
        _print(summary.headline)
        for label, text in {**summary.facts, **summary.commands}.items():
            _print(f"  {label}: {text}")


class LiveDisplay:
    """A panel that is redrawn in place while the run goes on, as often as its share of the time allows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._header: Header | None = None
        self._clock = Clock(1, 0)
        self._phase, self._phase_start = "starting", time.monotonic()
        self._history: dict[str, list[float]] = {}
        self._row: Row = {}  # the newest
        self._cap: float | None = None  # of the newest evaluation
        self._picture: Picture | None = None
        self._keyboard = Keyboard(self._send, self.note, lambda: self._phase == mailbox.PAUSED)
        self._reading = ExitStack()
        self._leave_terminal: Callable[[], None] | None = None
        self._live = Live(
            console=console, get_renderable=self._render, auto_refresh=False, vertical_overflow="visible"
        )
        self._woken, self._over = threading.Event(), threading.Event()
        self._painter: threading.Thread | None = None
        self._fault = ""  # of the last picture that could not be drawn

    def __enter__(self) -> LiveDisplay:
        self._over.clear()
        self._live.start()
        self._leave_terminal = self._reading.enter_context(keyboard.reading(self._press))
        self._painter = threading.Thread(target=self._paint, name="live view", daemon=True)
        self._painter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._reading.close()
        finally:
            self._stop()

    def _paint(self) -> None:
        """Draw again and again, at once when something else is being done; what takes longer is drawn less often."""
        pause = FASTEST
        while True:
            self._woken.wait(pause)
            self._woken.clear()
            if self._over.wait(0):
                return
            began = time.thread_time()
            try:
                self._live.refresh()
            except Exception as error:  # it is for people to look at: the run goes on
                self._tell_fault(error)
            pause = min(max((time.thread_time() - began) / SHARE, FASTEST), SLOWEST)
            self._over.wait(FASTEST)

    def _tell_fault(self, error: Exception) -> None:
        """Say once what keeps the live view from being drawn."""
        said = " ".join(f"live view: not drawn ({type(error).__name__}: {error})".split())
        if said != self._fault:
            self._fault = said
            with suppress(Exception):  # nor could that be said
                self.note(said)

    def _stop(self) -> None:
        """Draw what is so at the end, and no more."""
        self._over.set()
        self._woken.set()
        try:
            if self._painter is not None:
                self._painter.join(SLOWEST)
        finally:
            try:
                self._live.stop()
            except Exception as error:  # the terminal is as it was all the same
                self._tell_fault(error)

    def start(self, header: Header, rows: list[Row]) -> None:
        self._header = header
        self._history = {}
        self._clock = Clock(header.total_steps, rows[-1]["step"] if rows else 0)
        if header.logs:
            self._console.print(Text(header.logs, style="dim"))
        for row in rows:
            self._remember(header.measures.with_rates(row))

    def phase(self, name: str) -> None:
        is_new = name != self._phase
        self._phase, self._phase_start = name, time.monotonic()
        if is_new:
            self._woken.set()

    def row(self, row: Row, picture: Picture | None) -> None:
        assert self._header is not None, "start comes first"
        self._clock.update(row)
        self._row, self._picture = self._header.measures.with_rates(row), picture
        self._remember(self._row)

    def evaluation(self, row: Row) -> None:
        assert self._header is not None, "start comes first"
        self._remember(self._header.measures.with_rates(row))

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"))

    def finish(self, summary: Summary) -> None:
        self._phase = ""
        self._reading.close()
        self._stop()
        _print_summary(self._console, summary)

    def restore_terminal(self) -> None:
        if self._leave_terminal is not None:
            self._leave_terminal()
        self._console.show_cursor(True)
        self._console.print()

    def _press(self, keys: str) -> None:
        self._keyboard.press(keys)
        self._live.refresh()

    def _send(self, name: str, arguments: tuple[str, ...]) -> None:
        """Send a command to the run, which answers with a note once the chunk is over."""
        if self._header is None:
            return
        try:
            mailbox.send(self._header.folder, name, arguments)
        except OSError as error:
            self.note(f"{name}: {error.strerror}: the run takes no commands")

    def _remember(self, row: Row) -> None:
        self._cap = row.get(CAP, self._cap)
        for name, value in row.items():
            if isinstance(value, (int, float)):
                self._history.setdefault(name, []).append(value)

    def _render(self) -> RenderableType:
        header, console = self._header, self._console
        if header is None:
            return Text(self._phase and f"{self._phase} ...", style="dim")
        seconds = time.monotonic() - self._phase_start
        waiting = f" {seconds:.0f} s" if seconds >= 2 and self._phase != "training" else ""
        view = live_panel.View(
            title=header.title,
            details=header.details,
            folder=str(header.folder),
            clock=self._clock,
            phase=f"{self._phase}{waiting} · {memory.in_use()}" if self._phase else "",
            entries=self._entries(header.measures),
            picture=self._picture,
            keys=self._keyboard.line if self._leave_terminal is not None and self._phase else "",
        )
        screen = Screen(
            columns=console.width,
            rows=console.height - 1,  # one is left to the cursor
            has_sparks=terminal.can_show(console, live_panel.SPARKS),
            has_blocks=terminal.can_show(console, live_panel.HALF_BLOCKS),
            has_colours=terminal.has_colours(console),
        )
        return live_panel.draw(view, screen)

    def _entries(self, measures: Measures) -> list[Entry]:
        """Return a line for each metric that has ever had a value; games that run stand in for games that ended."""
        entries = []
        for name, label in measures.labels(self._cap).items():
            shown = find_running(self._row, name)
            history = self._history.get(shown)
            if not history:
                continue
            is_evaluation = shown.startswith(EVALUATION)
            value = _number(self._row.get(shown, history[-1]))
            is_headline = shown.removeprefix(EVALUATION).removeprefix(SO_FAR) == measures.headline
            entries.append(Entry(_label(shown, label), value, history, is_headline, is_evaluation))
        return entries


def _label(name: str, label: str) -> str:
    """Return the label of a metric, or of the games that run in its place."""
    if not name.startswith(SO_FAR):
        return label
    whole = label.removesuffix(" per game")
    return f"{whole} so far" if whole == label else f"{whole}, running games"


def _metrics(measures: Measures, row: Row) -> list[str]:
    """Write the metrics that a row has."""
    row = measures.with_rates(row)
    told = []
    for name, label in measures.labels(row.get(CAP)).items():
        shown = find_running(row, name)
        if row.get(shown) is not None:
            told.append(f"{_label(shown, label)} {_number(row[shown])}")
    return told


def _number(value: float | None) -> str:
    if value is None:
        return "–"  # no game ended
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _print_summary(console: Console, summary: Summary) -> None:
    """Print what a run came to; commands are left whole for those who copy them."""
    console.print(Text(summary.headline, style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in summary.facts.items():
        table.add_row(label, Text(text))
    console.print(table)
    width = max(map(len, summary.facts), default=0)
    for label, command in summary.commands.items():
        told = Text.assemble((f"{label:{width}}  ", "dim"), (command, live_panel.NUMBER))
        console.print(told, soft_wrap=True)


def _print(text: str) -> None:
    print(text, flush=True)
