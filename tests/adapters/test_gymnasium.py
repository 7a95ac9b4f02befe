"""Tetris under gymnasium's interface: its checker, one board and many, and a learner that expects it."""

import importlib
import sys

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
from gymnasium.error import DeprecatedEnv, ResetNeeded  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

from tests.adapters.boards import NUM_ACTIONS, NUM_BOARDS, make, make_vec, play  # noqa: E402
from tetrax.adapters.registration import ENV_ID  # noqa: E402


@pytest.fixture
def env():
    return make()


def test_gymnasium_finds_nothing_wrong(env, capsys):
    """Its checker renders as well; the tests take every warning for an error."""
    check_env(env.unwrapped)
    assert "NEXT" in capsys.readouterr().out


def test_a_game():
    results = play(make(episode_statistics=True), 3)
    info = results[-1][4]
    assert info["episode"]["r"] == pytest.approx(sum(result[1] for result in results))
    assert info["episode"]["l"] == len(results) - 1
    assert info["episode"]["t"] > 0
    assert all("episode" not in result[4] for result in results[:-1])
    assert info["pieces"] == len(results) - 1  # every legal placement locks a piece
    assert info["action_mask"].dtype == np.int8
    assert set(info) == {"action_mask", "lines", "pieces", "score", "episode"}


def test_the_name_of_an_older_version_is_refused_with_the_present_one():
    with (
        pytest.warns(DeprecationWarning, match="out of date"),
        pytest.raises(DeprecatedEnv, match=f"Please use `{ENV_ID}`"),
    ):
        gymnasium.make("tetrax/Tetris-v0", preset="mini")


def test_games_end_in_both_ways(env):
    ends = {play(env, seed)[-1][2:4] for seed in range(8)}
    assert ends == {(True, False), (False, True)}


def test_seeds(env):
    def openings(first_seed):
        return np.stack([env.reset(seed=seed)[0] for seed in (first_seed, None, None, None)])

    once, again, other = openings(1), openings(1), openings(2)
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert len(np.unique(once, axis=0)) > 2  # every game has pieces of its own
    for one, two in zip(play(env, 7), play(make(), 7), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:4] == two[1:4]


def test_after_the_end_nothing_happens_and_gymnasium_warns(env):
    seed = next(seed for seed in range(20) if play(env, seed)[-1][2])
    *_, (observation, _, terminated, _, _) = play(env, seed)
    with pytest.warns(UserWarning, match="after the end of the game"):
        again = env.step(0)
    np.testing.assert_array_equal(again[0], observation)
    assert again[1:4] == (0.0, terminated, False)


def test_frames(capsys):
    text = make(render_mode="ansi")
    text.reset(seed=0)
    assert "SCORE" in text.render()
    picture = make(render_mode="rgb_array")
    picture.reset(seed=0)
    frame = picture.render()
    assert frame.dtype == np.uint8
    assert frame.ndim == 3 == frame.shape[2]
    assert capsys.readouterr().out == ""
    human = make(render_mode="human")
    human.reset(seed=0)
    assert human.render() is None
    assert capsys.readouterr().out == text.render() + "\n"  # no colours, no clearing: not a terminal
    human.step(np.int64(0))
    assert capsys.readouterr().out.count("SCORE") == 1


@pytest.mark.parametrize("action", [-1, NUM_ACTIONS, 1.5, "left", np.array([1, 2]), None])
def test_actions_that_do_not_exist(env, action):
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action: given .*; allowed: a whole number from 0 to 23"):
        env.unwrapped.step(action)


