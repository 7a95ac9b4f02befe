"""Value learning, part by part: targets by hand, what the replay keeps, who decides, and what is refused."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.chain import Chain, ChainState
from tetrax.agents import dqn
from tetrax.agents.agent import Sight
from tetrax.agents.dqn import DQNConfig, acting, collecting, judge, learning, windows
from tetrax.agents.dqn.train_state import Slot
from tetrax.env import batch
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.q_network import q_network
from tetrax.ops import normalise, packing
from tetrax.ops.exploration import Decider

MOMENTS = normalise.RunningMoments.empty()
PLAIN = DQNConfig(
    form="actions",
    num_envs=4,
    num_steps=2,
    network=NetworkConfig(hidden=(8,)),
    replay_capacity=64,
    warmup_steps=16,
    num_updates=2,
    batch_size=8,
    target_network="periodic",
    discount=0.5,
)


class Table:
    """A network that knows a chain's cells by heart: parameters [cell, action, K]."""

    def apply(self, params, observation, memory, is_first, rngs=None):
        del is_first, rngs
        return jnp.einsum("...c,cak->...ak", observation.flat, params), memory


def table(*rows):
    """Values of the two actions in cells 0, 1, …; cells not named are worth 0."""
    values = np.zeros((5, 2, 1), np.float32)
    values[: len(rows), :, 0] = rows
    return jnp.asarray(values)


def windows_of(env, steps):
    """One window of the chain: (cell, action, reward, terminated, truncated, cell after the step if truncated)."""

    def packed(cell):
        state = ChainState(cell=jnp.int32(cell), time=jnp.int32(0), done=jnp.bool_(False))
        return packing.pack(state)

    cells, actions, rewards, terminated, truncated, last = zip(*steps, strict=True)
    return Slot(
        seen=jnp.stack([packed(cell) for cell in cells])[:, None],
        action=jnp.array(actions, jnp.int32)[:, None],
        reward=jnp.array(rewards, jnp.float32)[:, None],
        terminated=jnp.array(terminated)[:, None],
        truncated=jnp.array(truncated)[:, None],
        is_first=jnp.zeros((len(steps), 1), bool),
        last=jnp.stack([packed(cell) for cell in last])[:, None] if env.can_truncate else None,
        memory=(),
    )


def target_of(config, env, steps, online, target):
    """Return the target of the first step, and the size of its error."""
    player = acting.Player(config, Table(), False)
    state = SimpleNamespace(
        tunables={"discount": jnp.float32(config.discount)},
        env_params=(),
        params=online,
        target_params=target,
        value_moments=MOMENTS,
    )
    slots = windows_of(env, steps)
    errors = windows.judge_steps(player, env, state, online, slots, jax.random.key(0))
    return float(errors.target[0, 0]), float(errors.size[0, 0])


ONLINE = table([1, 2], [5, 3], [0, 9])  # in cell 1 it likes LEFT, in cell 2 RIGHT
TARGET = table([4, 4], [6, 8], [2, 1])


def test_one_step_by_hand():
    # From cell 0 to the right, reward 1, to cell 1, where the target network's best is 8: 1 + 0.5 x 8 = 5. The
    # network says 2 of it: an error of 3.
    steps = [(0, 1, 1.0, False, False, 0), (1, 0, 0.0, False, False, 0)]
    assert target_of(PLAIN, Chain(), steps, ONLINE, TARGET) == (5.0, 3.0)


def test_double_learning_takes_the_networks_choice_and_the_targets_value():
    # In cell 1 the network likes LEFT (5 > 3), of which the target network says 6: 1 + 0.5 x 6 = 4.
    steps = [(0, 1, 1.0, False, False, 0), (1, 0, 0.0, False, False, 0)]
    config = dataclasses.replace(PLAIN, double=True)
    assert target_of(config, Chain(), steps, ONLINE, TARGET) == (4.0, 2.0)


def test_without_a_target_network_the_network_itself_ends_the_target():
    steps = [(0, 1, 1.0, False, False, 0), (1, 0, 0.0, False, False, 0)]
    config = dataclasses.replace(PLAIN, target_network="none")
    assert target_of(config, Chain(), steps, ONLINE, None) == (1 + 0.5 * 5, 1.5)


def test_three_steps_by_hand():
    # 1 + 0.5 x 2 + 0.25 x 4 + 0.125 x max(2, 1) in cell 2 = 3.25
    steps = [
        (0, 1, 1.0, False, False, 0),
        (1, 0, 2.0, False, False, 0),
        (1, 1, 4.0, False, False, 0),
        (2, 0, 7.0, False, False, 0),
    ]
    config = dataclasses.replace(PLAIN, n_step=3)
    assert target_of(config, Chain(), steps, ONLINE, TARGET)[0] == 3.25


