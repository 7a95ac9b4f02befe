"""What a person sees: lines where there is no terminal, a panel that holds together where there is one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from tetrax.env.ascii import state_from_ascii
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.rules import RULE_PRESETS, Rules
from tetrax.train.report import display, live_panel, numbers, terminal
from tetrax.train.report.clock import Clock
from tetrax.train.report.display import Header, LiveDisplay, PlainDisplay, Summary
from tetrax.train.report.metric_labels import Measures
from tetrax.view.cells import EMPTY
from tetrax.view.colours import FLASH, GARBAGE, JUST_PLACED, PIECE_COLOURS, UNKNOWN, WELL, WHITE, Colour, mix
from tetrax.view.scene import scene
from tetrax.view.shown_games import Picture
from tetrax.view.text import SMALL_GHOST

HEADER = Header(
    title="ppo · tiny",
    details="mini, drop",
    folder=Path("runs/x"),
    total_steps=1_000,
    measures=Measures("lines", "pieces", has_rate=True),
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
    assert live_panel.sparkline(values, width) == line


def test_sparkline_is_never_wider_than_asked() -> None:
    for count in range(1, 100):
        assert len(live_panel.sparkline([float(i) for i in range(count)], 24)) == min(count, 24)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (14, "0:14"), (723, "12:03"), (3723, "1:02:03")]
)
def test_duration(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


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
    picture = live_panel.board_picture(replace(scene(rules, game), ghost=()))
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
    picture = live_panel.board_picture(replace(shown, cells=cells, active=((5, 0),), ghost=((0, 1),)))
    above, below = zip(*lowest_line(picture), strict=True)
    named = PIECE_COLOURS
    assert below == (named["Z"], named["T"], named["I"], UNKNOWN, GARBAGE, named["T"])
    assert above == (mix(WELL, named["T"], SMALL_GHOST), *[WELL] * 5)


def test_a_lock_and_a_full_row_are_lighter_in_a_board() -> None:
    rules = RULE_PRESETS["mini"]
    shown = scene(rules, state_from_ascii(rules, "###.\n#..#"))
    picture = live_panel.board_picture(replace(shown, active=(), ghost=(), full_rows=(1,), placed=((0, 0),)))
    above, below = zip(*lowest_line(picture), strict=True)
    assert above[:3] == (mix(UNKNOWN, WHITE, FLASH),) * 3
    assert below == (mix(UNKNOWN, WHITE, JUST_PLACED), WELL, WELL, UNKNOWN)


def test_an_odd_height_is_drawn_too() -> None:
    rules = Rules(width=5, height=7)
    picture = live_panel.board_picture(scene(rules, state_from_ascii(rules, "#....")))
    assert picture.plain.split("\n") == ["▀" * 5] * 4


def test_the_clock_counts_steps_of_this_session() -> None:
    clock = Clock(total_steps=1_000, step=500)
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
        shown.evaluation({"eval/lines": 12.0, "eval/pieces": 48.0, "eval/cap": 1_000.0})
        shown.note("a note")
        shown.finish(SUMMARY)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ppo · tiny: mini, drop", "run folder: runs/x"]
    assert lines[2].startswith("250 of 1k steps   25%  1.5k/s")
    assert lines[2].endswith("lines per game 3.25  entropy 1.5")
    assert lines[3:] == [
        "evaluation to 1,000 pieces 12  the same in evaluation 0.25",
        "a note",
        "Finished: 1,000 steps.",
        "  learning curve: runs/x/c.png",
        "  again: python -m x",
    ]


GUIDELINE = RULE_PRESETS["guideline"]
BOARD = scene(GUIDELINE, state_from_ascii(GUIDELINE, "#########."))
METRICS = {
    **ROW,
    "pieces": 30.5,
    "return": 3.25,
    "loss/policy": -0.0123,
    "loss/value": 416_123.4,
    "kl": 0.01,
    "explained_variance": 0.5,
}
EVALUATED = {"eval/lines": 197.3, "eval/pieces": 500.0, "eval/cap": 500.0, "eval/capped": 0.5}


def live(width: int, height: int, row: dict[str, Any], picture: Picture | None = None, **options: Any) -> str:
    """The panel of a run in the middle, in a terminal of this size."""
    console = terminal.console(file=screen_file(), force_terminal=True, width=width, height=height, **options)
    picture = Picture((BOARD,)) if picture is None else picture
    with LiveDisplay(console) as shown:
        shown.start(HEADER, [{"step": 200, "lines": 1.0}])
        shown.phase("training")
        shown.row(row, picture)
        shown.evaluation(EVALUATED)
        return render(shown, width)


def screen_file(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")


@pytest.mark.parametrize(
    ("width", "height", "board"),
    [
        *[(80, 24, True), (60, 20, True), (54, 18, True), (92, 40, True), (200, 60, True)],
        *[(40, 10, False), (53, 24, False), (80, 17, False), (30, 8, False)],
    ],
)
def test_the_live_view_fits_the_terminal_and_shows_the_board_or_says_why_not(
    width: int, height: int, board: bool
) -> None:
    panel = live(width, height, METRICS).splitlines()
    assert len(panel) < height and max(map(len, panel)) <= min(width, live_panel.WIDTH)
    assert any("▀" * 10 in line for line in panel) is board
    # Borders and margins 4, evaluation to 500 pieces 24, a gap 2, 416,123.4 9, a gap 3, the board 12 make 54; a board
    # of 12 lines, 2 borders, 3 of what is trained and how far, and one for the cursor 18.
    needed = "54x18" if width < 60 else "56x18"
    assert any(f"no board below {needed}" in line for line in panel) is not board


@pytest.mark.parametrize(
    ("width", "height", "boards", "said"),
    [
        (80, 24, 2, None),
        # Besides the boards 42, as above; four boards and what is between them 51, two 25.
        (80, 24, 4, "2 of 4 boards: below 95x18"),
        (95, 18, 4, None),
        (160, 40, 4, None),
        (69, 18, 2, None),
        (68, 19, 2, "1 of 2 boards: below 69x18"),
        (53, 24, 2, "no board below 54x19"),
    ],
)
def test_all_boards_are_shown_that_there_is_room_for(
    width: int, height: int, boards: int, said: str | None
) -> None:
    panel = live(width, height, METRICS, Picture((BOARD,) * boards)).splitlines()
    assert len(panel) < height and max(map(len, panel)) <= width
    drawn = max(line.count("▀" * 9) for line in panel)
    assert drawn == {None: boards, "2": 2, "1": 1, "n": 0}[said and said[0]]
    told = [line for line in panel if "board" in line]
    assert len(told) == (said is not None) and all(str(said) in line for line in told)


def test_a_drawing_in_characters_is_shown_in_place_of_boards() -> None:
    drawing = "A . *\n. B .\nstep 3 of 20"
    panel = live(80, 24, METRICS, Picture(drawing=drawing))
    assert all(f"│{line:12}│" in panel for line in drawing.splitlines())
    assert "no board below 56x11" in live(53, 24, METRICS, Picture(drawing=drawing))


def test_numbers_are_whole_in_every_terminal() -> None:
    for width in (24, 30, 40, 53, 60, 80, 119):
        for height in (8, 14, 24):
            panel = live(width, height, METRICS)
            assert " 3.25 " in panel and "25%" in panel, (width, height)
            assert "416,123.4 " in panel or "value l" not in panel, (width, height)


def test_what_a_terminal_too_small_for_a_panel_shows() -> None:
    assert live(20, 6, METRICS).strip().startswith("25%")


def test_what_the_live_view_shows() -> None:
    panel = live(80, 24, METRICS)
    words = ["tetrax", "ppo · tiny", "mini, drop", "runs/x", "training", "250 of 1k steps", "▁█", "1.5k/s"]
    assert [word for word in words if word not in panel] == []
    assert "evaluation to 500 pieces" in panel and "197.3" in panel
    # 3.25 lines of 30.5 pieces, and 197.3 of 500.
    rates = [line.split("│")[1].split() for line in panel.splitlines() if "0.107" in line or "0.395" in line]
    assert [words[:4] for words in rates] == [
        ["lines", "per", "piece", "0.107"],
        ["the", "same", "in", "evaluation"],
    ]
    assert rates[1][4] == "0.395"


@pytest.mark.parametrize(
    ("encoding", "board"), [("ascii", False), ("cp932", False), ("cp437", True), ("utf-8", True)]
)
def test_a_terminal_is_shown_what_its_encoding_has(encoding: str, board: bool) -> None:
    file = screen_file(encoding)
    with LiveDisplay(terminal.console(file=file, force_terminal=True, width=80, height=24)) as shown:
        shown.start(HEADER, [])
        shown.row(METRICS, Picture((BOARD,)))
    file.seek(0)
    said = file.read()
    assert ("▀" in said) is board and ("no board: no blocks in this encoding" in said) is not board
    assert ("▁" in said) is (encoding == "utf-8")


def test_without_colours_a_board_is_drawn_by_what_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rules = RULE_PRESETS["mini"]  # 4 × 6
    game = replace(scene(rules, state_from_ascii(rules, "#..#\n###.")), active=(), ghost=((1, 2),))
    assert live_panel.board_picture(game, colour=False).plain == "    \n    \n█▄▄▀"
    panel = live(80, 24, METRICS, color_system="truecolor")
    assert "│▄▄▄▄▄▄▄▄▄ │" in panel


NAMES = ["q[/base]", "[x]", "[bold red]", "[/]", ":smile:", "[link=x]"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_read_as_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of folders, runs, presets, games and policies, in whatever the display shows."""
    header = replace(HEADER, title=f"ppo · {name}", details=f"{name}, drop", folder=Path("runs") / name)
    summary = Summary(f"Ended: {name}.", {"curve": f"{name}/c.png"}, {"again": f"python -m x '{name}'"})
    file = screen_file()
    for shown in (
        LiveDisplay(terminal.console(file=file, force_terminal=True, width=80, height=24)),
        PlainDisplay(),
    ):
        with shown:
            shown.start(header, [])
            shown.phase(f"evaluating {name}")
            shown.row(ROW, None)
            if isinstance(shown, LiveDisplay):
                panel = render(shown, 80)
            shown.note(f"note {name}")
            shown.finish(summary)
    assert [panel.count(words) for words in (f"· {name} ─", f"{name}, drop", f"runs/{name} ─")] == [1, 1, 1]
    assert f"evaluating {name}" in panel
    file.seek(0)
    for said in (Text.from_ansi(file.read()).plain, capsys.readouterr().out):
        for words in (f"note {name}", f"Ended: {name}.", f"{name}/c.png", f"python -m x '{name}'"):
            assert words in said


