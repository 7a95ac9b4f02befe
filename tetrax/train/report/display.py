"""What a person sees of a run: a live view in a terminal, plain text anywhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tetrax.train.folder.log import Row
from tetrax.train.report.plots import short_number
from tetrax.train.report.rows import EVALUATION
from tetrax.view.scene import Scene
from tetrax.view.text import render_half_blocks

PLAIN_SECONDS = 10.0  # between reports of metrics where there is no terminal
WIDTH, WIDTH_WITH_BOARD, WIDTH_WITH_SPARKS = (
    92,
    84,
    68,
)  # columns of text: at most, and what there is room for
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24
# The metrics that are shown after those of the game's headline, in this order, if the algorithm has them.
LABELS = {
    "pieces": "pieces per game",
    "return": "return per game",
    "loss/policy": "policy loss",
    "loss/value": "value loss",
    "entropy": "entropy",
    "kl": "KL divergence",
    "explained_variance": "explained variance",
}


def labels(headline: str) -> dict[str, str]:
    """Return the metrics that are shown of a game with this first measure, each with its label, in order."""
    first = {headline: f"{headline} per game", EVALUATION + headline: "evaluation (greedy)"}
    return {**first, **{name: label for name, label in LABELS.items() if name not in first}}


@dataclass(frozen=True)
class Header:
    """What a run is, known before it starts. Steps count one seed."""

    title: str  # "ppo · small"
    details: str  # "guideline, drop · seed 0 · 2 CPU cores"
    folder: Path
    total_steps: int
    headline: str = "return"  # the measure that games are judged by first


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

    def row(self, row: Row, scene: Scene | None) -> None:
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
    console = Console()
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay()


class SilentDisplay:
    """Shows nothing."""

    def __enter__(self) -> SilentDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def start(self, header: Header, rows: list[Row]) -> None: ...
    def phase(self, name: str) -> None: ...
    def row(self, row: Row, scene: Scene | None) -> None: ...
    def evaluation(self, row: Row) -> None: ...
    def note(self, text: str) -> None: ...
    def finish(self, summary: Summary) -> None: ...
    def restore_terminal(self) -> None: ...


class PlainDisplay(SilentDisplay):
    """Prints a line now and then."""

    def __init__(self) -> None:
        self._last_line = -PLAIN_SECONDS
        self._clock: Clock | None = None
        self._labels = labels("return")  # until the header says which game it is

    def start(self, header: Header, rows: list[Row]) -> None:
        self._clock = Clock(header.total_steps, rows[-1]["step"] if rows else 0)
        self._labels = labels(header.headline)
        _print(f"{header.title}: {header.details}")
        _print(f"run folder: {header.folder}")

    def row(self, row: Row, scene: Scene | None) -> None:
        assert self._clock is not None, "start comes first"
        self._clock.update(row)
        now = time.monotonic()
        if now - self._last_line >= PLAIN_SECONDS:
            self._last_line = now
            _print("  ".join([self._clock.text(), *_metrics(self._labels, row)]))

    def evaluation(self, row: Row) -> None:
        _print("  ".join(_metrics(self._labels, row)))

    def note(self, text: str) -> None:
        _print(text)

    def finish(self, summary: Summary) -> None:
        _print(summary.headline)
        for label, text in {**summary.facts, **summary.commands}.items():
            _print(f"  {label}: {text}")


class LiveDisplay:
    """A panel that is redrawn in place while the run goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._header: Header | None = None
        self._clock = Clock(1, 0)
        self._phase, self._phase_start = "starting", time.monotonic()
        self._labels: dict[str, str] = {}
        self._history: dict[str, list[float]] = {}
        self._row: Row = {}  # the newest
        self._scene: Scene | None = None
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8, vertical_overflow="visible"
        )

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def start(self, header: Header, rows: list[Row]) -> None:
        self._header = header
        self._labels = labels(header.headline)
        self._history = {name: [] for name in self._labels}
        self._clock = Clock(header.total_steps, rows[-1]["step"] if rows else 0)
        for row in rows:
            self._remember(row)

    def phase(self, name: str) -> None:
        self._phase, self._phase_start = name, time.monotonic()

    def row(self, row: Row, scene: Scene | None) -> None:
        self._clock.update(row)
        self._remember(row)
        self._row, self._scene = row, scene
        self._live.refresh()

    def evaluation(self, row: Row) -> None:
        self._remember(row)
        self._live.refresh()

    def note(self, text: str) -> None:
        self._console.print(text, style="yellow", highlight=False)

    def finish(self, summary: Summary) -> None:
        self._phase = ""
        self._live.stop()
        self._console.print(_summary_table(summary))

    def restore_terminal(self) -> None:
        self._console.show_cursor(True)
        self._console.print()

    def _remember(self, row: Row) -> None:
        for name, history in self._history.items():
            if row.get(name) is not None:
                history.append(row[name])

    def _render(self) -> RenderableType:
        if self._header is None:
            return Text(self._phase and f"{self._phase} ...", style="dim")
        columns = Table.grid(padding=(0, 3))
        width = min(WIDTH, self._console.width)
        row: list[RenderableType] = [self._metrics(with_sparks=width >= WIDTH_WITH_SPARKS)]
        if self._scene is not None and width >= WIDTH_WITH_BOARD:
            row.append(_frame(self._scene))
        columns.add_row(*row)
        body = Group(Text(self._header.details, style="dim"), Text(), self._progress(), Text(), columns)
        return Panel(
            body,
            title=f"[bold]tetrax[/] · {self._header.title}",
            title_align="left",
            subtitle=f"[dim]{self._header.folder}",
            subtitle_align="right",
            border_style="#5a65ad",
            width=width,
            padding=(1, 2),
        )

    def _progress(self) -> RenderableType:
        bar = ProgressBar(total=self._clock.total_steps, completed=self._clock.step, complete_style="#31c7ef")
        line = Table.grid(padding=(0, 2), expand=True)
        line.add_column(ratio=1)
        line.add_column(justify="right", no_wrap=True)
        line.add_row(bar, Text(self._clock.text()))
        if not self._phase:
            return line
        seconds = time.monotonic() - self._phase_start
        waiting = f" {seconds:.0f} s" if seconds >= 2 and self._phase != "training" else ""
        return Group(line, Text(self._phase + waiting, style="dim"))

    def _metrics(self, with_sparks: bool) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, min_width=max(map(len, self._labels.values())))
        table.add_column(justify="right", min_width=8)
        if with_sparks:
            table.add_column(no_wrap=True, min_width=SPARK_WIDTH)
        assert self._header is not None, "start comes first"
        for name, history in self._history.items():
            if history:
                bold = "bold " if name.removeprefix(EVALUATION) == self._header.headline else ""
                color = "#f7d308" if name.startswith(EVALUATION) else "#31c7ef"
                value = Text(_number(self._row.get(name, history[-1])), style=bold + "default")
                sparks = [Text(sparkline(history, SPARK_WIDTH), style=color)] if with_sparks else []
                table.add_row(self._labels[name], value, *sparks)
        return table


