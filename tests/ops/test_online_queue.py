import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.ops import online_queue, replay

LENGTH, ENVS, NEW, SLOTS = 4, 3, 2, 10


@pytest.fixture
def kept():
    step = {"time": jax.ShapeDtypeStruct((), jnp.int32), "env": jax.ShapeDtypeStruct((), jnp.int32)}
    return replay.empty(step, capacity=SLOTS * ENVS, num_envs=ENVS, length=LENGTH, new_steps=NEW)


def play(kept, queue, first):
    """Insert the steps of all environments from a moment on."""
    time = np.arange(first, first + NEW, dtype=np.int32)[:, None].repeat(ENVS, 1)
    env = np.arange(ENVS, dtype=np.int32)[None].repeat(NEW, 0)
    return replay.insert(kept, {"time": time, "env": env}), online_queue.insert(queue, kept)


def take(kept, queue, num):
    """Return the queue and the windows (environment, first moment) that stand in front of drawn ones."""
    nothing = jnp.full((1, num), -1, jnp.int32)
    queue, index = online_queue.take(queue, kept, nothing)
    waiting = int((np.asarray(index) >= 0).sum())
    data = replay.windows(kept, jnp.maximum(index, 0))
    for t in range(1, LENGTH):  # whole windows, in the order of time
        np.testing.assert_array_equal(data["time"][t, :waiting], data["time"][0, :waiting] + t)
    pairs = zip(data["env"][0, :waiting].tolist(), data["time"][0, :waiting].tolist(), strict=True)
    return queue, list(pairs)


def test_every_window_is_taken_once_as_soon_as_it_is_complete(kept):
    queue, seen = online_queue.empty(), []
    for first in range(0, 20 * LENGTH, NEW):
        kept, queue = play(kept, queue, first)
        queue, found = take(kept, queue, 2)
        assert all(moment + LENGTH <= first + NEW for _, moment in found)
        seen += found
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen, key=lambda pair: (pair[1], pair[0]))
    complete = {(env, moment) for env in range(ENVS) for moment in range(0, 20 * LENGTH, LENGTH)}
    assert complete - set(seen) <= {(env, 19 * LENGTH) for env in range(ENVS)}  # the last ones still wait


def test_what_was_overwritten_leaves_the_queue(kept):
    queue = online_queue.empty()
    for first in range(0, 16, NEW):
        kept, queue = play(kept, queue, first)
    # Moments 6 to 15 are there: of the windows from 0, 4, 8 and 12 on the last two.
    queue, found = take(kept, queue, 8)
    assert found == [(env, moment) for moment in (8, 12) for env in range(ENVS)]
    assert take(kept, queue, 8)[1] == []


def test_what_is_skipped_is_never_taken(kept):
    queue = online_queue.empty()
    for first in range(0, 6, NEW):
        kept, queue = play(kept, queue, first)
    queue = online_queue.skip(queue, kept)
    assert take(kept, queue, 4)[1] == []
    kept, queue = play(kept, queue, 6)
    assert take(kept, queue, 4)[1] == [(0, 4), (1, 4), (2, 4)]
