"""What a person sees: lines where there is no terminal, a panel that holds together where there is one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from tetrax.env.ascii import state_from_ascii
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.rules import RULE_PRESETS, Rules
from tetrax.train.report import display
from tetrax.train.report.display import Header, LiveDisplay, PlainDisplay, Summary
from tetrax.view.cells import EMPTY
from tetrax.view.colours import FLASH, GARBAGE, JUST_PLACED, PIECE_COLOURS, UNKNOWN, WELL, WHITE, Colour, mix
from tetrax.view.scene import scene
from tetrax.view.text import SMALL_GHOST

HEADER = Header(
    title="ppo · tiny", details="mini, drop", folder=Path("runs/x"), total_steps=1_000, headline="lines"
)
ROW = {"step": 250, "steps_per_second": 1_500.0, "lines": 3.25, "entropy": 1.5, "kl": None}
SUMMARY = Summary("Finished: 1,000 steps.", {"learning curve": "runs/x/c.png"}, {"again": "python -m x"})


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 8, ""),
        ([1.0], 8, "▁"),
        ([2.0, 2.0], 8, "▁▁"),
        ([0.0, 7.0, 3.0], 8, "▁█▄"),
        ([0.0, 2.0, 6.0, 8.0], 2, "▁█"),  # means 1 and 7
        ([-1.0, -8.0], 8, "█▁"),
    ],
)
def test_sparkline(values: list[float], width: int, line: str) -> None:
    assert display.sparkline(values, width) == line


def test_sparkline_is_never_wider_than_asked() -> None:
    for count in range(1, 100):
        assert len(display.sparkline([float(i) for i in range(count)], 24)) == min(count, 24)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (14, "0:14"), (723, "12:03"), (3723, "1:02:03")]
)
def test_duration(seconds: float, text: str) -> None:
    assert display.duration(seconds) == text


def lowest_line(picture: Text) -> list[tuple[Colour, Colour]]:
    """The colours of the second row and of the first, column by column."""
    start = picture.plain.rindex("\n") + 1
    colours = []
    for at in range(start, len(picture.plain)):
        style = picture.get_style_at_offset(Console(), at)
        assert style.color is not None and style.bgcolor is not None
        colours.append((tuple(style.color.get_truecolor()), tuple(style.bgcolor.get_truecolor())))
    return colours


def test_a_board_is_two_rows_to_a_line_with_a_colour_for_every_cell() -> None:
    rules = RULE_PRESETS["mini"]  # 4 × 6
    game = state_from_ascii(rules, "#..#\n###.")
    picture = display.board_picture(replace(scene(rules, game), ghost=()))
    assert picture.plain.split("\n") == ["▀" * 4] * 3
    # The lowest line is the second row above the first: "#..#" over "###.".
    assert lowest_line(picture) == [(UNKNOWN, UNKNOWN), (WELL, UNKNOWN), (WELL, UNKNOWN), (UNKNOWN, WELL)]


def test_every_kind_has_its_colour_in_a_board() -> None:
    """Pieces by their names, whatever their places in the list; unknown cells and garbage are grey, each its own."""
    pieces = tuple(piece for name in "ZTI" for piece in TETROMINOES if piece.name == name)
    rules = Rules(width=6, height=6, pieces=pieces)
    shown = scene(rules, state_from_ascii(rules, "", piece="T"))
    cells = shown.cells.copy()
    cells[0] = [0, 1, 2, 3, 4, EMPTY]
    picture = display.board_picture(replace(shown, cells=cells, active=((5, 0),), ghost=((0, 1),)))
    above, below = zip(*lowest_line(picture), strict=True)
    named = PIECE_COLOURS
    assert below == (named["Z"], named["T"], named["I"], UNKNOWN, GARBAGE, named["T"])
    assert above == (mix(WELL, named["T"], SMALL_GHOST), *[WELL] * 5)


def test_a_lock_and_a_full_row_are_lighter_in_a_board() -> None:
    rules = RULE_PRESETS["mini"]
    shown = scene(rules, state_from_ascii(rules, "###.\n#..#"))
    picture = display.board_picture(replace(shown, active=(), ghost=(), full_rows=(1,), placed=((0, 0),)))
    above, below = zip(*lowest_line(picture), strict=True)
    assert above[:3] == (mix(UNKNOWN, WHITE, FLASH),) * 3
    assert below == (mix(UNKNOWN, WHITE, JUST_PLACED), WELL, WELL, UNKNOWN)


def test_an_odd_height_is_drawn_too() -> None:
    rules = Rules(width=5, height=7)
    picture = display.board_picture(scene(rules, state_from_ascii(rules, "#....")))
    assert picture.plain.split("\n") == ["▀" * 5] * 4


def test_the_clock_counts_steps_of_this_session() -> None:
    clock = display.Clock(total_steps=1_000, step=500)
    assert clock.seconds_left() is None
    assert clock.text() == "500 of 1k steps   50%"
    clock.update({"step": 600, "steps_per_second": 100.0})
    assert clock.seconds_left() == pytest.approx(4.0)
    assert clock.text() == "600 of 1k steps   60%  100/s  0:04 left"


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay() as shown:
        shown.start(HEADER, [])
        shown.phase("training")
        shown.row(ROW, None)
        shown.row({**ROW, "step": 500, "lines": 7.0}, None)  # too soon after the first
        shown.evaluation({"eval/lines": 12.0})
        shown.note("a note")
        shown.finish(SUMMARY)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ppo · tiny: mini, drop", "run folder: runs/x"]
    assert lines[2].startswith("250 of 1k steps   25%  1.5k/s")
    assert lines[2].endswith("lines per game 3.25  entropy 1.5")
    assert lines[3:] == [
        "evaluation (greedy) 12",
        "a note",
        "Finished: 1,000 steps.",
        "  learning curve: runs/x/c.png",
        "  again: python -m x",
    ]


@pytest.mark.parametrize("width", [40, 92, 200])
def test_the_live_view_shows_it_all_within_the_terminal(width: int) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, height=40, color_system=None)
    rules = RULE_PRESETS["guideline"]
    with LiveDisplay(console) as shown:
        shown.start(HEADER, [{"step": 200, "lines": 1.0}])
        shown.phase("evaluating: 3 of 8 games over")
        shown.row(ROW, scene(rules, state_from_ascii(rules, "#########.")))
        shown.evaluation({"eval/lines": 12.0})
        panel = render(shown, width)
        shown.note("a note")
        shown.finish(SUMMARY)
    assert max(map(len, panel.splitlines())) <= min(width, display.WIDTH)
    words = ["tetrax", "ppo · tiny", "runs/x", "evaluating: 3 of 8", "lines per game", "3.25"]
    assert [word for word in words if word not in panel] == []
    if width > 80:
        assert "evaluation (greedy)" in panel
        assert "▁█" in panel
    assert "a note" in screen.getvalue()
    assert "python -m x" in screen.getvalue().split("Finished: 1,000 steps.")[1]


def test_a_chunk_in_which_no_game_ended_shows_no_number_of_before() -> None:
    with LiveDisplay(Console(file=io.StringIO(), force_terminal=True, width=92)) as shown:
        shown.start(HEADER, [])
        shown.row(ROW, None)
        shown.row({**ROW, "lines": None}, None)
        line = next(line for line in render(shown, 92).splitlines() if "lines per game" in line)
    assert "–" in line
    assert "3.25" not in line


def test_without_a_terminal_lines_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert isinstance(display.make_display(), PlainDisplay)


def render(shown: LiveDisplay, width: int) -> str:
    paper = Console(file=io.StringIO(), width=width, color_system=None)
    with paper.capture() as captured:
        paper.print(shown._render())
    return captured.get()
