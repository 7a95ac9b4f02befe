"""The reference's half of a comparison: it plays, chooses every action, and writes down what happened."""

import dataclasses
import random
from collections import Counter

import numpy as np

from tests.reference import starts
from tests.reference.game import KEYS, LOCK_REASONS, Game
from tests.reference.garbage import QUEUE
from tests.reference.players import Player, best_place
from tests.reference.settings import Settings
from tests.reference.tables import FACINGS, KICK_LIKE_I

STATE_FIELDS = (
    *("rows", "piece", "orientation", "x", "y", "hold", "hold_used", "queue", "draws", "bag", "random"),
    *("gravity_accumulator", "lock_timer", "lock_resets", "lowest_y", "kick"),
    *("score", "lines", "pieces", "combo", "back_to_back", "ticks", "lives", "game_over"),
    *("garbage.rows", "garbage.hole", "garbage.ready", "garbage.received", "garbage.height"),
)
EVENT_FIELDS = (
    *("locked", "lock_reason", "lines", "spin", "combo", "back_to_back", "perfect_clear"),
    *("soft_cells", "hard_cells", "score", "pieces", "attack", "sent", "garbage_received", "garbage_cleared"),
    *("hold_refused", "life_lost", "game_over", "action_clipped"),
)
LOSSES = ("", "block-out", "lock-out", "garbage-out", "stack-out")
NO_REQUEST = (0, -1)  # rows and hole of the garbage asked for before a step; a hole of -1 is drawn
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

    `draw_words(game, first)` gives the 32-bit numbers of DRAWS_AT_ONCE draws, `seeds` each game's seed for
    TETR.IO's generator.
    """

    def __init__(self, case, draw_words, seeds):
        self.case = case
        self.draw_words = draw_words
        self.seeds = seeds
        self.random = random.Random(case.seed)
        self.event_fields = EVENT_FIELDS + ("legal",) * case.whole_pieces
        self.starts = []  # of each game of the pool that was played
        self.new_games = []  # the snapshot of each at its start
        self.num_games = 0
        self.history = []  # per step: (snapshots of all boards, events of all boards)
        self.actions = []  # per step and board: set of keys, or placement index
        self.requests = []  # per step and board: garbage asked for before it, as (rows, hole)
        self.restarts = []  # per step and board: the game started before this step, or -1
        self.games_played = []  # per step and board: the game's number in the pool
        self.rows_of = {}  # board -> (cells, rows): boards change only when a piece locks
        self.tally = Counter()

    def run(self):
        """Play all boards; games end by themselves, are given up now and then, and rest a while when over."""
        boards, roll = range(self.case.boards), self.random.random
        players = [Player(self.random) for _ in boards]
        storms = [0.0] * len(boards)  # chance of a request in each step
        games, numbers = [None] * len(boards), [-1] * len(boards)
        for _ in range(self.case.steps):
            restarts, requests, actions, states, events = [], [], [], [], []
            for board in boards:
                game = games[board]
                fresh = game is None or roll() < (0.4 if game.over else 1 / 250)
                if fresh:
                    numbers[board], game = self.new_game()
                    games[board] = game
                    storms[board] = self.random.choice((0, 0.01, 0.03, 0.4))
                requests.append(self.request(game, storms[board]))
                action, event = self.step(players[board], game)
                restarts.append(numbers[board] if fresh else -1)
                actions.append(action)
                states.append(self.snapshot(board, game))
                events.append(event)
            self.restarts.append(restarts)
            self.requests.append(requests)
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

        game = Game(self.case.settings, draw_word, self.seeds[number])
        if number == len(self.starts):
            self.starts.append(starts.random_start(self.random, game))
        starts.apply(self.starts[number], game)
        if number == len(self.new_games):
            self.new_games.append(self.snapshot(None, game))
        self.tally["games"] += 1
        return number, game

    def request(self, game, storm):
        """Now and then let garbage arrive; return what the engine must be asked for."""
        if not self.case.settings.garbage or self.random.random() >= storm:
            return NO_REQUEST
        rows = self.random.choice((1, 1, 2, 4, 10, self.random.randrange(30)))
        hole = self.random.randrange(-1, game.width)
        game.receive(rows, None if hole < 0 else hole)
        self.tally["garbage requested"] += 1
        return rows, hole

    def step(self, player, game):
        """Let a player choose, and play it; return (action, event snapshot)."""
        if not self.case.whole_pieces:
            action = player.keys(game)
            if self.random.random() < 0.02:  # also where the key does nothing
                action = action | {"rotate_180"}
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
            tally[f"locked by {LOCK_REASONS[event['lock_reason']]}"] += 1
            tally[f"{('', 'mini ', 'full ')[event['spin']]}{event['lines']} lines"] += 1
            tally["back-to-back"] += event["back_to_back"]
            tally["combo of 2 or more"] += event["combo"] >= 2
            tally["attack"] += sum(event["attack"])
            tally["cancelled"] += sum(event["attack"]) - sum(event["sent"])
            tally["garbage entered"] += event["garbage_received"]
            tally["garbage cleared"] += event["garbage_cleared"]
            tally["full queue"] += len(game.waiting) == QUEUE
            tally["risen"] += game.y > game.entrance_row(game.name)
            if event["perfect_clear"]:
                tally["perfect clear"] += 1
                tally["perfect clear by back-to-back tetris"] += event["back_to_back"] and event["lines"] == 4
        elif game.facing != facing and game.kick >= 0:
            tally[f"{'I' if name in KICK_LIKE_I else 'JLSTZ'} kick {game.kick}"] += 1
        tally["hold"] += game.held != held
        tally["hold refused"] += event["hold_refused"]
        tally["no more restarts"] += game.resets == game.settings.lock_resets
        tally["highest score"] += game.score == 2**31 - 1
        if event["life_lost"]:
            tally[LOSSES[event["game_over"]] + " by hold" * (not event["locked"])] += 1
            tally["played on"] += not game.over

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
            self.packed_bag(game),
            game.generator if self.case.settings.randomizer == "tetrio" else None,
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
            game.lives,
            game.over,
            *(waiting(game) if self.case.settings.garbage else NO_GARBAGE),
        )

    def packed_bag(self, game):
        """Write the rest of a bag as the engine does: a bit a kind, or four bits a piece in order."""
        kinds = [self.case.settings.pieces.index(name) for name in game.bag]
        if self.case.settings.randomizer == "tetrio":
            return sum((kind + 1) << 4 * place for place, kind in enumerate(kinds))
        return sum(1 << kind for kind in kinds)

    # for the engine

    def start_columns(self):
        """Return what the engine's new games must be given: {field: [(game of the pool, value)]}."""
        total_height, columns = self.case.settings.height + self.case.settings.buffer, {}
        for number, start in enumerate(self.starts):
            for name, value in start.numbers.items():
                field = "garbage.height" if name == "garbage_height" else name
                columns.setdefault(field, []).append((number, value))
            if start.rows is not None:
                words = [sum(1 << x for x, mark in enumerate(row) if mark == "#") for row in start.rows]
                words += [0] * (total_height - len(words))
                columns.setdefault("rows", []).append((number, words))
        return columns

    def request_array(self):
        """Return the garbage asked for before each step, as int32[T, B, 2]: rows and hole (-1 = drawn)."""
        return np.array(self.requests, np.int32)

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


NO_GARBAGE = (None,) * 5


def waiting(game):
    """Write down the packets that wait, each part padded with zeros, and what has entered."""
    parts = zip(*game.waiting, strict=True) if game.waiting else ((), (), ())
    padded = [tuple(part) + (0,) * (QUEUE - len(game.waiting)) for part in parts]
    return *padded, game.received, game.garbage_height
