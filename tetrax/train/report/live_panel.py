"""The live view of a run as a panel that fits the terminal: what there is no room for is left out, and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tetrax.train.report.clock import Clock
from tetrax.view.scene import Scene
from tetrax.view.text import render_half_blocks

WIDTH = 92  # columns, at most
WIDE = 60  # columns from which on there is room for a wider margin
GAP, BOARD_GAP = 2, 3  # columns between those of the table, and before the board
SPARKS = "▁▂▃▄▅▆▇█"
HALF_BLOCKS = "▀▄█"
SPARK_WIDTH, LEAST_SPARKS = 24, 8
BAR = 10  # columns, at least
PROGRESS = 2  # lines of progress and of the phase
BORDERS = 2
LOWEST = BORDERS + 1 + PROGRESS + 1  # lines below which there is no room for a panel
NUMBER, HEADLINE, LINK = "#31c7ef", "bold default", "#5a65ad"
EVALUATED = "#f7d308"


class Entry(NamedTuple):
    """A line of the table."""

    label: str
    value: str
    history: Sequence[float]
    is_headline: bool
    is_evaluation: bool


class Screen(NamedTuple):
    """What a terminal has room for, and what it can show."""

    columns: int
    rows: int
    has_sparks: bool = True
    has_blocks: bool = True
    has_colours: bool = True


@dataclass(frozen=True)
class View:
    """What there is to see of a run."""

    title: str
    details: str
    folder: str
    clock: Clock
    phase: str
    entries: Sequence[Entry]
    scene: Scene | None
    keys: str = ""  # which there are, or what is being typed


class Layout(NamedTuple):
    """What is shown where."""

    inner: int  # columns within the border and its margin
    margin: int  # columns
    is_roomy: bool  # lines between the parts
    entries: int
    sparks: int  # columns; 0 = none
    missing: str | None  # why there is no board, where there is one to be shown


def draw(view: View, screen: Screen) -> RenderableType:
    """Draw a run within the lines and columns of a terminal."""
    if screen.rows < LOWEST:
        return Text(view.clock.text(screen.columns), no_wrap=True, overflow="ellipsis")
    layout = plan(view, screen)
    body: list[RenderableType] = [Text(view.details, style="dim", no_wrap=True, overflow="ellipsis")]
    blank = [Text()] if layout.is_roomy else []
    body += [*blank, *_progress(view, layout), *blank]
    table = _table(view.entries[: layout.entries], layout)
    if view.scene is not None and layout.missing is None:
        beside = Table.grid(padding=(0, BOARD_GAP))
        beside.add_row(table, _frame(view.scene, screen.has_colours))
        body.append(beside)
    else:
        body.append(table)
    if layout.missing is not None:
        body.append(Text(layout.missing, style="dim", no_wrap=True, overflow="ellipsis"))
    return Panel(
        Group(*body),
        title=Text.assemble(("tetrax", "bold"), f" · {view.title}"),
        title_align="left",
        subtitle=Text(view.folder, style="dim"),
        subtitle_align="right",
        border_style=LINK,
        width=min(WIDTH, screen.columns),
        padding=(1 if layout.is_roomy else 0, layout.margin),
    )


def plan(view: View, screen: Screen) -> Layout:
    """Decide what there is room for: first the numbers, then the board, then the curves of the numbers."""
    margin = 2 if screen.columns >= WIDE else 1
    inner = min(WIDTH, screen.columns) - BORDERS - 2 * margin
    numbers, fixed = _numbers_width(view.entries), BORDERS + 1 + PROGRESS
    board_width = board_lines = 0
    missing = None
    if view.scene is not None:
        rules = view.scene.rules
        board_width, board_lines = rules.width + BORDERS, -(-rules.height // 2) + BORDERS
        missing = _why_not(
            screen,
            columns=numbers + BOARD_GAP + board_width + BORDERS + 2 * (2 if screen.columns >= WIDE else 1),
            lines=fixed + board_lines,
        )
    beside = 0 if missing or view.scene is None else BOARD_GAP + board_width
    sparks = min(SPARK_WIDTH, inner - numbers - GAP - beside)
    has_sparks = screen.has_sparks and sparks >= LEAST_SPARKS
    room = screen.rows - fixed - (missing is not None)
    lines = max(len(view.entries), 0 if missing else board_lines)
    return Layout(
        inner=inner,
        margin=margin,
        is_roomy=lines + 4 <= room,  # two blank lines, and two within the border
        entries=max(1, room),
        sparks=sparks if has_sparks else 0,
        missing=missing,
    )


def _why_not(screen: Screen, *, columns: int, lines: int) -> str | None:
    """Say why there is no board; None where there is one. A line of the terminal is left to what follows the view."""
    if not screen.has_blocks:
        return "no board: no blocks in this encoding"
    fits = screen.columns >= columns and screen.rows >= lines
    return None if fits else f"no board below {columns}x{lines + 1}"


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as a line of blocks, the lowest one eighth high, each the mean of its share."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((mean - low) * scale)] for mean in means)


def board_picture(scene: Scene, *, colour: bool = True) -> Text:
    """Draw a board with half blocks, two rows in one line of text, as wide in characters as in columns."""
    return Text.from_ansi(render_half_blocks(scene, colour=colour), no_wrap=True)


def _frame(scene: Scene, colour: bool) -> RenderableType:
    picture = board_picture(scene, colour=colour)
    return Panel(picture, width=scene.rules.width + BORDERS, padding=0, border_style="dim")


def _progress(view: View, layout: Layout) -> list[RenderableType]:
    """Return a bar with where the run stands, and what is being done."""
    text = Text(view.clock.text(layout.inner), no_wrap=True)
    line: RenderableType = text
    if len(text) + GAP + BAR <= layout.inner:
        bar = ProgressBar(total=view.clock.total_steps, completed=view.clock.step, complete_style=NUMBER)
        grid = Table.grid(padding=(0, GAP), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(bar, text)
        line = grid
    phase = Text(view.phase, style="dim", no_wrap=True, overflow="ellipsis")
    if view.keys:
        # What is being done comes first: it is short, and of the keys some may be cut.
        phase.append(" " * max(GAP, layout.inner - len(view.phase) - len(view.keys)))
        phase.append(view.keys)
    return [line, phase] if view.phase else [line]


def _numbers_width(entries: Sequence[Entry]) -> int:
    """Return the columns that labels and values take."""
    labels = max((len(entry.label) for entry in entries), default=0)
    return labels + GAP + max((len(entry.value) for entry in entries), default=0)


def _table(entries: Sequence[Entry], layout: Layout) -> Table:
    """Return labels, values and curves; where there is little room labels are cut, and never a number."""
    values = max((len(entry.value) for entry in entries), default=0)
    labels = max((len(entry.label) for entry in entries), default=0)
    table = Table.grid(padding=(0, GAP))
    width = max(1, min(labels, layout.inner - GAP - values))
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", width=width)
    table.add_column(justify="right", no_wrap=True, width=values)
    if layout.sparks:
        table.add_column(no_wrap=True, width=layout.sparks)
    for entry in entries:
        color = EVALUATED if entry.is_evaluation else NUMBER
        curve = [Text(sparkline(entry.history, layout.sparks), style=color)] if layout.sparks else []
        value = Text(entry.value, style=HEADLINE if entry.is_headline else "default")
        table.add_row(Text(entry.label), value, *curve)
    return table
