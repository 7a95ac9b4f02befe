"""Environments that are pickled or copied in the middle of a game, and those of forked processes."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
from gymnasium import wrappers  # noqa: E402

from tests.adapters.boards import NUM_BOARDS, make, make_vec  # noqa: E402


def through_pickle(env):
    return pickle.loads(pickle.dumps(env))


def assert_same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            if name != "t":  # seconds
                assert_same(one[name], other[name])
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for each, its in zip(one, other, strict=True):
            assert_same(each, its)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("copied", [through_pickle, copy.deepcopy])
def test_a_game_goes_on_alike(copied):
    """Three games: the keys of the second and third come from the generator that was copied."""
    env = make(episode_statistics=True)
    env.reset(seed=3)
    env.step(2)
    twin = copied(env)
    assert twin.unwrapped is not env.unwrapped
    for step in range(15):
        results = [each.step(step % 24) for each in (env, twin)]
        for one, other in zip(*results, strict=True):
            assert_same(one, other)
        if results[0][2] or results[0][3]:
            assert results[1][4]["episode"]["t"] > 0
            assert_same(*(each.reset()[0] for each in (env, twin)))
    assert env.unwrapped.episode_statistics


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_many_games_go_on_alike(mode):
    boards = make_vec(autoreset_mode=mode, episode_statistics=True)
    boards.reset(seed=3)
    boards.step(np.full(NUM_BOARDS, 2))
    twin = through_pickle(boards)
    for step in range(15):
        actions = (np.arange(NUM_BOARDS) + step) % 24
        for one, other in zip(boards.step(actions), twin.step(actions), strict=True):
            assert_same(one, other)


def test_what_has_not_begun_and_what_is_wrapped_can_be_pickled_too():
    env = through_pickle(wrappers.RecordEpisodeStatistics(make(observation="image", render_mode="rgb_array")))
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation, make(observation="image").reset(seed=0)[0])
    np.testing.assert_array_equal(through_pickle(env).render(), env.render())
    assert_same(through_pickle(make_vec()).reset(seed=1)[0], make_vec().reset(seed=1)[0])


FORKS = """
import multiprocessing
import warnings

import gymnasium
import jax
import numpy as np
import tetrax

warnings.simplefilter("ignore")  # JAX's, that forking will likely lead to a deadlock
OPTIONS = {"preset": "mini", "actions": "drop"}


def reset(queue):
    try:
        queue.put(gymnasium.make("tetrax/Tetris-v1", **OPTIONS).reset(seed=0)[1]["pieces"])
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
    gymnasium.make("tetrax/Tetris-v1", **OPTIONS)
    print("before JAX:", reset_in_process("fork"))
    jax.numpy.ones(3)
    print("after:", reset_in_process("fork"))
    print("spawned:", reset_in_process("spawn"))
    boards = gymnasium.make_vec("tetrax/Tetris-v1", 2, "async", vector_kwargs={"context": "fork"}, **OPTIONS)
    try:
        boards.reset(seed=0)
    except RuntimeError as error:
        print("async:", error)
    boards.close(terminate=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.slow
def test_a_process_that_was_forked_after_jax_started_says_so(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    lines = result.stdout.splitlines()
    said = "JAX had started before this process was forked, and would hang in it; allowed: vector_kwargs="
    assert lines[0] == "before JAX: 0", result.stderr
    assert lines[1].startswith(f"after: {said}")
    assert lines[2] == "spawned: 0"
    assert lines[3].startswith(f"async: {said}")
    assert len(lines) == 4
