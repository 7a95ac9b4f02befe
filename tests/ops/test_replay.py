import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from tetrax.ops import replay

insert, set_priorities = jax.jit(replay.insert), jax.jit(replay.set_priorities)
sample = jax.jit(replay.sample, static_argnames="num")

# A step says where and when it was played, in the dtypes that a game's steps have.
STEP = {
    "board": jax.ShapeDtypeStruct((), jnp.uint8),
    "time": jax.ShapeDtypeStruct((), jnp.int32),
    "rows": jax.ShapeDtypeStruct((3,), jnp.uint32),
    "ended": jax.ShapeDtypeStruct((), jnp.bool_),
}


def steps(first, num_steps, num_envs):
    """The steps of all boards from a moment on, [T, B]."""
    time = np.arange(first, first + num_steps, dtype=np.int32)[:, None].repeat(num_envs, 1)
    board = np.arange(num_envs, dtype=np.uint8)[None].repeat(num_steps, 0)
    rows = (7 * time + board)[..., None].astype(np.uint32) + np.arange(3, dtype=np.uint32)
    return {"board": board, "time": time, "rows": rows, "ended": (time + board) % 3 == 0}


class PlainRing:
    """What can be sampled, with lists and dicts: {(board, moment of the first step): priority}."""

    def __init__(self, num_slots, num_envs, length):
        self.num_slots, self.num_envs, self.length = num_slots, num_envs, length
        self.now, self.priority, self.largest = 0, {}, 1.0

    def insert(self, num_steps):
        before = set(self.starts())
        self.now += num_steps
        old, self.priority = self.priority, {}
        for start in self.starts():
            self.priority[start] = old[start] if start in before else self.largest

    def starts(self):
        oldest = max(0, self.now - self.num_slots)
        moments = [t for t in range(oldest, self.now) if t + self.length <= self.now]
        return [(board, moment) for board in range(self.num_envs) for moment in moments]


# num_slots, new_steps, length: a window within an insertion, over two, over several, and as long as can be.
SHAPES = [
    *((6, 3, 2), (9, 3, 6)),
    *(
        pytest.param(*s, marks=pytest.mark.slow)
        for s in [(3, 3, 1), (4, 2, 3), (8, 2, 7), (5, 1, 4), (1, 1, 1)]
    ),
]
NUM_ENVS, NUM_GROUPS = 4, 2
NUM, MANY = 64, 16_000  # samples


def empty(num_slots, new_steps, length, prioritised):
    return replay.empty(
        STEP,
        capacity=num_slots * NUM_ENVS,
        num_envs=NUM_ENVS,
        length=length,
        new_steps=new_steps,
        num_groups=NUM_GROUPS,
        prioritised=prioritised,
    )


def starts_of(windows):
    """(board, moment) of the first step of each window."""
    return list(zip(windows.data["board"][0].tolist(), windows.data["time"][0].tolist(), strict=True))


def assert_whole(windows, length):
    """The steps of each window are one board's, and follow each other."""
    board, time = np.asarray(windows.data["board"]), np.asarray(windows.data["time"])
    assert board.shape == time.shape == (length, len(windows.probability))
    assert (board == board[:1]).all()
    np.testing.assert_array_equal(time, time[:1] + np.arange(length)[:, None])
    expected = (7 * time + board)[..., None].astype(np.uint32) + np.arange(3, dtype=np.uint32)
    np.testing.assert_array_equal(windows.data["rows"], expected)
    np.testing.assert_array_equal(windows.data["ended"], (time + board) % 3 == 0)
    assert {name: leaf.dtype for name, leaf in windows.data.items()} == {n: s.dtype for n, s in STEP.items()}


