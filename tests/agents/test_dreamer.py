import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, LEFT, RIGHT, Chain
from tetrax.agents import dreamer, kept_games
from tetrax.agents.agent import Sight
from tetrax.agents.dreamer import dreaming, living
from tetrax.agents.dreamer.experience import recall
from tetrax.agents.dreamer.mind import Mind
from tetrax.ops import online_queue, replay
from tetrax.world_model import imagination, judges, latents, model
from tetrax.world_model.dreams import Plan
from tetrax.world_model.model_config import WorldModelConfig

MODEL = WorldModelConfig(
    deter=32,
    units=32,
    classes=4,
    latents=4,
    blocks=2,
    encoder_layers=1,
    decoder_layers=1,
    prior_layers=1,
    actor_layers=1,
    bins=41,
    largest_exponent=2.0,
)
CONFIG = dreamer.DreamerConfig(
    model=MODEL,
    num_envs=4,
    num_steps=8,
    num_updates=1,
    batch_size=4,
    batch_length=8,
    replay_capacity=512,
    warmup_steps=64,
    imagined_steps=5,
    learning_rate=3e-3,
    learning_rate_warmup=0.0,
)
GAME = Chain(prize=1.0, time_limit=12)


@functools.lru_cache
def parts(config=CONFIG, game=GAME):
    """The agent, its first state, and its networks."""
    agent = dreamer.make(config, game)
    state = jax.jit(agent.init)(jax.random.key(0))
    mind = Mind(
        model.world_model(game, config.model),
        judges.actor(config.model, game.spec.shows, game.num_actions),
        judges.critic(config.model, game.spec.shows),
    )
    return agent, state, mind


@functools.lru_cache
def train():
    return jax.jit(parts()[0].train)


def copy(state):
    return jax.tree.map(jnp.copy, state)


def experience(state, mind, index):
    return recall(mind.world, GAME, state, replay.windows(state.replay, index))


@pytest.mark.slow
def test_ends_of_games_are_seen_and_the_next_begins_in_the_step_after():
    _, state, _ = parts()
    kept = jax.tree.map(lambda leaf: np.asarray(leaf[0, : int(state.replay.filled)]), state.replay.data)
    seen = np.asarray(show(state, jnp.asarray(kept.seen)).flat).argmax(axis=-1)  # [T, B], cells
    over = kept.terminated | kept.truncated
    assert kept.terminated.any() and kept.truncated.any()
    assert (seen[kept.terminated] == CELLS - 1).all(), "the end itself is there"
    assert (kept.reward == kept.terminated).all(), "gained on the way to the moment where it lies"
    np.testing.assert_array_equal(kept.is_first[1:], over[:-1])
    assert kept.is_first[0].all()
    assert (seen[kept.is_first] < CELLS - 1).all()
    moves = np.where(kept.action == RIGHT, 1, -1)
    follow = np.clip(seen + moves, 0, CELLS - 1)
    np.testing.assert_array_equal(seen[1:][~over[:-1]], follow[:-1][~over[:-1]])


@pytest.mark.slow
def test_beginnings_are_counted_as_steps_and_not_as_steps_of_a_game():
    _, state, _ = parts()
    games, returns, starting = 0.0, 0.0, []
    state = copy(state)
    for _ in range(4):
        state, metrics = train()(state)
        games += float(metrics.totals["games"])
        returns += float(metrics.totals["return"])
        starting.append(float(metrics.means["starting"]))
    # Slots 16 to 47 were played by these four iterations (0 to 15 by the warm-up); an end that falls into the last
    # step is an arrival that is not yet in a slot.
    new = jax.tree.map(lambda leaf: np.asarray(leaf[0, 16:48]), state.replay.data)
    arrival = state.arrival
    ends = (new.terminated | new.truncated)[1:].sum() + np.asarray(
        arrival.terminated | arrival.truncated
    ).sum()
    assert games == ends
    assert returns == new.reward[1:].sum() + np.asarray(arrival.reward).sum()
    begun = new.is_first[1:].sum() + np.asarray(arrival.is_first).sum()
    assert sum(starting) * CONFIG.num_envs * CONFIG.num_steps == pytest.approx(begun)


def show(state, words):
    """Show packed states, [*n, B, words]."""
    return kept_games.show(GAME, state.env_params, state.tunables["discount"], words)


