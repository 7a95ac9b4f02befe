"""A match as lines of a terminal: the board, and beside it the clock, what happened, and the keys."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from tetrax.live.play import key_bindings as meant
from tetrax.live.play.match import OVER, PAUSED, READY, Match
from tetrax.live.play.match_words import show, state_in_words, time_shown
from tetrax.live.play.modes import count
from tetrax.live.play.seats import Seat
from tetrax.view.scene import ROWS_ABOVE
from tetrax.view.text import render_half_blocks, render_text

BOARD_SIDES = 26  # characters beside the columns of a board: hold and numbers, walls, queue
PANEL_WIDTH = 32
BOLD, QUIET, ALARM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[91m", "\x1b[0m"
TAPS_NOTE = (
    "Most terminals do not tell when a key comes up: there, a key that stays down moves a piece as fast as the "
    "keyboard repeats it, without --das and --arr. Those with the kitty keyboard protocol do (kitty, foot, WezTerm, "
    "Ghostty), and so does --browser."
)
SHORT_TAPS_NOTE = "keys repeat as your keyboard does (see --help)"


def draw(
    match: Match,
    bindings: Mapping[str, str],
    size: tuple[int, int],
    *,
    colour: bool,
    with_releases: bool,
) -> list[str]:
    """Draw a match in a terminal of (columns, rows); say what it needs where it is too small."""
    columns, rows = size
    board, high = _board_size(match)
    if not fits(match, size):
        return [f"{board + PANEL_WIDTH} x {high} characters are needed, here are {columns} x {rows}."]
    side_by_side = len(match.seats) > 1 and columns >= 2 * board + PANEL_WIDTH
    middle = [_seat_lines(match.person, colour)]
    if side_by_side:
        middle.append(_seat_lines(match.seats[1], colour))
    at = board * len(middle) + 1
    panel = _panel(match, bindings, min(PANEL_WIDTH + 8, columns - at), colour, with_releases)
    if len(match.seats) > 1 and not side_by_side:
        small = render_half_blocks(show(match.seats[1]), colour=colour).split("\n")
        panel = [*panel[: rows - len(small) - 1], "the agent", *small]
    lines = []
    for row in range(min(rows, max(high, len(panel)))):
        parts = [lines_of[row] if row < len(lines_of) else "" for lines_of in middle]
        line = parts[0]
        for number, part in enumerate(parts[1:], 1):
            line += f"\x1b[{board * number + 1}G{part}"
        lines.append(f"{line}\x1b[{at}G{panel[row] if row < len(panel) else ''}")
    return lines


def fits(match: Match, size: tuple[int, int]) -> bool:
    """Tell whether a terminal of (columns, rows) has room for the player's board and something beside it."""
    board, high = _board_size(match)
    return size[0] >= board + PANEL_WIDTH // 2 and size[1] >= high


def _board_size(match: Match) -> tuple[int, int]:
    """Return the columns and rows that a board takes, with what belongs to it."""
    rules = match.setting.board.rules
    return 2 * rules.width + BOARD_SIDES, rules.height + ROWS_ABOVE + 1


def _seat_lines(seat: Seat, colour: bool) -> list[str]:
    return render_text(show(seat), colour=colour).split("\n")


def _panel(
    match: Match, bindings: Mapping[str, str], width: int, colour: bool, with_releases: bool
) -> list[str]:
    """Write what stands beside the boards."""

    def ink(code: str, text: str) -> str:
        return f"{code}{text}{PLAIN}" if colour else text

    result = match.result(match.person)
    lines = [
        ink(BOLD, match.setting.mode),
        "",
        ink(BOLD, time_shown(match)),
    ]
    lines += [f"{result.pieces_per_second:.2f} pieces a second", f"{result.keys_per_piece:.2f} keys a piece"]
    for seat, name in zip(match.seats, ("you", "the agent"), strict=False):
        plays = "the agent plays" if seat is match.person and seat.agent_plays else ""
        if plays:
            lines.append(ink(BOLD, plays))
        if len(match.seats) > 1:
            came_to = seat.session.played.moment
            lines.append(f"{name}: {count(came_to.lines, 'line')}, {came_to.score:,}")
    lines += ["", *(ink(BOLD, line) for line in textwrap.wrap(match.person.said, width)[:2])]
    lines += [ink(ALARM, line) for line in textwrap.wrap(state_in_words(match), width)]
    lines += ["", *(ink(QUIET, line) for line in _help(match, bindings, width, with_releases))]
    return lines


def _help(match: Match, bindings: Mapping[str, str], width: int, with_releases: bool) -> Sequence[str]:
    """Say which keys there are, those first that matter now."""
    useful = [meant.PAUSE, meant.RESTART, meant.QUIT]
    if match.person.pilot is not None:
        useful = [meant.TAKE_OVER, meant.SUGGEST, *useful]
    if match.mode.undo:
        useful = [meant.UNDO, *useful]
    lines = [meant.in_words(bindings, [meaning]) for meaning in useful]
    if match.phase in (READY, PAUSED):
        keys = match.setting.board.useful_keys
        game = [meant.in_words(bindings, [meaning]) for meaning in meant.GAME_KEYS if meaning in keys]
        lines = [*(line for line in game if line), *lines]
    elif match.phase == OVER:
        lines = [meant.in_words(bindings, [meaning]) for meaning in (meant.RESTART, meant.QUIT)]
    if not with_releases and match.phase == READY:
        lines += textwrap.wrap(SHORT_TAPS_NOTE, width)
    return lines
