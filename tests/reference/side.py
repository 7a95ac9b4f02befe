"""The reference's half of a comparison: it plays, chooses every action, and writes down what happened."""

import dataclasses
import random
from collections import Counter

import numpy as np

from tests.reference import starts
from tests.reference.game import KEYS, LOCK_OUT, Game, Settings
from tests.reference.players import Player, best_place
from tests.reference.tables import FACINGS, KICK_LIKE_I

STATE_FIELDS = (
    *("rows", "piece", "orientation", "x", "y", "hold", "hold_used", "queue", "draws", "bag"),
    *("gravity_accumulator", "lock_timer", "lock_resets", "lowest_y", "kick"),
    *("score", "lines", "pieces", "combo", "back_to_back", "ticks", "game_over"),
)
EVENT_FIELDS = (
    *("locked", "lock_reason", "lines", "spin", "combo", "back_to_back", "perfect_clear"),
    *("soft_cells", "hard_cells", "score", "hold_refused", "game_over", "action_clipped"),
)
DRAWS_AT_ONCE = 128
POOL = 1024  # different new games of a case; used up, they begin again


@dataclasses.dataclass(frozen=True)
class Case:
    """One kind of game to compare: `settings` rule it in both implementations."""

    name: str
    settings: Settings
    boards: int = 16
    steps: int = 1250  # per board
    seed: int = 0
    whole_pieces: bool = False  # a step is a placement, not a tick
    compiler_level: int = 0  # of XLA; 0 compiles in half the time, 3 is what people get


