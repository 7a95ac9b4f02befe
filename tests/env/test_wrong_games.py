"""What is no game, no board and no batch of them: one clear error from recordings, drawings, batches and wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import finesse, record
from tetrax.env.ascii import board_to_ascii, state_from_ascii
from tetrax.env.batch import Batch
from tetrax.env.wrappers import AutoReset, EpisodeStatistics

ENV = tetrax.make("mini", actions="drop")
KEY = jax.random.key(0)
PARAMS = ENV.default_params
OF_REPLAY = "game: given {}; allowed: a Recording .* or a Replay"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (ENV, PARAMS, KEY, [1]),
            TypeError,
            "config: given a Tetris; allowed: an EnvConfig, such as env.config",
        ),
        ((ENV.config, None, KEY, [1]), TypeError, "params: given None; allowed: EnvParams"),
        (
            (ENV.config, PARAMS, 0, [1]),
            TypeError,
            r"key: given 0; allowed: one typed Threefry key, or its data",
        ),
        ((ENV.config, PARAMS, np.zeros(3, np.uint32), [1]), TypeError, r"key: given uint32\[3\]"),
        ((ENV.config, PARAMS, np.zeros(2), [1]), TypeError, r"key: given float64\[2\]"),
        ((ENV.config, PARAMS, jax.random.split(KEY), [1]), TypeError, r"key: given key<fry>\[2\]"),
        ((ENV.config, PARAMS, KEY, [1.5]), ValueError, r"actions\[0\]: given 1.5; allowed: 0 to 15"),
        ((ENV.config, PARAMS, KEY, None), ValueError, "actions: given NoneType; allowed: a list of integers"),
    ],
)
def test_what_cannot_be_recorded(arguments, error, message):
    with pytest.raises(error, match=message):
        record.record(*arguments)


def test_what_cannot_be_replayed_or_saved(tmp_path):
    for given, name in (("game.json", "'game.json'"), (None, "None"), (ENV.config, "an EnvConfig")):
        with pytest.raises(TypeError, match=OF_REPLAY.format(name)):
            record.replay(given)
    with pytest.raises(TypeError, match="path: given 3; allowed: a name, or a Path"):
        record.save(None, 3)
    with pytest.raises(
        ValueError, match=r"path: given '.*missing/game.json'; allowed: a file in a folder that exists"
    ):
        record.save(None, tmp_path / "missing" / "game.json")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: state_from_ascii("mini", "...."), TypeError, "env: given 'mini'; allowed: an environment"),
        (lambda: state_from_ascii(ENV, None), TypeError, "drawing: given None; allowed: text"),
        (lambda: state_from_ascii(ENV, "....", piece=3), ValueError, "piece: given 3; allowed: D"),
        (
            lambda: state_from_ascii(ENV, "....", queue=3),
            ValueError,
            "queue: given 3; allowed: a tuple or list",
        ),
        (lambda: state_from_ascii(ENV, "....", queue=[0]), ValueError, r"queue\[0\]: given 0; allowed: D"),
        (
            lambda: state_from_ascii(ENV, "....", key=3),
            TypeError,
            r"key: given int32\[\]; allowed: one typed",
        ),
        (lambda: board_to_ascii(None, None), TypeError, "env: given None; allowed: an environment"),
        (lambda: board_to_ascii(ENV, (1, 2)), TypeError, "state: given a tuple; allowed: a State"),
        (
            lambda: Batch(ENV).reset(KEY),
            TypeError,
            r"keys: given key<fry>\[\]; allowed: typed keys, one a game",
        ),
        (lambda: Batch(ENV).reset(0), TypeError, "keys: given 0; allowed: typed keys, one a game"),
        (lambda: AutoReset(ENV).reset(0), TypeError, "key: given 0; allowed: one typed key"),
        (lambda: AutoReset(ENV).reset(jnp.zeros(2, jnp.uint32)), TypeError, r"key: given uint32\[2\]"),
        (lambda: AutoReset(ENV).step(3, 1), TypeError, "state: given 3; allowed: an AutoResetState"),
        (
            lambda: EpisodeStatistics(ENV).step(None, 1),
            TypeError,
            "state: given None; allowed: an EpisodeState",
        ),
    ],
)
def test_what_is_no_board_and_no_batch(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tetrax.Tetris("mini"), "config: given 'mini'; allowed: an EnvConfig"),
        (lambda: AutoReset("mini"), "env: given 'mini'; allowed: a game, as tetrax.make gives it"),
        (lambda: EpisodeStatistics(3), "env: given 3; allowed: a game"),
        (lambda: Batch(None), "env: given None; allowed: a game"),
        (
            lambda: Batch(ENV).step(jnp.int32(0), jnp.zeros(2, jnp.int32)),
            "state: given one game; allowed: many, with the games on the last axis",
        ),
        (lambda: record.load(None), "path: given None; allowed: a name, or a Path"),
        (lambda: finesse.keys(ENV, PARAMS, None, None), "placement: given None; allowed: a Placement"),
    ],
)
def test_what_is_no_game_at_all(call, message):
    with pytest.raises(TypeError, match=message):
        call()
