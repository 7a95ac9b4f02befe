"""Learning from sequences with a memory, against loops over single steps in NumPy."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import Chain, ChainState
from tetrax.agents.dqn import DQNConfig, acting, windows
from tetrax.agents.dqn.train_state import Slot
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.noisy import NOISE
from tetrax.ops import normalise, packing

ENV = Chain(time_limit=9)
WINDOWS, BURN_IN, LEARNED, GAMMA = 40, 3, 5, 0.7
CONFIG = DQNConfig(
    form="actions",
    network=NetworkConfig(recurrent="gru", memory=1),
    replay_capacity=1,
    sequence_length=LEARNED,
    burn_in=BURN_IN,
    target_network="periodic",
    loss="squared",
    discount=GAMMA,
)


class Decaying:
    """A memory of one number that fades, and is added to by what is seen; values are a table's and shares of it."""

    encode, step = "encode", "step"

    def apply(self, params, *inputs, method=None, rngs=None):
        assert rngs is None
        if method == self.encode:
            return inputs[0].flat
        cells, memory, is_first = inputs if method == self.step else (inputs[0].flat, *inputs[1:])
        kept = jnp.where(is_first, 0.0, memory) * params["keep"]
        memory = kept + params["inflow"] + cells @ jnp.arange(1.0, 6.0)
        z = cells @ params["table"] + memory[:, None] * params["share"][None]
        return z[..., None], memory


def drawn_params(rng):
    params = {
        "table": rng.normal(size=(5, 2)),
        "keep": rng.uniform(0.3, 0.9),
        "inflow": rng.normal(),
        "share": rng.normal(size=2) * 0.3,
    }
    return jax.tree.map(np.float32, params)


def drawn_windows(rng, length):
    """Random games, cut off or lost now and then; what is seen where a game is cut off is no board of the window."""
    shape = (length, WINDOWS)
    end = rng.random(shape)
    terminated, truncated = end < 0.15, end > 0.8
    is_first = np.roll(terminated | truncated, 1, axis=0)
    is_first[0] = rng.random(WINDOWS) < 0.3
    return SimpleNamespace(
        cell=rng.integers(0, 4, shape),
        action=rng.integers(0, 2, shape),
        reward=rng.normal(size=shape).astype(np.float32),
        terminated=terminated,
        truncated=truncated,
        is_first=is_first,
        last=rng.integers(0, 4, shape),
        memory=rng.normal(size=shape).astype(np.float32),
    )


def packed(cells):
    def pack(cell):
        return packing.pack(ChainState(cell=cell, time=jnp.int32(0), done=jnp.bool_(False)))

    return jax.vmap(jax.vmap(pack))(jnp.asarray(cells, jnp.int32))


def slots(games):
    return Slot(
        seen=packed(games.cell),
        action=jnp.asarray(games.action, jnp.int32),
        reward=jnp.asarray(games.reward),
        terminated=jnp.asarray(games.terminated),
        truncated=jnp.asarray(games.truncated),
        is_first=jnp.asarray(games.is_first),
        last=packed(games.last),
        memory=jnp.asarray(games.memory),
    )


def errors(config, network, params, target_params, games):
    """Return (losses, sizes, targets) of the agent, and the gradient of the sum of the losses."""
    player = acting.Player(config, network, False)

    def total(params, data):
        state = SimpleNamespace(
            tunables={"discount": jnp.float32(config.discount)},
            env_params=(),
            params=params,
            target_params=target_params,
            value_moments=normalise.RunningMoments.empty(),
        )
        found = windows.judge_sequences(player, ENV, state, params, data, jax.random.key(0))
        return found.loss.sum(), found

    gradient, found = jax.jit(jax.grad(total, has_aux=True))(params, slots(games))
    return [np.asarray(part) for part in found], gradient


def judged(params, cell, memory, is_first):
    """Return the values of both actions and the memory after the step."""
    memory = (0.0 if is_first else memory) * params["keep"] + params["inflow"] + (cell + 1)
    return params["table"][cell] + memory * params["share"], memory


def unrolled(params, games, board):
    values, memories, memory = [], [], games.memory[0, board]
    for cell, is_first in zip(games.cell[:, board], games.is_first[:, board], strict=True):
        found, memory = judged(params, cell, memory, is_first)
        values.append(found)
        memories.append(memory)
    return values, memories


