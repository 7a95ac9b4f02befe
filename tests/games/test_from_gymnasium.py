"""Games that step on the host: their ends, their seeds, and the rollouts that are learned from, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

pytest.importorskip("gymnasium")

from tests.games import counting
from tetrax import games
from tetrax.agents.agent import Actor, Agent, Metrics, no_memory
from tetrax.games.configs import GymnasiumConfig
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.presets import find
from tetrax.train.report.evaluation import evaluate

counting.register()
COUNTING = GymnasiumConfig(counting.ID)
NUM_ENVS, NUM_STEPS = 2, 6


def test_ends_tell_the_true_last_observation():
    episodes = games.make("gymnasium", COUNTING).open_many(2)
    first = episodes.reset(5)
    assert first[:, 0].tolist() == [0, 0]
    steps = [episodes.step(np.array([counting.GO_ON, counting.END if t == 1 else 0])) for t in range(4)]
    assert [step.seen[:, 0].tolist() for step in steps] == [[1, 1], [2, 0], [3, 1], [0, 2]]
    assert [step.last_seen[:, 0].tolist() for step in steps] == [[1, 1], [2, 2], [3, 1], [4, 2]]
    assert [step.terminated.tolist() for step in steps] == [
        [False, False],
        [False, True],
        *[[False, False]] * 2,
    ]
    assert [step.truncated.tolist() for step in steps] == [*[[False, False]] * 3, [True, False]]
    assert [step.reward.tolist() for step in steps] == [[0, 0], [1, 1], [2, 0], [3, 1]]
    assert steps[-1].last_seen[0, 1] == first[0, 1]  # of the episode that ended, not of the next one
    episodes.close()


class HostState(struct.PyTreeNode):
    key: jax.Array
    iteration: jax.Array
    rollouts: list


def told_agent() -> Agent:
    """An agent that ends an episode when it sees 2 of the first environment's; a state is worth ten times its count."""

    def act(policy, sight, memory, key, greedy):
        del policy, key, greedy
        count = sight.observation.flat[:, 0]
        action = jnp.where((count == 2) & (jnp.arange(len(count)) == 1), counting.END, counting.GO_ON)
        told = {"value": 10 * count, "log_prob": -count}
        return action.astype(jnp.int32), memory, told

    def learn(state, rollout):
        kept = HostState(key=state.key, iteration=state.iteration + 1, rollouts=[*state.rollouts, rollout])
        return kept, Metrics(totals={}, means={"iteration": state.iteration.astype(jnp.float32)})

    return Agent(
        name="told",
        steps_per_iteration=NUM_ENVS * NUM_STEPS,
        init=lambda key, env_params=None, horizon=0: HostState(
            key=key, iteration=jnp.int32(horizon * 0), rollouts=[]
        ),
        train=lambda state: (state, Metrics(totals={}, means={})),
        policy=lambda state: state.key,
        initial_memory=no_memory,
        act=act,
        games=lambda state: None,
        learn=learn,
        num_envs=NUM_ENVS,
        num_steps=NUM_STEPS,
    )