def test_reset_comes_first(env):
    for each in (env.unwrapped, make_vec()):
        with pytest.raises(ResetNeeded):
            each.step(0)
        with pytest.raises(ResetNeeded):
            each.render()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"render_mode": "svg"}, "render_mode: given 'svg'; allowed: human, ansi, rgb_array"),
        ({"observation": "pixels"}, "observation: given 'pixels'; allowed: flat, planes, image, compact"),
        ({"hight": 10}, "given 'hight'.*'height'"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*render_mode='svg':UserWarning")  # gymnasium says it as well
def test_what_is_not_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_gymnasium_imports_it_by_its_name():
    made = gymnasium.make(f"tetrax:{ENV_ID}", preset="mini", observation="planes")
    assert made.observation_space.shape == (8, 4, 3)
    assert made.observation_space.dtype == np.uint8


def test_the_error_without_gymnasium_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "tetrax.adapters.gymnasium", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[gymnasium\]'"):
        importlib.import_module("tetrax.adapters.gymnasium")


def assert_same(one, other, path=""):
    """Compare nested results but for the totals: times differ, and those of SyncVectorEnv have more masks."""
    if isinstance(one, dict):
        names = {name for name in one if name not in ("episode", "_episode")}
        assert names == {name for name in other if name not in ("episode", "_episode")}, path
        for name in names:
            assert_same(one[name], other[name], f"{path}/{name}")
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for a, b in zip(one, other, strict=True):
            assert_same(a, b, path)
    elif one is None:
        assert other is None, path
    else:
        assert one.dtype == other.dtype, path
        np.testing.assert_array_equal(one, other, err_msg=path)


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(AutoresetMode.SAME_STEP, marks=pytest.mark.slow),
        pytest.param(AutoresetMode.NEXT_STEP, marks=pytest.mark.slow),
    ],
)
def test_many_boards_equal_many_environments(mode):
    """Everything that comes back equals what gymnasium's SyncVectorEnv of single environments gives."""
    ours = make_vec(autoreset_mode=mode, episode_statistics=True)
    theirs = make_vec(
        vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, episode_statistics=True
    )
    assert ours.metadata["autoreset_mode"] is mode
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_same(ours.reset(seed=5)[1], theirs.reset(seed=5)[1])
    generator, num_ends, total = np.random.default_rng(0), 0, np.zeros(NUM_BOARDS)
    for _ in range(40):
        actions = generator.integers(0, NUM_ACTIONS, NUM_BOARDS)
        *results, infos = ours.step(actions)
        *expected, told = theirs.step(actions)
        for one, other in zip(results, expected, strict=True):
            assert_same(one, other)
        assert results[0] in ours.observation_space
        assert_same(infos, told)
        total += results[1]
        done = results[2] | results[3]
        assert ("episode" in infos) == done.any()
        if done.any():
            num_ends += done.sum()
            np.testing.assert_array_equal(infos["_episode"], done)
            np.testing.assert_allclose(infos["episode"]["r"], np.where(done, total, 0))
            nested = told["final_info"] if mode is AutoresetMode.SAME_STEP else told
            np.testing.assert_array_equal(infos["episode"]["l"], nested["episode"]["l"])
            np.testing.assert_allclose(infos["episode"]["r"], nested["episode"]["r"])
            total[done] = 0
    assert num_ends > 20
    assert_same(ours.reset()[0], theirs.reset()[0])


def test_frames_of_many_boards():
    boards = make_vec(render_mode="ansi")
    boards.reset(seed=0)
    one = make(render_mode="ansi")
    one.reset(seed=1)
    frames = boards.render()
    assert len(frames) == NUM_BOARDS
    assert frames[1] == one.render()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs: given 0; allowed: a whole number from 1"),
        ({"num_envs": 10**9}, "num_envs: given 1000000000; allowed: a whole number from 1 to 1000000"),
        ({"num_envs": 2.5}, "num_envs: given 2.5; allowed: a whole number from 1"),
        ({"num_envs": "4"}, "num_envs: given '4'; allowed: a whole number from 1"),
        ({"autoreset_mode": "Disabled"}, "autoreset_mode: given 'Disabled'; allowed: SameStep, NextStep"),
        ({"render_mode": "human"}, "render_mode: given 'human'; allowed: ansi, rgb_array"),
    ],
)
def test_what_many_boards_do_not_allow(options, message):
    with pytest.raises(ValueError, match=message):
        gymnasium.make_vec(ENV_ID, **options)


def test_what_many_boards_are_not_told():
    boards = make_vec()
    with pytest.raises(ValueError, match="seed: given 2 numbers; allowed: 4, one a board"):
        boards.reset(seed=[1, 2])
    for seed, given in (
        (1.5, "1.5"),
        ("x", "'x'"),
        (-1, "-1"),
        ([1, 2, 3, -4], "-4"),
        ([0, 1, 2, "a"], "'a'"),
    ):
        with pytest.raises(
            ValueError, match=f"seed: given {given}; allowed: None, a whole number of 0 or more, or"
        ):
            boards.reset(seed=seed)
    np.testing.assert_array_equal(boards.reset(seed=np.int64(7))[0], boards.reset(seed=np.arange(7, 11))[0])
    with pytest.raises(ValueError, match="options: given reset_mask; allowed: none"):
        boards.reset(options={"reset_mask": np.ones(NUM_BOARDS, bool)})
    boards.reset(seed=[4, 3, 2, 1])
    for actions, message in (
        ([0, 1, 24, 0], r"actions\[2\]: given 24; allowed: from 0 to 23"),
        ([0, 1], r"actions: given int64\[2\]; allowed: whole numbers, \[4\]"),
        ([0.0, 1.0, 2.0, 3.0], r"actions: given float64\[4\]"),
    ):
        with pytest.raises(ValueError, match=message):
            boards.step(actions)


@pytest.mark.parametrize(
    "options",
    [
        {"actions": "chords", "chords": (("left",), ("right", "hard_drop"))},
        {"randomizer": "list", "sequence": ("I", "O"), "pieces": ("I", "O")},
    ],
)
def test_a_specification_survives_gymnasiums_json(options):
    env = gymnasium.make(ENV_ID, **options)
    spec = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())
    assert isinstance(next(value for value in spec.kwargs.values() if not isinstance(value, str)), list)
    assert gymnasium.make(spec).unwrapped.view == env.unwrapped.view
    assert gymnasium.make_vec(spec, num_envs=2).view == env.unwrapped.view
