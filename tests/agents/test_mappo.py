"""PPO for several players: whose parameters judge and learn what, what values see, and that it learns."""

import dataclasses
import functools
import math

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.fewest_steps import fewest_of_starts
from tetrax import games
from tetrax.agents import AGENTS, mappo
from tetrax.agents.agent import Actor, Sight
from tetrax.agents.mappo.mappo import Sample, _loss, _update
from tetrax.agents.mappo.players import Players, Policy
from tetrax.env.batch import by_game, by_seat
from tetrax.env.contract import example_observation
from tetrax.games.grid_config import GridWorldConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops.normalise import RunningMoments
from tetrax.train.report import evaluation

TOGETHER = games.make("gridworld", GridWorldConfig(width=4, height=3))
VERSUS = games.make("gridworld", GridWorldConfig(width=4, height=3, num_agents=3, rewards="competitive"))
TINY = mappo.MAPPOConfig(
    num_envs=4,
    num_steps=4,
    num_epochs=1,
    num_minibatches=2,
    network=NetworkConfig(hidden=(8,), activation="tanh"),
)


def players(env=VERSUS, **settings):
    return Players.of(dataclasses.replace(TINY, **settings), env)


@functools.cache
def drawn(who):
    """Parameters of players, and what 4 games might show, all at random."""
    rng = np.random.default_rng(0)
    numbers = lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) / 3  # noqa: E731
    params = jax.tree.map(numbers, jax.eval_shape(who.initial_params, jax.random.key(0)))
    moments = jax.tree.map(lambda leaf: np.stack([leaf] * who.num_sets), RunningMoments.empty())
    like = jax.tree.map(lambda leaf: np.zeros((4, *leaf.shape), leaf.dtype), example_observation(who.env))
    seen = like.replace(
        flat=numbers(like.flat),
        legal=np.ones_like(like.legal),
        player=like.player + np.arange(who.count, dtype=np.int32),
    )
    return Policy(params=params, value_moments=moments), seen


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"parameters": "both"}, "agent.parameters: given 'both'; allowed: shared, separate"),
        ({"value": "all"}, "agent.value: given 'all'; allowed: own, central"),
        ({"num_minibatches": 3}, r"agent.num_minibatches: given 3; allowed: a divisor of .* \(4 x 4\)"),
        ({"num_groups": 3}, r"agent.num_groups: given 3; allowed: a divisor of num_envs \(4\)"),
        (
            {"network": NetworkConfig(recurrent="lstm")},
            "agent.network.recurrent: given 'lstm'; allowed: 'none'",
        ),
        ({"clip": -1.0}, "agent.clip: given -1.0; allowed: from 0 to 10"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ValueError, match=said):
        mappo.make(dataclasses.replace(TINY, **settings), TOGETHER)


def test_who_learns_which_games():
    with pytest.raises(
        ValueError, match=r"game: given tic-tac-toe; allowed: a game whose players act together"
    ):
        mappo.make(TINY, games.make("tictactoe", games.TicTacToeConfig()))
    for name in ("ppo", "dqn", "alphazero"):
        spec = AGENTS[name]
        with pytest.raises(
            ValueError, match=r"game: given grid world .* act together; allowed: .* algorithm mappo"
        ):
            spec.make(spec.config(), TOGETHER)
    assert AGENTS["ppo"].make(AGENTS["ppo"].config(), VERSUS.against("greedy")).name == "ppo"


def test_views_have_the_players_own_first():
    seen = np.arange(6).reshape(2, 3)  # of two games and three players
    assert players(value="own").views(seen).tolist() == [[[0], [1], [2]], [[3], [4], [5]]]
    assert players(value="central").views(seen)[1].tolist() == [[3, 4, 5], [4, 5, 3], [5, 3, 4]]


def test_seats_are_sorted_by_the_parameters_that_judge_them():
    seen = jnp.arange(6).reshape(2, 3)
    shared, separate = players(parameters="shared"), players(parameters="separate")
    assert shared.by_set(seen).tolist() == [[0, 1, 2, 3, 4, 5]]
    assert separate.by_set(seen).tolist() == [[0, 3], [1, 4], [2, 5]]
    for who in (shared, separate):
        np.testing.assert_array_equal(who.by_game(who.by_set(seen)), seen)


