"""A slow Tetris in plain Python, written from the rules alone, to check the engine against.

Cells are letters in lists of lists, the bag is a list of names, nothing is packed and nothing is compiled.
"""

import math
from fractions import Fraction

from tests.reference import garbage, tables
from tests.reference.chance import Chance
from tests.reference.garbage import Garbage
from tests.reference.placing import Placing
from tests.reference.settings import Settings
from tests.reference.tables import FACINGS, SHAPES

KEYS = ("left", "right", "rotate_cw", "rotate_ccw", "rotate_180", "soft_drop", "hard_drop", "hold")
HIGHEST_SCORE = 2**31 - 1
LOCK_REASONS = ("not", "hard drop", "soft drop", "delay", "placing")
NOT_LOST, BLOCK_OUT, LOCK_OUT, GARBAGE_OUT, STACK_OUT = range(5)
HALF_TURN = 8  # added to the number of a half turn's kick test
MARGIN = 8  # cells around the matrix that a piece may be tried in


def gravity_of_level(level, ticks_per_second):
    """Fall per tick in 1/65536 cells: one row takes (0.8 - (L-1) 0.007)^(L-1) seconds, L at most 20."""
    step = min(level, 20) - 1
    seconds_per_row = (Fraction(8, 10) - step * Fraction(7, 1000)) ** step
    return math.ceil(65536 / seconds_per_row / ticks_per_second)


