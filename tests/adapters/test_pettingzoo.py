"""Games of several players under PettingZoo's interface: its own tests, games by hand, copies, wrong calls."""

import copy
import importlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pettingzoo")
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils.env_logger import EnvLogger
from pettingzoo.utils.wrappers import TerminateIllegalWrapper

from tests.adapters.sharing import LIMIT, Sharing
from tetrax.adapters.pettingzoo import env, parallel_env
from tetrax.adapters.several import make_named
from tetrax.env.tetris import EnvConfig

PLAYERS = ["player_0", "player_1"]
SHARING = Sharing()
NOT_OURS = (  # PettingZoo asks these of environments that are not in its own list of those with masks
    "ignore:Observation space for each agent probably should be:UserWarning",
    "ignore:Observation is not a NumPy array:UserWarning",
    "ignore:Observation numpy array is all zeros:UserWarning",  # an empty board
)
MASKED = [pytest.mark.filterwarnings(each) for each in NOT_OURS]


def masked(test):
    for mark in MASKED:
        test = mark(test)
    return test


def check_together(make):
    parallel_api_test(make(), num_cycles=30)
    parallel_seed_test(make, num_cycles=20)


def check_in_turn(make):
    api_test(make(), num_cycles=30)
    seed_test(make, num_cycles=20)


@masked
def test_pettingzoos_own_tests_pass():
    check_together(lambda: parallel_env(SHARING))
    check_in_turn(lambda: env(SHARING))
    check_in_turn(lambda: env("tictactoe"))


@pytest.mark.slow
@masked
def test_pettingzoos_own_tests_pass_in_other_games():
    three = Sharing(num_players=3, legal_varies=False)
    check_together(lambda: parallel_env(three))
    check_in_turn(lambda: env(three))
    check_in_turn(lambda: env("connect4"))
    for rewards in ("cooperative", "competitive"):
        check_together(lambda rewards=rewards: parallel_env("gridworld", rewards=rewards, width=4, height=3))


def begin(coins, **options):
    """Begin a game with a pot of so many coins."""
    made = parallel_env(SHARING, **options)
    for seed in range(100):
        observations, _ = made.reset(seed=seed)
        if observations["player_0"]["observation"][0] == coins:
            return made, observations
    raise AssertionError


def actions(*taken):
    return dict(zip(PLAYERS, taken, strict=True))


def test_a_game_by_hand_in_which_all_act_at_once():
    """Of 5 coins both take 2; of the one that is left the first wants 2, gets none and pays 1, the second takes it."""
    made, observations = begin(5)
    assert made.agents == made.possible_agents == PLAYERS
    assert observations["player_1"]["observation"].tolist() == [5, 0, 0]
    assert observations["player_1"]["action_mask"].tolist() == [1, 1, 1]
    observations, rewards, terminations, truncations, infos = made.step(actions(2, np.int64(2)))
    assert observations["player_0"]["observation"].tolist() == [1, 2, 2]
    assert observations["player_0"]["action_mask"].tolist() == [1, 1, 0]
    assert rewards == actions(2.0, 2.0) and infos == actions({"taken": 4}, {"taken": 4})
    assert terminations == truncations == actions(False, False)
    observations, rewards, terminations, truncations, infos = made.step(actions(2, 1))
    assert rewards == actions(-1.0, 1.0) and infos["player_0"] == {"taken": 5}
    assert [observations[name]["observation"].tolist() for name in PLAYERS] == [[0, 2, 3], [0, 3, 2]]
    assert not observations["player_0"]["action_mask"].any()
    assert terminations == actions(True, True) and truncations == actions(False, False)
    assert made.agents == [] and made.num_agents == 0
    assert made.step({}) == ({}, {}, {}, {}, {})
    made.reset()
    assert made.agents == PLAYERS


def test_a_game_is_cut_off_at_its_limit():
    made, _ = begin(6)
    for step in range(LIMIT):
        assert made.agents == PLAYERS
        _, _, terminations, truncations, _ = made.step(actions(0, 0))
        assert truncations == dict.fromkeys(PLAYERS, step == LIMIT - 1)
    assert terminations == actions(False, False) and made.agents == []