@pytest.mark.parametrize(("parameters", "value"), [("separate", "own"), ("shared", "central")])
def test_each_seat_acts_by_its_own_parameters(parameters, value):
    who = players(parameters=parameters, value=value)
    policy, seen = drawn(who)
    logits, values = jax.jit(who.judge_seats)(policy, seen)
    act = jax.jit(who.act, static_argnums=4)
    sight = Sight(observation=by_seat(seen, VERSUS.spec), is_first=None)
    action, _, told = act(policy, sight, (), jax.random.key(0), True)
    np.testing.assert_array_equal(by_game(action, VERSUS.spec), jnp.argmax(logits, axis=-1))
    assert ("value" in told) == (value == "own")
    if value == "own":
        np.testing.assert_allclose(by_game(told["value"], VERSUS.spec), values, rtol=1e-5)
    # One seat alone, the last of the second game: what a game against opponents shows.
    one = jax.tree.map(lambda leaf: leaf[1, 2:], seen)
    _, _, told = act(policy, Sight(observation=one, is_first=None), (), jax.random.key(0), True)
    np.testing.assert_allclose(told["probabilities"][0], jax.nn.softmax(logits[1, 2]), rtol=1e-5)
    if parameters == "separate":  # the same view by other parameters
        other = one.replace(player=jnp.int32([0]))
        _, _, told = act(policy, Sight(observation=other, is_first=None), (), jax.random.key(0), True)
        assert not np.allclose(told["probabilities"][0], jax.nn.softmax(logits[1, 2]), rtol=1e-3)


@pytest.mark.parametrize("value", ["own", "central"])
def test_only_a_central_value_sees_what_the_others_see(value):
    who = players(value=value)
    policy, seen = drawn(who)
    changed = seen.replace(flat=seen.flat + np.float32([[0], [0], [0.5]]))  # what the last of the three sees
    judge = jax.jit(who.judge_seats)
    (logits, values), (other_logits, other_values) = judge(policy, seen), judge(policy, changed)
    np.testing.assert_array_equal(logits[:, :2], other_logits[:, :2])
    assert np.all(np.abs(logits[:, 2] - other_logits[:, 2]).max(axis=-1) > 1e-4)
    moved = np.abs(values - other_values) > 1e-5
    assert moved[:, 2].all() and moved[:, :2].all() == moved[:, :2].any() == (value == "central")


class Constant(nn.Module):
    """The same logits and value whatever is seen."""

    @nn.compact
    def __call__(self, seen):
        logits = self.param("logits", nn.initializers.zeros, (5,))
        value = self.param("value", nn.initializers.constant(0.5), ())
        count = seen.legal.shape[0]
        return jnp.broadcast_to(logits, (count, 5)), jnp.broadcast_to(value, (count,))


def test_the_loss_by_hand():
    """Two steps; five actions alike, of which the one that was taken was once 1.5 times as rare, or twice as likely.

    Ratios 1.5 (clipped to 1.2) and 0.5 (to 0.8); advantages 1 and -1: -(min(1.5, 1.2) + min(-0.5, -0.8)) / 2 = -0.2.
    Values 0.5, targets 1 and 0: 0.5 * 0.25 = 0.125. Entropy ln 5.
    """
    who = dataclasses.replace(players(env=TOGETHER, value="own"), network=Constant())
    _, seen = drawn(players(env=TOGETHER, value="own"))
    views = jax.tree.map(lambda leaf: leaf[:2, :1], seen)  # [N = 2, V = 1, ...]
    sample = Sample(
        observation=views,
        action=jnp.int32([3, 0]),
        log_prob=jnp.log(jnp.float32([0.2 / 1.5, 0.2 * 2])),
        advantage=jnp.float32([1, -1]),
        target=jnp.float32([1, 0]),
    )
    tunables = {"clip": jnp.float32(0.2), "value_loss": jnp.float32(0.5), "entropy": jnp.float32(0.01)}
    params = {"params": {"logits": jnp.zeros(5), "value": jnp.float32(0.5)}}
    total, told = jax.jit(_loss, static_argnums=0)(who, params, RunningMoments.empty(), tunables, sample)
    assert float(told["loss/policy"]) == pytest.approx(-0.2, abs=1e-5)
    assert float(told["loss/value"]) == pytest.approx(0.125)
    assert float(total) == pytest.approx(-0.2 + 0.5 * 0.125 - 0.01 * math.log(5), abs=1e-5)
    assert float(told["clip_fraction"]) == 1


