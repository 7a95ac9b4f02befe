"""A slow Tetris in plain Python, written from the rules alone, to check the engine against.

Cells are letters in lists of lists, the bag is a list of names, nothing is packed and nothing is compiled.
Chance comes from outside: `draw_word(n)` gives the 32-bit number of draw n.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from tests.reference import tables
from tests.reference.tables import FACINGS, SHAPES

KEYS = ("left", "right", "rotate_cw", "rotate_ccw", "soft_drop", "hard_drop", "hold")
HIGHEST_SCORE = 2**31 - 1
PLAYING, BLOCK_OUT, LOCK_OUT = 0, 1, 2
NOT_LOCKED, BY_HARD_DROP, BY_SOFT_DROP, BY_DELAY, BY_PLACING = range(5)


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between two games, as plain values."""

    width: int = 10
    height: int = 20
    buffer: int = 20
    pieces: str = "IJLOSTZ"
    randomizer: str = "bag"
    kicks: str = "srs"
    hold: bool = True
    preview: int = 5
    gravity: str = "level"
    ticks_per_second: int = 10
    lock: str = "extended"
    spawn_drop: bool = True
    start_level: int = 1
    fixed_gravity: int = 0
    soft_drop_factor: int = 20
    lock_delay: int = 5
    lock_resets: int = 15


def gravity_of_level(level, ticks_per_second):
    """Fall per tick in 1/65536 cells: one row takes (0.8 - (L-1) 0.007)^(L-1) seconds, L at most 20."""
    step = min(level, 20) - 1
    seconds_per_row = (Fraction(8, 10) - step * Fraction(7, 1000)) ** step
    return math.ceil(65536 / seconds_per_row / ticks_per_second)


def empty_event():
    """What is reported about a tick in which nothing happens."""
    return {
        "locked": False,
        "lock_reason": NOT_LOCKED,
        "lines": 0,
        "spin": 0,
        "combo": -1,
        "back_to_back": False,
        "perfect_clear": False,
        "soft_cells": 0,
        "hard_cells": 0,
        "score": 0,
        "hold_refused": False,
        "game_over": PLAYING,
        "action_clipped": False,
    }


