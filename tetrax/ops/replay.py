"""A replay: the last steps of many environments, sampled as windows of neighbouring steps.

Each environment's steps lie in the order of time, in a ring, so that what an n-step return, a lambda return or a
recurrent network needs is a window of it: `length` steps from a start on. A start can be sampled once its
window is complete, and until its first step is overwritten.

The environments are kept in G groups and sampled within them, as many from each, so that several devices can share
the groups out and no step ever moves between them. An insertion writes into the ring where it lies: if the
replay is donated, or carried by a scan, it is never copied.
"""

import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jax.sharding import PartitionSpec
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.ops import sum_tree
from tetrax.ops.sum_tree import SumTree

MAX_CAPACITY = 2**31 - 1  # steps are numbered by int32
SMALLEST_PRIORITY = 1e-6  # what has been sampled once stays within reach


class Replay(struct.PyTreeNode, kw_only=True):
    """The last T steps of B environments in G groups: environment b of group g is environment g * B / G + b."""

    data: Any  # leaves [G, T, B / G, ...], dtypes as given
    cursor: Array  # int32[], the slot of each environment that is written next
    filled: Array  # int32[], slots of each environment that are in use
    priorities: SumTree | None  # of starts, [G, ...], leaf slot * B / G + environment; None: all are equal
    largest: Array | None  # float32[G], the largest priority so far, which new starts get
    length: int = struct.field(pytree_node=False)  # steps of a window
    new_steps: int = struct.field(pytree_node=False)  # steps of each environment in an insertion


class Windows(struct.PyTreeNode, kw_only=True):
    """`num` windows, those of the first group first; L = the replay's length."""

    data: Any  # leaves [L, num, ...]
    probability: Array  # float32[num], of the start, in one draw among the starts of all groups
    index: Array  # int32[G, num / G], the starts, for `set_priorities`


def empty(
    step: Any,
    *,
    capacity: int,
    num_envs: int,
    length: int,
    new_steps: int,
    num_groups: int = 1,
    prioritised: bool = False,
) -> Replay:
    """Return a replay of nothing.

    step: one step of one environment, arrays or their shapes and dtypes.
    capacity: steps that are kept of all environments together; a multiple of `num_envs` times `new_steps`, with
        room for a window and an insertion.
    length: steps of the windows that will be sampled.
    new_steps: steps of each environment that an insertion brings.
    ValueError where these do not fit together.
    """
    num_slots = _num_slots(capacity, num_envs, length, new_steps, num_groups)
    envs = num_envs // num_groups

    def zeros(leaf: Any) -> Array:
        return jnp.zeros((num_groups, num_slots, envs, *leaf.shape), leaf.dtype)

    tree = sum_tree.empty(num_slots * envs) if prioritised else None
    return Replay(
        data=jax.tree.map(zeros, step),
        cursor=jnp.int32(0),
        filled=jnp.int32(0),
        priorities=jax.tree.map(lambda nodes: jnp.zeros((num_groups, *nodes.shape), nodes.dtype), tree),
        largest=jnp.ones(num_groups, jnp.float32) if prioritised else None,
        length=length,
        new_steps=new_steps,
    )


def memory_bytes(step: Any, **arguments: Any) -> int:
    """Return the bytes that `empty` would allocate for the same arguments; nothing is allocated."""
    shapes = jax.eval_shape(lambda: empty(step, **arguments))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def partition(replay: Replay, devices: str) -> Replay:
    """Say for each leaf of a replay, or of its shapes, that its groups are spread over the mesh axis `devices`.

    Several replays side by side (every leaf with one axis more in front) are each spread.
    """
    beside = (None,) * replay.cursor.ndim
    spread = jax.tree.map(lambda _: PartitionSpec(*beside, devices), replay)
    return spread.replace(cursor=PartitionSpec(), filled=PartitionSpec())


def insert(replay: Replay, rollout: Any) -> Replay:
    """Write the next `new_steps` steps of every environment, leaves [new_steps, B, ...], over the oldest ones.

    ValueError where their tree, shapes or dtypes are not those of the replay.
    """
    _check_rollout(replay, rollout)
    num_groups, num_slots, envs = sizes(replay)

    def write(kept: Array, new: Array) -> Array:
        new = new.reshape(replay.new_steps, num_groups, envs, *new.shape[2:])
        return jax.lax.dynamic_update_slice_in_dim(kept, new.swapaxes(0, 1), replay.cursor, axis=1)

    priorities = replay.priorities
    if priorities is not None:
        admit = jax.vmap(lambda tree, largest: _admit(replay, tree, largest))
        priorities = admit(priorities, replay.largest)
    return replay.replace(
        data=jax.tree.map(write, replay.data, rollout),
        cursor=(replay.cursor + replay.new_steps) % num_slots,
        filled=jnp.minimum(replay.filled + replay.new_steps, num_slots),
        priorities=priorities,
    )


