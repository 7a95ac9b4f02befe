"""Where a piece can come to rest, found in plain Python by trying every move from every pose."""

from collections import deque

import numpy as np

from tests.reference.tables import ALL_CORNERS, CAN_SPIN, FACINGS, FRONTS, SHAPES, kick_tests, pairs
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State

Cells = list[tuple[int, int]]
Places = dict[tuple[int, int, int], set[int]]  # (orientation, x, y of the bounding box) -> spin classes


class Board:
    """A board of booleans and one kind of piece; everything outside is filled."""

    def __init__(self, rules: Rules, rows: np.ndarray, kind: int) -> None:
        self.rules, self.name = rules, rules.pieces[kind].name
        self.rows = [int(row) for row in rows]

    def filled(self, x: int, y: int) -> bool:
        inside = 0 <= x < self.rules.width and 0 <= y < len(self.rows)
        return not inside or bool(self.rows[y] >> x & 1)

    def cells(self, orientation: int, x: int, y: int) -> Cells:
        return [(x + dx, y + dy) for dx, dy in SHAPES[self.name][FACINGS[orientation]]]

    def fits(self, orientation: int, x: int, y: int) -> bool:
        return not any(self.filled(*cell) for cell in self.cells(orientation, x, y))

    def entrance(self) -> tuple[int, int, int]:
        """Where the piece spawns, on a board where it does not rise."""
        rules, box = self.rules, int(self.rules.tables.box[self.rules.pieces.index(self.piece)])
        y = rules.height + rules.spawn_row - min(dy for _, dy in SHAPES[self.name]["0"])
        x = (rules.width - box) // 2
        falls = rules.spawn_drop and self.fits(0, x, y) and self.fits(0, x, y - 1)
        return 0, x, y - falls

    @property
    def piece(self):
        return next(piece for piece in self.rules.pieces if piece.name == self.name)

    def turned(self, pose: tuple[int, int, int], turn: int) -> tuple[tuple[int, int, int], int] | None:
        orientation, x, y = pose
        target = (orientation + turn) % 4
        tests = kick_tests(self.rules.kicks, self.name, FACINGS[orientation] + FACINGS[target])
        for number, (dx, dy) in enumerate(tests):
            if self.fits(target, x + dx, y + dy):
                return (target, x + dx, y + dy), number + 8 * (turn == 2)
        return None

    def spin(self, pose: tuple[int, int, int], kick: int) -> int:
        orientation, x, y = pose
        if self.name not in CAN_SPIN or kick < 0:
            return 0
        if sum(self.filled(x + dx, y + dy) for dx, dy in pairs(ALL_CORNERS)) < 3:
            return 0
        front = all(self.filled(x + dx, y + dy) for dx, dy in FRONTS[FACINGS[orientation]])
        return 2 if front or kick == 4 else 1

    def places(self, pose: tuple[int, int, int], kick: int = -1) -> Places:
        """List every place at rest that can be reached from a pose, with the classes it can earn."""
        if not self.fits(*pose):
            return {}
        turns = (1, 3, 2) if self.rules.half_turns else (1, 3)
        seen, queue, found = {(pose, kick)}, deque([(pose, kick)]), {}
        while queue:
            pose, kick = queue.popleft()
            orientation, x, y = pose
            after = [((orientation, x + dx, y + dy), -1) for dx, dy in ((-1, 0), (1, 0), (0, -1))]
            after = [way for way in after if self.fits(*way[0])]
            if not self.fits(orientation, x, y - 1):
                cells = self.cells(*pose)
                corner = (orientation, min(x for x, _ in cells), min(y for _, y in cells))
                found.setdefault(corner, set()).add(self.spin(pose, kick))
            after += [way for turn in turns if (way := self.turned(pose, turn)) is not None]
            for way in after:
                if way not in seen:
                    seen.add(way)
                    queue.append(way)
        return found


def places(rules: Rules, state: State) -> tuple[Places, Places]:
    """List the places of the active piece from where it is, and of the one that hold brings (NumPy state)."""
    pose = (int(state.orientation), int(state.x), int(state.y))
    active = Board(rules, state.rows, int(state.piece)).places(pose, int(state.kick))
    if not rules.hold or state.hold_used or (state.hold < 0 and not rules.preview):
        return active, {}
    board = Board(rules, state.rows, int(state.hold if state.hold >= 0 else state.queue[0]))
    return active, board.places(board.entrance())


def cells_at(rules: Rules, kind: int, orientation: int, x: int, y: int) -> Cells:
    """List the cells of a piece by the lower-left corner of its bounding box."""
    shape = SHAPES[rules.pieces[kind].name][FACINGS[orientation]]
    left, bottom = min(dx for dx, _ in shape), min(dy for _, dy in shape)
    return [(x + dx - left, y + dy - bottom) for dx, dy in shape]


def placed(rules: Rules, rows: np.ndarray, cells: Cells) -> tuple[list[int], int]:
    """Return the rows after placing cells and clearing, and the lines."""
    board = [int(row) for row in rows]
    for x, y in cells:
        assert not board[y] >> x & 1
        board[y] |= 1 << x
    kept = [row for row in board if row != (1 << rules.width) - 1]
    lines = len(board) - len(kept)
    return kept + [0] * lines, lines
