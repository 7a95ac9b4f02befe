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
from tetrax.view.shown_games import Picture
from tetrax.view.text import render_half_blocks

WIDTH = 92  # columns, at most
WIDE = 60  # columns from which on there is room for a wider margin
GAP, BOARD_GAP, BETWEEN = (
    2,
    3,
    1,
)  # columns between those of the table, before the boards, between two of these
SPARKS = "▁▂▃▄▅▆▇█"
HALF_BLOCKS = "▀▄█"
SPARK_WIDTH, LEAST_SPARKS = 24, 8
BAR = 10  # columns, at least
PROGRESS = 2  # lines of progress and of the phase
BORDERS = 2
ONE_BOARD = 12  # columns of a board and its borders, within WIDTH: more boards make the panel wider
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
    picture: Picture | None
    keys: str = ""  # which there are, or what is being typed


class Layout(NamedTuple):
    """What is shown where."""

    inner: int  # columns within the border and its margin
    margin: int  # columns
    is_roomy: bool  # lines between the parts
    entries: int
    sparks: int  # columns; 0 = none
    boards: int  # that are shown
    missing: str | None  # why there is none, or not all


def draw(view: View, screen: Screen) -> RenderableType:
    """Draw a run within the lines and columns of a terminal."""
    if screen.rows < LOWEST:
        return Text(view.clock.text(screen.columns), no_wrap=True, overflow="ellipsis")
    layout = plan(view, screen)
    body: list[RenderableType] = [Text(view.details, style="dim", no_wrap=True, overflow="ellipsis")]
    blank = [Text()] if layout.is_roomy else []
    body += [*blank, *_progress(view, layout), *blank]
    table = _table(view.entries[: layout.entries], layout)
    if view.picture is not None and layout.boards:
        boards = Table.grid(padding=(0, BETWEEN))
        boards.add_row(*_frames(view.picture, screen.has_colours)[: layout.boards])
        beside = Table.grid(padding=(0, BOARD_GAP))
        beside.add_row(table, boards)
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
        width=layout.inner + BORDERS + 2 * layout.margin,
        padding=(1 if layout.is_roomy else 0, layout.margin),
    )


def plan(view: View, screen: Screen) -> Layout:
    """Decide what there is room for: first the numbers, then the boards, then the curves of the numbers."""
    margin = 2 if screen.columns >= WIDE else 1
    sizes = [] if view.picture is None else _sizes(view.picture)
    widest = WIDTH + max(0, _across(sizes) - ONE_BOARD)
    inner = min(widest, screen.columns) - BORDERS - 2 * margin
    numbers, fixed = _numbers_width(view.entries), BORDERS + 1 + PROGRESS
    around = numbers + BOARD_GAP + BORDERS + 2 * margin
    boards, missing = len(sizes), None
    while boards:
        lines = fixed + max(size.height for size in sizes[:boards]) + (boards < len(sizes))
        why_not = _why_not(screen, view.picture, columns=around + _across(sizes[:boards]), lines=lines)
        if why_not is None:
            break
        missing, boards = missing or why_not, boards - 1
        if not boards:
            missing = why_not
    if boards and missing:
        missing = f"{boards} of {len(sizes)} boards: {missing.removeprefix('no board ')}"
    beside = BOARD_GAP + _across(sizes[:boards]) if boards else 0
    sparks = min(SPARK_WIDTH, inner - numbers - GAP - beside)
    has_sparks = screen.has_sparks and sparks >= LEAST_SPARKS
    room = screen.rows - fixed - (missing is not None)
    lines = max([len(view.entries), *(size.height for size in sizes[:boards])])
    return Layout(
        inner=inner,
        margin=margin,
        is_roomy=lines + 4 <= room,  # two blank lines, and two within the border
        entries=max(1, room),
        sparks=sparks if has_sparks else 0,
        boards=boards,
        missing=missing,
    )


class Size(NamedTuple):
    """Columns and lines of a board with its borders."""

    columns: int
    height: int  # lines


def _sizes(picture: Picture) -> list[Size]:
    """Return the size of each board."""
    if picture.drawing:
        lines = picture.drawing.split("\n")
        return [Size(max(map(len, lines)) + BORDERS, len(lines) + BORDERS)]
    rules = [scene.rules for scene in picture.scenes]
    return [Size(each.width + BORDERS, -(-each.height // 2) + BORDERS) for each in rules]


def _across(sizes: Sequence[Size]) -> int:
    """Return the columns of boards beside each other."""
    return sum(size.columns for size in sizes) + BETWEEN * max(0, len(sizes) - 1)


def _why_not(screen: Screen, picture: Picture | None, *, columns: int, lines: int) -> str | None:
    """Say why there is no board; None where there is one. A line of the terminal is left to what follows the view."""
    if not screen.has_blocks and picture is not None and not picture.drawing:
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


def _frames(picture: Picture, colour: bool) -> list[RenderableType]:
    """Return each board within its border; several have their numbers on it."""
    if picture.drawing:
        drawn = [Text(picture.drawing, no_wrap=True)]
    else:
        drawn = [board_picture(scene, colour=colour) for scene in picture.scenes]
    numbers = [str(number) for number in range(1, len(drawn) + 1)] if len(drawn) > 1 else [None]
    return [
        Panel(board, width=size.columns, padding=0, border_style="dim", title=number)
        for board, size, number in zip(drawn, _sizes(picture), numbers, strict=True)
    ]


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
