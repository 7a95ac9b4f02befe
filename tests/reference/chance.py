"""Where pieces and holes come from in the reference game.

Chance comes from outside: `draw_word(n)` gives the 32-bit number of draw n, `seed` starts TETR.IO's generator.
"""

from tests.reference.tables import TETRIO_BAG

HOLES = 2**31  # holes are drawn with the numbers from here on, pieces with those below
MODULUS = 2147483647  # of MINSTD, the generator of TETR.IO


class Chance:
    """The part of a game that deals pieces and holes; needs `settings`."""

    def start_chance(self, draw_word, seed):
        self.draw_word = draw_word
        self.drawn = 0
        self.bag = list(self.settings.pieces) if self.settings.randomizer == "bag" else []
        self.generator = seed % MODULUS or MODULUS - 1

    def draw(self):
        """Deal one piece."""
        number, settings = self.drawn, self.settings
        self.drawn += 1
        if settings.randomizer == "list":
            return settings.sequence[number % len(settings.sequence)]
        if settings.randomizer == "uniform":
            return settings.pieces[self.draw_word(number) * len(settings.pieces) // 2**32]
        if settings.randomizer == "tetrio":
            first, *self.bag = self.bag or self.shuffled()
            return first
        bag = self.bag or list(settings.pieces)
        pick = self.draw_word(number) * len(bag) // 2**32
        self.bag = bag[:pick] + bag[pick + 1 :]
        return bag[pick]

    def shuffled(self):
        """Shuffle a bag as TETR.IO does: from the last place down, swap with any place up to it."""
        bag = list(TETRIO_BAG)
        for last in range(len(bag) - 1, 0, -1):
            self.generator = 16807 * self.generator % MODULUS
            pick = int((self.generator - 1) / 2147483646 * (last + 1))
            bag[last], bag[pick] = bag[pick], bag[last]
        return bag

    def draw_hole(self, number):
        """Draw the column of the hole of an arrival."""
        return self.draw_word(HOLES + number) * self.settings.width // 2**32