@functools.lru_cache
def by_hand():
    """An iteration's parts, one after the other, with the keys that it gives them: what was played, and one update."""
    _, state, mind = parts()

    def go(state):
        play_key, learn_key, _ = jax.random.split(state.key, 3)
        played, _ = living.play(mind, CONFIG, GAME, state, play_key)
        sample_key, loss_key = jax.random.split(jax.random.split(learn_key, 1)[0])
        index = replay.draw(played.replay, sample_key, CONFIG.batch_size)
        _, index = online_queue.take(played.queue, played.replay, index)
        seen = experience(played, mind, index)
        _, found = dreaming.total_loss(mind, CONFIG, played, played.params, seen, loss_key)
        starts = jax.tree.map(lambda leaf: jax.lax.collapse(leaf.swapaxes(0, 1), 0, 2), found.states)
        imagine_key = jax.random.split(loss_key, 3)[2]
        imagined = imagination.imagine(mind.world, mind.actor, state.params, starts, 5, imagine_key)
        return played, index, seen, found, imagined

    return jax.jit(go)(state)


@pytest.mark.slow
def test_what_is_kept_of_a_game_is_what_acting_by_itself_gives():
    agent, state, _ = parts()
    played, *_ = by_hand()
    kept = jax.tree.map(lambda leaf: leaf[0, 16:24], played.replay.data)  # after 16 steps of the warm-up
    keys = jax.random.split(jax.random.split(state.key, 3)[0], CONFIG.num_steps)
    memory, act = state.memory, jax.jit(agent.act, static_argnums=4)
    for t in range(CONFIG.num_steps):
        sight = Sight(observation=show(state, kept.seen[t]), is_first=kept.is_first[t])
        action, memory, told = act(agent.policy(state), sight, memory, keys[t], False)
        np.testing.assert_array_equal(action, kept.action[t])
        mine = latents.recall(latents.keep(memory.state), 4)
        there = latents.recall(jax.tree.map(lambda leaf, t=t: leaf[t], kept.state), 4)
        np.testing.assert_array_equal(mine.stoch, there.stoch)
        np.testing.assert_allclose(
            mine.deter, there.deter, atol=0.01
        )  # of bfloat16, on either side of a rounding
    assert set(told) == {"value", "entropy", "log_prob", "probabilities"}
    with pytest.raises(ValueError, match=r"sight.is_first: given None; allowed: bool\[B\]"):
        agent.act(agent.policy(state), sight.replace(is_first=None), memory, keys[0], False)


@pytest.mark.slow
def test_states_are_written_back_to_the_rows_they_are_of():
    _, state, _ = parts()
    after, _ = train()(copy(state))
    played, index, seen, found, _ = by_hand()
    rows = latents.recall(jax.tree.map(lambda leaf: leaf[0], played.replay.data.state), 4)  # [T, B, ...]
    expected, envs = np.array(rows.deter), CONFIG.num_envs
    for window, start in enumerate(np.asarray(index)[0]):  # where windows overlap the last one counts
        for step in range(CONFIG.batch_length):
            expected[start // envs + 1 + step, start % envs] = found.states.deter[step, window]
    written = latents.recall(jax.tree.map(lambda leaf: leaf[0], after.replay.data.state), 4)
    np.testing.assert_allclose(written.deter, expected, atol=0.01)
    moved = (expected != np.asarray(rows.deter)).any(axis=-1)
    assert moved.sum() > 10
    # What leads to each moment stands in the row before it; what was gained on the way, in its own.
    kept = jax.tree.map(lambda leaf: np.asarray(leaf[0]), played.replay.data)
    slot, env = np.asarray(index)[0] // envs, np.asarray(index)[0] % envs
    for step in range(CONFIG.batch_length):
        np.testing.assert_array_equal(seen.action_before[step], kept.action[slot + step, env])
        np.testing.assert_array_equal(seen.reward[step], kept.reward[slot + 1 + step, env])
        np.testing.assert_array_equal(seen.is_first[step], kept.is_first[slot + 1 + step, env])


@pytest.mark.slow
def test_gradients_go_where_they_should():
    _, state, mind = parts()
    index = jnp.arange(4, dtype=jnp.int32)[None]
    seen = experience(state, mind, index)

    def states(params):
        return model.see_all(
            mind.world,
            params["model"],
            seen.before,
            seen.action_before,
            seen.reading,
            seen.is_first,
            jax.random.key(1),
        ).state

    def play(params):
        starts = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), states(params))
        imagined = imagination.imagine(mind.world, mind.actor, params, starts, 5, jax.random.key(2))
        return sum(dreaming.play_losses(mind, CONFIG, state, params, imagined)[0].values())

    def really_gained(params):
        # What every start is worth is not known better here than by the critic itself.
        first = jnp.zeros(32)
        losses, _ = dreaming.replay_losses(
            mind, CONFIG, state, params, seen, states(params), first, state.return_range
        )
        return losses["replay_value"]

    # The critic's last layer is 0 at first and lets no gradient through: give it something to say.
    params = copy(state.params)
    params["critic"] = jax.tree.map(
        lambda leaf: leaf + 0.1 * jnp.arange(leaf.size).reshape(leaf.shape) / leaf.size, params["critic"]
    )
    of_play, of_replay = jax.jit(lambda params: (jax.grad(play)(params), jax.grad(really_gained)(params)))(
        params
    )

    def moves(tree):
        return any(np.asarray(leaf).any() for leaf in jax.tree.leaves(tree))

    assert {name: moves(of_play[name]) for name in of_play} == {"model": False, "actor": True, "critic": True}
    assert {name: moves(of_replay[name]) for name in of_replay} == {
        "model": True,
        "actor": False,
        "critic": True,
    }