def test_a_command_is_one_line_to_copy() -> None:
    file, command = screen_file(), "python -m tetrax.train --resume " + "a/long/folder/" * 10
    with LiveDisplay(terminal.console(file=file, force_terminal=True, width=40, height=24)) as shown:
        shown.finish(Summary("Stopped.", {}, {"resume with": command}))
    file.seek(0)
    assert f"resume with  {command}" in Text.from_ansi(file.read()).plain


class Painting:
    """A live view whose drawing takes the times given, and then is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, took: list[float | Exception]) -> None:
        self.took, self.pauses, self.clock = took, [], 0.0
        console = terminal.console(file=screen_file(), force_terminal=True, width=80, height=24)
        self.shown = LiveDisplay(console)
        monkeypatch.setattr(display.time, "thread_time", lambda: self.clock)
        monkeypatch.setattr(self.shown._live, "refresh", self.draw)
        monkeypatch.setattr(self.shown._woken, "wait", self.pauses.append)
        monkeypatch.setattr(self.shown._over, "wait", lambda seconds: not self.took)

    def draw(self) -> None:
        taken = self.took.pop(0)
        if isinstance(taken, Exception):
            raise taken
        self.clock += taken


def test_the_live_view_is_drawn_as_often_as_its_share_of_the_time_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock set by hand: drawing takes a hundredth of a second at first, then nothing, then ten seconds."""
    painting = Painting(monkeypatch, [0.01, 0.0, 10.0])
    painting.shown._paint()
    assert painting.pauses == pytest.approx([0.125, 2.0, 0.125, 3.0])