def test_a_rollout_is_bootstrapped_from_the_true_last_observation():
    env = games.make("gymnasium", COUNTING)
    config = find("ppo", "tiny", game="gymnasium", env=COUNTING)
    program = HostProgram(told_agent(), env, config)
    state, outcome = program.run_chunk(program.initial_state())
    first, second = state.rollouts  # chunk_iterations of the preset is 2
    # Board 0 is cut off after 4 steps, board 1 ends itself in the third.
    assert first.observation.flat[:, :, 0].T.tolist() == [[0, 1, 2, 3, 0, 1], [0, 1, 2, 0, 1, 2]]
    assert first.action.T.tolist() == [[0] * 6, [0, 0, 1, 0, 0, 1]]
    assert first.reward.T.tolist() == [[0, 1, 2, 3, 0, 1], [0, 1, 2, 0, 1, 2]]
    assert first.truncated.T.tolist() == [[False] * 3 + [True] + [False] * 2, [False] * 6]
    assert first.terminated[:, 1].tolist() == [False, False, True, False, False, True]
    assert first.value.T.tolist() == [[0, 10, 20, 30, 0, 10], [0, 10, 20, 0, 10, 20]]
    assert first.log_prob[:, 0].tolist() == [0, -1, -2, -3, 0, -1]
    # 40 is the value of the fourth observation, which the next episode's first has replaced; after the last step
    # comes the value of what is seen then.
    assert first.next_value.T.tolist() == [[10, 20, 30, 40, 10, 20], [10, 20, 0, 10, 20, 0]]
    assert second.observation.flat[0, :, 0].tolist() == [2, 0]  # the episodes go on
    assert first.is_first is None  # nothing is remembered
    # Of 12 steps each: board 0 ended 3 episodes of 4 steps (return 6), board 1 four of 3 steps (return 3).
    assert {name: float(value) for name, value in outcome.metrics.totals.items()} == {
        "games": 7,
        "return": 3 * 6 + 4 * 3,
        "steps": 24,
    }
    assert float(outcome.metrics.means["iteration"]) == 0.5


def test_episodes_follow_from_the_seed_and_the_iteration():
    env = games.make("gymnasium", COUNTING)
    config = find("ppo", "tiny", game="gymnasium", env=COUNTING)

    def seen(iteration):
        program = HostProgram(told_agent(), env, config)
        state = program.initial_state().replace(iteration=jnp.int32(iteration))
        return np.asarray(program.run_chunk(state)[0].rollouts[0].observation.flat[..., 1])

    np.testing.assert_array_equal(seen(0), seen(0))
    assert (seen(0) != seen(4)).any()


def last_seen_actor(total: int) -> Actor:
    """Ends a game when the count has come to `total`."""

    def act(policy, sight, memory, key, greedy):
        del key, greedy
        return (sight.observation.flat[:, 0] >= policy).astype(jnp.int32), memory, {}

    return Actor(jnp.float32(total), no_memory, act)


def test_evaluations_count_ends_and_cuts():
    env = games.make("gymnasium", COUNTING)
    ended = evaluate(env, last_seen_actor(2), episodes=20, seed=3)
    assert (ended.totals["return"].tolist(), ended.steps.tolist()) == ([3.0] * 20, [3] * 20)
    assert not ended.capped.any() and ended.summary()["max_steps"] == 0
    cut = evaluate(env, last_seen_actor(9), episodes=3, seed=3)
    assert cut.steps.tolist() == [4, 4, 4] and cut.capped.all()
    capped = evaluate(env, last_seen_actor(9), episodes=3, seed=3, max_pieces=2)
    assert capped.steps.tolist() == [2, 2, 2] and capped.totals["return"].tolist() == [1.0, 1.0, 1.0]


def test_a_game_on_the_host_is_the_same_among_few_and_among_many():
    env = games.make("gymnasium", GymnasiumConfig("CartPole-v1"))

    def lean(policy, sight, memory, key, greedy):
        del policy, key, greedy
        return (sight.observation.flat[:, 2] > 0).astype(jnp.int32), memory, {}

    actor = Actor((), no_memory, lean)
    many = evaluate(env, actor, episodes=40, seed=1).totals["return"].tolist()
    assert evaluate(env, actor, episodes=5, seed=1).totals["return"].tolist() == many[:5]
    assert len(set(many)) > 5


def test_recordings_are_refused():
    env = games.make("gymnasium", COUNTING)
    with pytest.raises(ValueError, match="record: given True for tests/Counting-v0 of gymnasium"):
        evaluate(env, last_seen_actor(2), episodes=1, record=True)


def test_old_names_bring_no_words_of_gymnasiums():
    """Warnings are errors here: of a name that still works, of one without a version, and of one that is gone."""
    for name in ("CartPole-v0", "CartPole"):
        env = games.make("gymnasium", GymnasiumConfig(name))
        env.open_many(2).close()
    with pytest.raises(ValueError, match=r"given gymnasium:LunarLander-v2 .*Please use `LunarLander-v3`"):
        games.make("gymnasium", GymnasiumConfig("LunarLander-v2"))