class Clock:
    """Where a run stands: steps, speed and the time that is left."""

    def __init__(self, total_steps: int, step: int) -> None:
        self.total_steps = total_steps
        self.step = self._first_step = step
        self._start = time.monotonic()
        self._speed: float | None = None

    def update(self, row: Row) -> None:
        """Take the step and the speed from a new row."""
        if self._speed is None:  # the first row: what came before it was compilation
            self._first_step = row["step"]
            self._start = time.monotonic()
        self.step, self._speed = row["step"], row["steps_per_second"]

    def seconds_left(self) -> float | None:
        """Estimate from the steps of this session, evaluations included; None before there are any."""
        if self._speed is None:
            return None
        steps, seconds = self.step - self._first_step, time.monotonic() - self._start
        speed = steps / seconds if steps and seconds else self._speed
        return (self.total_steps - self.step) / speed

    def text(self) -> str:
        """Return `1.31M of 2M steps   65%   48.2k/s   0:14 left`."""
        share = f"{self.step / self.total_steps:4.0%}"
        parts = [f"{short_number(self.step)} of {short_number(self.total_steps)} steps", share]
        left = self.seconds_left()
        if self._speed is not None and left is not None:
            parts += [f"{short_number(self._speed)}/s", f"{duration(left)} left"]
        return "  ".join(parts)


def sparkline(values: list[float], width: int) -> str:
    """Draw values as a line of blocks, the lowest one eighth high, each the mean of its share."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((mean - low) * scale)] for mean in means)


def board_picture(scene: Scene) -> Text:
    """Draw a board with half blocks, two rows in one line of text, as wide in characters as in columns."""
    return Text.from_ansi(render_half_blocks(scene), no_wrap=True)


def _frame(scene: Scene) -> RenderableType:
    return Panel(board_picture(scene), width=scene.rules.width + 2, padding=0, border_style="dim")


def duration(seconds: float) -> str:
    """Write seconds as 0:14, 12:03 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _metrics(labels: dict[str, str], row: Row) -> list[str]:
    return [f"{label} {_number(row[name])}" for name, label in labels.items() if row.get(name) is not None]


def _number(value: float | None) -> str:
    if value is None:
        return "–"  # no game ended
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _summary_table(summary: Summary) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in summary.facts.items():
        table.add_row(label, text)
    for label, command in summary.commands.items():
        table.add_row(label, Text(command, style="#31c7ef"))
    return Group(Text(summary.headline, style="bold"), table)


def _print(text: str) -> None:
    print(text, flush=True)