def test_a_terminated_game_is_worth_its_rewards_alone():
    # The game ends in the second step: 1 + 0.5 x 2; what comes after is another game.
    steps = [
        (0, 1, 1.0, False, False, 0),
        (1, 0, 2.0, True, False, 0),
        (1, 1, 4.0, False, False, 0),
        (2, 0, 7.0, False, False, 0),
    ]
    config = dataclasses.replace(PLAIN, n_step=3)
    assert target_of(config, Chain(), steps, ONLINE, TARGET)[0] == 2.0


def test_a_truncated_game_goes_on_from_its_true_last_observation():
    # Cut off in the second step, in cell 2 (best 2); the next game begins in cell 1 (best 8), which is of no matter:
    # 1 + 0.5 x 2 + 0.25 x 2 = 2.5
    steps = [
        (0, 1, 1.0, False, False, 3),
        (1, 1, 2.0, False, True, 2),
        (1, 1, 4.0, False, False, 3),
        (2, 0, 7.0, False, False, 3),
    ]
    config = dataclasses.replace(PLAIN, n_step=3)
    assert target_of(config, Chain(time_limit=9), steps, ONLINE, TARGET)[0] == 2.5


def test_values_of_afterstates_are_learned_from_what_is_left_of_the_return():
    config = dataclasses.replace(PLAIN, form="afterstates", loss="squared")
    # Worth = reward 3 + 0.5 x value. A return of 5 asks for a value of (5 - 3) / 0.5 = 4; the network says 1.
    # The second placement ends the game: there is no value to learn.
    frame = judge.Frame(offset=jnp.array([3.0, -10.0]), scale=jnp.array([0.5, 0.0]))
    target = judge.Returns(jnp.array([[5.0], [-10.0]]), jnp.ones((2, 1)))
    losses, sizes = judge.errors(config, MOMENTS, jnp.array([[1.0], [7.0]]), frame, target)
    assert losses.tolist() == [4.5, 0.0]
    assert sizes.tolist() == [3.0, 0.0]


def test_the_huber_loss_by_hand():
    frame = judge.Frame(offset=jnp.zeros(2), scale=jnp.ones(2))
    target = judge.Returns(jnp.array([[0.5], [3.0]]), jnp.ones((2, 1)))
    losses, _ = judge.errors(PLAIN, MOMENTS, jnp.zeros((2, 1)), frame, target)
    assert losses.tolist() == [0.125, 2.5]


def test_a_categorical_distribution_of_a_shifted_value_keeps_its_frame():
    config = dataclasses.replace(
        PLAIN, distribution="categorical", atoms=3, lowest_value=0.0, highest_value=2.0
    )
    # Returns 4 or 5, each half likely, of a placement that pays 3, discount 0.5: values 2 or (cut to the support) 4.
    frame = judge.Frame(offset=jnp.array([3.0]), scale=jnp.array([0.5]))
    target = judge.Returns(jnp.array([[4.0, 5.0]]), jnp.array([[0.5, 0.5]]))
    # log softmax of (0, 0, ln 2) is (ln 1/4, ln 1/4, ln 1/2): the cross-entropy with (0, 0, 1) is ln 2.
    losses, _ = judge.errors(config, MOMENTS, jnp.log(jnp.array([[1.0, 1.0, 2.0]])), frame, target)
    assert losses[0] == pytest.approx(np.log(2), abs=1e-6)


def test_the_mean_of_each_kind_of_value():
    categorical = dataclasses.replace(
        PLAIN, distribution="categorical", atoms=3, lowest_value=-1.0, highest_value=1.0
    )
    assert judge.mean(categorical, MOMENTS, jnp.log(jnp.array([1.0, 1.0, 2.0]))) == pytest.approx(0.25)
    quantiles = dataclasses.replace(PLAIN, distribution="quantile", atoms=4)
    assert judge.mean(quantiles, MOMENTS, jnp.array([0.0, 1.0, 2.0, 5.0])) == 2.0
    moments = normalise.update(MOMENTS, jnp.array([1.0, 5.0]))  # mean 3, spread 2
    normalised = dataclasses.replace(PLAIN, value_scale="normalised", replay_capacity=0)
    assert judge.mean(normalised, moments, jnp.array([1.5])) == pytest.approx(6.0)


def test_dueling_heads_by_hand():
    network = q_network(Chain(), NetworkConfig(hidden=(1,)), dueling=True)
    state = Chain().init(jax.random.key(0))
    seen = jax.tree.map(lambda leaf: leaf[None], Chain().observe(state))
    params = network.init(jax.random.key(0), seen, (), jnp.ones(1, bool))
    params = jax.tree.map(jnp.zeros_like, params)
    heads = params["params"]
    heads["value_head"]["bias"] = jnp.array([7.0])
    heads["head"]["bias"] = jnp.array([1.0, 4.0])  # advantages -1.5 and 1.5
    z, _ = network.apply(params, seen, (), jnp.ones(1, bool))
    assert z[0, :, 0].tolist() == [5.5, 8.5]