class Game(Chance, Garbage, Placing):
    """One game; `tick` and `place` change it and return what happened as a dict."""

    def __init__(self, settings: Settings, draw_word, seed=0):
        self.settings = settings
        self.width = settings.width
        self.total_height = settings.height + settings.buffer
        self.stride = self.width + 2 * MARGIN
        self.offsets = tables.offsets(self.stride)
        self.cells = self.no_cells()
        self.held = ""
        self.hold_used = False
        self.score = self.lines = self.locked = self.ticks = 0
        self.combo = self.back_to_back = -1
        self.lives = settings.lives
        self.over = False
        self.speeds = {}
        self.start_chance(draw_word, seed)
        self.start_garbage()
        first = self.draw()
        self.queue = [self.draw() for _ in range(settings.preview)]
        self.spawn(first)

    def next_piece(self):
        """Take the head of the queue and fill its tail; without a queue, draw."""
        first, *self.queue = [*self.queue, self.draw()]
        return first

    # where things are

    @property
    def cells(self):
        """The matrix, bottom row first, a letter for each filled cell; replaced whole, never changed."""
        return self._cells

    @cells.setter
    def cells(self, cells):
        self._cells = cells
        # The same row after row in one list, with filled cells around: quicker to look at.
        wall = [True] * MARGIN
        outside = [True] * (self.stride * MARGIN)
        inside = [mark != "" for row in cells for mark in (*wall, *row, *wall)]
        self.solid = outside + inside + outside

    def no_cells(self):
        return [[""] * self.width for _ in range(self.total_height)]

    @property
    def level(self):
        return self.settings.start_level + self.lines // 10

    def filled(self, x, y):
        """Whether a cell is taken; everything outside the matrix is."""
        return self.solid[(y + MARGIN) * self.stride + x + MARGIN]

    def fits(self, name, facing, x, y):
        """Whether a piece with its box's lower-left corner at (x, y) touches nothing."""
        solid = self.solid
        corner = (y + MARGIN) * self.stride + x + MARGIN
        for offset in self.offsets[name][facing]:  # noqa: SIM110, which is half as fast
            if solid[corner + offset]:
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
        y = self.entrance_row(name)
        if self.fits(name, "0", x, y):
            drops = self.settings.spawn_drop and self.fits(name, "0", x, y - 1)
            return x, y - 1 if drops else y, True
        if self.settings.spawn_rise and self.combo >= 0:  # the last lock cleared lines
            for higher in range(y + 1, self.total_height):
                if self.fits(name, "0", x, higher):
                    return x, higher, True
        return x, y, False  # a piece that is blocked out stays where it appeared

    def entrance_row(self, name):
        """Return the y of a new piece whose lowest cell is `spawn_row` above the visible rows."""
        return self.settings.height + self.settings.spawn_row - min(dy for _, dy in SHAPES[name]["0"])

    # one tick

    def begin(self):
        """Let a tick go by, unless the game is over; return what is reported when nothing happens in it."""
        if not self.over:
            self.ticks += 1
            self.timer()
        return {
            "locked": False,
            "lock_reason": 0,
            "lines": 0,
            "spin": 0,
            "combo": -1,
            "back_to_back": False,
            "perfect_clear": False,
            "soft_cells": 0,
            "hard_cells": 0,
            "score": 0,
            "pieces": self.locked,
            "attack": (0, 0),
            "sent": (0, 0),
            "garbage_received": 0,
            "garbage_cleared": 0,
            "hold_refused": False,
            "life_lost": False,
            "game_over": NOT_LOST,
            "action_clipped": False,
        }

    def tick(self, keys):
        """Play one tick with a set of pressed keys."""
        event = self.begin()
        if self.over or ("hold" in keys and not self.swap_hold(event)):
            return event
        turned = self.turn(keys)
        moved = self.shift(keys) or turned
        if "hard_drop" in keys:
            event["hard_cells"] = self.fall(self.total_height)
            event["score"] += 2 * event["hard_cells"]
            self.lock(event, "hard drop")
        else:
            self.gravitate("soft_drop" in keys, event)
            if self.wait_on_ground(moved):
                self.lock(event, "soft drop" if "soft_drop" in keys else "delay")
        self.gain(event)
        return event

    def gain(self, event):
        self.score = min(self.score + event["score"], HIGHEST_SCORE)

    def swap_hold(self, event):
        """Try to swap with the held piece; return whether play goes on in this tick."""
        if not self.settings.hold or self.hold_used:
            event["hold_refused"] = True
            return True
        incoming = self.held or self.next_piece()
        self.held = self.name
        self.hold_used = True
        if not self.spawn(incoming):
            self.lose(event, BLOCK_OUT)
        return not event["life_lost"]

    def turn(self, keys):
        """Rotate if exactly one quarter turn is asked for, or else a half turn, and some kick test fits."""
        if ("rotate_cw" in keys) != ("rotate_ccw" in keys):
            step = 1 if "rotate_cw" in keys else 3
        elif "rotate_180" in keys and self.settings.kicks in tables.HAVE_HALF_TURNS:
            step = 2
        else:
            return False
        facing = FACINGS[(FACINGS.index(self.facing) + step) % 4]
        for index, (dx, dy) in enumerate(self.kick_tests(self.facing + facing)):
            if self.fits(self.name, facing, self.x + dx, self.y + dy):
                self.facing = facing
                self.x += dx
                self.y += dy
                self.kick = index + HALF_TURN * (step == 2)
                return True
        return False

    def kick_tests(self, turn):
        """List where the active piece is tried, in order, for a turn such as "0R"."""
        return tables.kick_tests(self.settings.kicks, self.name, turn)

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
        if self.settings.gravity == "fixed":
            speed = self.settings.fixed_gravity
        else:
            level = min(self.level, 20)
            if level not in self.speeds:
                self.speeds[level] = gravity_of_level(level, self.settings.ticks_per_second)
            speed = self.speeds[level]
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
            if self.settings.lock != "step_count":
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
        """Fix the active piece, clear full rows, pay for it, take garbage, and bring in the next piece."""
        shape = self.cells_at(self.name, self.facing, self.x, self.y)
        event["locked"] = True
        event["lock_reason"] = LOCK_REASONS.index(reason)
        event["spin"] = self.spin()
        self.locked += 1
        event["pieces"] = self.locked
        whole_above = all(y >= self.settings.height for _, y in shape)
        self.clear(shape, event)
        event["score"] += self.pay(event) * self.level  # the level of before the clear
        self.lines += event["lines"]
        pushed_out = self.exchange_garbage(event)

        lost = NOT_LOST
        if pushed_out:
            lost = GARBAGE_OUT
        elif self.settings.top_out == "guideline" and whole_above:
            lost = LOCK_OUT
        elif self.settings.top_out == "stack" and self.stack_height() > self.settings.height:
            lost = STACK_OUT
        self.hold_used = False
        if not self.spawn(self.next_piece()) and lost == NOT_LOST:
            lost = BLOCK_OUT
        if lost != NOT_LOST:
            self.lose(event, lost)

    def clear(self, shape, event):
        """Fill the cells of a piece and take the full rows out."""
        cells = list(self.cells)
        for x, y in shape:
            cells[y] = [*cells[y][:x], self.name, *cells[y][x + 1 :]]
        full = [y for y, row in enumerate(cells) if all(row)]
        event["lines"] = len(full)
        event["garbage_cleared"] = sum(y < self.garbage_height for y in full)
        self.garbage_height -= event["garbage_cleared"]
        self.cells = [row for row in cells if not all(row)] + self.no_cells()[: len(full)]
        event["perfect_clear"] = len(full) > 0 and self.stack_height() == 0

    def spin(self):
        """Judge a T-spin before the piece is placed: 0 none, 1 mini, 2 full."""
        if self.name not in tables.CAN_SPIN or self.kick < 0:
            return 0
        if sum(self.filled(self.x + dx, self.y + dy) for dx, dy in tables.CORNERS) < 3:
            return 0
        front = all(self.filled(self.x + dx, self.y + dy) for dx, dy in tables.FRONTS[self.facing])
        if self.settings.spins == "jstris" and self.fits(self.name, self.facing, self.x, self.y + 1):
            return 0
        fifth = self.kick == 4 and (self.settings.spins != "tetrio" or self.facing in "RL")
        return 2 if front or fifth else 1

    def pay(self, event):
        """Count a lock's points without the level factor, and its attack; update combo and back-to-back."""
        lines, spin = event["lines"], event["spin"]
        points = tables.POINTS[tables.clear_name(lines, spin)]
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
            second = "second " * (lines == 4 and event["back_to_back"])
            points += tables.POINTS[f"empty by {second}{tables.clear_name(lines, 0)}"]
        by_clear = garbage.attack(
            self.settings, lines, spin, self.combo, self.back_to_back, event["back_to_back"]
        )
        if self.settings.attack == "jstris" and event["perfect_clear"]:
            by_clear = 0
        extra = garbage.multiplied(self.settings, tables.PERFECT_CLEAR_ATTACK * event["perfect_clear"])
        event["attack"] = (by_clear, extra)
        return points

    def exchange_garbage(self, event):
        """Cancel what waits, send the rest, let in what is ready; return whether cells were pushed out."""
        by_clear, extra = event["attack"]
        event["sent"] = (self.cancel(by_clear), self.cancel(extra))
        if event["lines"] > 0 and self.settings.garbage_blocking:
            return False
        event["garbage_received"], pushed_out = self.let_in()
        return pushed_out

    def lose(self, event, reason):
        """Take a life; while there is another, the newest piece enters an empty matrix."""
        event["life_lost"] = True
        event["game_over"] = reason
        self.lives -= 1
        self.over = self.lives == 0
        if not self.over:
            self.cells = self.no_cells()
            self.waiting = []
            self.garbage_height = 0
            self.combo = self.back_to_back = -1
            self.spawn(self.name)
