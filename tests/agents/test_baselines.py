"""Linear controllers: the literature's features against a slow count of cells, and which placement is chosen."""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.agents.agent import Sight
from tetrax.agents.baselines import BASELINES, LINEAR_WEIGHTS, environment
from tetrax.env.ascii import state_from_ascii
from tetrax.env.contract import Afterstates, Observation
from tetrax.env.game.reach.placement_features import CLASSIC_FEATURES, EXTENDED_FEATURES
from tetrax.env.game.rules import Rules
from tetrax.train.report.evaluation import evaluate

CLASSIC = environment("dellacherie", "classic-10x10")
EXTENDED = tetrax.make("classic-10x10", observation="afterstate_extended")
WIDTH, HEIGHT = 10, 10
DRAWINGS = {  # orientations that differ, in the order 0 R 2 L, top row first
    "I": ["####", "#/#/#/#"],
    "J": ["#../###", "##/#./#.", "###/..#", ".#/.#/##"],
    "L": ["..#/###", "#./#./##", "###/#..", "##/.#/.#"],
    "O": ["##/##"],
    "S": [".##/##.", "#./##/.#"],
    "T": [".#./###", "#./##/#.", "###/.#.", ".#/##/.#"],
    "Z": ["##./.##", ".#/##/#."],
}


@functools.cache
def observe(env=CLASSIC):
    """Compile what is seen of the classic game, a batch of states at once."""
    return jax.jit(jax.vmap(env.observe), compiler_options={"xla_backend_optimization_level": 0})


def seen(*states, env=CLASSIC):
    """Observe states."""
    return jax.device_get(observe(env)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)))


def placements(filled, name):
    """Yield (index, features, whether it loses) of each placement of a piece, counting cells one by one."""
    for orientation, drawing in enumerate(DRAWINGS[name]):
        lines = drawing.split("/")[::-1]
        shape = [(x, y) for y, line in enumerate(lines) for x, mark in enumerate(line) if mark == "#"]
        for left in range(WIDTH - len(lines[0]) + 1):
            y = next(y for y in range(30) if free_above(filled, shape, left, y))
            piece = {(left + dx, y + dy) for dx, dy in shape}
            full = [
                row
                for row in range(y, y + len(lines))
                if all((x, row) in filled | piece for x in range(WIDTH))
            ]
            left_over = {cell for cell in filled | piece if cell[1] not in full}
            after = {(x, row - sum(below < row for below in full)) for x, row in left_over}
            values = {
                "landing_height": y + (len(lines) - 1) / 2,
                "eroded_cells": len(full) * sum(row in full for _, row in piece),
                **board_features(after),
            }
            loses = any(row >= HEIGHT for _, row in after)
            yield orientation * WIDTH + left, [values[feature] for feature in CLASSIC_FEATURES], loses


def free_above(filled, shape, left, y):
    """Tell whether a piece can be at row y and everywhere above it."""
    return not any((left + dx, row) in filled for dx, dy in shape for row in range(y + dy, 30))


def board_features(filled):
    """Count the features of a board, a set of cells (x, y), as they are defined."""
    heights = [max((y + 1 for x, y in filled if x == column), default=0) for column in range(WIDTH)]
    holes = [[y for y in range(heights[x]) if (x, y) not in filled] for x in range(WIDTH)]

    def is_filled(x, y):
        return not 0 <= x < WIDTH or y < 0 or (x, y) in filled

    wells = 0
    for x in range(WIDTH):
        for y in range(HEIGHT + 4):
            if not is_filled(x, y) and is_filled(x - 1, y) and is_filled(x + 1, y):
                below = y
                while not is_filled(x, below):
                    wells, below = wells + 1, below - 1
    return {
        "row_transitions": sum(
            is_filled(x, y) != is_filled(x + 1, y) for y in range(HEIGHT) for x in range(-1, WIDTH)
        ),
        "column_transitions": sum(
            is_filled(x, y) != is_filled(x, y + 1) for x in range(WIDTH) for y in range(-1, HEIGHT + 4)
        ),
        "holes": sum(map(len, holes)),
        "wells": wells,
        "hole_depth": sum(
            is_filled(x, y) and y > min(holes[x]) for x in range(WIDTH) if holes[x] for y in range(HEIGHT + 4)
        ),
        "rows_with_holes": len({y for column in holes for y in column}),
        "pattern_diversity": len({b - a for a, b in pairwise(heights) if abs(b - a) <= 2}),
    }


