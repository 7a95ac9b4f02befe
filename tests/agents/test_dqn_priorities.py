"""What priorities of the replay are made of, how they are weighed against, and noise of the target network's own."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import Chain
from tests.agents.test_dqn import MOMENTS, PLAIN, windows_of
from tetrax.agents.dqn import TUNABLE_RANGES, acting, judge, learning, windows
from tetrax.agents.dqn.train_state import TrainState
from tetrax.networks.noisy import NOISE
from tetrax.ops import optimise, replay

LEARNS = dataclasses.replace(
    PLAIN,
    prioritised=True,
    num_updates=1,
    batch_size=3,
    target_network="none",
    priority_exponent=0.5,
    importance_start=0.5,
)


def drawn(kept, key, num):
    """Stand in for `replay.sample`: starts 0, 3 and 4, drawn with probabilities 1/16, 1/4 and 1."""
    del kept, key
    assert num == 3
    return replay.Windows(data=(), probability=jnp.array([1 / 16, 1 / 4, 1.0]), index=jnp.array([[0, 3, 4]]))


def known_errors(player, env, state, params, data, key):
    """Stand in for `windows.judge_steps`: losses, sizes and targets of two steps of three sequences."""
    del player, env, state, data, key
    losses = params * jnp.array([[1.0, 3.0, 8.0], [3.0, 5.0, 8.0]])
    sizes = jnp.array([[1.0, 0.0, 6.0], [3.0, 0.0, 2.0]])
    return windows.Errors(losses, sizes, jnp.zeros_like(losses))


@pytest.fixture(scope="module")
def learn():
    """One update from these, of a replay in which all six starts have priority 1."""

    @jax.jit
    def update(iteration, horizon):
        kept = replay.empty(jnp.int32(0), capacity=8, num_envs=2, length=2, new_steps=2, prioritised=True)
        for _ in range(2):
            kept = replay.insert(kept, jnp.zeros((2, 2), jnp.int32))
        tunables = {name: jnp.float32(getattr(LEARNS, name)) for name in TUNABLE_RANGES}
        params = jnp.float32(1)
        state = TrainState(
            params=params,
            target_params=None,
            optimiser=optimise.init(params),
            value_moments=MOMENTS,
            env_state=None,
            memory=(),
            is_first=None,
            replay=kept,
            tunables={**tunables, "horizon": horizon},
            env_params=None,
            iteration=iteration,
            updates=jnp.int32(0),
            key=None,
        )
        player = acting.Player(LEARNS, None, False)
        state, metrics = learning.from_replay(player, None, state, jax.random.key(0))
        return state.replay, metrics["loss/value"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "judge_steps", known_errors)
        patch.setattr(replay, "sample", drawn)
        update = update.lower(jnp.int32(0), jnp.float32(0)).compile()
    return lambda iteration, horizon: update(jnp.int32(iteration), jnp.float32(horizon))


@pytest.mark.parametrize(
    ("iteration", "horizon", "loss"),
    [
        # Weights (1/16 / probability)^exponent of mean losses 2, 4 and 8.
        (0, 10, (2 + 4 / 2 + 8 / 4) / 3),  # exponent 1/2
        (5, 10, (2 + 4 / 8**0.5 + 8 / 8) / 3),  # 3/4
        (10, 10, (2 + 4 / 4 + 8 / 16) / 3),  # 1
        (20, 10, (2 + 4 / 4 + 8 / 16) / 3),  # and stays
        (20, 0, (2 + 4 / 2 + 8 / 4) / 3),  # no end of the run is known
    ],
)
def test_what_is_drawn_often_counts_less_and_more_so_towards_the_end(learn, iteration, horizon, loss):
    assert learn(iteration, horizon)[1] == pytest.approx(loss, rel=1e-5)


def test_priorities_are_made_of_the_largest_error_and_the_mean_of_a_sequence(learn):
    # Errors 1 and 3: 0.9 x 3 + 0.1 x 2 = 2.9. Errors 6 and 2: 5.4 + 0.4 = 5.8. No error: 0. On top 0.001, to the 0.5.
    kept, _ = learn(0, 0)
    expected = [2.901**0.5, 1, 1, 0.001**0.5, 5.801**0.5, 1]
    np.testing.assert_allclose(kept.priorities.nodes[0, 8:14], expected, rtol=1e-5)
    assert kept.largest[0] == pytest.approx(5.801**0.5)


def sizes_of(config, z, values):
    """Sizes of the errors of judgements of actions, returns being equally likely."""
    z, values = np.array(z, np.float32), np.array(values, np.float32)
    frame = judge.Frame(np.zeros(len(z), np.float32), np.ones(len(z), np.float32))
    target = judge.Returns(values, np.full_like(values, 1 / values.shape[1]))
    return jax.jit(lambda *args: judge.errors(config, MOMENTS, *args)[1])(z, frame, target).tolist()


def test_the_error_of_a_distribution_is_its_divergence_from_the_outcome():
    config = dataclasses.replace(
        PLAIN, distribution="categorical", atoms=3, lowest_value=0.0, highest_value=2.0
    )
    # Of a coin that pays 0 or 1: half and half is no error, however large the loss. 1/4 and 3/4 diverge from the coin
    # by 1/2 log(1/2 / (1/4)) + 1/2 log(1/2 / (3/4)) = 1/2 log(4/3). Of a sure 0: 0.9 of it by -log 0.9.
    predicted = np.log([[0.5, 0.5, 1e-9], [0.25, 0.75, 1e-9], [0.9, 0.1, 1e-9]])
    found = sizes_of(config, predicted, [[0, 1], [0, 1], [0, 0]])
    assert found == pytest.approx([0.0, 0.5 * np.log(4 / 3), -np.log(0.9)], abs=1e-6)


def test_the_error_of_quantiles_is_that_of_their_mean():
    config = dataclasses.replace(PLAIN, distribution="quantile", atoms=4)
    # Quantiles of mean 3; returns of mean 3 and 1.5.
    assert sizes_of(config, [[0, 2, 4, 6], [0, 2, 4, 6]], [[2, 4], [1, 2]]) == [0.0, 1.5]


class Noise:
    """Says nothing but its noise: a number for one action, and as much below zero for the other."""

    def apply(self, params, observation, memory, is_first, rngs=None):
        del is_first
        noise = jax.random.normal(rngs[NOISE]) * jnp.array([1.0, -1.0])
        return params + jnp.broadcast_to(noise[:, None], (*observation.flat.shape[:-1], 2, 1)), memory


def test_each_network_has_noise_of_its_own():
    # Nothing is paid or discounted: the target is +- the target network's noise; the network's own judgement of the
    # action is as far from it as two draws are. Who chooses by a third draw often takes the worse action.
    config = dataclasses.replace(PLAIN, noisy=True, double=True, discount=1.0)
    player = acting.Player(config, Noise(), False)
    state = SimpleNamespace(
        tunables={"discount": jnp.float32(1)},
        env_params=(),
        params=jnp.float32(0),
        target_params=jnp.float32(0),
        value_moments=MOMENTS,
    )
    steps = [(0, 0, 0.0, False, False, 0), (1, 0, 0.0, False, False, 0)]

    @jax.jit
    @jax.vmap
    def errors(key):
        return windows.judge_steps(player, Chain(), state, state.params, windows_of(Chain(), steps), key)

    found = errors(jax.random.split(jax.random.key(0), 64))
    assert found.size.min() > 1e-3
    assert 16 < (found.target < 0).sum() < 48
