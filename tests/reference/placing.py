"""Whole pieces at once in the reference game: a piece is turned and shifted at the top and dropped straight."""

from tests.reference.tables import FACINGS, SHAPES


class Placing:
    """The part of a game that places whole pieces."""

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
                for x in self.ways_down(name, facing, spawn_x, spawn_y):
                    y = self.landing(name, facing, x, self.start_of_fall(spawn_y, stack))
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

    def ways_down(self, name, facing, start, y):
        """List the x from which a piece may be dropped, in order.

        It is shifted there from its spawn column in its row, or, when only the stack's height ends games,
        put there from above everything.
        """
        if self.settings.top_out == "stack":
            columns = [dx for dx, _ in SHAPES[name][facing]]
            return range(-min(columns), self.width - max(columns))
        if not self.fits(name, facing, start, y):
            return []
        first = last = start
        while self.fits(name, facing, first - 1, y):
            first -= 1
        while self.fits(name, facing, last + 1, y):
            last += 1
        return range(first, last + 1)

    def start_of_fall(self, spawn_y, stack):
        """Return a y with the box above the stack, or lower where the piece's way began lower."""
        return stack if self.settings.top_out == "stack" else min(spawn_y, stack)

    def landing(self, name, facing, x, y):
        """Return the y at which a piece dropped straight down comes to rest."""
        while self.fits(name, facing, x, y - 1):
            y -= 1
        return y

    def place(self, placement):
        """Play one whole piece, an item of `placements`; None, an illegal one, only lets time pass."""
        event = self.begin()
        if self.over or placement is None:
            return event
        hold_first, facing, x, y = placement
        if hold_first:
            self.swap_hold(event)
        event["hard_cells"] = max(0, self.y - y)
        event["score"] = 2 * event["hard_cells"]
        self.facing, self.x, self.y, self.kick = facing, x, y, -1
        self.lock(event, "placing")
        self.gain(event)
        return event