def test_a_picture_that_cannot_be_drawn_is_said_once_and_drawing_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    painting = Painting(monkeypatch, [ValueError("no such\nthing")] * 2 + [0.0])
    monkeypatch.setattr(painting.shown, "note", said.append)
    painting.shown._paint()
    assert said == ["live view: not drawn (ValueError: no such thing)"] and len(painting.pauses) == 4


def test_what_is_done_now_is_drawn_at_once_and_a_view_can_be_used_again() -> None:
    shown = LiveDisplay(terminal.console(file=screen_file(), force_terminal=True, width=80, height=24))
    for _ in range(2):
        with shown:
            shown.start(HEADER, [])
        assert shown._painter is not None and not shown._painter.is_alive()
    shown._woken.clear()
    shown.phase("training")
    assert shown._woken.is_set()
    shown._woken.clear()
    shown.phase("training")  # as at the beginning of every chunk
    assert not shown._woken.is_set()


def test_a_chunk_in_which_no_game_ended_shows_no_number_of_before() -> None:
    line = next(
        line for line in live(92, 24, {**METRICS, "lines": None}).splitlines() if "lines per g" in line
    )
    assert "–" in line
    assert "3.25" not in line


RUNNING = {**METRICS, "lines": None, "pieces": None, "running/lines": 12.0, "running/pieces": 48.0}


def test_while_no_game_ends_those_that_run_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    panel = live(80, 24, RUNNING)
    assert "–" not in panel and "lines per game" not in panel
    lines = [line.split("│")[1].split("  ") for line in panel.splitlines()[1:-1]]
    told = {
        words[0]: words[-1] for words in ([word for word in line if word.strip()] for line in lines) if words
    }
    shown = {label: value.split()[0] for label, value in told.items()}
    assert "lines, running games" in shown and "lines per piece so far" in shown
    with PlainDisplay() as plain:
        plain.start(HEADER, [])
        plain.row(RUNNING, None)
    said = capsys.readouterr().out
    assert "  lines, running games 12  lines per piece so far 0.25  pieces, running games 48" in said


def test_without_a_terminal_lines_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert isinstance(display.make_display(), PlainDisplay)
    monkeypatch.setenv(
        "FORCE_COLOR", "1"
    )  # as many machines that test set it: a file is no terminal for that
    assert isinstance(display.make_display(), PlainDisplay)


@pytest.mark.parametrize(("kind", "expected"), [("dumb", PlainDisplay), ("xterm-256color", LiveDisplay)])
def test_a_terminal_that_cannot_draw_over_gets_lines(
    monkeypatch: pytest.MonkeyPatch, kind: str, expected: type
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert isinstance(display.make_display(), expected)


def render(shown: LiveDisplay, width: int) -> str:
    paper = Console(file=io.StringIO(), width=width, color_system=None)
    with paper.capture() as captured:
        paper.print(shown._render())
    return captured.get()
