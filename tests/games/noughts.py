"""Tic-tac-toe and connect four once more, in plain Python: a board is a tuple of cells, "X", "O" or "."."""

import functools
from collections.abc import Iterator

import numpy as np

from tetrax.games.in_a_row import InARow, InARowState

Board = tuple[str, ...]  # row by row from the top, as it is drawn


def read(drawing: str) -> Board:
    """Read a drawn board."""
    return tuple(cell for line in drawing.split("\n") for cell in line if cell in "XO.")


def state(env: InARow, board: Board) -> InARowState:
    """Return the position of a board, X having begun; it is over where somebody has won or no cell is free."""
    width, height = env.table.width, env.table.height
    rows = [[0] * height for _ in "XO"]
    for number, cell in enumerate(board):
        if cell != ".":
            rows["XO".index(cell)][height - 1 - number // width] |= 1 << number % width
    ended = winner(board, width, env.table.in_a_row) is not None or "." not in board
    player = sum(cell != "." for cell in board) % 2
    return InARowState(rows=np.array(rows, np.uint32), player=np.int32(player), over=np.bool_(ended))


def board_of(env: InARow, position: InARowState) -> Board:
    """Return the board of a position."""
    cells = []
    for y in range(env.table.height - 1, -1, -1):
        for x in range(env.table.width):
            stones = [int(position.rows[player, y]) >> x & 1 for player in range(2)]
            cells.append("X" if stones[0] else "O" if stones[1] else ".")
    return tuple(cells)


@functools.cache
def lines(width: int, height: int, count: int) -> list[list[int]]:
    """Return every row of `count` cells, as numbers of cells."""
    found = []
    for y in range(height):
        for x in range(width):
            for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
                cells = [(x + step * dx, y + step * dy) for step in range(count)]
                if all(0 <= cx < width and 0 <= cy < height for cx, cy in cells):
                    found.append([cy * width + cx for cx, cy in cells])
    return found


def winner(board: Board, width: int, count: int) -> str | None:
    """Return who has a row; None where nobody has."""
    for line in lines(width, len(board) // width, count):
        first = board[line[0]]
        if first != "." and all(board[cell] == first for cell in line):
            return first
    return None


def cell_of(action: int) -> int:
    """Return the cell of an action of tic-tac-toe: actions count from the lower left, cells from the upper left."""
    return (2 - action // 3) * 3 + action % 3


def moves(board: Board) -> Iterator[tuple[int, Board]]:
    """Yield the actions of tic-tac-toe and the boards they leave; none after the end."""
    if winner(board, 3, 3) is None:
        mover = "XO"[sum(cell != "." for cell in board) % 2]
        for action in range(9):
            cell = cell_of(action)
            if board[cell] == ".":
                yield action, (*board[:cell], mover, *board[cell + 1 :])


@functools.cache
def worth(board: Board) -> int:
    """Return what a position of tic-tac-toe is worth to who moves, by looking at everything."""
    if winner(board, 3, 3) is not None:
        return -1
    return max((-worth(after) for _, after in moves(board)), default=0)


def best(board: Board) -> set[int]:
    """Return the actions that keep what a position is worth."""
    return {action for action, after in moves(board) if -worth(after) == worth(board)}


@functools.cache
def all_positions() -> list[Board]:
    """Return every position of tic-tac-toe, ended ones too."""
    found, waiting = {(".",) * 9}, [(".",) * 9]
    while waiting:
        for _, after in moves(waiting.pop()):
            if after not in found:
                found.add(after)
                waiting.append(after)
    return sorted(found)
