"""The environment's contract: make, reset, step, time limits, what is observed and what is not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import observe
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import EnvConfig, Tetris

HARD_DROP = 6


def play(env: Tetris, num_boards: int, num_steps: int, seed: int = 0):
    """Play random legal actions on several boards; return all states, [T, B], and time steps."""

    def step(carry, key):
        states, legal = carry
        logits = jnp.where(legal, 0.0, -1e9)
        actions = jnp.asarray(jax.random.categorical(key, logits), jnp.int32)
        states, timesteps = jax.vmap(env.step)(states, actions)
        return (states, timesteps.observation.legal), (states, timesteps, actions)

    def run(key):
        reset_key, play_key = jax.random.split(key)
        states, timesteps = jax.vmap(env.reset)(jax.random.split(reset_key, num_boards))
        keys = jax.random.split(play_key, num_steps)
        return jax.lax.scan(step, (states, timesteps.observation.legal), keys)[1]

    return jax.jit(run)(jax.random.key(seed))


def test_environments_are_equal_when_their_configurations_are():
    assert tetrax.make(width=8) == tetrax.make(width=8)
    assert hash(tetrax.make(width=8)) == hash(tetrax.make(width=8))
    assert tetrax.make(width=8) != tetrax.make(width=9)


def test_make_takes_fields_of_the_environment_and_of_the_rules():
    env = tetrax.make("mini", actions="drop", reward="standard", preview=3)
    rules = dataclasses.replace(tetrax.make("mini").rules, preview=3)
    assert env.config == EnvConfig(preset="mini", rules=rules, actions="drop", reward="standard")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tetrax.make("guidelin"), "preset: given 'guidelin'; .* did you mean 'guideline'"),
        (lambda: tetrax.make(widht=8), "field: given 'widht'; .* did you mean 'width'"),
        (
            lambda: tetrax.make(actions="dorp"),
            "env.actions: given 'dorp'; .*direct, chords, drop, locked_position; did you mean 'drop'",
        ),
        (lambda: tetrax.make(width=3), "rules.width: given 3; allowed: 4 or more, .* piece 'I'"),
        (lambda: tetrax.make(height=40), "rules.height: given 40; allowed: a whole number from 2 to 28"),
        (lambda: tetrax.make(preview=7), "rules.preview: given 7; allowed: a whole number from 0 to 6"),
        (lambda: tetrax.make(time_limit=-1), "env.time_limit: given -1; allowed: a whole number from 0 to"),
        (
            lambda: tetrax.make(observation="afterstate_boards"),
            "given 'afterstate_boards' with actions 'direct'",
        ),
        (lambda: tetrax.make(rules="guideline"), "env.rules: given 'guideline'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_key_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"key: given uint32\[2\]; allowed: one typed Threefry key"):
        tetrax.make().reset(jax.random.PRNGKey(0))
    with pytest.raises(TypeError, match="allowed: one typed Threefry key"):
        tetrax.make().reset(jax.random.key(0, impl="rbg"))


@pytest.mark.slow
def test_shapes_are_those_the_documentation_states():
    env = tetrax.make(width=8, height=16, preview=3)
    states, timesteps = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 5))
    seen = timesteps.observation
    assert states.rows.shape == (5, 36)
    assert (seen.planes.shape, seen.planes.dtype) == ((5, 18, 8, 3), np.uint8)
    assert (seen.pieces.shape, seen.pieces.dtype) == ((5, 5), np.int32)
    assert (seen.features.shape, seen.features.dtype) == ((5, len(env.feature_names)), np.float32)
    assert (seen.legal.shape, seen.legal.dtype) == ((5, 8), np.bool_)
    assert seen.afterstates is None
    assert timesteps.last_observation is None

    env = tetrax.make(width=8, height=16, actions="drop", observation="afterstate_boards")
    seen = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 5))[1].observation
    assert seen.planes is None
    assert seen.legal.shape == (5, 64)
    assert (seen.afterstates.rows.shape, seen.afterstates.rows.dtype) == ((5, 64, 20), np.uint32)
    assert seen.afterstates.features is None
    env = tetrax.make(actions="drop", hold=False)
    assert env.reset(jax.random.key(0))[1].observation.afterstates.features.shape == (40, 12)


def test_planes_show_locked_cells_the_piece_and_its_ghost():
    env = tetrax.make(width=5, height=4, buffer=4)
    drawing = """
        ##...
        ##.##
    """
    seen = np.asarray(env.observe(tetrax.state_from_ascii(env, drawing, piece="T")).planes)

    def drawn(plane: int) -> list[str]:
        return ["".join(".#"[cell] for cell in row) for row in seen[::-1, :, plane]]

    assert drawn(0) == [".....", ".....", ".....", ".....", "##...", "##.##"]
    # T enters in rows 4 and 5 of a board of 4, falls one row at once, and would rest on the left.
    assert drawn(1) == [".....", "..#..", ".###.", ".....", ".....", "....."]
    assert drawn(2) == [".....", ".....", "..#..", ".###.", ".....", "....."]


@pytest.mark.parametrize("actions", ["direct", pytest.param("drop", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_end_is_absorbing_and_nothing_is_legal_after_it(actions):
    env = tetrax.make(height=6, buffer=4, actions=actions, reward="standard")
    states, timesteps, _ = play(env, num_boards=16, num_steps=150 if actions == "direct" else 40)
    over = np.asarray(states.game_over)
    assert over[-1].all()
    np.testing.assert_array_equal(np.asarray(timesteps.terminated), over)
    legal = np.asarray(timesteps.observation.legal)
    assert not legal[over].any()
    assert legal[~over].any(axis=-1).all()
    ended_before = np.concatenate([np.zeros((1, 16), bool), over[:-1]])
    assert (np.asarray(timesteps.reward)[ended_before] == 0).all()
    assert (np.asarray(timesteps.event.game_over)[ended_before] == 0).all()
    rows, ticks = np.asarray(states.rows), np.asarray(states.ticks)
    for board in range(16):
        end = over[:, board].argmax()
        assert (rows[end:, board] == rows[end, board]).all()
        assert (ticks[end:, board] == ticks[end, board]).all()


@pytest.mark.slow
def test_an_action_outside_the_set_is_clipped_and_says_so():
    env = tetrax.make()
    state, _ = env.reset(jax.random.key(0))
    inside, outside = env.step(state, 7), env.step(state, 8)
    assert not inside[1].event.action_clipped
    assert outside[1].event.action_clipped
    assert env.step(state, -1)[1].event.action_clipped
    assert (outside[0].hold, outside[0].piece) == (inside[0].hold, inside[0].piece)


@pytest.mark.slow
def test_an_illegal_placement_only_passes_time():
    env = tetrax.make(actions="drop")
    state, timestep = env.reset(jax.random.key(0))
    illegal = int(np.flatnonzero(~np.asarray(timestep.observation.legal))[0])
    after, timestep = env.step(state, illegal)
    assert after.ticks == 1
    assert not timestep.event.locked
    for field in ("rows", "piece", "hold", "queue", "score", "pieces", "x", "y", "draws"):
        np.testing.assert_array_equal(getattr(after, field), getattr(state, field))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reward", "hold"),
    [("standard", True), ("lines_only", False)],
)
def test_afterstates_foretell_the_step(reward, hold):
    """Rows, reward and end of every legal placement equal those of stepping it."""
    options = {"actions": "drop", "reward": reward, "hold": hold, "height": 8, "buffer": 6, "width": 6}
    env = tetrax.make(observation="afterstate_boards", **options)
    states, timesteps, _ = play(env, num_boards=6, num_steps=8)
    states, seen = jax.tree.map(
        lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (states, timesteps.observation)
    )

    def step_all(state):
        return jax.vmap(env.step, in_axes=(None, 0))(state, jnp.arange(env.num_actions, dtype=jnp.int32))

    after, stepped = jax.jit(jax.vmap(step_all))(states)
    legal = np.asarray(seen.legal)
    foretold = seen.afterstates
    assert legal.sum() > 200
    rows = np.asarray(after.rows)[..., : env.rules.height + 4]
    np.testing.assert_array_equal(np.asarray(foretold.rows)[legal], rows[legal])
    np.testing.assert_allclose(
        np.asarray(foretold.reward)[legal], np.asarray(stepped.reward)[legal], atol=1e-5
    )
    np.testing.assert_array_equal(
        np.asarray(foretold.terminated)[legal], np.asarray(stepped.terminated)[legal]
    )
    assert np.asarray(stepped.terminated)[legal].any()


@pytest.mark.slow
def test_nothing_observed_depends_on_hidden_pieces():
    env = tetrax.make(actions="drop", preview=1, height=8, buffer=6, width=6)
    states, timesteps, _ = play(env, num_boards=8, num_steps=6)
    other_keys = jax.random.split(jax.random.key(99), states.key.shape)
    hidden = states.replace(key=other_keys, bag=jnp.full_like(states.bag, 0b1010101))
    seen = jax.jit(jax.vmap(jax.vmap(env.observe)))(hidden)
    same = jax.tree.map(lambda a, b: (a == b).all(), seen, timesteps.observation)
    assert all(bool(leaf) for leaf in jax.tree.leaves(same))


def test_a_time_limit_truncates_and_is_not_an_end():
    env = tetrax.make("mini", actions="drop", time_limit=3)
    _, timesteps, _ = play(env, num_boards=32, num_steps=3)
    truncated, terminated = np.asarray(timesteps.truncated), np.asarray(timesteps.terminated)
    assert not truncated[:2].any()
    np.testing.assert_array_equal(truncated[2], ~terminated[2])
    assert truncated[2].any()
    last, seen = timesteps.last_observation, timesteps.observation
    np.testing.assert_array_equal(last.features, seen.features)
    assert np.asarray(seen.legal)[2][truncated[2]].any(axis=-1).all()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"lock": "infinite", "hold": False, "preview": 0}])
def test_no_feature_is_constant(options):
    env = tetrax.make(**options)
    seen = play(env, num_boards=64, num_steps=400)[1].observation
    spread = np.asarray(seen.features).reshape(-1, len(env.feature_names)).std(axis=0)
    of_clears = {"level", "combo", "back_to_back"}  # random keys clear nothing; they move in the next test
    assert set(tetrax.make(actions="drop", **options).feature_names) == of_clears
    assert all(spread[i] > 0 for i, name in enumerate(env.feature_names) if name not in of_clears)


@pytest.mark.slow
def test_features_of_clears_move_with_them():
    env = tetrax.make(actions="drop")
    state = tetrax.state_from_ascii(env, "\n".join(["#########."] * 4), piece="I")
    before = dict(zip(env.feature_names, env.observe(state).features.tolist(), strict=True))
    after, timestep = env.step(state, env.action_names.index("drop_R_9"))
    features = dict(zip(env.feature_names, timestep.observation.features.tolist(), strict=True))
    assert before == pytest.approx({"level": 1 / 20, "combo": 0.0, "back_to_back": 0.0})
    assert features == pytest.approx({"level": 1 / 20, "combo": 0.1, "back_to_back": 1.0})
    later = env.observe(after.replace(lines=jnp.int32(30))).features
    assert later[0] == pytest.approx(4 / 20)


@pytest.mark.slow
def test_boards_are_one_program_under_jit_and_vmap():
    """`step` is traced once for all batches of one shape."""
    env, traces = tetrax.make(), []

    @jax.jit
    def step(states, actions):
        traces.append(None)
        return jax.vmap(env.step)(states, actions)[0]

    states, _ = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 4))
    for action in (HARD_DROP, 0, 7):
        states = step(states, jnp.full(4, action, jnp.int32))
    assert len(traces) == 1


def test_a_game_is_traced_once_for_all_programs_that_hold_it(monkeypatch):
    """One after another, inside one another, and for one board as for many."""
    env, looked, features = tetrax.make("mini", preview=6), [], observe.features
    monkeypatch.setattr(observe, "features", lambda *given: looked.append(None) or features(*given))
    states = jax.eval_shape(jax.vmap(env.reset), jax.random.split(jax.random.key(0), 3))[0]
    for count in (1, 2):
        steps = jax.jit(lambda states, count=count: [jax.vmap(env.step)(states, jnp.zeros(3, int))] * count)
        jax.eval_shape(steps, states)
    jax.eval_shape(env.reset, jax.random.key(0))
    assert len(looked) == 1


@pytest.mark.slow
def test_the_same_game_runs_at_any_pace():
    """A row takes one second of level 1 and the lock delay half of one, at 10 and at 60 ticks a second."""
    for ticks_per_second in (10, 60):
        env = Tetris(EnvConfig(rules=Rules(ticks_per_second=ticks_per_second)))
        state, _ = env.reset(jax.random.key(0))
        step = jax.jit(env.step)
        start = int(state.y)
        for _ in range(ticks_per_second - 1):
            state, _ = step(state, 0)
        assert state.y == start
        state, _ = step(state, 0)
        assert state.y == start - 1
        assert env.default_params.game.lock_delay == ticks_per_second // 2