@pytest.mark.slow
def test_the_first_losses_are_those_of_knowing_nothing():
    _, _, seen, found, imagined = by_hand()
    measured, nothing = found.measured, np.log(41)  # nats of a number among 41 bins
    np.testing.assert_allclose(measured["loss/reward"], nothing, rtol=1e-5)
    assert measured["imagined/reward"] == 0
    assert measured["imagined/return"] == 0
    # Twice: against the returns, and against the slow copy of the critic. What is over counts for nothing.
    weight = np.cumprod(imagined.goes_on, axis=0)[:-1].mean()
    np.testing.assert_allclose(measured["loss/value"], 2 * nothing * weight, rtol=1e-4)
    # The rewards that were there lie beside bin 0; the slow copy says 0 itself.
    goes_on = 1 - np.asarray(seen.terminated | seen.truncated)[:-1]
    np.testing.assert_allclose(measured["loss/replay_value"], 2 * nothing * goes_on.mean(), rtol=1e-4)


def foresee(world, params, begin, state):
    """Take two steps with closed eyes, by every pair of actions, from every cell; compare them with the game's."""
    for pair in ((LEFT, LEFT), (LEFT, RIGHT), (RIGHT, LEFT), (RIGHT, RIGHT)):
        now, dreamed, alive = begin, state, np.ones(CELLS - 1, bool)
        for taken in pair:
            actions = jnp.full(CELLS - 1, taken)
            now, reward, terminated, *_ = jax.vmap(lambda one, action: Chain().transition(one, action))(
                now, actions
            )
            drive = world.apply(params, actions, method=world.drive)
            uniform = jnp.full((CELLS - 1, MODEL.latents), 0.5)  # the likely class, not the share of chance
            dreamed = world.apply(params, dreamed, drive, uniform, method=world.foresee).state
            told = world.apply(params, dreamed.features, method=world.tell)
            foretold = world.apply(params, dreamed.features, method=world.foretell)
            assert (told.numbers.argmax(axis=-1) == now.cell)[alive].all()
            np.testing.assert_allclose(model.mean_reward(world, foretold)[alive], reward[alive], atol=0.1)
            goes_on = np.where(terminated, 0, 0.9)
            np.testing.assert_allclose(jax.nn.sigmoid(foretold.goes_on)[alive], goes_on[alive], atol=0.1)
            alive &= np.asarray(~terminated)


@pytest.mark.slow
def test_it_tells_how_near_its_dreams_come_to_real_games_and_is_compiled_once():
    agent, state, _ = parts()
    plan = Plan(games=6, context=3, horizon=4)
    dream, found = agent.dream(agent.policy(state), jax.random.key(6), plan)
    agent.dream(agent.policy(train()(copy(state))[0]), jax.random.key(7), plan)
    assert agent.dream._cache_size() == 1
    played = dream.played
    cell = np.asarray(played.reading.numbers).argmax(axis=-1)
    moved = np.clip(cell[:-1] + np.where(played.action[:-1] == RIGHT, 1, -1), 0, CELLS - 1)
    same_game = ~np.asarray(played.is_first[1:])
    np.testing.assert_array_equal(cell[1:][same_game], moved[same_game])
    assert (np.asarray(played.reward) == (cell == CELLS - 1)).all(), "the prize, on the way to the last cell"
    assert found.number.tolist() == np.asarray(dream.counted).sum(axis=1).tolist()
    assert set(found.summary()) == {"numbers", "continue_error", "reward_error"}


