"""With another kind of key as JAX's default ($JAX_DEFAULT_PRNG_IMPL), who gives no key of their own notices nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.train.toy import toy_config
from tetrax.adapters.views import make_view
from tetrax.env import record
from tetrax.env.contract import example_observation
from tetrax.ops import packing
from tetrax.train.config import EvalConfig
from tetrax.train.loop import train

ENV = tetrax.make("mini", actions="drop")


def threefry(seed):
    return jax.random.key(seed, impl="threefry2x32")


@pytest.fixture(params=["rbg", "unsafe_rbg"])
def other_kind(request):
    with jax.default_prng_impl(request.param):
        assert jax.random.key_data(jax.random.key(0)).shape == (4,)
        yield


def test_boards_are_drawn_and_shapes_asked_for(other_kind):
    state = tetrax.state_from_ascii(ENV, "#.#.")
    assert str(jax.random.key_impl(state.key)) in ("fry", "threefry2x32")
    assert example_observation(ENV).legal.shape == (16,)
    assert make_view("mini", "planes", {}).shown.shape == (8, 4, 3)
    words = packing.pack({"key": state.key, "number": jnp.int32(3)})
    like = jax.eval_shape(lambda: {"key": state.key, "number": jnp.int32(3)})
    assert packing.unpack(words, like)["key"] == state.key


def test_recordings_are_made_and_replayed(other_kind, tmp_path):
    game = record.record(ENV.config, ENV.default_params, threefry(4), [1, 2, 3])
    record.save(game, tmp_path / "game.json")
    replayed = record.verify(record.load(tmp_path / "game.json"))
    assert (replayed.states.key == threefry(4)).all()
    assert game.outcome == record.record(ENV.config, ENV.default_params, np.array([0, 4]), [1, 2, 3]).outcome


def test_a_gymnasium_environment_plays_the_same_game(other_kind):
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make("tetrax/Tetris-v1", preset="mini", actions="drop")
    seen, _ = env.reset(seed=5)
    with jax.default_prng_impl("threefry2x32"):
        expected, _ = gymnasium.make("tetrax/Tetris-v1", preset="mini", actions="drop").reset(seed=5)
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.slow
def test_training_saves_resumes_and_evaluates(tmp_path):
    """One kind will do: this compiles a training program."""
    config = dataclasses.replace(
        toy_config(total_steps=64), evaluation=EvalConfig(every=0, final_episodes=2, max_pieces=5)
    )
    with jax.default_prng_impl("rbg"):
        result = train(config, run_dir=tmp_path / "run")
        assert result.status == "finished"
        assert result.evaluation["episodes"] == 2
        longer = dataclasses.replace(config, total_steps=128)
        assert train(longer, run_dir=tmp_path / "run", resume=True).status == "finished"


def test_the_error_about_a_key_of_that_kind_says_how_to_make_another(other_kind):
    said = r'key: given key<\w*rbg>\[\]; allowed: .* jax.random.key\(seed, impl="threefry2x32"\)'
    with pytest.raises(TypeError, match=said):
        ENV.reset(jax.random.key(0))