@pytest.mark.slow
def test_the_replay_keeps_what_was_seen():
    env = tetrax.make("mini", actions="drop", reward="survival", time_limit=3)
    config = dataclasses.replace(PLAIN, num_steps=8, replay_capacity=64, warmup_steps=32)
    agent = dqn.make(config, env)
    player = acting.Player(config, q_network(env, config.network), False)

    @jax.jit
    def play(key):
        state = agent.init(key)
        after, slots, metrics = collecting.collect_slots(player, env, state, acting.at_random(), key)
        first = collecting.make_envs(config, env).observe(state.env_state, state.env_params)
        return (
            after,
            slots,
            metrics,
            first,
            *(windows.show(env, state, w) for w in (slots.seen, slots.last)),
        )

    after, slots, metrics, first, seen, last = play(jax.random.key(0))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), seen, first)
    truncated = np.asarray(slots.truncated)
    assert (
        truncated.any()
        and (np.asarray(slots.is_first)[1:] == (truncated | np.asarray(slots.terminated))[:-1]).all()
    )
    goes_on = ~(truncated | np.asarray(slots.terminated))[:-1]
    same = jax.tree.map(lambda a, b: (np.asarray(a)[:-1] == np.asarray(b)[1:])[goes_on].all(), last, seen)
    assert all(jax.tree.leaves(same))
    assert float(metrics.means["explore/random"]) == 1.0 and float(metrics.means["explore/greedy"]) == 0.0
    assert int(after.replay.filled) == 8  # by the random games of the start


def test_what_is_stored_costs_what_is_stated():
    env = tetrax.make("mini", actions="drop", reward="survival")
    config = dataclasses.replace(PLAIN, prioritised=True)
    agent = dqn.make(config, env)
    kept = jax.eval_shape(agent.init, jax.random.key(0)).replay
    held = sum(np.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept))
    assert agent.replay_bytes == held