@pytest.mark.slow
def test_it_foresees_a_chain_and_then_learns_to_walk_it():
    config = dataclasses.replace(CONFIG, num_updates=4, discount=0.9, entropy=10.0)
    game = Chain(prize=1.0)
    agent = dreamer.make(config, game)
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=200)[0])
    state = train(jax.jit(agent.init)(jax.random.key(1)))  # walks at random, so that it sees every step

    cells = jnp.arange(CELLS - 1)
    begin = jax.vmap(lambda cell: game.init(jax.random.key(0)).replace(cell=cell))(cells)
    sight = Sight(observation=jax.vmap(game.observe)(begin), is_first=jnp.ones(CELLS - 1, bool))

    def act(state):
        memory = agent.initial_memory((CELLS - 1,))
        return agent.act(agent.policy(state), sight, memory, jax.random.key(2), True)

    foresee(model.world_model(game, config.model), state.params["model"], begin, act(state)[1].state)
    state = state.replace(tunables={**state.tunables, "entropy": jnp.float32(0.003)})
    state = train(train(state))
    action, _, told = act(state)
    assert action.tolist() == [RIGHT] * (CELLS - 1)
    np.testing.assert_allclose(told["value"], 0.9 ** np.array([3, 2, 1, 0]), atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [1, 2])
def test_there_is_one_replay_in_memory(num_seeds):
    """What is written back are rows: an update makes no copy of the replay, nor widens its numbers."""
    agent = dreamer.make(dataclasses.replace(CONFIG, replay_capacity=65_536), GAME)
    keys = jax.random.split(jax.random.key(0), num_seeds)
    init, train = (
        (jax.vmap(agent.init), jax.vmap(agent.train)) if num_seeds > 1 else (agent.init, agent.train)
    )
    state = jax.eval_shape(init, keys if num_seeds > 1 else keys[0])
    memory = jax.jit(train, donate_argnums=0).lower(state).compile().memory_analysis()
    assert memory.alias_size_in_bytes > num_seeds * agent.replay_bytes
    assert memory.temp_size_in_bytes < num_seeds * agent.replay_bytes / 8


@pytest.mark.slow
def test_several_seeds_are_one_program():
    agent, *_ = parts()
    keys = jax.random.split(jax.random.key(7), 2)
    together, _ = jax.jit(jax.vmap(agent.train))(jax.jit(jax.vmap(agent.init))(keys))
    for number, key in enumerate(keys):
        alone, _ = train()(jax.jit(agent.init)(key))
        one = jax.tree.map(lambda leaf, number=number: leaf[number], together)
        np.testing.assert_array_equal(one.replay.data.action, alone.replay.data.action)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), one.params, alone.params)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"num_envs": 0}, "agent.num_envs: given 0; allowed: 1 or more"),
        ({"batch_length": 1}, "agent.batch_length: given 1; allowed: 2 or more"),
        ({"imagined_starts": 33}, "agent.imagined_starts: given 33; allowed: 0 to the 32 states of a batch"),
        (
            {"replay_capacity": 500},
            r"agent.replay_capacity: given 500; allowed: a multiple of .*\(32\) from 68",
        ),
        ({"warmup_steps": 8}, r"agent.warmup_steps: given 8; allowed: from 36"),
        ({"num_groups": 3}, r"agent.num_envs: given 4; allowed: a multiple of num_groups \(3\)"),
        ({"unroll": 65}, "agent.unroll: given 65; allowed: 1 or more, up to 64"),
        ({"entropy": float("nan")}, "agent.entropy: given nan; allowed: from 0 to 10"),
        ({"ensemble": 1}, "agent.ensemble: given 1; allowed: 0, or 2 to 64"),
        ({"exploration": 1.0}, "agent.exploration: given 1.0; allowed: 0.1 without ensemble"),
        ({"imagination_after": 9.0}, "agent.imagination_after: given 9.0; allowed: 0.0 without real_play"),
        ({"planned_steps": 0}, "agent.planned_steps: given 0; allowed: 1 or more"),
        ({"planned_temperature": 0.0}, "agent.planned_temperature: given 0.0; allowed: from 0.001"),
        ({"model": None}, "agent.model: given None; allowed: a WorldModelConfig"),
    ],
)
def test_what_cannot_work_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        dreamer.make(dataclasses.replace(CONFIG, **wrong), GAME)