class Game:
    """One game; `tick` and `place` change it and return what happened as a dict."""

    def __init__(self, settings, draw_word):
        self.settings = settings
        self.draw_word = draw_word
        self.width = settings.width
        self.total_height = settings.height + settings.buffer
        self.cells = [[""] * self.width for _ in range(self.total_height)]  # bottom row first, replaced whole
        self.bag = list(settings.pieces) if settings.randomizer == "bag" else []
        self.drawn = 0
        self.held = ""
        self.hold_used = False
        self.score = self.lines = self.locked = self.ticks = 0
        self.combo = self.back_to_back = -1
        self.over = False
        self.gravity_table = [gravity_of_level(n, settings.ticks_per_second) for n in range(21)]
        first = self.draw()
        self.queue = [self.draw() for _ in range(settings.preview)]
        self.spawn(first)

    # chance

    def draw(self):
        """Take one piece out of the bag, or any piece when there is no bag."""
        word = self.draw_word(self.drawn)
        self.drawn += 1
        if self.settings.randomizer == "uniform":
            return self.settings.pieces[word * len(self.settings.pieces) // 2**32]
        if not self.bag:
            self.bag = list(self.settings.pieces)
        return self.bag.pop(word * len(self.bag) // 2**32)

    def next_piece(self):
        """Take the head of the queue and fill its tail; without a queue, draw."""
        self.queue.append(self.draw())
        return self.queue.pop(0)

    # where things are

    @property
    def level(self):
        return self.settings.start_level + self.lines // 10

    def filled(self, x, y):
        """Whether a cell is taken; everything outside the matrix is."""
        return not (0 <= x < self.width and 0 <= y < self.total_height) or self.cells[y][x] != ""

    def fits(self, name, facing, x, y):
        """Whether a piece with its box's lower-left corner at (x, y) touches nothing."""
        cells, width, total_height = self.cells, self.width, self.total_height
        for dx, dy in SHAPES[name][facing]:
            column, row = x + dx, y + dy
            if not (0 <= column < width and 0 <= row < total_height) or cells[row][column]:
                return False
        return True

    def cells_at(self, name, facing, x, y):
        return [(x + dx, y + dy) for dx, dy in SHAPES[name][facing]]

    def active_fits(self, dx, dy):
        return self.fits(self.name, self.facing, self.x + dx, self.y + dy)

    def stack_height(self):
        """Return the number of rows up to the highest filled cell."""
        height = self.total_height
        while height > 0 and not any(self.cells[height - 1]):
            height -= 1
        return height

    def spawn(self, name):
        """Bring a piece in at the top, facing north; return whether it fits."""
        self.name, self.facing = name, "0"
        self.x, self.y, fits = self.entrance(name)
        self.lowest = self.y
        self.fraction = 0
        self.lock_timer = -1
        self.resets = 0
        self.kick = -1
        return fits

    def entrance(self, name):
        """Find where a piece appears (x, y) and whether there is room for it."""
        x = (self.width - tables.BOX[name]) // 2
        y = self.settings.height - min(dy for _, dy in SHAPES[name]["0"])
        fits = self.fits(name, "0", x, y)
        if self.settings.spawn_drop and fits and self.fits(name, "0", x, y - 1):
            y -= 1  # a piece that is blocked out stays where it appeared
        return x, y, fits

    # one tick

    def tick(self, keys):
        """Play one tick with a set of pressed keys."""
        event = empty_event()
        if self.over:
            return event
        self.ticks += 1
        if "hold" in keys and not self.swap_hold(event):
            self.gain(event)
            return event
        turned = self.turn(keys)
        moved = self.shift(keys) or turned
        if "hard_drop" in keys:
            event["hard_cells"] = self.fall(self.total_height)
            event["score"] += 2 * event["hard_cells"]
            self.lock(event, BY_HARD_DROP)
        else:
            self.gravitate("soft_drop" in keys, event)
            if self.wait_on_ground(moved):
                self.lock(event, BY_SOFT_DROP if "soft_drop" in keys else BY_DELAY)
        self.gain(event)
        return event

    def gain(self, event):
        self.score = min(self.score + event["score"], HIGHEST_SCORE)

    def swap_hold(self, event):
        """Try to swap with the held piece; return whether the game goes on."""
        if not self.settings.hold or self.hold_used:
            event["hold_refused"] = True
            return True
        incoming = self.held or self.next_piece()
        self.held = self.name
        self.hold_used = True
        if not self.spawn(incoming):
            self.over = True
            event["game_over"] = BLOCK_OUT
        return not self.over

    def turn(self, keys):
        """Rotate if exactly one rotation key is down and some kick test fits; return whether it did."""
        if ("rotate_cw" in keys) == ("rotate_ccw" in keys):
            return False
        step = 1 if "rotate_cw" in keys else -1
        facing = FACINGS[(FACINGS.index(self.facing) + step) % 4]
        for index, (dx, dy) in enumerate(self.kick_tests(self.facing + facing)):
            if self.fits(self.name, facing, self.x + dx, self.y + dy):
                self.facing = facing
                self.x += dx
                self.y += dy
                self.kick = index
                return True
        return False

    def kick_tests(self, turn):
        """List where the active piece is tried, in order, for a turn such as "0R"."""
        return tables.kick_tests(self.name, turn) if self.settings.kicks == "srs" else [(0, 0)]

    def shift(self, keys):
        """Go one column sideways if exactly one of the two keys is down and there is room."""
        dx = ("right" in keys) - ("left" in keys)
        if dx == 0 or not self.active_fits(dx, 0):
            return False
        self.x += dx
        self.kick = -1
        return True

    def fall(self, at_most):
        """Fall until something is in the way; return the number of cells."""
        cells = 0
        while cells < at_most and self.active_fits(0, -1):
            self.y -= 1
            cells += 1
        if cells > 0:
            self.kick = -1
        return cells

    def speed(self, soft):
        """Fall per tick in 1/65536 cells."""
        fixed = self.settings.gravity == "fixed"
        speed = self.settings.fixed_gravity if fixed else self.gravity_table[min(self.level, 20)]
        return speed * self.settings.soft_drop_factor if soft else speed

    def gravitate(self, soft, event):
        """Add this tick's share of gravity and fall by the whole cells of it."""
        whole, self.fraction = divmod(self.fraction + self.speed(soft), 65536)
        cells = self.fall(whole)
        if soft:
            event["soft_cells"] = cells
            event["score"] += cells
        if not self.active_fits(0, -1):
            self.fraction = 0

    def wait_on_ground(self, moved):
        """Run the lock delay; return whether the piece's time is over."""
        if self.y < self.lowest:
            self.lowest = self.y
            self.resets = 0
            self.lock_timer = -1
        elif moved and self.lock_timer >= 0 and self.may_restart():
            self.resets += 1
            self.lock_timer = -1
        if self.active_fits(0, -1):
            return False
        self.lock_timer += 1
        return self.lock_timer >= self.settings.lock_delay

    def may_restart(self):
        if self.settings.lock == "extended":
            return self.resets < self.settings.lock_resets
        return self.settings.lock == "infinite"

    # locking

    def lock(self, event, reason):
        """Fix the active piece, clear full rows, pay for it, and bring in the next piece."""
        shape = self.cells_at(self.name, self.facing, self.x, self.y)
        event["locked"] = True
        event["lock_reason"] = reason
        event["spin"] = self.spin()
        self.locked += 1
        lock_out = all(y >= self.settings.height for _, y in shape)

        cells = [list(row) for row in self.cells]
        for x, y in shape:
            cells[y][x] = self.name
        remaining = [row for row in cells if not all(row)]
        lines = event["lines"] = self.total_height - len(remaining)
        self.cells = remaining + [[""] * self.width for _ in range(lines)]
        event["perfect_clear"] = lines > 0 and not any(any(row) for row in self.cells)
        event["score"] += self.pay(event) * self.level  # the level of before the clear
        self.lines += lines

        self.hold_used = False
        blocked = not self.spawn(self.next_piece())
        if lock_out or blocked:
            self.over = True
            event["game_over"] = LOCK_OUT if lock_out else BLOCK_OUT

    def spin(self):
        """Judge a T-spin before the piece is placed: 0 none, 1 mini, 2 full."""
        if self.name not in tables.CAN_SPIN or self.kick < 0:
            return 0
        if sum(self.filled(self.x + dx, self.y + dy) for dx, dy in tables.CORNERS) < 3:
            return 0
        front = all(self.filled(self.x + dx, self.y + dy) for dx, dy in tables.FRONTS[self.facing])
        return 2 if front or self.kick == 4 else 1

    def pay(self, event):
        """Count a lock's points without the level factor; update combo and back-to-back."""
        lines, spin = event["lines"], event["spin"]
        points = (tables.CLEAR, tables.MINI_SPIN, tables.FULL_SPIN)[spin][lines]
        self.combo = self.combo + 1 if lines else -1
        event["combo"] = self.combo
        if lines == 0:
            return points
        difficult = lines == 4 or spin > 0
        if difficult:
            event["back_to_back"] = self.back_to_back >= 0
            points = points * 3 // 2 if event["back_to_back"] else points
        self.back_to_back = self.back_to_back + 1 if difficult else -1
        points += 50 * self.combo
        if event["perfect_clear"]:
            tetris_again = lines == 4 and event["back_to_back"]
            points += tables.SECOND_TETRIS_PERFECT_CLEAR if tetris_again else tables.PERFECT_CLEAR[lines]
        return points

    # whole pieces at once

    def num_placements(self):
        return 4 * self.width * (2 if self.settings.hold else 1)

    def placements(self):
        """Find where each placement comes to rest: {index: (hold first, facing, x, y)}, legal ones only.

        Index a means facing a // width and leftmost column a % width; a second half holds first.
        """
        found, seen, stack = {}, set(), self.stack_height()
        for hold_first in (False, True):
            piece = self.piece_to_place(hold_first)
            if piece is None:
                continue
            name, spawn_x, spawn_y = piece
            held = self.name if hold_first else self.held
            for number, facing in enumerate(FACINGS):
                left = min(dx for dx, _ in SHAPES[name][facing])
                for x in self.free_way(name, facing, spawn_x, spawn_y):
                    y = self.landing(name, facing, x, min(spawn_y, stack))  # nothing is above the stack
                    after = (held, frozenset(self.cells_at(name, facing, x, y)))
                    if after not in seen:
                        seen.add(after)
                        found[(4 * hold_first + number) * self.width + x + left] = (hold_first, facing, x, y)
        return found

    def piece_to_place(self, hold_first):
        """Return (name, x, y at spawn) of the active piece or of the one that hold would bring, if it may."""
        if self.over:
            return None
        if not hold_first:
            return self.name, self.x, self.y
        if not self.settings.hold or self.hold_used or not (self.held or self.queue):
            return None
        name = self.held or self.queue[0]
        x, y, fits = self.entrance(name)
        return (name, x, y) if fits else None

    def free_way(self, name, facing, start, y):
        """List the x that a piece reaches sideways from its spawn column in its row, in order."""
        if not self.fits(name, facing, start, y):
            return []
        first = last = start
        while self.fits(name, facing, first - 1, y):
            first -= 1
        while self.fits(name, facing, last + 1, y):
            last += 1
        return range(first, last + 1)

    def landing(self, name, facing, x, y):
        """Return the y at which a piece dropped straight down comes to rest."""
        while self.fits(name, facing, x, y - 1):
            y -= 1
        return y

    def place(self, placement):
        """Play one whole piece, an item of `placements`; None, an illegal one, only lets time pass."""
        event = empty_event()
        if self.over:
            return event
        self.ticks += 1
        if placement is None:
            return event
        hold_first, facing, x, y = placement
        if hold_first:
            self.swap_hold(event)
        event["hard_cells"] = self.y - y
        event["score"] = 2 * event["hard_cells"]
        self.facing, self.x, self.y = facing, x, y
        self.lock(event, BY_PLACING)
        self.gain(event)
        return event