def cells(drawing):
    """Read a drawing, top row first, as a set of cells."""
    lines = drawing.split()[::-1]
    return {(x, y) for y, line in enumerate(lines) for x, mark in enumerate(line) if mark == "#"}


def random_board(chance):
    """Draw a board with holes and wells, no row of it full, some of them close to the top."""
    heights = chance.integers(0, chance.integers(2, HEIGHT + 1), WIDTH)
    lines = []
    for y in range(HEIGHT):
        line = ["#" if y < heights[x] and chance.random() < 0.85 else "." for x in range(WIDTH)]
        if "." not in line:
            line[chance.integers(WIDTH)] = "."
        lines.append("".join(line))
    return "\n".join(lines[::-1])


def test_features_by_hand():
    # The O falls on columns 4 and 5, into rows 2 and 3: landing height 2 + 1/2. Row 2 is full and goes with two
    # of its cells: eroded 1 * 2. What is left:
    #   ....##..#.   row 2: changes at the left wall, 4, 6, 8, 9 and the right wall: 6
    #   #...##..##   row 1: at 1, 4, 6, 8: 4
    #   ####.##.##   row 0: at 4, 5, 7, 8: 4; and 7 empty rows with 2 each: 28 row transitions
    # Heights 2 1 1 1 3 3 1 0 3 2: steps -1 0 0 2 0 -2 -1 3 -1, of which -2, -1, 0 and 2 count: 4.
    # Column 4 is empty over the floor, then filled, then ends: 3 changes; the other 9 columns have one: 12.
    # One hole, (4, 0), with two filled cells above it. Wells: (4, 0), covered; (7, 0); (9, 2) at the wall: 3.
    board = """
    ........#.
    ####..####
    #...##..##
    ####.##.##
    """
    observation = seen(state_from_ascii(CLASSIC, board, piece="O"))
    found = dict(zip(CLASSIC_FEATURES, observation.afterstates.features[0, 4].tolist(), strict=True))
    assert found == {
        "landing_height": 2.5,
        "eroded_cells": 2,
        "row_transitions": 28,
        "column_transitions": 12,
        "holes": 1,
        "wells": 3,
        "hole_depth": 2,
        "rows_with_holes": 1,
        "pattern_diversity": 4,
    }


def test_extended_features_by_hand():
    # The board of the test above: heights 2 1 1 1 3 3 1 0 3 2, steps 1 0 0 2 0 2 1 3 1, so that 10 / 2; the 3 is 1
    # beyond 2. Wells of the surface are one cell deep, nothing is higher than row 6 of 10.
    board = """
    ........#.
    ####..####
    #...##..##
    ####.##.##
    """
    assert extended(board) == pytest.approx(
        {
            "max_height": 3,
            "bumpiness": 5,
            "steep_steps": 1,
            "deep_wells": 0,
            "high_cells": 0,
            "holes_squared": 1 / 6,
            "wells_squared": 9 / 20,
            "hole_depth_squared": 4 / 20,
            "first_columns": (2 + 2) / 2,
            "second_columns": (1 + 3) / 2,
            "third_columns": (1 + 0) / 2,
        }
    )
    # Heights 8 3 8 0 2 2 0 0 0 0: steps 5 5 8 2 0 2 0 0 0, beyond 2 by 3 + 3 + 6. Column 1 lies 5 cells deep, 3 of
    # them beyond 2, column 3 just 2. Two columns reach 2 rows above row 6. No holes. Wells: column 1
    # counts 1 + 2 + 3 + 4 + 5, column 3 beside the O 1 + 2.
    tower = """
    #.#.......
    #.#.......
    #.#.......
    #.#.......
    #.#.......
    ###.......
    ###.......
    ###.......
    """
    found = extended(tower)
    assert found == pytest.approx(
        {
            "max_height": 8,
            "bumpiness": 22 / 2,
            "steep_steps": 12,
            "deep_wells": 3,
            "high_cells": (2 + 2) / 3,
            "holes_squared": 0,
            "wells_squared": 18**2 / 20,
            "hole_depth_squared": 0,
            "first_columns": 8 / 2,
            "second_columns": 3 / 2,
            "third_columns": 8 / 2,
        }
    )


