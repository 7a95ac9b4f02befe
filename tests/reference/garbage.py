"""Garbage in the reference game: how much a clear sends, what waits, and how it enters."""

import math

from tests.reference import tables

QUEUE = 16  # packets that can wait apart


def attack(settings, lines, spin, combo, back_to_back, paid):
    """Count the rows that a clear sends; combo and back-to-back as they are after it."""
    rows = tables.clear_attack(settings.attack, lines, spin)
    if settings.attack == "tetrio":
        return multiplied(settings, tetrio_rows(rows, combo, back_to_back))
    return multiplied(settings, rows + paid + tables.combo_attack(settings.attack, combo))


def tetrio_rows(rows, combo, back_to_back):
    """Add TETR.IO's back-to-back chaining, and multiply by its combo."""
    if back_to_back >= 1:
        log = math.log1p(0.8 * back_to_back)
        rows += math.floor(1 + log) + (0 if back_to_back == 1 else (1 + log % 1) / 3)
    if combo >= 1:
        rows *= 1 + 0.25 * combo
    if combo >= 2:
        rows = max(rows, math.log1p(1.25 * combo))
    return rows


def multiplied(settings, rows):
    return math.floor(settings.garbage_multiplier / 256 * rows)


class Garbage:
    """The part of a game that takes garbage; needs `settings`, `cells`, `ticks` and `draw_hole`."""

    def start_garbage(self):
        self.waiting = []  # packets (rows, hole, first tick at whose lock it may enter), oldest first
        self.received = 0  # packets that ever arrived
        self.garbage_height = 0  # rows from the floor that are garbage
        if self.settings.garbage:
            count = self.settings.starting_garbage
            rows = [self.garbage_row(self.draw_hole(number)) for number in range(count)]
            self.cells = rows + self.cells[count:]
            self.received = self.garbage_height = count

    def garbage_row(self, hole):
        return ["" if x == hole else "g" for x in range(self.width)]

    def timer(self):
        """Let the timer's packet arrive when it is time."""
        interval = self.settings.garbage_interval
        if self.settings.garbage and interval > 0 and self.ticks % interval == 0:
            self.receive(self.settings.garbage_rows)

    def receive(self, rows, hole=None):
        """Take a packet; with the queue full its rows go to the newest one. None draws the hole."""
        if rows < 1 or self.over:
            return
        if hole is None:
            hole = self.draw_hole(self.received)
        self.received += 1
        if len(self.waiting) == QUEUE:
            newest_rows, newest_hole, ready = self.waiting[-1]
            self.waiting = [*self.waiting[:-1], (newest_rows + rows, newest_hole, ready)]
        else:
            self.waiting = [*self.waiting, (rows, hole, self.ticks + self.settings.garbage_delay)]

    def cancel(self, rows):
        """Let an attack meet waiting packets, oldest first; return what is left of it."""
        remaining = []
        for packet, hole, ready in self.waiting:
            met = min(packet, rows)
            rows -= met
            if packet > met:
                remaining.append((packet - met, hole, ready))
        self.waiting = remaining
        return rows

    def let_in(self):
        """Let in the packets that are ready, oldest first; return (rows entered, any cell pushed out)."""
        cells, pushed_out = self.cells, False
        entered, cap = 0, self.settings.garbage_cap
        while entered < cap and self.waiting and self.ticks >= self.waiting[0][2]:
            rows, hole, ready = self.waiting[0]
            self.waiting = self.waiting[1:] if rows == 1 else [(rows - 1, hole, ready), *self.waiting[1:]]
            pushed_out = pushed_out or any(cells[-1])
            cells = [self.garbage_row(hole), *cells[:-1]]
            entered += 1
        self.cells = cells
        self.garbage_height += entered
        return entered, pushed_out