@pytest.mark.slow
def test_what_one_player_gets_is_nothing_to_the_others_parameters():
    agent = mappo.make(dataclasses.replace(TINY, parameters="separate", value="own"), VERSUS)
    who = players(parameters="separate", value="own")
    state = jax.jit(agent.init)(jax.random.key(0))
    draw = iter(jax.random.split(jax.random.key(1), 3))
    shape = (1, 16, 3)  # [G, N, P]
    seen = jax.tree.map(lambda leaf: np.tile(leaf, (4,) + (1,) * (leaf.ndim - 1))[None], drawn(who)[1])
    sample = Sample(
        observation=seen,
        action=jax.random.randint(next(draw), shape, 0, 5, jnp.int32),
        log_prob=jnp.full(shape, -math.log(5), jnp.float32),
        advantage=jax.random.normal(next(draw), shape),
        target=jax.random.normal(next(draw), shape),
    )
    update = jax.jit(_update, static_argnums=0)
    key = jax.random.key(2)
    first, _ = update(who, state, sample, key)
    richer = sample._replace(
        advantage=sample.advantage.at[..., 1].mul(-3.0), target=sample.target.at[..., 1].add(100.0)
    )
    second, _ = update(who, state, richer, key)
    for ours, theirs, before in zip(
        *map(jax.tree.leaves, (first.params, second.params, state.params)), strict=True
    ):
        np.testing.assert_array_equal(ours[jnp.array([0, 2])], theirs[jnp.array([0, 2])])
        assert not np.array_equal(ours[0], before[0])
    assert any(
        not np.array_equal(ours[1], theirs[1])
        for ours, theirs in zip(*map(jax.tree.leaves, (first.params, second.params)), strict=True)
    )


@pytest.mark.slow
def test_nothing_is_compiled_again_and_a_run_is_decided_by_its_key():
    agent = mappo.make(dataclasses.replace(TINY, parameters="separate"), TOGETHER)
    train = jax.jit(chex.assert_max_traces(agent.train, n=1))
    ends = []
    for _ in range(2):
        state = jax.jit(agent.init)(jax.random.key(3))
        for _ in range(3):
            state, metrics = train(state)
        ends.append((state.params, metrics))
    chex.assert_trees_all_equal(*ends)
    assert {"return", "found", "completed", "steps", "games"} == set(metrics.totals)
    assert state.value_moments.mean.shape == (2,) and int(state.iteration) == 3


@pytest.mark.slow
def test_two_agents_share_out_two_targets():
    """Greedy agents need 1.3 times the fewest steps: they go for the same target."""
    env = games.make("gridworld", GridWorldConfig(width=5, height=5))
    config = dataclasses.replace(
        TINY,
        num_envs=64,
        num_steps=16,
        num_epochs=4,
        num_minibatches=4,
        network=NetworkConfig(hidden=(64,)),
        learning_rate=3e-3,
        discount=0.9,
    )
    agent = mappo.make(config, env)
    iterations = 200
    state = jax.jit(lambda key: agent.init(key, horizon=iterations))(jax.random.key(0))
    state, _ = jax.jit(
        lambda state: jax.lax.scan(lambda carry, _: agent.train(carry), state, length=iterations)
    )(state)
    actor = Actor(agent.policy(state), agent.initial_memory, agent.act)
    result = evaluation.evaluate(env, actor, episodes=128, seed=0)
    done = result.totals["completed"] > 0
    assert done.mean() >= 0.95, "it is a short training"
    assert result.steps[done].mean() <= 1.15 * np.mean(np.asarray(fewest_of_starts(env.config, 128, 0))[done])