def test_where_all_is_legal_what_is_seen_is_an_array_in_its_space():
    made = parallel_env(Sharing(num_players=3, legal_varies=False))
    observations, _ = made.reset(seed=0)
    space = made.observation_space("player_2")
    assert space.contains(observations["player_2"])
    assert space is made.observation_space("player_2") is not made.observation_space("player_0")
    assert (space.shape, space.dtype, made.action_space("player_2").n) == ((3,), np.float32, 3)


def test_a_game_by_hand_in_which_players_take_turns():
    """The first takes the lower row: 0, 1, 2."""
    made = env("tictactoe")
    made.reset(seed=0)
    for move, cell in enumerate((0, 3, 1, 4)):
        assert made.agent_selection == PLAYERS[move % 2]
        made.step(cell)
    seen, waiting = (made.observe(name) for name in PLAYERS)
    assert seen["observation"][..., 0].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]  # row 0 at the bottom
    assert seen["observation"][..., 1].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(waiting["observation"], seen["observation"][..., ::-1])
    assert seen["action_mask"].tolist() == [0, 0, 1, 0, 0, 1, 1, 1, 1]
    assert not waiting["action_mask"].any()
    made.step(2)
    assert made.rewards == {"player_0": 1.0, "player_1": -1.0}
    assert made.infos["player_0"] == {"wins": 1, "draws": 0, "losses": 0}
    ended = {}
    for name in made.agent_iter():
        _, reward, terminated, truncated, _ = made.last()
        ended[name] = (reward, terminated, truncated)
        made.step(None)
    assert ended == {"player_0": (1.0, True, False), "player_1": (-1.0, True, False)}
    assert made.agents == []
    with pytest.raises(RuntimeError, match=r"after the end of the game; allowed: reset\(\)"):
        made.step(5)


def test_an_illegal_move_loses_and_pettingzoos_wrapper_ends_the_game_before_it():
    made = env("tictactoe")
    made.reset(seed=0)
    made.step(4)
    made.step(4)
    assert made.rewards == {"player_0": 1.0, "player_1": -1.0} and all(made.terminations.values())
    wrapped = TerminateIllegalWrapper(env("tictactoe"), illegal_reward=-1)
    wrapped.reset(seed=0)
    wrapped.step(4)
    EnvLogger.suppress_output()
    wrapped.step(4)
    EnvLogger.unsuppress_output()
    assert wrapped.rewards == {"player_0": 0, "player_1": -1.0} and all(wrapped.terminations.values())
    for _ in wrapped.agent_iter():
        wrapped.step(None)
    assert wrapped.agents == []


def test_a_seed_starts_chance_anew_and_without_one_games_differ():
    made, twin = parallel_env(SHARING), parallel_env(SHARING)

    def pots(env, seed):
        first = env.reset(seed=seed)[0]
        return [each["player_0"]["observation"][0] for each in (first, *(env.reset()[0] for _ in range(20)))]

    assert pots(made, 7) == pots(twin, 7) == pots(made, 7) != pots(made, 8)
    assert len(set(pots(made, 7))) > 1
    fresh = parallel_env(SHARING)
    assert pots(copy.deepcopy(fresh), None) != pots(
        fresh, None
    )  # as those who put copies side by side want it


@pytest.mark.parametrize("copied", [lambda env: pickle.loads(pickle.dumps(env)), copy.deepcopy])
def test_a_copy_goes_on_alike(copied):
    made, _ = begin(8)
    made.step(actions(1, 0))
    twin = copied(made)
    for taken in ((2, 1), (2, 2)):
        one, other = made.step(actions(*taken)), twin.step(actions(*taken))
        np.testing.assert_equal(one, other)
    assert made.agents == twin.agents == []
    np.testing.assert_equal(made.reset(), twin.reset())  # the generators went on alike, too
    noughts = env("tictactoe")
    np.testing.assert_equal(copied(noughts).possible_agents, PLAYERS)  # not begun
    noughts.reset(seed=0)
    noughts.step(4)
    other = copied(noughts)
    for each in (noughts, other):
        each.step(0)
    assert noughts.agent_selection == other.agent_selection == "player_0"
    np.testing.assert_equal(noughts.last(), other.last())


TRACED = []


class Counted(Sharing):
    """The game that says when its step is traced."""

    def step(self, state, action, params=()):
        TRACED.append(1)
        return super().step(state, action, params)


def test_a_step_is_traced_once_for_all_environments():
    for _ in range(2):
        made = parallel_env(Counted())
        for _ in range(2):
            made.reset()
            made.step(actions(0, np.int64(1)))
            made.step({"player_1": 1, "player_0": np.int32(1)})
    assert len(TRACED) == 1