def priorities_of(ring, state):
    """The leaves that the plain ring would have, [G, P]."""
    boards = NUM_ENVS // NUM_GROUPS
    leaves = np.zeros_like(state.priorities.nodes)[:, state.priorities.nodes.shape[1] // 2 :]
    for (board, moment), priority in ring.priority.items():
        leaves[board // boards, moment % ring.num_slots * boards + board % boards] = priority
    return leaves


@pytest.mark.parametrize(("num_slots", "new_steps", "length"), SHAPES)
def test_what_can_be_sampled_is_what_a_plain_ring_holds(num_slots, new_steps, length):
    state, ring = empty(num_slots, new_steps, length, True), PlainRing(num_slots, NUM_ENVS, length)
    random = np.random.default_rng(0)
    for moment in range(0, 3 * num_slots, new_steps):
        state = insert(state, steps(moment, new_steps, NUM_ENVS))
        ring.insert(new_steps)
        leaves = jax.vmap(lambda tree: tree.leaves)(state.priorities)
        np.testing.assert_array_equal(leaves, priorities_of(ring, state))
        assert replay.num_starts(state) == len(ring.priority)
        assert bool(replay.num_starts(state) > 0) == bool(ring.priority)
        if not ring.priority:
            continue
        windows = sample(state, jax.random.key(moment), num=NUM)
        assert_whole(windows, length)
        drawn = starts_of(windows)
        assert set(drawn) <= set(ring.starts())
        totals = [sum(p for (b, _), p in ring.priority.items() if b // 2 == g) for g in range(2)]
        expected = [ring.priority[start] / totals[start[0] // 2] / 2 for start in drawn]
        np.testing.assert_allclose(windows.probability, expected, rtol=1e-5)
        # The same start may be drawn twice: it then gets the same priority twice.
        given = {start: random.choice([0.5, 1.5, 2.5]) for start in sorted(set(drawn))}
        new = jnp.asarray([given[start] for start in drawn], jnp.float32)
        state = set_priorities(state, windows.index, new)
        ring.priority.update(given)
        ring.largest = max(ring.largest, *given.values())
        # Each group keeps its own largest priority, and here every group meets 2.5 at once or never.
        state = state.replace(largest=jnp.full(NUM_GROUPS, ring.largest, jnp.float32))


@pytest.mark.parametrize(
    ("num_slots", "new_steps", "length"),
    [SHAPES[0], pytest.param(*SHAPES[1], marks=pytest.mark.slow), *SHAPES[2:]],
)
def test_uniform_sampling_meets_every_complete_window_and_no_other(num_slots, new_steps, length):
    state, ring = empty(num_slots, new_steps, length, False), PlainRing(num_slots, NUM_ENVS, length)
    for moment in range(0, 2 * num_slots + new_steps, new_steps):
        state = insert(state, steps(moment, new_steps, NUM_ENVS))
        ring.insert(new_steps)
        assert replay.num_starts(state) == len(ring.priority)
        if ring.priority:
            windows = sample(state, jax.random.key(moment), num=MANY)
            assert_whole(windows, length)
            assert set(starts_of(windows)) == set(ring.starts())


def test_uniform_sampling_is_uniform():
    state = empty(6, 3, 2, False)
    for moment in (0, 3, 6):
        state = insert(state, steps(moment, 3, NUM_ENVS))
    # Steps 3 to 8 are kept: windows of two start at 3, 4, 5, 6, 7, on four boards.
    windows = sample(state, jax.random.key(5), num=MANY)
    counts = Counter(starts_of(windows))
    assert sorted(counts) == [(board, moment) for board in range(4) for moment in range(3, 8)]
    # 800 each; five standard errors: 5 * sqrt(16000 * 0.05 * 0.95) = 138.
    np.testing.assert_allclose(list(counts.values()), 800, atol=138)
    np.testing.assert_array_equal(windows.probability, np.full(MANY, 0.05, np.float32))


def test_prioritised_sampling_by_hand():
    state = insert(empty(6, 3, 2, True), steps(0, 3, NUM_ENVS))
    # Two groups of two boards, each with starts at moments 0 and 1. While all are alike, the 32 shares of a
    # group's total give each of its four starts 8.
    windows = sample(state, jax.random.key(0), num=NUM)
    alike = {(board, moment): 8 for board in range(4) for moment in range(2)}
    assert Counter(starts_of(windows)) == alike
    np.testing.assert_array_equal(windows.probability, np.full(NUM, 1 / 8, np.float32))
    # Priorities 1, 2, 3, 2 of the first group make 8, 4 shares each; 1, 1, 1, 5 of the second as well.
    priorities = dict(zip([(0, 0), (0, 1), (1, 0), (1, 1)], [1, 2, 3, 2], strict=True))
    priorities |= dict(zip([(2, 0), (2, 1), (3, 0), (3, 1)], [1, 1, 1, 5], strict=True))
    given = jnp.asarray([priorities[start] for start in starts_of(windows)], jnp.float32)
    state = set_priorities(state, windows.index, given)
    windows = sample(state, jax.random.key(1), num=NUM)
    drawn = starts_of(windows)
    assert Counter(drawn) == {start: 4 * priority for start, priority in priorities.items()}
    np.testing.assert_array_equal(windows.probability, [priorities[start] / 16 for start in drawn])
    # New starts get the largest priority of their group so far; the last step's window is not complete.
    state = insert(state, steps(3, 3, NUM_ENVS))
    leaves = state.priorities.nodes[:, 16:28].reshape(2, 6, 2)  # [G, T, B / G]
    np.testing.assert_array_equal(leaves[0, :, 0], [1, 2, 3, 3, 3, 0])
    np.testing.assert_array_equal(leaves[1, :, 1], [1, 5, 5, 5, 5, 0])


def test_a_start_that_was_overwritten_stays_out():
    state = insert(empty(6, 3, 2, True), steps(0, 3, NUM_ENVS))
    # Of each group board 0 at moment 0, and at moment 2: that window has no end yet.
    index = jnp.tile(jnp.asarray([0, 4], jnp.int32), (NUM_GROUPS, NUM // NUM_GROUPS // 2))
    state = set_priorities(state, index, jnp.full(NUM, 5.0))
    np.testing.assert_array_equal(state.priorities.nodes[:, 16:21], [[5, 1, 1, 1, 0]] * 2)
    state = set_priorities(state, index, jnp.zeros(NUM))
    np.testing.assert_array_equal(state.priorities.nodes[:, 16], [np.float32(replay.SMALLEST_PRIORITY)] * 2)


def test_weights_by_hand():
    # N = 4 and P = 1/2, 1/4, 1/8, 1/8, beta 1/2: (N P)^-beta = 0.7071, 1, 1.4142, 1.4142; over the largest
    # one: 0.5, 0.7071, 1, 1.
    probability = jnp.asarray([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    weights = replay.importance_weights(probability, 0.5)
    np.testing.assert_allclose(weights, [0.5, 0.70710678, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(replay.importance_weights(probability, jnp.float32(0)), np.ones(4))


@pytest.mark.parametrize("prioritised", [False, True])
def test_memory_is_known_before_it_is_allocated(prioritised):
    arguments = {"num_envs": 6, "length": 3, "new_steps": 2, "num_groups": 3, "prioritised": prioritised}
    # A step takes 1 + 4 + 12 + 1 = 18 bytes, cursor and filled 4 each; 3 groups have trees over 16 slots of
    # 2 boards, 64 nodes of 4 bytes, and a largest priority.
    expected = 96 * 18 + 8 + (3 * (64 * 4 + 4) if prioritised else 0)
    assert replay.memory_bytes(STEP, capacity=96, **arguments) == expected
    state = replay.empty(STEP, capacity=96, **arguments)
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(state)) == expected
    huge = replay.memory_bytes(STEP, capacity=96 * 10**7, **arguments)
    assert huge > 17e9


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"capacity": 95},
            r"capacity: given 95; allowed: a multiple of 6 environments x 2 new steps, 24 to ",
        ),
        ({"capacity": 12}, r"capacity: given 12; allowed: .* 24 to 2147483647"),
        ({"capacity": 12 * 2**28}, "capacity: given 3221225472"),
        ({"num_groups": 4}, r"num_groups: given 4; allowed: a divisor of num_envs \(6\)"),
        ({"length": 0}, "length: given 0; allowed: 1 or more"),
        ({"new_steps": 0}, "new_steps: given 0; allowed: 1 or more"),
    ],
)
def test_what_does_not_fit_together_is_refused(changed, said):
    arguments = {"capacity": 96, "num_envs": 6, "length": 3, "new_steps": 2, "num_groups": 3}
    with pytest.raises(ValueError, match=said):
        replay.memory_bytes(STEP, **{**arguments, **changed})


def test_other_steps_are_refused():
    state = empty(4, 2, 2, False)
    with pytest.raises(ValueError, match=r"rollout\['board'\]: given uint8\[1, 4\]; allowed: uint8\[2, 4\]"):
        replay.insert(state, steps(0, 1, NUM_ENVS))
    with pytest.raises(ValueError, match=r"rollout\['time'\]: given float32\[2, 4\]; allowed: int32\[2, 4\]"):
        replay.insert(state, {**steps(0, 2, NUM_ENVS), "time": jnp.ones((2, 4))})
    with pytest.raises(ValueError, match=r"rollout\['reward'\]: given float32\[2, 4\]; allowed: None"):
        replay.insert(state, {**steps(0, 2, NUM_ENVS), "reward": jnp.ones((2, 4))})
    with pytest.raises(ValueError, match="num: given 3; allowed: a multiple of the 2 groups"):
        replay.sample(state, jax.random.key(0), 3)


def learn(state, key):
    """Iterations as an agent has them: an insertion, then samples whose priorities change."""

    def update(state, key):
        windows = replay.sample(state, key, 4)
        if state.priorities is not None:
            state = replay.set_priorities(state, windows.index, windows.probability)
        return state, jnp.sum(windows.data["time"])

    def iterate(state, key):
        state = replay.insert(state, steps(0, 2, NUM_ENVS))
        return jax.lax.scan(update, state, jax.random.split(key, 2))

    return jax.lax.scan(iterate, state, jax.random.split(key, 2))


def compiled_memory(function, num_seeds=0):
    """What a program of a replay of 1,000 slots takes: (bytes of the replay, aliased, temporary)."""
    state = jax.eval_shape(lambda: empty(4000, 2, 3, True))
    key = jax.eval_shape(lambda: jax.random.key(0))
    if num_seeds:
        function = jax.vmap(function)
        state = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((num_seeds, *leaf.shape), leaf.dtype), state)
        key = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), num_seeds))
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    memory = jax.jit(function, donate_argnums=0).lower(state, key).compile().memory_analysis()
    return held, memory.alias_size_in_bytes, memory.temp_size_in_bytes


COPIES_SEVERAL = jax.__version_info__ < (
    0,
    9,
)  # replays side by side, once: it takes memory, and nothing goes wrong


@pytest.mark.parametrize(
    "num_seeds",
    [
        0,
        pytest.param(
            2, marks=[pytest.mark.slow, pytest.mark.skipif(COPIES_SEVERAL, reason="mended in jax 0.9")]
        ),
    ],
)
def test_there_is_one_replay_in_memory(num_seeds):
    held, aliased, temporary = compiled_memory(learn, num_seeds)
    assert aliased == held
    assert temporary < held / 20


@pytest.mark.slow
def test_a_second_replay_in_memory_is_noticed():
    def hesitant(state, key):
        new, _ = learn(state, key)
        return jax.tree.map(lambda a, b: jnp.where(new.cursor > 2, a, b), new, state)

    held, _, temporary = compiled_memory(hesitant)
    assert temporary > held / 2


def test_the_groups_are_what_is_spread():
    state = jax.eval_shape(lambda: empty(4, 2, 2, True))
    spread = replay.partition(state, "boards")
    assert spread.data["rows"] == spread.priorities.nodes == spread.largest == P("boards")
    assert spread.cursor == spread.filled == P()
    several = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((5, *leaf.shape), leaf.dtype), state)
    assert replay.partition(several, "boards").data["rows"] == P(None, "boards")


ON_TWO_DEVICES = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from tests.ops.test_replay import empty, learn
from tests.train.machine.devices import collectives
from tetrax.ops import replay
mesh = Mesh(np.asarray(jax.devices()), ("boards",))
state = empty(8, 2, 3, True)
is_spec = lambda node: isinstance(node, P)
over = jax.tree.map(lambda spec: NamedSharding(mesh, spec), replay.partition(state, "boards"), is_leaf=is_spec)
key = jax.random.key(0)
whole = NamedSharding(mesh, P())
compiled = jax.jit(learn, in_shardings=(over, whole), out_shardings=(over, whole)).lower(state, key).compile()
several, _ = compiled(jax.device_put(state, over), jax.device_put(key, whole))
one, _ = jax.jit(learn)(state, key)
jax.tree.map(np.testing.assert_array_equal, jax.device_get(several), jax.device_get(one))
assert not several.data["rows"].is_fully_replicated and len(jax.devices()) == 2
print(collectives(compiled))
"""


@pytest.mark.slow
def test_two_devices_share_the_groups_out_and_move_no_step():
    root = Path(__file__).parents[2]
    flags = "--xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # The sum of the sampled moments, which stands for a loss, is all that is exchanged.
    assert done.stdout.strip() == "['all-reduce']"


@pytest.mark.parametrize("num_groups", [1, 2])
def test_windows_are_written_back_to_the_right_rows(num_groups):
    """Windows that run over the end of the ring, and that overlap: the last one counts."""
    slots, envs, length, new = 6, 4, 4, 2
    step = {"value": jax.ShapeDtypeStruct((2,), jnp.float32)}
    kept = replay.empty(
        step, capacity=slots * envs, num_envs=envs, length=length, new_steps=new, num_groups=num_groups
    )
    data = {"value": jnp.zeros((num_groups, slots, envs // num_groups, 2))}
    per_group = envs // num_groups
    starts = np.array(
        [5 * per_group, 1 * per_group + 1, 2 * per_group + 1]
    )  # slots 5, 1, 2 of environments 0, 1, 1
    index = jnp.asarray(np.tile(starts, (num_groups, 1)), jnp.int32)
    values = np.arange(3 * num_groups * 3 * 2, dtype=np.float32).reshape(3, num_groups * 3, 2) + 1
    written = np.asarray(jax.jit(replay.write, static_argnums=2)(data, index, 1, {"value": values})["value"])
    expected = np.zeros_like(written)
    for group in range(num_groups):
        for number, start in enumerate(starts):
            for j in range(3):
                place = (start // per_group + 1 + j) % slots, start % per_group
                expected[group][place] = values[j, group * 3 + number]
    np.testing.assert_array_equal(written, expected)
    assert kept.length == length
    # Without the last one what the window before it has there counts, and nothing of its own is written.
    counts = jnp.asarray(np.tile([True, True, False], num_groups))
    written = np.asarray(replay.write(data, index, 1, {"value": values}, counts)["value"])
    for group in range(num_groups):
        rest = expected[group].copy()
        for j in range(3):
            rest[(starts[2] // per_group + 1 + j) % slots, 1] = 0
        for j in range(3):
            rest[(starts[1] // per_group + 1 + j) % slots, 1] = values[j, group * 3 + 1]
        np.testing.assert_array_equal(written[group], rest)
