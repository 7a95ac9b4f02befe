"""Windows of a replay that nothing was learned from yet: each is sampled once as soon as it is complete.

Hafner et al. 2023 (arXiv 2301.04104), "Replay buffer": a batch takes the newest sequences first and fills up from the
whole replay. Windows of the queue follow each other without overlap, in the order in which they become complete; those
of all environments of a group at once, the first environment's first.
"""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Int32

from tetrax.ops.replay import Replay, sizes


class OnlineQueue(struct.PyTreeNode):
    """Where the queue stands; every group of the replay has the same."""

    written: Array  # int32[], steps of each environment inserted so far
    taken: Array  # int32[], windows of each group that left the queue


def empty() -> OnlineQueue:
    """Return the queue of an empty replay."""
    return OnlineQueue(written=jnp.int32(0), taken=jnp.int32(0))


def insert(queue: OnlineQueue, replay: Replay) -> OnlineQueue:
    """Count one insertion into the replay."""
    return queue.replace(written=queue.written + replay.new_steps)


def skip(queue: OnlineQueue, replay: Replay) -> OnlineQueue:
    """Forget all windows that are complete."""
    return queue.replace(taken=jnp.maximum(queue.taken, _complete(queue, replay)))


def take(
    queue: OnlineQueue, replay: Replay, index: Int32[Array, "G N"]
) -> tuple[OnlineQueue, Int32[Array, "G N"]]:
    """Put the starts of waiting windows in front of starts that were drawn; `index` is that of `Windows`.

    Windows that the ring has overwritten leave the queue unseen.
    """
    _, num_slots, envs = sizes(replay)
    oldest = jnp.maximum(queue.written - num_slots, 0)  # step
    first_kept = -(-oldest // replay.length) * envs  # window
    taken = jnp.maximum(queue.taken, first_kept)
    waiting = jnp.maximum(_complete(queue, replay) - taken, 0)
    num = jnp.minimum(waiting, index.shape[1])
    place = jnp.arange(index.shape[1], dtype=jnp.int32)
    window = taken + place
    start = window // envs * replay.length % num_slots * envs + window % envs
    chosen = jnp.where((place < num)[None], start[None], index)
    return queue.replace(taken=taken + num), chosen


def _complete(queue: OnlineQueue, replay: Replay) -> Int32[Array, ""]:
    """Return the windows of a group that were ever complete."""
    _, _, envs = sizes(replay)
    return queue.written // replay.length * envs
