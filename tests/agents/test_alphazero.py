"""AlphaZero: targets worked by hand, one program, and tic-tac-toe learned from nothing."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.games import noughts
from tetrax import games
from tetrax.agents import alphazero, ppo
from tetrax.agents.agent import PROBABILITIES, Actor, Sight
from tetrax.agents.alphazero import judging, self_play
from tetrax.agents.alphazero.self_play import Looked, find_targets
from tetrax.env.contract import Afterstates, Observation
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops.normalise import RunningMoments
from tetrax.search.tree import SearchConfig
from tetrax.train.presets.alphazero_presets import ALPHAZERO, TINY
from tetrax.train.report.evaluation import evaluate

DROPS = tetrax.make("mini", actions="drop", observation="afterstate_boards", reward="survival")
NOUGHTS = games.make("tictactoe", TicTacToeConfig())


def looked(**changes):
    """Three moves of one game: X, O, and X, who wins by the third."""
    column = {
        "value": [0.4, -0.5, 0.6],
        "reward": [0.0, 0.0, 1.0],
        "discount": [-1.0, -1.0, 0.0],
        "truncated": [False] * 3,
        "is_random": [False] * 3,
        **changes,
    }
    arrays = {name: jnp.asarray(values)[:, None] for name, values in column.items() if values is not None}
    kept = {"seen": jnp.zeros((3, 1, 1)), "others": jnp.zeros((3, 1, 0)), "weights": jnp.zeros((3, 1, 9))}
    return Looked(**kept, **{"next_value": None, **arrays})


@pytest.mark.parametrize(
    ("decay", "changes", "targets"),
    [
        (1.0, {}, [1, -1, 1]),  # whole games: who won, to each who moved
        (0.0, {}, [0.5, -0.6, 1]),  # the search's value after the move, to the other
        # From behind: 1; then -(0.5 x 0.6 + 0.5 x 1) = -0.8; then -(0.5 x -0.5 + 0.5 x -0.8) = 0.65.
        (0.5, {}, [0.65, -0.8, 1]),
        # O's move was random: what came of it says nothing of O's position, and X's is judged by O's search.
        (1.0, {"is_random": [False, True, False]}, [0.5, -0.5, 1]),
        # The iteration ends before the game, and the network says 0.3 to O, who is next.
        (1.0, {"reward": [0, 0, 0.0], "discount": [-1.0, -1.0, -1.0]}, [-0.3, 0.3, -0.3]),
        # One player, discount 0.9, cut off after the second step where the network says 2.
        (
            1.0,
            {
                "reward": [1.0, 1.0, 5.0],
                "discount": [0.9, 0.9, 0.0],
                "truncated": [False, True, False],
                "next_value": [7.0, 2.0, 7.0],
            },
            [3.52, 2.8, 5],
        ),
    ],
)
def test_targets_by_hand(decay, changes, targets):
    found = find_targets(looked(**changes), jnp.array([0.3]), jnp.float32(decay))
    assert found.value[:, 0].tolist() == pytest.approx(targets)


def test_what_a_move_left_is_worth_what_came_after_it_though_the_move_was_random():
    changes = {"discount": [0.5, 0.5, 0.0], "is_random": [False, True, False]}
    found = find_targets(looked(**changes), jnp.array([0.3]), jnp.float32(1))
    # The last move ends the game and gains 1. Before the second, which was random, the search's -0.5 stands.
    assert found.after[:, 0].tolist() == pytest.approx([-0.5, 1, 0])
    assert found.value[:, 0].tolist() == pytest.approx([-0.25, -0.5, 1])


class Told:
    """A network that says what it was told."""

    def __init__(self, values):
        self.values = jnp.asarray(values)

    def apply(self, params, seen, memory, is_first):
        del params, seen, memory, is_first
        return self.values[..., None], ()


def afterstates(values, rewards, terminated, legal):
    """Return a searcher whose network says `values` of afterstates, [B, A], and the observation that shows these."""
    config = dataclasses.replace(TINY, temperature=0.5)
    seen = Observation(
        pieces=jnp.zeros((len(values), 1), jnp.int32),
        features=jnp.zeros((len(values), 0)),
        legal=jnp.asarray(legal),
        afterstates=Afterstates(
            rows=None, features=None, reward=jnp.asarray(rewards), terminated=jnp.asarray(terminated)
        ),
    )
    return judging.Searcher(config, DROPS, Told(values), True), seen


def test_positions_are_worth_their_best_placement_by_hand():
    searcher, seen = afterstates(
        values=[[2.0, 6.0, 9.0, 99.0], [1.0, 1.0, 1.0, 1.0]],
        rewards=[[1.0, 0.0, 2.0, 0.0], [0.0] * 4],
        terminated=[[False, False, True, False], [False] * 4],
        legal=[[True, True, True, False], [False] * 4],
    )
    judgement = judging.Judgement((), RunningMoments.empty(), jnp.float32(0.5))
    logits, value = judging.judge(searcher, judgement, seen)
    # 1 + 0.5 x 2, 0 + 0.5 x 6, and 2, the end: over the temperature, twice as much. After the end nothing is worth
    # anything.
    assert logits[0, :3].tolist() == [4, 6, 4]
    assert value.tolist() == [3, 0]


def test_the_loss_of_afterstates_by_hand():
    searcher, seen = afterstates(
        values=[[2.0, 1.0], [9.0, 9.0]],
        rewards=[[0.0] * 2] * 2,
        terminated=[[False, False], [True, False]],
        legal=[[True, True], [True, False]],
    )
    slots = judging.Slot(seen, None, jnp.array([[5.0, 3.0], [100.0, 100.0]]))
    state = type("State", (), {"tunables": {"value_loss": jnp.float32(2)}})
    total, parts = judging.loss(searcher, (), state, slots)
    # (2 - 5)^2 and (1 - 3)^2, nothing of the end nor of what is not known, on average: 3.25.
    assert float(parts["loss/value"]) == 3.25 and float(total) == 6.5


def test_what_a_search_looked_at_is_kept_and_learned_by_hand():
    searcher, seen = afterstates(
        values=[[0.0] * 4] * 2,
        rewards=[[1.0, 0.0, 2.0, 0.0], [0.0] * 4],
        terminated=[[False, False, True, False], [False] * 4],
        legal=[[True] * 4] * 2,
    )
    searcher = searcher._replace(config=dataclasses.replace(TINY, num_simulations=3))
    action, visits = jnp.array([1, 3], jnp.int32), jnp.array([[2, 5, 4, 0], [0, 9, 0, 0]], jnp.int32)
    kept, others = judging.keep(searcher, None, seen, action, visits)
    # The one that was made, then those that were looked at most; of the last one nothing is known.
    assert others.tolist() == [[2, 0], [1, 0]]
    assert kept.afterstates.reward.tolist() == [[0, 2, 1], [0, 0, 0]]
    assert kept.legal.tolist() == [[True, True, True], [True, True, False]]
    worths = jnp.array([[4.0, 3.0, 2.0, 0.0], [0.0, 8.0, 0.0, 0.0]])
    after = self_play.worth_after(seen, worths, others, jnp.float32(0.5))
    assert after.tolist() == [
        [0, 6],
        [16, 0],
    ]  # what is found, without the placement's own reward, undiscounted
    slots = judging.Slot(kept, None, jnp.concatenate([jnp.zeros((2, 1)), after], axis=1))
    assert judging.is_learned(searcher, slots).tolist() == [[True, False, True], [True, True, False]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replay_capacity": 100}, r"agent.replay_capacity: given 100; allowed: a multiple .* \(64\)"),
        ({"num_simulations": 0}, r"agent.num_simulations: given 0; allowed: 1 or more"),
        ({"num_groups": 3}, r"agent.num_groups: given 3; allowed: a divisor of num_envs \(8\)"),
        (
            {"search": SearchConfig(kind="minimax")},
            r"agent.search.kind: given 'minimax'; allowed: gumbel, puct",
        ),
        ({"search": SearchConfig(considered=0)}, r"agent.search.considered: given 0; allowed: 1 or more"),
        (
            {"network": NetworkConfig(recurrent="gru")},
            r"agent.network.recurrent: given 'gru'; allowed: 'none'",
        ),
        ({"form": "afterstates"}, "agent.form: given 'afterstates'; allowed: auto, or actions, where no"),
        ({"form": "both"}, "agent.form: given 'both'; allowed: auto, actions, afterstates"),
        ({"temperature": 0.0}, "agent.temperature: given 0.0; allowed: from 1e-06 to 1e"),
        ({"random_moves": 2.0}, r"agent.random_moves: given 2.0; allowed: from 0 to 1"),
    ],
)
def test_settings_that_cannot_work(changes, said):
    with pytest.raises(ValueError, match=said):
        alphazero.make(dataclasses.replace(TINY, **changes), NOUGHTS)


def test_learners_of_one_player_refuse_two():
    with pytest.raises(
        ValueError, match=r"game: given tic-tac-toe, a game of 2 players; allowed: .*alphazero"
    ):
        ppo.make(ppo.PPOConfig(), NOUGHTS)
    assert ppo.make(ppo.PPOConfig(), NOUGHTS.against("random")).name == "ppo"


def check_training(agent):
    """Train three times; return the last state: all finite, one trace, games counted, and again the same."""
    init = jax.jit(lambda key: agent.init(key, horizon=4))
    train = jax.jit(chex.assert_max_traces(agent.train, n=1))
    state = start = init(jax.random.key(0))
    for _ in range(3):
        state, metrics = train(state)
    chex.assert_tree_all_finite((metrics.means, metrics.totals))
    before, after = agent.policy(start).params, agent.policy(state).params
    assert all((old != new).any() for old, new in zip(*map(jax.tree.leaves, (before, after)), strict=True))
    again = start
    for _ in range(3):
        again, _ = train(again)
    chex.assert_trees_all_equal(agent.policy(again), agent.policy(state))
    assert int(state.replay.filled) == 24 and int(state.iteration) == 3
    return state, metrics


@pytest.mark.slow
def test_two_players_train_in_one_program_and_what_is_kept_are_policies():
    agent = alphazero.make(dataclasses.replace(TINY, random_moves=0.2), NOUGHTS)
    state, metrics = check_training(agent)
    totals = {name: float(value) for name, value in metrics.totals.items()}
    assert totals["games"] == totals["wins"] + totals["draws"] + totals["losses"] > 0
    kept = state.replay.data
    weights, values = np.asarray(kept.weights)[0, :24], np.asarray(kept.value)[0, :24]
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-5) and np.abs(values).max() <= 1.5
    # Most of the positions' ends are won or drawn for sure.
    assert {float(value) for value in values.reshape(-1)} >= {1.0}


@pytest.mark.slow
def test_tetris_trains_by_the_classical_search_too():
    config = dataclasses.replace(
        TINY, form="actions", search=SearchConfig(kind="puct"), normalise_values=True, discount=0.95
    )
    _, metrics = check_training(alphazero.make(config, DROPS))
    assert float(metrics.totals["games"]) > 0


@pytest.mark.slow
def test_values_of_afterstates_are_learned_of_the_placements_that_were_looked_at():
    config = dataclasses.replace(TINY, normalise_values=True, discount=0.95)
    state, metrics = check_training(alphazero.make(config, DROPS))
    kept = state.replay.data
    assert kept.weights is None and kept.seen.afterstates.rows.shape[-2] == TINY.num_simulations
    legal = np.asarray(kept.seen.legal)[:, :24]
    assert legal[..., 0].all() and 0.5 < legal[..., 1:].mean() <= 1, (
        "the one that was made, and those looked at"
    )
    assert np.asarray(kept.seen.afterstates.rows)[:, :24].any()
    assert float(metrics.means["loss/value"]) > 0


@pytest.mark.slow
def test_a_policy_acts_by_its_network_or_by_search():
    config = dataclasses.replace(TINY, num_envs=2, num_steps=1, replay_capacity=2)
    network, search = (
        alphazero.make(dataclasses.replace(config, acting_simulations=number), NOUGHTS) for number in (0, 16)
    )
    policy = jax.jit(lambda key: network.policy(network.init(key)))(jax.random.key(0))
    # X wins at once by 2; O, were it his turn, by 5.
    position = noughts.state(NOUGHTS, noughts.read("...\nOO.\nXX."))
    states = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], position)
    sight = Sight(observation=jax.vmap(NOUGHTS.observe)(states), is_first=None, state=states)
    plain = network.act(policy, sight, (), jax.random.key(0), True)
    assert plain[2]["value"].shape == (1,) and plain[2][PROBABILITIES].sum() == pytest.approx(1)
    act = jax.jit(search.act, static_argnums=4)
    action, _, told = act(policy, sight, (), jax.random.key(0), True)
    assert action.tolist() == [2] and int(told[PROBABILITIES].argmax()) == 2
    assert 0.2 < float(told["value"][0]) <= 1
    blind = search.act(policy, sight.replace(state=None), (), jax.random.key(0), True)
    chex.assert_trees_all_close(blind, plain)


def share_of_perfect_moves(agent, policy):
    """Return how many of the positions are played perfectly that come up when one side is the network's, greedily."""
    boards = [board for board in noughts.all_positions() if noughts.best(board)]
    states = jax.tree.map(
        lambda *leaves: jnp.asarray(np.stack(leaves)), *[noughts.state(NOUGHTS, board) for board in boards]
    )
    observation = jax.jit(jax.vmap(NOUGHTS.observe))(states)
    act = jax.jit(lambda seen: agent.act(policy, Sight(seen, None), (), jax.random.key(0), True)[0])
    chosen = dict(zip(boards, act(observation).tolist(), strict=True))
    reached = set()

    def go_on(board, is_ours):
        if board in chosen and (board, is_ours) not in reached:
            reached.add((board, is_ours))
            for action, after in noughts.moves(board):
                if not is_ours or action == chosen[board]:
                    go_on(after, not is_ours)

    for begins in (True, False):
        go_on((".",) * 9, begins)
    return np.mean([chosen[board] in noughts.best(board) for board, is_ours in reached if is_ours])


@pytest.mark.slow
def test_tic_tac_toe_is_learned_from_nothing():
    """The preset's settings, whole: never loses to random or perfect play, and plays perfectly what it can meet."""
    preset = ALPHAZERO["small"]["tictactoe"]
    agent = alphazero.make(preset.agent, NOUGHTS)
    length = preset.total_steps // agent.steps_per_iteration
    state = jax.jit(lambda key: agent.init(key, horizon=length))(jax.random.key(0))
    run = jax.jit(lambda state: jax.lax.scan(lambda each, _: agent.train(each), state, length=length)[0])
    policy = agent.policy(run(state))
    assert share_of_perfect_moves(agent, policy) >= 0.99
    actor = Actor(policy, agent.initial_memory, agent.act)
    for opponent in ("random", "perfect"):
        for seat in ("first", "second"):
            env = games.make("tictactoe", TicTacToeConfig(opponent=opponent, seat=seat))
            assert evaluate(env, actor, episodes=1_000).totals["losses"].sum() == 0
