"""Several reference games that send each other garbage, in plain Python, written from docs/versus.md alone."""

from tests.reference.chance import HOLES


class Versus:
    """Players who place whole pieces, each in a `Game`; `luck(player, n)` is word n of a player's luck."""

    def __init__(self, games, luck, targets):
        self.games = games
        self.luck = luck
        self.targets = targets
        self.fallen = [False] * len(games)
        self.steps = 0

    @property
    def over(self):
        return self.fallen.count(False) <= 1

    def step(self, placements):
        """Place a piece of each player (None: nothing legal); return what happened in all."""
        was_over, count = self.over, len(self.games)
        self.steps += not was_over
        events = [game.place(placement) for game, placement in zip(self.games, placements, strict=True)]
        fell = [game.over and not before for game, before in zip(self.games, self.fallen, strict=True)]
        if was_over:
            fell = [False] * count
        self.fallen = [a or b for a, b in zip(self.fallen, fell, strict=True)]
        exchanged = [[0] * count for _ in range(count)]
        if not self.over:
            for sender, event in enumerate(events):
                if not self.fallen[sender]:
                    self.send(exchanged[sender], sender, sum(event["sent"]))
            for player in range(count):
                for behind in range(1, count):
                    self.receive(player, exchanged[(player - behind) % count][player])
        winner = -1
        if self.over:
            if not was_over and False in self.fallen:
                winner = self.fallen.index(False)
            for game in self.games:
                game.over = True
        return {
            "events": events,
            "exchanged": exchanged,
            "fell": fell,
            "ended": self.over and not was_over,
            "winner": winner,
        }

    def send(self, row, sender, rows):
        """Share rows out among those who stand, the nearest first."""
        count = len(self.games)
        others = [(sender + ahead) % count for ahead in range(1, count)]
        others = [player for player in others if not self.fallen[player]]
        if self.targets == "next":
            row[others[0]] = rows
        elif self.targets == "random":
            row[others[self.luck(sender, self.steps) * len(others) // 2**32]] = rows
        else:
            for place, player in enumerate(others):
                row[player] = rows // len(others) + (place < rows % len(others))

    def receive(self, player, rows):
        """Let a packet wait, with a hole by the luck of who gets it."""
        game = self.games[player]
        if rows and not game.over:
            game.receive(rows, self.luck(player, HOLES + game.received) * game.width // 2**32)
