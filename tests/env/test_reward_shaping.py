"""Shaping by a potential changes no policy; rewards are known before the placement that earns them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import foresight, reward
from tetrax.env.reward import REWARDS, RewardRule
from tetrax.env.wrappers import AutoReset

DISCOUNT = 0.9
PLAIN = RewardRule(lines=1.0, game_over=-10.0)
SHAPED = dataclasses.replace(
    PLAIN,
    potential_aggregate_height=-0.3,
    potential_holes=-1.0,
    potential_bumpiness=-0.7,
    discount=DISCOUNT,
)
# Dominoes alone, so that a board decides everything that follows; a loss is two rows away.
ONE_PIECE = {"height": 2, "buffer": 4, "width": 4, "preview": 1}


# One program for several rewards: a rule with every term, and the weights of each reward, 0 for the rest.
EVERY_TERM = RewardRule(
    line_values=(0, 1, 3, 5, 8), by_level=True, hold_refused=0.0, early_loss=0.0, score=0.0, attack=0.0,
    aggregate_height=0.0, holes=0.0, bumpiness=0.0, potential_aggregate_height=0.0, potential_holes=0.0,
    potential_bumpiness=0.0,
)  # fmt: skip
WITHOUT_BOARD = RewardRule(
    line_values=(0, 1, 3, 5, 8), by_level=True, hold_refused=0.0, early_loss=0.0, score=0.0, attack=0.0
)


def weights_of_all(rule: RewardRule, rules):
    """Return the weights of each reward as those of `rule`, stacked."""
    start = reward.default_params(rule)
    given = [start.replace(**{k: jnp.float32(w) for k, w in one.weights.items()}) for one in rules]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *given)


def stepped(env, rule, weights, state, action):
    """Return the state after a step, each reward of it, and what happened."""
    after, event = env.action_set.apply(env.default_params.game, state, action)

    def of_one(weight):
        return reward.total(reward.terms(rule, env.rules, weight, state, after, event))

    return after, jax.vmap(of_one)(weights), event


@pytest.fixture(scope="module")
def game():
    """Every board that can be reached, what each action leads to, and what it earns under several rewards."""
    env = tetrax.make("mini", actions="drop", **ONE_PIECE)
    others = {
        "plain": PLAIN,
        "shaped": SHAPED,
        "stacked": dataclasses.replace(PLAIN, aggregate_height=-0.3, holes=-1.0, bumpiness=-0.7),
        "wrong discount": dataclasses.replace(SHAPED, discount=0.3),
    }
    weights = weights_of_all(EVERY_TERM, others.values())
    actions = jnp.arange(env.num_actions, dtype=jnp.int32)

    @jax.jit
    def of_board(state):
        legal = env.action_set.legal(state, None)
        return legal, *jax.vmap(lambda action: stepped(env, EVERY_TERM, weights, state, action)[:2])(actions)

    number, found, tables = {}, [env.init(jax.random.key(0), env.default_params)], []
    number[np.asarray(found[0].rows).tobytes()] = 0
    for state in found:  # grows while it is walked
        legal, after, earned = jax.device_get(of_board(state))
        following = np.full(env.num_actions, -1)
        for action in np.flatnonzero(legal & ~after.game_over):
            rows = after.rows[action]
            if rows.tobytes() not in number:
                number[rows.tobytes()] = len(found)
                following_state = jax.tree.map(lambda leaf, a=action: jnp.asarray(leaf[a]), after)
                found.append(following_state.replace(key=state.key))
            following[action] = number[rows.tobytes()]
        tables.append((legal, following, earned))
    legal, following = (np.stack([table[part] for table in tables]) for part in (0, 1))
    rewards = np.stack([table[2] for table in tables]).astype(np.float64)  # [boards, A, rewards]
    earned = {name: rewards[..., index] for index, name in enumerate(others)}
    measured = jax.vmap(reward.features, in_axes=(None, 0))(
        env.rules, jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    )
    potential = -0.3 * np.asarray(measured.aggregate_height) - 0.7 * np.asarray(measured.bumpiness)
    return legal, following, earned, potential - 1.0 * np.asarray(measured.holes)


def solved(legal, following, earned):
    """Return the worth of every action on every board, by value iteration."""
    value = np.zeros(len(legal))
    for _ in range(400):  # 0.9^400 is nothing
        quality = earned + DISCOUNT * np.where(following >= 0, value[following], 0.0)
        quality = np.where(legal, quality, -np.inf)
        value = quality.max(axis=1)
    return quality


def best(quality):
    return quality > quality.max(axis=1, keepdims=True) - 1e-4


@pytest.mark.slow
def test_shaping_leaves_the_best_actions_as_they_are(game):
    legal, following, earned, potential = game
    assert len(legal) > 50
    plain, shaped = (solved(legal, following, earned[name]) for name in ("plain", "shaped"))
    np.testing.assert_array_equal(best(shaped), best(plain))
    # Ng, Harada and Russell (1999), corollary 2: the worth of an action falls by the potential of its board.
    difference = plain[legal] - shaped[legal]
    np.testing.assert_allclose(difference, np.broadcast_to(potential[:, None], legal.shape)[legal], atol=1e-4)
    assert np.ptp(potential) > 5  # and there is something to fall by


@pytest.mark.parametrize("name", ["stacked", "wrong discount"])
@pytest.mark.slow
def test_other_bonuses_for_the_board_change_what_is_best(game, name):
    """The test above can fail: neither the change of the board alone nor another discount is invariant."""
    legal, following, earned, _ = game
    plain, other = (solved(legal, following, earned[rule]) for rule in ("plain", name))
    assert (best(plain) != best(other)).any()


def test_shaping_takes_the_discount_of_the_agent():
    shaped = tetrax.make("mini", reward=SHAPED)
    params = shaped.with_discount(shaped.default_params, jnp.float32(0.5))
    assert params.reward.discount == 0.5
    assert params.reward.potential_holes == shaped.default_params.reward.potential_holes
    plain = tetrax.make("mini", reward=PLAIN)
    params = plain.default_params
    assert plain.with_discount(params, jnp.float32(0.5)) is params


def test_shaping_adds_up_to_the_potential_at_the_ends():
    env = tetrax.make("mini", actions="drop", reward=SHAPED, time_limit=10)
    boards = AutoReset(env)

    def potential(state):
        measured = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), reward.features(env.rules, state))
        return -0.3 * measured.aggregate_height - measured.holes - 0.7 * measured.bumpiness

    def step(carry, key):
        state, legal = carry
        action = jnp.asarray(jax.random.categorical(key, jnp.where(legal, 0.0, -1e9)), jnp.int32)
        before = potential(state.game)
        # What AutoReset does first: the board that a truncated game ends on.
        after = env.transition(state.game, action, env.default_params)[0]
        state, timestep = boards.step(state, action)
        shaping = timestep.event.reward_terms.shaping
        out = (before, shaping, potential(after), timestep.terminated, timestep.truncated)
        return (state, timestep.observation.legal), out

    def play(key):
        state, timestep = boards.reset(key)
        carry = (state, timestep.observation.legal)
        return jax.lax.scan(step, carry, jax.random.split(key, 150))[1]

    before, shaping, after, terminated, truncated = jax.tree.map(np.asarray, jax.jit(play)(jax.random.key(4)))
    ends = np.flatnonzero(terminated | truncated)
    assert terminated.sum() > 3
    assert truncated.sum() > 3
    start = 0
    for end in ends:
        discounts = DISCOUNT ** np.arange(end + 1 - start)
        left = 0.0 if terminated[end] else DISCOUNT ** (end + 1 - start) * after[end]
        total = np.sum(discounts * shaping[start : end + 1])
        np.testing.assert_allclose(total, left - before[start], atol=1e-4)
        start = end + 1
    assert np.abs(shaping).max() > 1


DRAWINGS = (
    "",
    "#####.",
    "\n".join(["#####."] * 4),
    "\n".join(["#.####"] + ["#####."] * 3),
    "\n".join(["#....."] + ["##.###"] * 5),
    "\n".join(["..##.."] * 8),
    "\n".join([".####."] * 7),
    "\n".join(["..##.."] * 6 + ["####.."]),
)
RULES = {"width": 6, "height": 8, "buffer": 6}
COUNTERS = {"lines": (0, 25), "pieces": (3, 400), "combo": (-1, 2), "back_to_back": (-1, 1), "lives": (1, 2)}


def standing(env, count):
    """Return drawn boards with all kinds of pieces and counters, stacked."""
    states = []
    kinds = [piece.name for piece in env.rules.pieces]
    for index in range(count):
        free = [d for d in DRAWINGS if index % len(DRAWINGS) == DRAWINGS.index(d)]
        state = tetrax.state_from_ascii(
            env, free[0], piece=kinds[index % 7], hold=kinds[(3 * index + 1) % 7] if index % 3 else None,
            queue=[kinds[(2 * index) % 7]], key=jax.random.key(index),
        )  # fmt: skip
        fields = {
            name: jnp.int32(values[(index // (number + 1)) % 2])
            for number, (name, values) in enumerate(COUNTERS.items())
            if name != "lives" or env.rules.lives > 1
        }
        states.append(state.replace(**fields))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (EVERY_TERM, {"preview": 2, "lives": 2}),
        (WITHOUT_BOARD, {"preview": 2, "garbage": True, "attack": "tetrio", "spawn_rise": True}),
    ],
    ids=["lives", "garbage"],
)
def test_afterstates_foretell_every_named_reward(rule, options):
    env = tetrax.make(actions="drop", **options, **RULES)
    names = [name for name in REWARDS if reward.can_foretell(name, env.rules)]
    board = {"standard", "stacking", "potential", "shaped_lines"}
    assert set(names) == set(REWARDS) - (board if env.rules.garbage else set())
    weights = weights_of_all(rule, [REWARDS[name] for name in names])
    actions = jnp.arange(env.num_actions, dtype=jnp.int32)

    @jax.jit
    @jax.vmap
    def both(state):
        placed = env.action_set.candidates(state)

        def of_one(weight):
            params, view = env.default_params.game, "afterstate_features"
            foretells = reward.can_foretell(rule, env.rules)
            seen = foresight.afterstates(env.rules, rule, params, weight, state, placed, view, foretells)
            return seen.reward, seen.terminated

        foretold, terminated = jax.vmap(of_one)(weights)  # [names, A]
        by_stepping = jax.vmap(lambda action: stepped(env, rule, weights, state, action))(actions)
        return placed.legal, foretold.T, terminated[0], by_stepping

    legal, foretold, terminated, (after, gained, event) = jax.device_get(both(standing(env, 40)))
    assert legal.sum() > 500
    assert event.lines[legal].max() == 4
    assert event.perfect_clear[legal].any()
    assert event.life_lost[legal].any()
    np.testing.assert_array_equal(terminated[legal], after.game_over[legal])
    for index, name in enumerate(names):
        seen, given = foretold[legal][:, index], gained[legal][:, index]
        np.testing.assert_allclose(seen, given, rtol=1e-5, atol=1e-4, err_msg=name)
        assert np.ptp(given) > 0, name


@pytest.mark.slow
def test_the_ghost_foretells_a_hard_drop_wherever_the_piece_stands():
    env = tetrax.make(preview=1, **RULES)
    weights = weights_of_all(EVERY_TERM, REWARDS.values())
    keys = [env.action_names.index(name) for name in ("rotate_cw", "left", "hard_drop")]

    def play(state, action):
        def of_one(weight):
            return foresight.ghost_outcome(env.rules, EVERY_TERM, env.default_params.game, weight, state)

        after, _ = env.action_set.apply(env.default_params.game, state, action)
        by_stepping = stepped(env, EVERY_TERM, weights, state, jnp.int32(keys[-1]))
        return after, (jax.vmap(of_one)(weights), by_stepping[0].game_over, *by_stepping[1:])

    def played(state):
        return jax.lax.scan(play, state, jnp.array(keys, jnp.int32))[1]

    ghost, over, gained, event = jax.device_get(jax.jit(jax.vmap(played))(standing(env, 40)))
    assert event.lines.max() > 1
    assert over.any()
    np.testing.assert_allclose(ghost.reward, gained, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(ghost.lines[..., 0], event.lines)
    np.testing.assert_array_equal(ghost.terminated[..., 0], over)


def test_the_ghost_knows_of_spins():
    env = tetrax.make(reward="score", ghost_outcome=True, **RULES)
    drawing = """
        ###...
        ##...#
        ###.##
    """
    # A T that was turned into the slot at the columns 2 to 4, pointing down: three corners of its box and both
    # in front are filled, a full spin. The two rows it completes are 1200 on level 1.
    state = tetrax.state_from_ascii(env, drawing, piece="T")
    state = state.replace(orientation=jnp.int32(2), x=jnp.int32(2), y=jnp.int32(0))
    look = jax.jit(env.observe)
    turned = look(state.replace(kick=jnp.int32(0))).ghost
    assert (float(turned.reward), int(turned.lines)) == (pytest.approx(12.0), 2)
    assert float(look(state).ghost.reward) == pytest.approx(3.0)  # without the turn a double: 300


def test_nothing_ahead_depends_on_hidden_pieces():
    env = tetrax.make(preview=0, ghost_outcome=True, reward="survival", **RULES)
    # O comes to rest in the rows 7 and 8, where most pieces enter: which comes next cannot be seen.
    state = tetrax.state_from_ascii(env, "\n".join(["..##.."] * 7), piece="O")
    ghost = jax.jit(env.observe)(state).ghost
    assert (float(ghost.reward), bool(ghost.terminated)) == (0.0, False)