class Side:
    """The reference's games, with the history of states and events and a tally of what happened.

    `draw_words(game, first)` gives the 32-bit numbers of DRAWS_AT_ONCE draws.
    """

    def __init__(self, case, draw_words):
        self.case = case
        self.draw_words = draw_words
        self.random = random.Random(case.seed)
        self.event_fields = EVENT_FIELDS + ("legal",) * case.whole_pieces
        self.starts = []  # of each game of the pool that was played
        self.new_games = []  # the snapshot of each at its start
        self.num_games = 0
        self.history = []  # per step: (snapshots of all boards, events of all boards)
        self.actions = []  # per step and board: set of keys, or placement index
        self.restarts = []  # per step and board: the game started before this step, or -1
        self.games_played = []  # per step and board: the game's number in the pool
        self.rows_of = {}  # board -> (cells, rows): boards change only when a piece locks
        self.tally = Counter()

    def run(self):
        """Play all boards; games end by themselves, are given up now and then, and rest a while when over."""
        boards, roll = range(self.case.boards), self.random.random
        players = [Player(self.random) for _ in boards]
        games, numbers = [None] * len(boards), [-1] * len(boards)
        for _ in range(self.case.steps):
            restarts, actions, states, events = [], [], [], []
            for board in boards:
                game = games[board]
                fresh = game is None or roll() < (0.4 if game.over else 1 / 250)
                if fresh:
                    numbers[board], game = self.new_game()
                    games[board] = game
                action, event = self.step(players[board], game)
                restarts.append(numbers[board] if fresh else -1)
                actions.append(action)
                states.append(self.snapshot(board, game))
                events.append(event)
            self.restarts.append(restarts)
            self.actions.append(actions)
            self.history.append((states, events))
            self.games_played.append(list(numbers))

    def new_game(self):
        """Start the next game of the pool."""
        number = self.num_games % POOL
        self.num_games += 1
        words = {}

        def draw_word(draw):
            block = draw - draw % DRAWS_AT_ONCE
            if block not in words:
                words[block] = self.draw_words(number, block)
            return words[block][draw - block]

        game = Game(self.case.settings, draw_word)
        if number == len(self.starts):
            self.starts.append(starts.random_start(self.random, game))
        starts.apply(self.starts[number], game)
        if number == len(self.new_games):
            self.new_games.append(self.snapshot(None, game))
        self.tally["games"] += 1
        return number, game

    def step(self, player, game):
        """Let a player choose, and play it; return (action, event snapshot)."""
        if not self.case.whole_pieces:
            action = player.keys(game)
            before = (game.facing, game.held, game.name)
            event = game.tick(action)
            self.count(game, before, event)
            return action, tuple(event[name] for name in EVENT_FIELDS)
        legal = game.placements()
        action = self.choose_placement(game, legal)
        mask = tuple(index in legal for index in range(game.num_placements()))
        before = (game.facing, game.held, game.name)
        event = game.place(legal.get(action))
        self.count(game, before, event)
        self.tally["legal placements"] += len(legal)
        self.tally["illegal placements tried"] += action not in legal
        return action, (*(event[name] for name in EVENT_FIELDS), mask)

    def choose_placement(self, game, legal):
        """Choose a low place mostly, any legal one often, and now and then one that may be illegal."""
        roll = self.random.random()
        if roll < 0.05 or not legal:
            return self.random.randrange(game.num_placements())
        facing, x = best_place(game, keep_well=roll < 0.6)
        place = next((index for index, found in legal.items() if found[:3] == (False, facing, x)), None)
        if roll < 0.25 or place is None:
            return self.random.choice(list(legal))
        return place

    def count(self, game, before, event):
        """Add what happened in a step to the tally."""
        facing, held, name = before
        tally = self.tally
        tally["steps"] += 1
        if event["locked"]:
            tally[
                f"locked by {('', 'hard drop', 'soft drop', 'delay', 'placing')[event['lock_reason']]}"
            ] += 1
            tally[f"{('', 'mini ', 'full ')[event['spin']]}{event['lines']} lines"] += 1
            tally["back-to-back"] += event["back_to_back"]
            tally["combo of 2 or more"] += event["combo"] >= 2
            if event["perfect_clear"]:
                tally["perfect clear"] += 1
                tally["perfect clear by back-to-back tetris"] += event["back_to_back"] and event["lines"] == 4
        elif game.facing != facing and game.kick >= 0:
            tally[f"{'I' if name in KICK_LIKE_I else 'JLSTZ'} kick {game.kick}"] += 1
        tally["hold"] += game.held != held
        tally["hold refused"] += event["hold_refused"]
        tally["no more restarts"] += game.resets == game.settings.lock_resets
        tally["highest score"] += game.score == 2**31 - 1
        if event["game_over"]:
            reason = "lock-out" if event["game_over"] == LOCK_OUT else "block-out"
            tally[reason if event["locked"] else "block-out by hold"] += 1

    def snapshot(self, board, game):
        """Write a game's state down as a tuple in the order of STATE_FIELDS."""
        kind = self.case.settings.pieces.index
        cells, rows = self.rows_of.get(board, (None, None))
        if cells is not game.cells:
            rows = tuple(sum(1 << x for x, cell in enumerate(row) if cell) for row in game.cells)
            self.rows_of[board] = (game.cells, rows)
        return (
            rows,
            kind(game.name),
            FACINGS.index(game.facing),
            game.x,
            game.y,
            kind(game.held) if game.held else -1,
            game.hold_used,
            tuple(kind(name) for name in game.queue),
            game.drawn,
            sum(1 << kind(name) for name in game.bag),
            game.fraction,
            game.lock_timer,
            game.resets,
            game.lowest,
            game.kick,
            game.score,
            game.lines,
            game.locked,
            game.combo,
            game.back_to_back,
            game.ticks,
            game.over,
        )

    # for the engine

    def start_columns(self):
        """Return what the engine's new games must be given, one array of the whole pool per field."""
        settings = self.case.settings
        rows = np.zeros((POOL, settings.height + settings.buffer), np.uint32)
        columns = {"rows": rows}
        for name, default in (("lines", 0), ("score", 0), ("combo", -1), ("back_to_back", -1)):
            columns[name] = np.full(POOL, default, np.int32)
        for number, start in enumerate(self.starts):
            for y, row in enumerate(start.rows):
                rows[number, y] = sum(1 << x for x, mark in enumerate(row) if mark == "#")
            for name, value in start.numbers.items():
                columns[name][number] = value
        return columns

    def action_array(self):
        """Return the actions as bool[T, B, keys], or as placement indices int32[T, B]."""
        if self.case.whole_pieces:
            return np.array(self.actions, np.int32)
        return np.array([[[key in keys for key in KEYS] for keys in row] for row in self.actions])

    def action_text(self, step, board):
        """Say what was done on a board in a step."""
        action = self.actions[step][board]
        if not isinstance(action, set):
            return f"placement {action}"
        return "+".join(key for key in KEYS if key in action) or "no key"