def extended(board):
    """Return what the extended features have besides the classic ones, after an O on columns 4 and 5."""
    observation = seen(state_from_ascii(EXTENDED, board, piece="O"), env=EXTENDED)
    features = observation.afterstates.features[0, 4].tolist()
    classic = seen(state_from_ascii(CLASSIC, board, piece="O")).afterstates.features[0, 4].tolist()
    assert features[: len(CLASSIC_FEATURES)] == classic
    number = len(CLASSIC_FEATURES)
    return dict(zip(EXTENDED_FEATURES[number:], features[number:], strict=True))


def test_wells_count_the_empty_cells_below_them():
    # Column 1 lies between filled cells in all of its 3 rows: 3 + 2 + 1. (9, 1) lies between (8, 1) and the wall
    # and counts (9, 0) below it too, which itself is no well, since (8, 0) is empty: 2. (8, 0), covered, is none
    # for the same reason. (7, 1) lies between (6, 1) and (8, 1): 1. The O on columns 4 and 5, rows 2 and 3, puts
    # (3, 2) between (2, 2) and itself: 1.
    board = """
    #.#.......
    #.#####.#.
    #.######..
    """
    observation = seen(state_from_ascii(CLASSIC, board, piece="O"))
    wells = observation.afterstates.features[0, 4, CLASSIC_FEATURES.index("wells")]
    assert wells == 6 + 2 + 1 + 1


def test_features_and_losses_are_those_of_a_slow_count():
    chance = np.random.default_rng(0)
    boards = [(random_board(chance), "IJLOSTZ"[number % 7]) for number in range(42)]
    states = [state_from_ascii(CLASSIC, board, piece=name) for board, name in boards]
    observation = seen(*states)
    losses = 0
    for number, (board, name) in enumerate(boards):
        wanted = list(placements(cells(board), name))
        assert np.flatnonzero(observation.legal[number]).tolist() == [index for index, *_ in wanted]
        for index, features, loses in wanted:
            assert observation.afterstates.terminated[number, index] == loses
            if not loses:  # of a board that is lost nobody asks
                assert observation.afterstates.features[number, index].tolist() == features
            losses += loses
    assert losses > 20


def chosen(features, legal, terminated, name="dellacherie"):
    """Let a controller act on one made-up observation."""
    afterstates = Afterstates(
        rows=None,
        features=jnp.asarray(features, jnp.float32)[None],
        reward=None,
        terminated=jnp.asarray(terminated)[None],
    )
    observation = Observation(
        pieces=jnp.zeros((1, 2), jnp.int32),
        features=jnp.zeros((1, 3), jnp.float32),
        legal=jnp.asarray(legal)[None],
        afterstates=afterstates,
    )
    actor = BASELINES[name](CLASSIC)
    sight = Sight(observation=observation, is_first=jnp.array([True]))
    action, memory, _ = actor.act(actor.policy, sight, actor.initial_memory((1,)), jax.random.key(0), True)
    assert action.dtype == jnp.int32 and memory == ()
    return action.tolist()


def test_the_choice_is_the_best_safe_placement_and_the_first_of_equals():
    holes = np.zeros((5, 9))
    holes[:, CLASSIC_FEATURES.index("holes")] = [1, 0, 2, 0, 3]  # dellacherie: -4 each
    every, none = np.ones(5, bool), np.zeros(5, bool)
    assert chosen(holes, every, none) == [1], "1 and 3 are equal: the first"
    assert chosen(holes, np.array([True, False, True, True, True]), none) == [3]
    assert chosen(holes, every, np.array([False, True, False, True, False])) == [0], "1 and 3 lose"
    assert chosen(holes, every, every) == [1], "all lose: the best of them"
    only_fatal = np.array([False, True, False, True, False])
    assert chosen(holes, only_fatal, every) == [1]


@pytest.mark.parametrize("name", LINEAR_WEIGHTS)
def test_the_value_is_the_weighted_sum(name):
    chance = np.random.default_rng(1)
    features, weights = chance.integers(0, 30, (40, 9)), np.array(LINEAR_WEIGHTS[name])
    values = features @ weights
    legal = chance.random(40) < 0.7
    assert chosen(features, legal, np.zeros(40, bool), name) == [int(np.where(legal, values, -1e9).argmax())]


