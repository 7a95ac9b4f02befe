"""Which word names which game, and what every game offers to learners."""

import jax
import jax.numpy as jnp
import pytest

from tetrax import games
from tetrax.env.contract import RETURN, STEPS
from tetrax.games import Named
from tetrax.games.configs import GymnasiumConfig, GymnaxConfig


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("tetris", Named("tetris", None)),
        ("gymnax", Named("gymnax", None)),
        ("cartpole", Named("gymnax", GymnaxConfig("CartPole-v1"))),
        ("gymnax:Acrobot-v1", Named("gymnax", GymnaxConfig("Acrobot-v1"))),
        ("gymnasium:LunarLander-v3", Named("gymnasium", GymnasiumConfig("LunarLander-v3"))),
        ("gymnasium:tetrax/Tetris-v1", Named("gymnasium", GymnasiumConfig("tetrax/Tetris-v1"))),
    ],
)
def test_a_word_names_a_game(word, named):
    assert games.find(word) == named


@pytest.mark.parametrize("word", ["", "chess", "tetris:10x20", "guideline", "gymnax:", "jumanji:Tetris-v0"])
def test_other_words_name_none(word):
    with pytest.raises(ValueError, match=rf"game: given '{word}'; allowed: tetris, cartpole, gymnax:ID"):
        games.find(word)


@pytest.mark.parametrize("max_steps", [-1, 2**31, True])
def test_limits_that_cannot_be(max_steps):
    for config in (GymnaxConfig, GymnasiumConfig):
        with pytest.raises(ValueError, match=r"env.max_steps: given .*; allowed: 0 or more"):
            config("CartPole-v1", max_steps)


def test_equal_configurations_are_one_game():
    pytest.importorskip("gymnax")
    first, second = (games.make("gymnax", GymnaxConfig("CartPole-v1")) for _ in range(2))
    assert first is second
    assert games.make("gymnax", GymnaxConfig("CartPole-v1", 7)) is not first


def test_gymnax_ends_where_the_configuration_says(lenient):
    pytest.importorskip("gymnax")
    env = games.make("gymnax", GymnaxConfig("CartPole-v1", max_steps=3))
    assert (env.spec.headline, env.spec.measures, env.spec.length) == (RETURN, (RETURN, STEPS), STEPS)
    assert env.spec.can_truncate and not env.spec.is_endless and not env.spec.on_host
    state, _ = env.reset(jax.random.key(0))
    cut = []
    for _ in range(3):
        state, timestep = env.step(state, jnp.int32(0))
        cut.append(bool(timestep.truncated))
    assert cut == [False, False, True]
    other = env.resample_future(state, jax.random.key(9))
    assert (jax.random.key_data(other.key) == jax.random.key_data(jax.random.key(9))).all()
    assert (other.shown == state.shown).all()


@pytest.mark.parametrize(
    ("game", "config", "said"),
    [
        (
            "gymnax",
            GymnaxConfig("CartPol-v1"),
            r"game: given gymnax:CartPol-v1; allowed: .* did you mean 'CartPole-v1'",
        ),
        (
            "gymnax",
            GymnaxConfig("Pendulum-v1"),
            r"game: given gymnax:Pendulum-v1: action_space: given Box.*Discrete",
        ),
        ("gymnasium", GymnasiumConfig("CartPol-v1"), r"game: given gymnasium:CartPol-v1 .*CartPole"),
        (
            "gymnasium",
            GymnasiumConfig("Pendulum-v1"),
            r"gymnasium:Pendulum-v1, whose actions are Box.*Discrete",
        ),
    ],
)
def test_what_there_is_not_and_what_cannot_be_learned_is_refused_by_name(game, config, said):
    pytest.importorskip(game)
    with pytest.raises(ValueError, match=said):
        games.make(game, config)
