"""Automatic reset and statistics of games."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env.game import engine
from tetrax.env.record import record
from tetrax.env.wrappers import AutoReset, EpisodeStatistics

NUM_BOARDS, NUM_STEPS = 8, 60


def rollout(env, **options):
    """Play random legal placements; return states and time steps, [T, B]."""
    boards = EpisodeStatistics(AutoReset(env))

    def step(carry, key):
        states, legal = carry
        actions = jnp.asarray(jax.random.categorical(key, jnp.where(legal, 0.0, -1e9)), jnp.int32)
        states, timesteps = jax.vmap(boards.step)(states, actions)
        return (states, timesteps.observation.legal), (states, timesteps)

    @jax.jit
    def play(reset_keys, step_keys):
        states, timesteps = jax.vmap(boards.reset)(reset_keys)
        return jax.lax.scan(step, (states, timesteps.observation.legal), step_keys)[1]

    reset_keys = jax.random.split(jax.random.key(1), NUM_BOARDS)
    return play(reset_keys, jax.random.split(jax.random.key(2), NUM_STEPS))


@pytest.mark.slow
def test_a_new_game_starts_in_the_step_that_ends_one_from_a_fresh_key():
    env = tetrax.make(actions="drop", height=6, buffer=4, observation="compact")
    states, timesteps = rollout(env)
    games, done = states.env_state.game, np.asarray(timesteps.terminated)
    assert done.sum() > 20
    assert not np.asarray(games.game_over).any()
    assert np.asarray(timesteps.observation.legal).any(axis=-1).all()
    assert (np.asarray(timesteps.event.game_over)[done] > 0).all()
    numbers = np.asarray(states.env_state.num_games)
    t, b = np.argwhere(done)[-1]
    key = jax.random.fold_in(states.env_state.key[t, b], numbers[t, b] - 1)
    fresh = engine.init(env.rules, env.default_params.game, key)
    started = jax.tree.map(lambda leaf: leaf[t, b], games)
    for field in ("rows", "piece", "queue", "bag", "score"):
        np.testing.assert_array_equal(getattr(started, field), getattr(fresh, field))
    keys = np.asarray(jax.random.key_data(games.key)).reshape(-1, 2)
    assert len(np.unique(keys, axis=0)) == numbers[-1].sum()  # every game has a key of its own


def test_the_last_observation_is_the_end_of_the_old_game():
    env = tetrax.make("mini", actions="drop", time_limit=5)
    states, timesteps = rollout(env)
    done = np.asarray(timesteps.terminated | timesteps.truncated)
    truncated = np.asarray(timesteps.truncated)
    last, seen = timesteps.last_observation, timesteps.observation
    assert truncated.sum() > 10
    np.testing.assert_array_equal(np.asarray(last.features)[~done], np.asarray(seen.features)[~done])
    # A truncated game could have gone on; the new one starts with an empty board.
    assert np.asarray(last.legal)[truncated].any(axis=-1).all()
    assert not np.asarray(last.legal)[np.asarray(timesteps.terminated)].any()
    assert (np.asarray(states.env_state.game.rows)[done] == 0).all()
    assert (np.asarray(states.finished.steps)[truncated] == 5).all()


@pytest.mark.slow
def test_statistics_add_up_each_game():
    env = tetrax.make("mini", actions="drop", reward="survival")
    states, timesteps = rollout(env)
    done = np.asarray(timesteps.terminated)
    finished, running = states.finished, states.running
    for totals, parts in (
        ("lines", timesteps.event.lines),
        ("score", timesteps.event.score),
        ("attack", timesteps.event.attack),
        ("pieces", timesteps.event.locked),
        ("return", timesteps.reward),
    ):
        per_game = np.where(done, np.asarray(finished.totals[totals]), 0).sum()
        left = np.asarray(running.totals[totals])[-1].sum()
        assert per_game + left == np.asarray(parts).sum(), totals
    assert np.asarray(timesteps.event.lines).sum() > 0


@pytest.mark.slow
def test_statistics_of_a_game_are_its_recordings():
    """Lines, points and pieces as the rules counted them in the state, apart from what each step tells."""
    env = tetrax.make("mini", actions="drop", reward="survival")
    game, reset_keys = EpisodeStatistics(env), jax.random.split(jax.random.key(3), NUM_BOARDS)

    @jax.jit
    @jax.vmap
    def play(reset_key, play_keys):
        def step(carry, key):
            state, legal = carry
            action = jnp.asarray(jax.random.categorical(key, jnp.where(legal, 0.0, -1e9)), jnp.int32)
            state, timestep = game.step(state, action)
            legal = timestep.observation.legal
            sent = timestep.event.attack.sum(dtype=jnp.int32)
            return (state, legal), (state.finished, timestep.reward, timestep.terminated, action, sent)

        state, first = game.reset(reset_key)
        return jax.lax.scan(step, (state, first.observation.legal), play_keys)[1]

    play_keys = jax.random.split(jax.random.key(4), (NUM_BOARDS, NUM_STEPS))
    finished, rewards, terminated, actions, sent = jax.device_get(play(reset_keys, play_keys))
    ends = np.argmax(terminated, axis=1)
    for board, end in enumerate(ends):
        assert terminated[board, end]
        outcome = record(env.config, env.default_params, reset_keys[board], actions[board]).outcome
        episode = jax.tree.map(lambda leaf, at=(board, end): leaf[at].item(), finished)
        counted = {"lines": outcome.lines, "score": outcome.score, "pieces": outcome.pieces}
        counted["attack"] = sent[board, : end + 1].sum()
        total = float(rewards[board, : end + 1].sum(dtype=np.float64))
        assert episode.totals == {**counted, "return": pytest.approx(total, rel=1e-5)}
        assert episode.steps == end + 1 == outcome.ticks
        assert outcome.game_over
    assert finished.totals["lines"][np.arange(NUM_BOARDS), ends].sum() > 0
    assert set(env.spec.measures) == set(finished.totals)