def test_pictures():
    made = env("tictactoe", render_mode="ansi")
    with pytest.raises(RuntimeError, match=r"render\(\) need reset\(\) first"):
        made.render()
    made.reset(seed=0)
    made.step(4)
    assert made.render() == "6 7 8\n3 X 5\n0 1 2\nO to move"
    drawn = env("tictactoe", render_mode="rgb_array")
    drawn.reset(seed=0)
    assert (drawn.render().shape, drawn.render().dtype) == ((188, 160, 3), np.uint8)
    made = env("tictactoe")
    made.reset()
    with pytest.raises(ValueError, match="render_mode: given None; allowed: ansi, rgb_array"):
        made.render()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: env("tictacto"), "game: given 'tictacto'; allowed: tetris"),
        (lambda: env("tetris"), "a game of one player; allowed: one of several"),
        (lambda: env("tictactoe", opponent="random"), "a game of one player; allowed: one of several"),
        (
            lambda: env("tictactoe", oponent="random"),
            "tictactoe: field: given 'oponent'.*did you mean 'opponent'",
        ),
        (
            lambda: env("tictactoe", render_mode="human"),
            "render_mode: given 'human'; allowed: ansi, rgb_array",
        ),
        (lambda: env(SHARING, num_players=3), "overrides: given num_players, and a game; allowed: either"),
        (
            lambda: parallel_env("tictactoe"),
            r"given tic-tac-toe, where players take turns; allowed: env\(\)",
        ),
    ],
)
def test_what_cannot_be_made(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_fields_inside_a_configuration_are_found_and_boards_show_vectors_unless_they_are_given():
    config = make_named("tetris", {"width": 6, "actions": "drop"}).config
    assert (config.rules.width, config.actions, config.observation) == (6, "drop", "flat")
    assert make_named("tetris", {"observation": "planes"}).config.observation == "planes"
    given = make_named("tetris", {"rules": config.rules, "height": 9}).config
    assert (given.rules.width, given.rules.height, given.observation) == (6, 9, EnvConfig().observation)


def test_wrong_calls():
    made = parallel_env(SHARING)
    with pytest.raises(RuntimeError, match=r"need reset\(\) first"):
        made.step(actions(0, 0))
    made.reset()
    with pytest.raises(
        ValueError, match="actions: given those of player_0; allowed: one of each of player_0, player_1"
    ):
        made.step({"player_0": 1})
    for wrong in (3, -1, 0.5, None):
        with pytest.raises(ValueError, match=r"action: given .*; allowed: a whole number from 0 to 2"):
            made.step(actions(0, wrong))
    noughts = env("tictactoe")
    with pytest.raises(RuntimeError, match=r"need reset\(\) first"):
        noughts.step(0)
    noughts.reset()
    with pytest.raises(ValueError, match="action: given 9; allowed: a whole number from 0 to 8"):
        noughts.step(9)
    with pytest.raises(TypeError, match="env: given None; allowed: a game"):
        env(None)


def test_the_error_without_pettingzoo_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    monkeypatch.delitem(sys.modules, "tetrax.adapters.pettingzoo", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[pettingzoo\]'"):
        importlib.import_module("tetrax.adapters.pettingzoo")


FORKS = """
import multiprocessing
import warnings

import jax
from tetrax.adapters.pettingzoo import env

warnings.simplefilter("ignore")  # JAX's, that forking will likely lead to a deadlock


def reset(queue):
    try:
        made = env("tictactoe")
        made.reset(seed=0)
        queue.put(made.agent_selection)
    except RuntimeError as error:
        queue.put(str(error))


def reset_in_process(method):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=reset, args=(queue,))
    process.start()
    result = queue.get()
    process.join()
    return result


if __name__ == "__main__":
    print("before JAX:", reset_in_process("fork"))
    jax.numpy.ones(3)
    print("after:", reset_in_process("fork"))
    print("spawned:", reset_in_process("spawn"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.slow
def test_a_process_that_was_forked_after_jax_started_says_so(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    lines = result.stdout.splitlines()
    assert lines[0] == "before JAX: player_0", result.stderr
    assert lines[1].startswith(
        "after: JAX had started before this process was forked, and would hang in it; allowed:"
    )
    assert lines[2] == "spawned: player_0"
