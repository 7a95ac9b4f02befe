"""A front end in plain Python: it knows the rules by itself, asks a bot by its lines, and plays what it says."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from tests.env.ways import Board
from tests.reference.tables import CELLS, pairs
from tetrax.env.game.rules import RULE_PRESETS, Rules
from tetrax.live.bot.conversation import Conversation

GUIDELINE = RULE_PRESETS["guideline"]
ORIENTATIONS = ("north", "east", "south", "west")
# The centre in the box that CELLS are in, "xy" by orientation.
CENTRES = {"I": "12 22 21 11", "O": "00 01 11 10"}


def ask(bot: Conversation, **message: Any) -> Any:
    """Say a message to a bot and return its answer."""
    return bot.answer(json.dumps(message).encode())


def read_cells(location: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the cells that a location of the protocol fills."""
    number = ORIENTATIONS.index(location["orientation"])
    centre_x, centre_y = pairs(CENTRES.get(location["type"], "11 11 11 11"))[number]
    shape = pairs(CELLS[location["type"]][number])
    return [(location["x"] + x - centre_x, location["y"] + y - centre_y) for x, y in shape]


class FrontEnd:
    """One game by the rules of the guideline, with a queue of any length."""

    def __init__(self, bot: Conversation, seed: int, queue_length: int = 6, rules: Rules = GUIDELINE) -> None:
        self.bot, self.rules, self.chance = bot, rules, random.Random(seed)
        self.bag: list[str] = []
        self.queue = [self.draw() for _ in range(queue_length)]
        self.hold: str | None = None
        self.rows = np.zeros(40, np.uint32)
        self.combo, self.back_to_back, self.spins = 0, False, 0

    def draw(self) -> str:
        self.bag = self.bag or self.chance.sample("IJLOSTZ", 7)
        return self.bag.pop()

    def start(self) -> None:
        """Tell the game as it stands."""
        board = [["G" if int(row) >> x & 1 else None for x in range(10)] for row in self.rows]
        told = {
            "hold": self.hold,
            "queue": self.queue,
            "combo": self.combo,
            "back_to_back": self.back_to_back,
        }
        bag = {"type": "seven_bag", "bag_state": self.bag or list("IJLOSTZ")}
        assert ask(self.bot, type="start", board=board, randomizer=bag, **told) is None

    def play(self) -> bool:
        """Play the bot's first move, which must be one that can be made; False where it has none."""
        answer = ask(self.bot, type="suggest")
        assert answer["type"] == "suggestion"
        if not answer["moves"]:
            return False
        self.check(answer["moves"])
        self.place(answer["moves"][0])
        assert ask(self.bot, type="play", move=answer["moves"][0]) is None
        self.queue.append(self.draw())
        assert ask(self.bot, type="new_piece", piece=self.queue[-1]) is None
        known = self.bot.position
        assert known is not None
        assert known.rows == tuple(self.rows.tolist())
        assert (known.queue, known.hold) == (tuple(self.queue), self.hold)
        assert (known.combo, known.back_to_back) == (self.combo, self.back_to_back)
        assert known.bag == frozenset(self.bag or "IJLOSTZ")
        return True

    def check(self, moves: list[dict[str, Any]]) -> None:
        """Check that pieces can get to their places, rest there, and earn the spins that are told."""
        names = [piece.name for piece in self.rules.pieces]
        spins: dict[str, dict[frozenset[Any], set[int]]] = {}
        for kind in (self.queue[0], self.hold or self.queue[1]):
            board = Board(self.rules, self.rows, names.index(kind))
            found = spins.setdefault(kind, {})
            for pose, classes in board.places(board.entrance()).items():
                found.setdefault(corner_cells(board, *pose), set()).update(classes)
        for move in moves:
            ways = spins[move["location"]["type"]].get(frozenset(read_cells(move["location"])), set())
            assert move["spin"] in [("none", "mini", "full")[spin] for spin in ways], f"no way to {move}"

    def place(self, move: dict[str, Any]) -> None:
        """Fill the cells, clear, and count."""
        kind, spun = move["location"]["type"], move["spin"] != "none"
        active = self.queue.pop(0)
        if kind != active:
            brought = self.hold or self.queue.pop(0)
            assert kind == brought
            self.hold = active
        for x, y in read_cells(move["location"]):
            assert not self.rows[y] >> np.uint32(x) & np.uint32(1)
            self.rows[y] |= np.uint32(1 << x)
        kept = self.rows[self.rows != 1023]
        lines = 40 - len(kept)
        self.rows = np.concatenate([kept, np.zeros(lines, np.uint32)])
        self.combo = self.combo + 1 if lines else 0
        self.spins += spun
        if lines:
            self.back_to_back = spun or lines == 4


def corner_cells(board: Board, orientation: int, x: int, y: int) -> frozenset[Any]:
    """Return the cells of a piece by the lower-left corner of its bounding box."""
    cells = board.cells(orientation, 0, 0)
    left, bottom = min(dx for dx, _ in cells), min(dy for _, dy in cells)
    return frozenset((x + dx - left, y + dy - bottom) for dx, dy in cells)