def test_rows_that_are_sent_weigh_as_much_as_less_than_a_hole():
    """One hole more costs 13.08 and a row more pays 10: two rows are worth a hole, one is not."""
    env = environment("bcts-attack", "guideline")
    actor = BASELINES["bcts-attack"](env)
    features = np.zeros((1, 3, 9), np.float32)
    features[0, 1:, CLASSIC_FEATURES.index("holes")] = 1

    def choose(rows):
        afterstates = Afterstates(
            rows=None, features=features, reward=jnp.array([rows]), terminated=jnp.zeros((1, 3), bool)
        )
        nothing = jnp.zeros((1, 0))
        observation = Observation(nothing, nothing, jnp.ones((1, 3), bool), afterstates=afterstates)
        sight = Sight(observation=observation, is_first=None)
        action, _, told = actor.act(actor.policy, sight, (), None, True)
        return int(action[0]), told["worths"][0]

    assert choose([0.0, 1.0, 0.0])[0] == 0
    action, worths = choose([0.0, 1.0, 2.0])
    assert action == 2
    np.testing.assert_allclose(worths, [0.0, 10 - 13.08335, 20 - 13.08335], rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"env.reward: given 'lines_only' with policy 'bcts-attack'.*: attack"
    ):
        BASELINES["bcts-attack"](environment("bcts", "guideline"))


def test_equal_boards_lead_to_the_first_orientation_and_then_the_leftmost_column():
    # On an empty board an O at the left wall and one at the right are mirror images, and equal.
    observation = seen(state_from_ascii(CLASSIC, "..........", piece="O"))
    actor = BASELINES["dellacherie"](CLASSIC)
    action, _, _ = actor.act(actor.policy, Sight(observation=observation, is_first=None), (), None, True)
    assert action.tolist() == [0]
    assert not observation.legal[0, WIDTH - 1 :].any(), "the O's other orientations are the same placements"


def test_what_a_controller_cannot_play_is_refused():
    with pytest.raises(ValueError, match=r"env.actions: given 'direct' with policy 'bcts'.*allowed: drop"):
        environment("bcts", "classic-10x10", "direct")
    with pytest.raises(ValueError, match=r"env.actions: given 'direct' with policy 'dt10'.*allowed: drop"):
        BASELINES["dt10"](tetrax.make("guideline"))
    with pytest.raises(ValueError, match=r"env.observation: given 'afterstate_features'.*afterstate_classic"):
        BASELINES["dt20"](tetrax.make("guideline", actions="drop"))
    with pytest.raises(ValueError, match=r"preset: given 'classic-10x1'.*did you mean 'classic-10x10'"):
        environment("bcts", "classic-10x1")
    assert environment("bcts", "guideline").config.actions == "drop"
    assert environment("random", "guideline").config.actions == "direct"


def test_drops_need_the_rows_that_a_column_holds():
    assert tetrax.make("tetrio", actions="drop").num_actions == 80
    assert tetrax.make("classic-10x20", height=28).num_actions == 40
    Rules(height=28, spawn_row=1)
    with pytest.raises(
        ValueError, match=r"rules.spawn_row: given 1 with actions 'drop' and height 28.*0 to 0"
    ):
        tetrax.make("guideline", actions="drop", height=28, spawn_row=1)


@pytest.mark.slow
def test_dellacherie_clears_as_many_lines_as_the_literature_says():
    # 2534 lines on average, about as many as the standard deviation, which an exponential distribution has:
    # the mean of 48 games lies within 3 * 2534 / sqrt(48) = 1100 of it.
    result = evaluate(CLASSIC, BASELINES["dellacherie"](CLASSIC), episodes=48)
    assert abs(result.totals["lines"].mean() - 2534) < 1100
    assert not result.capped.any()


@pytest.mark.slow
def test_controllers_play_the_guideline_game_too():
    env = environment("dt20", "guideline")
    result = evaluate(env, BASELINES["dt20"](env), episodes=8, max_pieces=300)
    assert result.capped.all() and result.totals["lines"].mean() > 100