def num_starts(replay: Replay) -> Int32[Array, ""]:
    """Return how many windows there are to sample from, over all groups."""
    num_groups, _, envs = sizes(replay)
    return jnp.maximum(replay.filled - replay.length + 1, 0) * (num_groups * envs)


def sample(replay: Replay, key: PRNGKeyArray, num: int) -> Windows:
    """Draw `num` complete windows, with replacement and as many in each group.

    In its group every window is as likely as any other, or, in a prioritised replay, in proportion to its
    priority, one draw in each of equal shares of the total (appendix B.2.1 of Schaul et al. 2016).
    """
    num_groups, *_ = sizes(replay)
    if replay.priorities is None:
        index = draw(replay, key, num)
        starts = jnp.asarray(jnp.maximum(num_starts(replay), 1), jnp.float32)
        probability = jnp.broadcast_to(1.0 / starts, (num,))
    else:
        draw_one = jax.vmap(lambda tree, group_key: sum_tree.sample(tree, group_key, num // num_groups))
        index, probability = draw_one(replay.priorities, _group_keys(replay, key, num))  # [G, num / G]
        probability = jax.lax.collapse(probability, 0, 2) / num_groups
    return Windows(data=windows(replay, index), probability=probability, index=index)


def draw(replay: Replay, key: PRNGKeyArray, num: int) -> Int32[Array, "G num/G"]:
    """Draw the starts of `num` complete windows, with replacement, as many in each group, all alike."""
    num_groups, *_ = sizes(replay)
    keys = _group_keys(replay, key, num)
    return jax.vmap(lambda group_key: _uniform(replay, group_key, num // num_groups))(keys)


def _group_keys(replay: Replay, key: PRNGKeyArray, num: int) -> PRNGKeyArray:
    """Return a key for each group that draws its share of `num` windows."""
    num_groups, *_ = sizes(replay)
    if num < 1 or num % num_groups:
        raise ValueError(f"num: given {num}; allowed: a multiple of the {num_groups} groups")
    return key[None] if num_groups == 1 else jax.random.split(key, num_groups)


def write(
    data: Any,
    index: Int32[Array, "G N"],
    first: int,
    values: Any,
    written: Bool[Array, "G*N"] | None = None,
) -> Any:
    """Write into windows, from their step `first` on: a part of `Replay.data` and values [J, G * N, ...].

    Where windows overlap, the last of them counts, whatever the order in which a device writes. With `written` only
    those of which it is True count.
    """
    num_groups, num_slots, envs = jax.tree.leaves(data)[0].shape[:3]
    num_steps = jax.tree.leaves(values)[0].shape[0]
    steps = first + jnp.arange(num_steps, dtype=jnp.int32)
    number = jnp.broadcast_to(jnp.arange(index.shape[1], dtype=jnp.int32), (num_steps, index.shape[1]))

    def to_group(kept: Any, starts: Int32[Array, "N"], new: Any, counts: Array | None) -> Any:
        slots, env = _places(starts, steps, num_slots, envs)
        nobody = jnp.full((num_slots, envs), -1, jnp.int32)
        mine = number if counts is None else jnp.where(counts, number, -1)
        last = nobody.at[slots, env].max(mine, mode="promise_in_bounds")[slots, env] == number
        slots = jnp.where(last, slots, num_slots)  # outside, where nothing is written
        return jax.tree.map(lambda leaf, each: leaf.at[slots, env].set(each, mode="drop"), kept, new)

    grouped = jax.tree.map(lambda leaf: leaf.reshape(num_steps, num_groups, -1, *leaf.shape[2:]), values)
    counts = None if written is None else written.reshape(num_groups, -1)
    return jax.vmap(to_group, in_axes=(0, 0, 1, 0))(data, index, grouped, counts)


def set_priorities(replay: Replay, index: Int32[Array, "G N"], priority: Float32[Array, "G*N"]) -> Replay:
    """Give the starts that were sampled new priorities, already raised to the exponent of equation 1.

    Those that cannot be sampled by now, since they have been overwritten, stay out. A priority counts as
    SMALLEST_PRIORITY at least.
    """
    assert replay.priorities is not None and replay.largest is not None, "the replay keeps no priorities"
    chex.assert_shape(priority, (index.size,))
    priority = jnp.maximum(priority.reshape(index.shape), SMALLEST_PRIORITY)  # [G, N]

    def change(tree: SumTree, places: Array, values: Array) -> SumTree:
        admitted = sum_tree.priorities(tree, places) > 0
        return sum_tree.update(tree, places, jnp.where(admitted, values, 0.0))

    return replay.replace(
        priorities=jax.vmap(change)(replay.priorities, index, priority),
        largest=jnp.maximum(replay.largest, jnp.max(priority, axis=1)),
    )


def importance_weights(
    probability: Float32[Array, "N"], beta: float | Float32[Array, ""]
) -> Float32[Array, "N"]:
    """Weigh samples against their probabilities, the largest weight of the batch being 1.

    (1 / (N P))^beta over its maximum (Schaul et al. 2016, section 3.4), from which the count N cancels out.
    """
    chex.assert_rank(probability, 1)
    return (jnp.min(probability) / probability) ** beta


def _num_slots(capacity: int, num_envs: int, length: int, new_steps: int, num_groups: int) -> int:
    """Return the steps kept of each environment, T."""
    for name, given in {"num_envs": num_envs, "length": length, "new_steps": new_steps}.items():
        if given < 1:
            raise ValueError(f"{name}: given {given}; allowed: 1 or more")
    if num_groups < 1 or num_envs % num_groups:
        raise ValueError(f"num_groups: given {num_groups}; allowed: a divisor of num_envs ({num_envs})")
    unit = num_envs * new_steps
    smallest = unit * (1 + math.ceil((length - 1) / new_steps))
    if capacity % unit or not smallest <= capacity <= MAX_CAPACITY:
        allowed = (
            f"a multiple of {num_envs} environments x {new_steps} new steps, {smallest} to {MAX_CAPACITY}"
        )
        raise ValueError(f"capacity: given {capacity}; allowed: {allowed}")
    return capacity // num_envs


def sizes(replay: Replay) -> tuple[int, int, int]:
    """Return G, T and B / G."""
    num_groups, num_slots, envs = jax.tree.leaves(replay.data)[0].shape[:3]
    return num_groups, num_slots, envs


def _check_rollout(replay: Replay, rollout: Any) -> None:
    num_groups, _, envs = sizes(replay)
    leading = (replay.new_steps, num_groups * envs)
    needed = {
        jax.tree_util.keystr(path): f"{leaf.dtype}{[*leading, *leaf.shape[3:]]}"
        for path, leaf in jax.tree.leaves_with_path(replay.data)
    }
    given = {
        jax.tree_util.keystr(path): f"{leaf.dtype}{[*leaf.shape]}"
        for path, leaf in jax.tree.leaves_with_path(rollout)
    }
    for name in {**needed, **given}:
        if given.get(name) != needed.get(name):
            raise ValueError(f"rollout{name}: given {given.get(name)}; allowed: {needed.get(name)}")


def _admit(replay: Replay, tree: SumTree, largest: Float32[Array, ""]) -> SumTree:
    """Give the starts whose windows an insertion completes the largest priority, and the other new ones 0.

    Each insertion completes as many starts as it brings, those of `length` - 1 steps before. Insertions begin
    at multiples of `new_steps`: the starts in question are the last `tail` of one block of slots and the first
    of the next, and neither runs over the end of the ring.
    """
    _, num_slots, envs = sizes(replay)
    blocks, tail = divmod(replay.length - 1, replay.new_steps)
    head = replay.new_steps - tail

    def give(tree: SumTree, behind: int, slots: int, value: Array) -> SumTree:
        """Give `slots` slots, from that `behind` the cursor on, a priority."""
        first = (replay.cursor - behind) % num_slots * envs
        return sum_tree.update_range(tree, first, jnp.broadcast_to(value, (slots * envs,)))

    def if_filled(slots: int) -> Array:
        return jnp.where(replay.filled >= slots, largest, 0.0)

    tree = give(tree, 0, replay.new_steps, jnp.float32(0))
    tree = give(tree, blocks * replay.new_steps, head, if_filled(blocks * replay.new_steps))
    if tail:
        tree = give(tree, replay.length - 1, tail, if_filled((blocks + 1) * replay.new_steps))
    return tree


def _uniform(replay: Replay, key: PRNGKeyArray, num: int) -> Int32[Array, "num"]:
    """Draw starts of one group."""
    _, num_slots, envs = sizes(replay)
    starts = jnp.maximum(replay.filled - replay.length + 1, 1) * envs
    drawn = jax.random.randint(key, (num,), 0, starts)  # counted from the oldest one
    slot = (replay.cursor - replay.filled + drawn // envs) % num_slots
    return slot * envs + drawn % envs


def windows(replay: Replay, index: Int32[Array, "G N"]) -> Any:
    """Take the windows from their starts on, leaves [L, G * N, ...]."""
    _, num_slots, envs = sizes(replay)
    steps = jnp.arange(replay.length, dtype=jnp.int32)

    def of_group(data: Any, starts: Int32[Array, "N"]) -> Any:
        slots, env = _places(starts, steps, num_slots, envs)
        return jax.tree.map(lambda leaf: leaf.at[slots, env].get(mode="promise_in_bounds"), data)

    found = jax.vmap(of_group, out_axes=1)(replay.data, index)  # [L, G, N, ...]
    return jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 1, 3), found)


def _places(
    starts: Int32[Array, "N"], steps: Int32[Array, "J"], num_slots: int, envs: int
) -> tuple[Int32[Array, "J N"], Int32[Array, "1 N"]]:
    """Return the slots and environments of steps of windows."""
    return (starts[None] // envs + steps[:, None]) % num_slots, starts[None] % envs
