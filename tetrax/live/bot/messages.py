"""Messages of the Tetris Bot Protocol: lines of JSON read with suspicion, and written.

Source: the protocol's specification (github.com/tetris-bot-protocol/tbp-spec), with the extensions "randomizer" and
"move_info".
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tetrax.env.game.state import SPINS
from tetrax.fields.errors import hint
from tetrax.live.bot.centres import HEIGHT, KINDS, ORIENTATIONS, WIDTH
from tetrax.live.bot.position import Move, Position

MOST_PIECES = 10_000  # of a queue: nobody tells as many
MOST_COMBO = 1_000_000
LONGEST_SHOWN = 60  # characters of what was given


class Malformed(ValueError):
    """A message that cannot be meant; its text says the thing, what was given and what is allowed."""


def read(line: bytes) -> dict[str, Any]:
    """Read one line as a message, an object with a type."""
    try:
        message = json.loads(
            line.decode(), parse_constant=lambda name: _refuse("a number", name, "finite ones")
        )
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(
            f"a line: given what is no JSON ({' '.join(str(error).split())[:LONGEST_SHOWN]})"
        ) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        _refuse("a message", message, "an object with a type")
    return message


def write(message: dict[str, Any]) -> str:
    """Write a message as one line, without its end."""
    return json.dumps(message, allow_nan=False)


def read_start(message: dict[str, Any]) -> Position:
    """Read the game that a `start` message tells."""
    board = _field(message, "board")
    if not isinstance(board, list) or len(board) != HEIGHT:
        _refuse("board", board, f"a list of {HEIGHT} rows, the lowest first")
    queue = _field(message, "queue")
    if not isinstance(queue, list) or len(queue) > MOST_PIECES:
        _refuse("queue", queue, f"a list of pieces, up to {MOST_PIECES:,}")
    hold, combo = _field(message, "hold"), _field(message, "combo")
    if isinstance(combo, bool) or not isinstance(combo, int) or not 0 <= combo <= MOST_COMBO:
        _refuse("combo", combo, f"a whole number from 0 to {MOST_COMBO:,}")
    back_to_back = _field(message, "back_to_back")
    if not isinstance(back_to_back, bool):
        _refuse("back_to_back", back_to_back, "true or false")
    return Position(
        rows=tuple(_read_row(f"board[{number}]", row) for number, row in enumerate(board)),
        queue=tuple(_read_piece(f"queue[{number}]", kind) for number, kind in enumerate(queue)),
        hold=None if hold is None else _read_piece("hold", hold),
        combo=combo,
        back_to_back=back_to_back,
        bag=_read_bag(message.get("randomizer")),
    )


def read_new_piece(message: dict[str, Any]) -> str:
    """Read the piece of a `new_piece` message."""
    return _read_piece("piece", _field(message, "piece"))


def read_play(message: dict[str, Any]) -> Move:
    """Read the move of a `play` message; a spin that is not told is none."""
    move = _field(message, "move")
    if not isinstance(move, dict):
        _refuse("move", move, "an object with location and spin")
    location = _field(move, "location", "move.")
    if not isinstance(location, dict):
        _refuse("move.location", location, "an object with type, orientation, x and y")
    inside = "move.location."
    orientation = _choose(f"{inside}orientation", _field(location, "orientation", inside), ORIENTATIONS)
    x, y = (_read_place(inside + name, _field(location, name, inside)) for name in ("x", "y"))
    return Move(
        kind=_read_piece(f"{inside}type", _field(location, "type", inside)),
        orientation=ORIENTATIONS.index(orientation),
        x=x,
        y=y,
        spin=_choose("move.spin", move.get("spin", "none"), SPINS),
    )


def move_data(move: Move) -> dict[str, Any]:
    """Return a move as JSON values."""
    location = {"type": move.kind, "orientation": ORIENTATIONS[move.orientation], "x": move.x, "y": move.y}
    return {"location": location, "spin": move.spin}


def _read_row(name: str, row: object) -> int:
    if not isinstance(row, list) or len(row) != WIDTH:
        _refuse(name, row, f"a list of {WIDTH} cells")
    bits = 0
    for x, cell in enumerate(row):
        if cell is not None and not isinstance(cell, str):
            _refuse(f"{name}[{x}]", cell, "null, or the name of what fills the cell")
        bits |= (cell is not None) << x
    return bits


def _read_bag(randomizer: object) -> frozenset[str] | None:
    """Return what a bag holds at the end of the queue; None of other randomizers."""
    if not isinstance(randomizer, dict) or randomizer.get("type") != "seven_bag":
        return None
    bag = _field(randomizer, "bag_state", "randomizer.")
    if not isinstance(bag, list) or not 1 <= len(bag) <= len(KINDS):
        _refuse("randomizer.bag_state", bag, f"a list of 1 to {len(KINDS)} pieces")
    kinds = [_read_piece(f"randomizer.bag_state[{number}]", kind) for number, kind in enumerate(bag)]
    if len(set(kinds)) < len(kinds):
        _refuse("randomizer.bag_state", bag, "each piece once")
    return frozenset(kinds)


def _read_piece(name: str, given: object) -> str:
    return _choose(name, given, KINDS)


def _read_place(name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        _refuse(name, given, "a whole number")
    return given


def _choose(name: str, given: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(given, str) or given not in allowed:
        _refuse(name, given, ", ".join(allowed) + (hint(given, allowed) if isinstance(given, str) else ""))
    return given


def _field(record: dict[str, Any], name: str, inside: str = "") -> Any:
    if name not in record:
        raise Malformed(f"{inside}{name}: given nothing; allowed: what the protocol asks for")
    return record[name]


def _refuse(thing: str, given: object, allowed: str) -> NoReturn:
    shown = repr(given)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
    raise Malformed(f"{thing}: given {shown}; allowed: {allowed}")