def target_of(games, online, target, start, board, num_steps, double):
    """Return what step `start` of one window is learned towards; online and target as `unrolled` gave them."""
    gained, power, t = 0.0, 1.0, start
    while True:
        gained, power = gained + power * games.reward[t, board], power * GAMMA
        if games.terminated[t, board]:
            return gained
        if games.truncated[t, board] or t == start + num_steps - 1:
            break
        t += 1
    if games.truncated[t, board]:
        last = games.last[t, board]
        choice, value = (
            judged(params, last, memories[t], False)[0] for params, (_, memories) in (online, target)
        )
    else:
        choice, value = (values[t + 1] for _, (values, _) in (online, target))
    return gained + power * value[np.argmax(choice if double else value)]


def reference(games, params, target_params, num_steps, double):
    """Return the targets and errors [S, N], and the gradient of half the squared errors, all step by step."""
    targets, sizes = np.zeros((2, LEARNED, WINDOWS))
    gradient = {name: np.zeros_like(leaf, float) for name, leaf in params.items()}
    for board in range(WINDOWS):
        online, target = ((p, unrolled(p, games, board)) for p in (params, target_params))
        values, memories = online[1]
        of_inflow = of_keep = 0.0  # derivatives of the memory: what came out of the burn-in counts as given
        for t in range(BURN_IN, BURN_IN + LEARNED):
            goes_on = not games.is_first[t, board]
            of_keep = goes_on * (of_keep * params["keep"] + memories[t - 1])
            of_inflow = goes_on * of_inflow * params["keep"] + 1.0
            wanted = target_of(games, online, target, t, board, num_steps, double)
            action, cell = games.action[t, board], games.cell[t, board]
            error = values[t][action] - wanted
            targets[t - BURN_IN, board], sizes[t - BURN_IN, board] = wanted, abs(error)
            gradient["table"][cell, action] += error
            gradient["share"][action] += error * memories[t]
            gradient["inflow"] += error * params["share"][action] * of_inflow
            gradient["keep"] += error * params["share"][action] * of_keep
    return targets, sizes, gradient


@pytest.mark.parametrize(
    ("num_steps", "double"),
    [
        (3, True),
        *(pytest.param(n, d, marks=pytest.mark.slow) for n, d in ((1, False), (1, True), (3, False))),
    ],
)
def test_sequences_are_learned_from_like_single_steps(num_steps, double):
    """Over ends and cuts, from a memory that came out of the burn-in."""
    rng = np.random.default_rng(0)
    params, target_params = drawn_params(rng), drawn_params(rng)
    config = dataclasses.replace(CONFIG, n_step=num_steps, double=double)
    games = drawn_windows(rng, config.window)
    (losses, sizes, targets), gradient = errors(config, Decaying(), params, target_params, games)
    expected, expected_sizes, expected_gradient = reference(games, params, target_params, num_steps, double)
    np.testing.assert_allclose(targets, expected, atol=2e-5)
    np.testing.assert_allclose(sizes, expected_sizes, atol=2e-5)
    np.testing.assert_allclose(losses, 0.5 * expected_sizes**2, rtol=1e-4, atol=1e-4)
    for name, part in expected_gradient.items():
        np.testing.assert_allclose(gradient[name], part, rtol=1e-4, atol=1e-3, err_msg=name)


class Noise:
    """Says nothing but its noise, one number for a whole unrolling."""

    encode, step = Decaying.encode, Decaying.step

    def apply(self, params, *inputs, method=None, rngs=None):
        if method == self.encode:
            return inputs[0].flat
        seen, memory = inputs[:2]
        cells = seen if method == self.step else seen.flat
        return params + jnp.full((*cells.shape[:-1], 2, 1), jax.random.normal(rngs[NOISE])), memory


def test_the_target_network_of_sequences_has_noise_of_its_own():
    # Nothing is paid or discounted: a target is the noise of what follows, and the network's own is as far from it as
    # two draws are.
    config = dataclasses.replace(CONFIG, noisy=True, discount=1.0)
    games = drawn_windows(np.random.default_rng(1), config.window)
    games.reward[:], games.terminated[:] = 0.0, False
    (_, sizes, targets), _ = errors(config, Noise(), np.float32(0), np.float32(0), games)
    is_cut = games.truncated[BURN_IN : BURN_IN + LEARNED]
    for kind in (is_cut, ~is_cut):
        assert np.unique(targets[kind]).size == np.unique(sizes[kind]).size == 1
        assert sizes[kind].min() > 1e-3
