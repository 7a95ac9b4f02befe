"""Tree search over whole placements: exact where it sees all, over all that can be reached, blind to the hidden."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.search import plain_planner
from tests.search.drawn_games import TINY, read, stand, together
from tests.search.plain_planner import find_best
from tests.search.test_beam import CASES, chosen_piece
from tetrax import games
from tetrax.agents import baselines
from tetrax.env.contract import Sight
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.search import beam, gumbel_playing, placement_tree
from tetrax.search.attack_weights import ATTACK_WEIGHTS, build, flatten, unflatten
from tetrax.search.gumbel_playing import GumbelSettings

ENV = Tetris(EnvConfig(rules=TINY, actions="locked_position"))
DROPS = Tetris(EnvConfig(rules=TINY, actions="drop"))
TWO_MORE = GumbelSettings(simulations=96, considered=96, placements=2)
NOTHING = flatten(build({}, {}, 1.0))  # rows alone count


def sight_of(env, states):
    observed = jax.vmap(env.observe, in_axes=(0, None))(states, env.default_params)
    return Sight(observation=observed, is_first=None, state=states)


def boards():
    return together([stand(TINY, read(board), *rest)[0] for board, *rest in CASES])


@functools.cache
def looker():
    """Search all cases at once, in one program for every evaluation."""
    return jax.jit(
        lambda states, policy, key: gumbel_playing.look_ahead(
            ENV, TWO_MORE, policy, sight_of(ENV, states), key
        )
    )


@functools.cache
def looked():
    return looker()(boards(), NOTHING, jax.random.key(1, impl="threefry2x32"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CASES)))
def test_two_placements_equal_brute_force(number):
    """With every placement looked at, the first one leads to the most rows that two placements can send."""
    board, *rest = CASES[number]
    _, position = stand(TINY, read(board), *rest)
    _, firsts = find_best(TINY, position, lambda rules, cells: 0.0, depth=2)
    action = int(looked().action[number])
    half, cell = divmod(action, TINY.height * TINY.width)
    y, x = divmod(cell, TINY.width)
    kind = chosen_piece(position, half >= 4)
    cells = plain_planner.cells_at(kind, half % 4, x, y)
    assert any(placed.cells == cells and placed.name == kind for placed in firsts)
    visits = np.asarray(looked().visits[number])
    assert visits.sum() == TWO_MORE.simulations
    assert np.asarray(looked().weights[number]).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_what_is_hidden_decides_nothing():
    """Other pieces later on, by another key of the game and another one of the search."""
    states = boards()
    hidden = states.replace(key=jax.random.split(jax.random.key(9, impl="threefry2x32"), len(CASES)))
    policy = flatten(ATTACK_WEIGHTS["tuned"])
    first = looker()(states, policy, jax.random.key(1, impl="threefry2x32"))
    other = looker()(hidden, policy, jax.random.key(2, impl="threefry2x32"))
    for one, two in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


@pytest.mark.slow
@pytest.mark.parametrize("env", [DROPS, ENV], ids=["drop", "any place"])
def test_the_list_has_each_place_that_an_action_reaches(env):
    """Once for each set of cells that is filled; not hold's piece where it is of the active one's kind."""
    states = boards()
    setting = placement_tree.Setting(TINY, only_drops=env is DROPS)
    weights = unflatten(jnp.tile(NOTHING[None], (len(CASES), 1)))

    @jax.jit
    def find(states):
        size = beam.Size(width=1, clear_width=0, depth=1)
        roots = jax.vmap(lambda state: beam.find_root(TINY, size, state, 0))(states)
        node = placement_tree.open_root(setting, weights, roots)
        candidates = jax.vmap(env.action_set.candidates)(states)
        return placement_tree.actions_of(setting, node), jnp.isfinite(node.scores), candidates

    actions, exists, candidates = jax.device_get(find(states))
    for number, (_, (pieces, hold, *_)) in enumerate((board, rest) for board, *rest in CASES):
        same = (hold or pieces[1]) == pieces[0]
        found = actions[number][exists[number]].tolist()
        assert len(set(found)) == len(found)
        legal = np.flatnonzero(candidates.legal[number]).tolist()
        legal = [action for action in legal if not (same and action >= env.num_actions // 2)]
        assert set(found) <= set(legal)
        filled = [frozenset(cells_of(env, candidates, number, action)) for action in legal]
        by_list = [frozenset(cells_of(env, candidates, number, action)) for action in found]
        assert sorted(map(sorted, set(filled))) == sorted(map(sorted, by_list))


def cells_of(env, candidates, number, action):
    """Return the cells that an action fills, and whether hold comes first."""
    kind = candidates.kind[number][action]
    orientation, x, y = (part[number][action] for part in candidates.pose)
    rows = env.rules.tables.rows[kind, orientation]
    cells = [(int(x + dx), int(y + dy)) for dy in range(4) for dx in range(4) if int(rows[dy]) >> dx & 1]
    return [*cells, (-9, int(action >= env.num_actions // 2))]


@pytest.mark.slow
def test_any_game_can_be_searched():
    """Tic-tac-toe with two in a row: it completes, or stops the other."""
    from tests.games import noughts

    env = games.make("tictactoe", TicTacToeConfig())
    actor = baselines.gumbel(env, GumbelSettings(simulations=200))
    drawings = ("XX.\nOO.\n...", "X..\nOO.\n.X.", "XX.\n.O.\n..O")
    states = together([noughts.state(env, noughts.read(each)) for each in drawings])
    sight = Sight(observation=jax.vmap(env.observe)(states), is_first=None, state=states)
    action, _, told = jax.jit(lambda sight, key: actor.act(actor.policy, sight, (), key, True))(
        sight, jax.random.key(0)
    )
    for each, chosen in zip(drawings, action.tolist(), strict=True):
        assert chosen in noughts.best(noughts.read(each))
    assert np.asarray(told["probabilities"]).shape == (3, 9)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"simulations": 0}, "simulations: given 0; allowed: a whole number from 1"),
        ({"considered": 0}, "considered: given 0; allowed: a whole number from 1"),
        ({"weights": "tunde"}, "weights: given 'tunde'; allowed: tuned, hand, cold-clear-2"),
    ],
)
def test_settings_that_cannot_work(settings, said):
    with pytest.raises(ValueError, match=said):
        GumbelSettings(**settings)


def test_games_that_cannot_be_looked_ahead_in():
    with pytest.raises(ValueError, match=r"env\.actions: given 'direct'"):
        baselines.gumbel(Tetris(EnvConfig(rules=TINY, actions="direct")))
    with pytest.raises(ValueError, match="chooses among whole placements; allowed: drop"):
        baselines.environment("gumbel", "guideline", "direct")
