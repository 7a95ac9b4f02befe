"""Values of the boards that placements leave: a reward counts once, in rollouts and in the replay.

Games of piles and, slowly, of Tetris are played one step at a time and written down; what the agent makes of the same
games is compared with sums over those records. Rewards are multiples of 1/2, values whole numbers, and the discount
and lambda 1/2, so that float32 holds every sum and equals are equals.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.piles import SUM_OF_HEIGHTS, Piles
from tetrax.agents.dqn import TUNABLE_RANGES, DQNConfig, acting, collecting, learning, windows
from tetrax.agents.dqn.train_state import Sample, Slot, TrainState
from tetrax.env.batch import Batch
from tetrax.env.contract import Observation
from tetrax.env.foresight import AFTERSTATE_FEATURES
from tetrax.env.wrappers import AutoReset, EpisodeStatistics
from tetrax.ops import exploration, optimise, packing
from tetrax.ops.exploration import Decider, Explored
from tetrax.ops.normalise import RunningMoments

MINI = tetrax.make("mini", actions="drop", reward="stacking", time_limit=7, height=4)
BOARDS, STEPS, GAMMA, LAMBDA = 8, 12, 0.5, 0.5
CONFIG = DQNConfig(
    num_envs=BOARDS,
    num_steps=STEPS,
    discount=GAMMA,
    trace_decay=LAMBDA,
    num_epochs=1,
    num_minibatches=1,
    loss="squared",
    learning_rate=0.0,
    max_grad_norm=1e6,
)
SCALE = AFTERSTATE_FEATURES["aggregate_height"]
ONLINE, TARGET = {"base": 4.0, "slope": -2.0}, {"base": -1.0, "slope": 3.0}


class Stack:
    """A network that values a board by the sum of its heights; it is asked for no noise and has no memory."""

    def apply(self, params, observation, memory, is_first, rngs=None):
        assert rngs is None
        heights = jnp.round(SCALE * observation.afterstates.features[..., SUM_OF_HEIGHTS])
        return (params["base"] + params["slope"] * heights)[..., None], memory


def heights_of(seen):
    return np.round(SCALE * np.asarray(seen.afterstates.features)[..., SUM_OF_HEIGHTS])


def worths_of(seen, params):
    """The worth of each placement by the definition: its reward, and the discounted value unless it loses."""
    after = seen.afterstates
    goes_on = 1.0 - np.asarray(after.terminated, float)
    value = params["base"] + params["slope"] * heights_of(seen)
    worth = np.asarray(after.reward, float) + GAMMA * goes_on * value
    return np.where(np.asarray(seen.legal), worth, -np.inf)


def chosen(seen, worths):
    """Even boards play the best placement, odd ones the first legal one, which piles up and loses."""
    first = np.argmax(np.asarray(seen.legal), axis=-1)
    return np.where(np.arange(BOARDS) % 2 == 0, np.argmax(worths, axis=-1), first)


def scripted(key, value, legal, **shares):
    """Stand in for `exploration.explore` and choose like `chosen`."""
    del key, shares
    first = jnp.argmax(legal, axis=-1)
    action = jnp.where(jnp.arange(BOARDS) % 2 == 0, jnp.argmax(value, axis=-1), first).astype(jnp.int32)
    return Explored(action, jnp.full_like(action, Decider.GREEDY), jnp.ones(BOARDS))


class Played(NamedTuple):
    """Games as they went, [T, B, ...], observations [T + 1, B, ...]."""

    env: Any
    start: Any  # state of the boards
    seen: Any
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    last: Any  # observations after each step, before any reset
    words: np.ndarray  # packed states before each step
    last_words: np.ndarray


def stacked(trees):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@pytest.fixture(
    scope="module",
    params=[Piles(time_limit=6), pytest.param(MINI, marks=pytest.mark.slow)],
    ids=["piles", "mini"],
)
def played(request):
    env = request.param
    boards = Batch(EpisodeStatistics(AutoReset(env, keep_last=True)))
    pack = jax.vmap(packing.pack, in_axes=-1)

    @jax.jit
    def step(state, action):
        state, timestep = boards.step(state, action, env.default_params)
        return state, timestep.replace(event=None), pack(state.env_state.game), pack(state.env_state.last)

    state, timestep = jax.jit(boards.reset)(jax.random.split(jax.random.key(5), BOARDS), env.default_params)
    start, words = state, [jax.jit(pack)(state.env_state.game)]
    seen, actions, timesteps, lasts = [timestep.observation], [], [], []
    for _ in range(STEPS):
        actions.append(chosen(seen[-1], worths_of(seen[-1], ONLINE)))
        state, timestep, now, last = step(state, jnp.asarray(actions[-1], jnp.int32))
        timesteps.append(timestep)
        seen.append(timestep.observation)
        words.append(now)
        lasts.append(last)
    found = stacked(timesteps)
    ends = found.terminated, found.truncated
    assert all(end.sum() >= 3 for end in ends) and len(set(found.reward.ravel().tolist())) >= 3
    return Played(
        env=env,
        start=start,
        seen=stacked(seen),
        action=np.stack(actions),
        reward=found.reward,
        terminated=found.terminated,
        truncated=found.truncated,
        last=found.last_observation,
        words=np.stack(words[:-1]),
        last_words=np.stack(lasts),
    )


def state_of(config, params, target_params=None, played=None):
    env_state = None
    if played is not None:
        env_state = played.start.replace(env_state=played.start.env_state.replace(last=None))
    params, target_params = (jax.tree.map(jnp.float32, part) for part in (params, target_params))
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    return TrainState(
        params=params,
        target_params=target_params,
        optimiser=optimise.init(params),
        value_moments=RunningMoments.empty(),
        env_state=env_state,
        memory=(),
        is_first=jnp.ones(BOARDS, bool),
        replay=None,
        tunables={**tunables, "horizon": jnp.float32(0)},
        env_params=None if played is None else played.env.default_params,
        iteration=jnp.int32(0),
        updates=jnp.int32(0),
        key=jax.random.key(0),
    )


def lambda_returns(played):
    """The returns of the games as they went, backwards and board by board."""
    best = worths_of(played.seen, ONLINE).max(-1)  # [T + 1, B]
    cut_off = worths_of(played.last, ONLINE).max(-1)  # [T, B]
    greedy = np.argmax(worths_of(played.seen, ONLINE), axis=-1)
    returns = np.zeros((STEPS, BOARDS))
    for board in range(BOARDS):
        for t in reversed(range(STEPS)):
            if played.terminated[t, board]:
                follows = 0.0
            elif played.truncated[t, board]:
                follows = cut_off[t, board]
            else:
                follows = best[t + 1, board]
                if t + 1 < STEPS and played.action[t + 1, board] == greedy[t + 1, board]:
                    follows += LAMBDA * (returns[t + 1, board] - follows)
            returns[t, board] = played.reward[t, board] + GAMMA * follows
    return returns


def chosen_heights(played):
    return np.take_along_axis(heights_of(played.seen)[:-1], played.action[..., None], axis=-1)[..., 0]


def test_a_rollout_is_learned_from_with_each_reward_counted_once(played, monkeypatch):
    monkeypatch.setattr(exploration, "explore", scripted)
    assert CONFIG.learns_afterstates(MINI)  # by default
    player = acting.Player(CONFIG, Stack(), True)

    @jax.jit
    def learn(state):
        now = acting.find_exploration(CONFIG, state)
        after, samples, _ = collecting.collect_samples(player, played.env, state, now, jax.random.key(1))
        return samples, learning.from_rollout(player, after, samples, jax.random.key(2))[1]

    samples, metrics = learn(state_of(CONFIG, ONLINE, played=played))
    np.testing.assert_array_equal(samples.offset, played.reward)
    np.testing.assert_array_equal(samples.scale, np.where(played.terminated, 0.0, GAMMA))
    np.testing.assert_array_equal(heights_of(samples.shown)[..., 0], chosen_heights(played))
    returns = lambda_returns(played)
    np.testing.assert_allclose(samples.target, returns, rtol=1e-6)

    # What is left of a return for the board that was left, and what the network says of that board.
    judged = ~played.terminated
    wanted = (returns - played.reward) / GAMMA
    error = np.where(judged, ONLINE["base"] + ONLINE["slope"] * chosen_heights(played) - wanted, 0.0)
    assert metrics["td_error"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert metrics["loss/value"] == pytest.approx(0.5 * (error**2).mean(), rel=1e-5)
    # The mean of error^2 / 2 rises with the base by the mean error, with the slope by that times the heights.
    rise = np.hypot(error.mean(), (error * chosen_heights(played)).mean())
    assert metrics["grad_norm"] == pytest.approx(rise, rel=1e-5)


def n_step_targets(played, starts, num_steps, double):
    """Sum rewards up to the end of a game, or take the value after `num_steps`."""
    targets = np.zeros((len(starts), BOARDS))
    for row, first in enumerate(starts):
        for board in range(BOARDS):
            t = first
            while not (played.terminated | played.truncated)[t, board] and t < first + num_steps - 1:
                t += 1
            gained = sum(GAMMA ** (s - first) * played.reward[s, board] for s in range(first, t + 1))
            follows = (
                played.last
                if played.truncated[t, board]
                else jax.tree.map(lambda leaf: leaf[1:], played.seen)
            )
            online, target = (worths_of(follows, params)[t, board] for params in (ONLINE, TARGET))
            value = target[np.argmax(online if double else target)]
            end = 0.0 if played.terminated[t, board] else GAMMA ** (t - first + 1) * value
            targets[row, board] = gained + end
    return targets


@pytest.mark.parametrize(("num_steps", "double"), [(2, True), pytest.param(3, False, marks=pytest.mark.slow)])
def test_the_replay_is_learned_from_with_each_reward_counted_once(played, num_steps, double):
    config = dataclasses.replace(
        CONFIG, replay_capacity=1, n_step=num_steps, double=double, target_network="periodic"
    )
    player = acting.Player(config, Stack(), True)
    starts = range(STEPS - num_steps)
    steps = np.arange(num_steps + 1)[:, None] + np.array(starts)  # [n + 1, N / B]

    def in_windows(leaf):
        leaf = leaf[steps]
        return jnp.asarray(leaf.reshape(len(leaf), -1, *leaf.shape[3:]))  # [n + 1, N, ...]

    data = Slot(
        seen=in_windows(played.words),
        action=in_windows(played.action.astype(np.int32)),
        reward=in_windows(played.reward),
        terminated=in_windows(played.terminated),
        truncated=in_windows(played.truncated),
        is_first=jnp.zeros(1, bool),
        last=in_windows(played.last_words),
        memory=(),
    )
    state = state_of(config, ONLINE, TARGET, played)
    found = jax.jit(
        lambda data: windows.judge_steps(player, played.env, state, state.params, data, jax.random.key(0))
    )(data)
    losses, sizes, targets = (np.asarray(part).reshape(len(starts), BOARDS) for part in found)
    expected = n_step_targets(played, starts, num_steps, double)
    np.testing.assert_allclose(targets, expected, rtol=1e-6)
    if double:
        assert (expected != n_step_targets(played, starts, num_steps, False)).any()
    now = slice(len(starts))
    wanted = (expected - played.reward[now]) / GAMMA
    error = ONLINE["base"] + ONLINE["slope"] * chosen_heights(played)[now] - wanted
    error = np.where(played.terminated[now], 0.0, error)
    np.testing.assert_allclose(sizes, np.abs(error), rtol=1e-6)
    np.testing.assert_allclose(losses, 0.5 * error**2, rtol=1e-6)


class Constant:
    """A network that says the same of everything."""

    def apply(self, params, observation, memory, is_first, rngs=None):
        del is_first, rngs
        return jnp.broadcast_to(params["base"], (*observation.legal.shape, 1)), memory


def test_values_are_normalised_and_not_returns():
    # Two placements pay 3 and are followed by returns of 5 and 7: the boards they leave are worth (5 - 3) / 0.5 = 4
    # and 8. A third loses its game and leaves no board: it counts as the mean so far, 6.
    # Of what was known, two values of 6, nine tenths stay: the mean is 6, the variance (4 + 4 + 0) / (1.8 + 3) = 5/3.
    # A network that says 0 (units of the spread, from the mean) is wrong by 2 / sqrt(5/3) of two boards of three.
    config = dataclasses.replace(CONFIG, value_scale="normalised")
    ones, zeros = jnp.ones((1, 3, 1), bool), jnp.zeros((1, 3), jnp.int32)
    state = state_of(config, {"base": 0.0}).replace(
        value_moments=RunningMoments(count=jnp.float32(2), mean=jnp.float32(6), squares=jnp.float32(0))
    )
    samples = Sample(
        shown=Observation(pieces=zeros, features=zeros, legal=ones),
        action=zeros,
        offset=jnp.array([[3.0, 3.0, -10.0]]),
        scale=jnp.array([[0.5, 0.5, 0.0]]),
        target=jnp.array([[5.0, 7.0, -10.0]]),
    )
    player = acting.Player(config, Constant(), True)
    learn = jax.jit(lambda state: learning.from_rollout(player, state, samples, jax.random.key(0)))
    after, metrics = learn(state)
    assert after.value_moments.mean == pytest.approx(6.0)
    assert after.value_moments.variance == pytest.approx(5 / 3)
    assert metrics["td_error"] == pytest.approx(2 * 2 / np.sqrt(5 / 3) / 3)
