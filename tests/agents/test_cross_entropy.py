"""The cross-entropy method: its estimate and its refit by hand, who plays what, and a game it learns."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.agents import cross_entropy
from tetrax.agents.agent import Actor, Sight
from tetrax.agents.baselines import BASELINES, LINEAR_WEIGHTS
from tetrax.agents.cross_entropy import CrossEntropyConfig, Gaussian, fitness, refit
from tetrax.env.batch import Batch
from tetrax.train.report.evaluation import evaluate

MINI = tetrax.make("mini", actions="drop", observation="afterstate_classic")
CLASSIC = tetrax.make("classic-10x10", observation="afterstate_classic")
TINY = CrossEntropyConfig(num_candidates=4, num_boards=3, num_steps=40, elite_fraction=0.5)


@pytest.fixture(scope="module")
def learner():
    """A compiled generation of the tiny game, its first state, and the list of its traces."""
    agent, traces = cross_entropy.make(TINY, MINI), []

    def train(state):
        traces.append(None)
        return agent.train(state)

    return jax.jit(train), jax.jit(agent.init)(jax.random.key(0)), traces


def tunables(config=TINY, **changed):
    values = {**vars(config), **changed}
    return {name: jnp.float32(values[name]) for name in cross_entropy.TUNABLE_RANGES}


def gaussian(mean, variance):
    return Gaussian(mean=jnp.array(mean, jnp.float32), variance=jnp.array(variance, jnp.float32))


def test_the_estimate_by_hand():
    # 100 lines and 4 losses: 100 / (4 + 1). Without a loss, the lines themselves.
    assert fitness(jnp.array([100, 10, 7, 0]), jnp.array([4, 1, 0, 3])).tolist() == [20, 5, 7, 0]


def test_the_estimate_has_the_mean_that_its_docstring_says():
    # Losses in 300 lines at 100 lines a game are Poisson of mean 3: summed over n, 300 / (n + 1) times its
    # probability is 100 (1 - exp(-3)).
    losses = np.arange(60)
    chance = np.exp(-3) * 3.0**losses / np.array([math.factorial(n) for n in losses.tolist()], float)
    judged = np.asarray(fitness(jnp.full(60, 300), jnp.asarray(losses)), float)
    assert (judged * chance).sum() == pytest.approx(100 * (1 - math.exp(-3)), rel=1e-6)


def test_refit_by_hand():
    drawn = jnp.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [9.0, 9.0]])
    judged = jnp.array([5.0, 7.0, 1.0, 4.0])
    # The best half is (1, 0) and (3, 0): mean (2, 0), variance (1, 0). In lengths of the mean: (1, 0) and
    # (1/4, 0); the noise comes on top.
    fitted, is_elite = refit(gaussian([0, 4], [1, 1]), drawn, judged, tunables(), jnp.float32(0.1))
    assert is_elite.tolist() == [True, True, False, False]
    np.testing.assert_allclose(fitted.mean, [1, 0], atol=1e-7)
    np.testing.assert_allclose(fitted.variance, [0.35, 0.1], rtol=1e-6)
    # Halfway from mean (0, 4) and variance (1, 1): (1, 2) and (1, 0.5), in lengths of sqrt(5).
    fitted, _ = refit(gaussian([0, 4], [1, 1]), drawn, judged, tunables(step_size=0.5), jnp.float32(0))
    np.testing.assert_allclose(fitted.mean, np.array([1, 2]) / math.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(fitted.variance, [0.2, 0.1], rtol=1e-6)


def test_of_equals_the_first_are_the_best_and_one_is_always_taken():
    drawn = jnp.eye(4)
    start = gaussian(np.zeros(4), np.ones(4))
    _, is_elite = refit(start, drawn, jnp.array([1.0, 2.0, 2.0, 2.0]), tunables(), jnp.float32(0))
    assert is_elite.tolist() == [False, True, True, False]
    fitted, is_elite = refit(start, drawn, jnp.zeros(4), tunables(elite_fraction=0.0), jnp.float32(0))
    assert is_elite.tolist() == [True, False, False, False]
    assert fitted.mean.tolist() == [1, 0, 0, 0] and fitted.variance.tolist() == [0, 0, 0, 0]


def test_the_noise_falls_to_zero_or_stays(learner):
    _, state, _ = learner

    def noise(iteration, generations):
        changed = tunables(noise=0.4, noise_generations=generations)
        return float(cross_entropy._noise(state.replace(iteration=jnp.int32(iteration), tunables=changed)))

    assert [noise(i, 8.0) for i in (0, 2, 8, 9)] == pytest.approx([0.4, 0.3, 0, 0])
    assert noise(1_000, 0.0) == pytest.approx(0.4)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_it_finds_a_direction_that_is_known(noise):
    """Weights are judged by how far their direction is from one; noise keeps the search wide."""
    wanted = jnp.array([0.6, -0.64, 0.0, 0.48])

    def generation(weights, key):
        drawn = cross_entropy.draw(weights, 100, key)
        away = drawn / jnp.linalg.norm(drawn, axis=1, keepdims=True) - wanted[None]
        return refit(weights, drawn, -jnp.sum(away**2, axis=1), chosen, jnp.float32(noise))[0], None

    chosen = tunables(elite_fraction=0.1)
    start = gaussian(np.zeros(4), np.ones(4))
    found, _ = jax.lax.scan(generation, start, jax.random.split(jax.random.key(3), 30))
    assert float(found.mean @ wanted) > (0.9999 if noise == 0 else 0.99)
    spread = jnp.sqrt(found.variance).max()
    assert spread < 1e-2 if noise == 0 else spread >= math.sqrt(noise)


@pytest.mark.slow
def test_each_candidate_plays_its_own_boards_and_all_get_the_same_pieces():
    good, params = np.array(LINEAR_WEIGHTS["dt10"], np.float32), CLASSIC.default_params
    play = jax.jit(
        lambda candidates: cross_entropy._play(TINY, CLASSIC, params, candidates, jax.random.key(7))
    )
    games, (lines, losses), totals = play(jnp.array([good, -good, 4 * good, good]))
    assert lines[0] == lines[2] == lines[3] > lines[1], "a factor changes nothing"
    assert losses.tolist() == [0, losses[1], 0, 0] and losses[1] > 3, "40 pieces on each of 3 boards"
    assert totals["games"] == losses[1]
    assert totals["pieces"] > 10 * losses[1]
    _, swapped, _ = play(jnp.array([-good, good, good, good]))
    assert swapped.gained.tolist() == [lines[1], lines[0], lines[0], lines[0]]
    keys = np.asarray(jax.random.key_data(games.env_state.key)).reshape(4, 3, 2)
    assert (keys == keys[:1]).all() and len(np.unique(keys[0], axis=0)) == 3


@pytest.mark.slow
def test_a_generation_repeats_itself_and_no_key_comes_back(learner):
    train, state, traces = learner
    first, metrics = train(state)
    second, _ = train(first)
    resumed, _ = train(jax.tree.map(jnp.copy, first))
    for one, other in zip(jax.tree.leaves(second), jax.tree.leaves(resumed), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        np.testing.assert_array_equal(one, other)
    keys = [jax.random.key_data(each.key).tolist() for each in (state, first, second)]
    keys += [jax.random.key_data(each.games.env_state.key[0]).tolist() for each in (state, first, second)]
    assert len({tuple(key) for key in keys}) == 6
    assert int(second.iteration) == 2 and np.linalg.norm(second.weights.mean) == pytest.approx(1)
    assert metrics.means["fitness/best"] >= metrics.means["fitness/elite"] >= metrics.means["fitness/mean"]
    # The policy is the last mean, or moves towards it: here by a quarter of the way.
    np.testing.assert_allclose(second.average, second.weights.mean, atol=1e-7)
    slow, _ = train(first.replace(tunables=tunables(averaging=0.25)))
    np.testing.assert_allclose(slow.average, 0.75 * first.average + 0.25 * slow.weights.mean, atol=1e-6)
    # Tunables are no constants of the program.
    still, _ = train(first.replace(tunables=tunables(step_size=0.0)))
    np.testing.assert_allclose(still.weights.mean, first.weights.mean, atol=1e-6)
    assert (second.weights.mean != first.weights.mean).any()
    assert len(traces) == 1


@pytest.mark.slow
def test_the_policy_is_an_average_and_chooses_as_the_baselines_do(learner):
    agent, baseline = cross_entropy.make(TINY, MINI), BASELINES["dt10"](MINI)
    state, _ = learner[0](learner[1])
    policy = agent.policy(state.replace(average=jnp.array(LINEAR_WEIGHTS["dt10"], jnp.float32)))
    observation = jax.jit(Batch(MINI).observe)(state.games.env_state.game)
    sight = Sight(observation=observation, is_first=jnp.ones(12, bool))
    action, memory, _ = agent.act(policy, sight, (), jax.random.key(0), True)
    expected, _, _ = baseline.act(baseline.policy, sight, (), None, True)
    assert action.dtype == jnp.int32 and memory == ()
    assert action.tolist() == expected.tolist() and len(set(action.tolist())) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_candidates": 1}, "agent.num_candidates: given 1; allowed: 2 or more"),
        ({"num_boards": 0}, "agent.num_boards: given 0; allowed: 1 or more"),
        ({"num_steps": 0}, "agent.num_steps: given 0; allowed: 1 or more"),
        ({"fewer_rows": -1}, "agent.fewer_rows: given -1; allowed: from 0 to "),
        ({"fewer_rows": 99}, "agent.fewer_rows: given 99; allowed: from 0 to .*, so that 4 rows are left"),
        ({"initial_spread": 0.0}, "agent.initial_spread: given 0.0; allowed: from 1e-06 to 1e"),
        ({"elite_fraction": 1.5}, "agent.elite_fraction: given 1.5; allowed: from 0 to 1"),
        ({"noise": float("nan")}, "agent.noise: given nan; allowed: from 0 to"),
    ],
)
def test_settings_that_cannot_work_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy.make(dataclasses.replace(TINY, **change), MINI)


def test_it_practises_on_a_board_with_fewer_rows():
    config = dataclasses.replace(TINY, fewer_rows=3)
    practice = cross_entropy._practice(config, CLASSIC)
    assert practice == tetrax.make("classic-10x10", observation="afterstate_classic", height=7)
    agent, whole = cross_entropy.make(config, CLASSIC), cross_entropy.make(TINY, practice)
    state, of_whole = (jax.eval_shape(each.init, jax.random.key(0)) for each in (agent, whole))
    assert jax.tree.leaves(state.games) == jax.tree.leaves(of_whole.games)
    assert agent.games(state) is None, "the display would draw them on the larger board"
    assert whole.games(of_whole) is of_whole.games.env_state.game


def test_it_needs_features_of_placements():
    with pytest.raises(
        ValueError, match=r"env.observation: given 'planes' with cross-entropy.*allowed: after"
    ):
        cross_entropy.make(TINY, tetrax.make("mini", actions="direct"))
    scaled = tetrax.make("mini", actions="drop", observation="afterstate_features")
    agent = cross_entropy.make(TINY, scaled)
    assert jax.eval_shape(agent.init, jax.random.key(0)).weights.mean.shape == (12,)


@pytest.mark.slow
def test_it_learns_the_classic_game_in_seconds():
    """Random play clears 0.4 lines a game of the classic 10x10 board; a few generations bring hundreds."""
    config = CrossEntropyConfig(num_candidates=32, num_boards=4, num_steps=128, step_size=0.8)
    agent = cross_entropy.make(config, CLASSIC)
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=8))
    state, metrics = train(jax.jit(agent.init)(jax.random.key(0)))
    assert metrics.means["fitness/mean"][0] < 5
    actor = Actor(agent.policy(state), agent.initial_memory, agent.act)
    assert evaluate(CLASSIC, actor, episodes=16, max_pieces=1_000).totals["lines"].mean() > 100