@pytest.mark.parametrize("num_seeds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_training_never_copies_the_replay(num_seeds):
    config = dataclasses.replace(
        PLAIN, replay_capacity=2**20, num_steps=4, double=True, dueling=True, n_step=3
    )
    agent = dqn.make(config, Chain())

    def chunk(state):
        return jax.lax.scan(lambda state, _: agent.train(state), state, length=3)[0]

    init, train = (agent.init, chunk) if num_seeds == 1 else (jax.vmap(agent.init), jax.vmap(chunk))
    keys = jax.random.split(jax.random.key(0), num_seeds)
    state = jax.eval_shape(init, keys[0] if num_seeds == 1 else keys)
    memory = jax.jit(train, donate_argnums=0).lower(state).compile().memory_analysis()
    held = agent.replay_bytes * num_seeds
    assert held > 20e6
    assert memory.alias_size_in_bytes >= held
    assert memory.output_size_in_bytes - memory.alias_size_in_bytes < 1e4
    assert memory.temp_size_in_bytes < held / 20


@pytest.mark.slow
def test_a_periodic_target_network_is_renewed_when_it_is_due():
    env = Chain()
    config = dataclasses.replace(PLAIN, target_period=3, num_updates=1)
    agent = dqn.make(config, env)
    state, train = jax.jit(agent.init)(jax.random.key(0)), jax.jit(agent.train)
    fresh = []
    for _ in range(6):
        before = state.target_params
        state, _ = train(state)
        renewed = jax.tree.map(lambda a, b: bool((a == b).all()), state.target_params, state.params)
        kept = jax.tree.map(lambda a, b: bool((a == b).all()), state.target_params, before)
        assert all(jax.tree.leaves(renewed)) != all(jax.tree.leaves(kept))
        fresh.append(all(jax.tree.leaves(renewed)))
    assert fresh == [False, False, True, False, False, True]


def test_a_soft_target_network_follows_by_its_rate():
    player = acting.Player(dataclasses.replace(PLAIN, target_network="soft"), Table(), False)
    state = SimpleNamespace(tunables={"target_rate": jnp.float32(0.25)}, params=ONLINE, target_params=TARGET)
    state.replace = lambda **changes: SimpleNamespace(**{**vars(state), **changes})
    found = learning._follow_with_target(player, state).target_params
    np.testing.assert_allclose(found, 0.75 * np.asarray(TARGET) + 0.25 * np.asarray(ONLINE))


def test_epsilon_and_temperature_follow_their_schedules():
    config = dataclasses.replace(
        PLAIN,
        epsilon_start=1.0,
        epsilon_final=0.1,
        epsilon_steps=80,  # 8 steps an iteration: 10 iterations
        temperature_start=16.0,
        temperature_final=1.0,
        temperature_steps=32,  # 4 iterations, by half each
    )

    def at_iteration(config, number):
        tunables = {name: jnp.float32(getattr(config, name)) for name in dqn.TUNABLE_RANGES}
        return acting.find_exploration(
            config, SimpleNamespace(tunables=tunables, iteration=jnp.int32(number))
        )

    at = [at_iteration(config, number) for number in (0, 2, 5, 10, 20)]
    assert [float(each.epsilon) for each in at] == pytest.approx([1.0, 0.82, 0.55, 0.1, 0.1])
    assert [float(each.temperature) for each in at] == pytest.approx([16.0, 4.0, 1.0, 1.0, 1.0])
    exponential = dataclasses.replace(config, epsilon_schedule="exponential", epsilon_final=0.01)
    assert float(at_iteration(exponential, 5).epsilon) == pytest.approx(0.1)


@pytest.mark.slow
def test_every_decision_says_who_made_it():
    env = tetrax.make("mini", actions="drop", reward="survival")
    config = dataclasses.replace(
        DQNConfig(num_envs=64, num_steps=8, network=NetworkConfig(hidden=(8,))),
        epsilon_start=0.25,
        epsilon_final=0.25,
        boltzmann=0.5,
    )
    agent = dqn.make(config, env)
    state, metrics = jax.jit(agent.train)(jax.jit(agent.init)(jax.random.key(0)))
    shares = {kind: float(metrics.means[f"explore/{kind.name.lower()}"]) for kind in Decider}
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-6)
    # 512 decisions: a quarter random, the rest half and half; 4 standard deviations are 0.09
    assert shares[Decider.RANDOM] == pytest.approx(0.25, abs=0.09)
    assert shares[Decider.BOLTZMANN] == pytest.approx(0.375, abs=0.09)
    observation = batch.Batch(env).observe(state.env_state.env_state.game, env.default_params)
    act = jax.jit(agent.act, static_argnums=4)
    policy, sight = agent.policy(state), Sight(observation=observation, is_first=jnp.zeros(64, bool))
    _, _, said = act(policy, sight, (), jax.random.key(1), True)
    assert set(np.asarray(said["decider"]).tolist()) == {float(Decider.GREEDY)}
    assert np.asarray(said["probability"]).tolist() == [1.0] * 64
    _, _, said = act(policy, sight, (), jax.random.key(1), False)
    assert set(np.asarray(said["decider"]).tolist()) == {float(kind) for kind in Decider}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"double": True, "target_network": "none"},
            "agent.double: given True; allowed: False without a target",
        ),
        (
            {"replay_capacity": 60},
            "agent.replay_capacity: given 60; allowed: a multiple of num_envs times num_steps",
        ),
        ({"warmup_steps": 2}, "agent.warmup_steps: given 2; allowed: from 8"),
        ({"num_groups": 3}, "agent.num_groups: given 3; allowed: a divisor of num_envs (4)"),
        ({"replay_capacity": 0}, "agent.target_network: given periodic; allowed: none without a replay"),
        (
            {"form": "afterstates"},
            "agent.form: given afterstates; allowed: actions, where no afterstates are",
        ),
        ({"epsilon_start": 1.5}, "agent.epsilon_start: given 1.5; allowed: from 0 to 1"),
        (
            {"epsilon_schedule": "exponential", "epsilon_final": 0.0},
            "agent.epsilon_final: given 0.0; allowed: more",
        ),
        ({"distribution": "quantile", "atoms": 1}, "agent.atoms: given 1; allowed: 2 or more"),
        (
            {"distribution": "categorical", "value_scale": "rescaled"},
            "agent.value_scale: given rescaled; allowed: none with a distribution",
        ),
        (
            {"distribution": "categorical", "lowest_value": 10.0},
            "agent.highest_value: given 10.0; allowed: more than",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        dqn.make(dataclasses.replace(PLAIN, **change), Chain())
    assert str(error.value).startswith(message)


def test_afterstates_need_a_reward_that_is_known_before_the_step():
    env = tetrax.make(
        "mini", actions="drop", reward=lambda rules, params, before, after, event: jnp.float32(0)
    )
    with pytest.raises(
        ValueError, match=r"agent.form: given afterstates; allowed: actions, where the reward"
    ):
        dqn.make(dataclasses.replace(PLAIN, form="afterstates"), env)
    assert not dataclasses.replace(PLAIN, form="auto").learns_afterstates(env)
