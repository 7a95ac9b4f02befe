"""Errors of the network's judgements on windows of the replay: of single steps, and of sequences with a memory."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.agents.dqn import collecting, judge
from tetrax.agents.dqn.acting import Player
from tetrax.agents.dqn.judge import Returns
from tetrax.agents.dqn.train_state import Slot, TrainState
from tetrax.env.contract import Game, Observation
from tetrax.networks.noisy import NOISE
from tetrax.ops import packing, value_targets

Errors = tuple[Float32[Array, "S N"], Float32[Array, "S N"], Float32[Array, "S N"]]
"""Losses, sizes of the errors, and means of the targets, of S steps of N windows."""


def of_steps(
    player: Player, env: Game, state: TrainState, params: Any, data: Slot, key: PRNGKeyArray
) -> Errors:
    """Return the errors of the first steps of windows [n + 1, N], S = 1; gradients flow to `params` alone."""
    num_steps, discount = player.config.n_step, state.tunables["discount"]
    online_key, select_key, target_key = jax.random.split(key, 3)
    seen, action = observed(env, state, data.seen[0]), data.action[0]
    frame = judge.Frame(*(judge.of_action(part, action) for part in _frame(player, state, seen)))
    if player.learns_afterstates:
        seen, action = collecting.keep_placement(seen, action), jnp.zeros_like(action)
    z = judged(player, params, seen, action, online_key)

    reward, terminated, truncated = (
        part[:num_steps] for part in (data.reward, data.terminated, data.truncated)
    )
    gained, end_discount, end = value_targets.n_step(reward, terminated, truncated, discount)
    follow = data.seen[1 : num_steps + 1]
    if data.last is not None:
        follow = jnp.where(data.truncated[:num_steps, :, None], data.last[:num_steps], follow)
    last = observed(env, state, _at(follow, end))
    z_target = _judgements(player, _target_params(state), last, target_key)
    z_select = _judgements(player, state.params, last, select_key) if player.config.double else z_target
    target = _ending(gained, end_discount, _best(player, state, last, z_target, z_select))
    losses, sizes = judge.errors(player.config, state.value_moments, z, frame, target)
    return losses[None], sizes[None], _mean(target)[None]


def of_sequences(
    player: Player, env: Game, state: TrainState, params: Any, data: Slot, key: PRNGKeyArray
) -> Errors:
    """Return the errors of the S = `sequence_length` steps after the burn-in of windows [L, N].

    The memory stored with the first step is brought up to date over the burn-in, without gradients (Kapturowski et
    al. 2019, "Recurrent Experience Replay in Distributed Reinforcement Learning", section 3).
    """
    config, discount = player.config, state.tunables["discount"]
    first, learned = config.burn_in, config.burn_in + config.sequence_length
    online_key, target_key, online_end_key, target_end_key = jax.random.split(key, 4)
    seen = observed(env, state, data.seen)
    z, memories = _unrolled(player, params, seen, data, online_key)
    z_target, target_memories = _unrolled(player, _target_params(state), seen, data, target_key)
    z_select = jax.lax.stop_gradient(z) if config.double else z_target
    follow = _best(
        player, state, *(jax.tree.map(lambda leaf: leaf[1:], part) for part in (seen, z_target, z_select))
    )
    if data.last is not None:
        last = observed(env, state, data.last[:-1])
        cut_off = select = _cut_off(player, _target_params(state), last, target_memories, target_end_key)
        if config.double:
            select = _cut_off(player, state.params, last, memories, online_end_key)
        ends = _best(player, state, last, cut_off, select)
        cut = data.truncated[:-1, :, None]
        follow = Returns(*(jnp.where(cut, end, other) for end, other in zip(ends, follow, strict=True)))

    steps = jnp.arange(first, learned)[None] + jnp.arange(config.n_step)[:, None]  # [n, S]
    outcome = data.reward[steps], data.terminated[steps], data.truncated[steps]  # [n, S, N]
    gained, end_discount, end = value_targets.n_step(*outcome, discount)
    reached = steps[0][:, None] + end  # [S, N], the steps whose follow-ups end the targets
    best = Returns(*(_at(part, reached) for part in follow))
    target = _ending(gained, end_discount, best)
    action = data.action[first:learned]
    frame = _frame(player, state, jax.tree.map(lambda leaf: leaf[first:learned], seen))
    frame = judge.Frame(*(judge.of_action(part, action) for part in frame))
    z = judge.of_action(z[first:learned], action)
    losses, sizes = judge.errors(config, state.value_moments, z, frame, target)
    return losses, sizes, _mean(target)


def judged(
    player: Player, params: Any, shown: Observation, action: Int32[Array, "N"], key: PRNGKeyArray
) -> Float32[Array, "N K"]:
    """Judge one action of each observation."""
    return judge.of_action(_judgements(player, params, shown, key), action)


def observed(env: Game, state: TrainState, words: Array) -> Observation:
    """Show packed states, uint32[*n, N]."""
    params = env.with_discount(state.env_params, state.tunables["discount"])
    like = jax.eval_shape(lambda key: env.init(key, params), jax.random.key(0))
    flat = words.reshape(-1, words.shape[-1]).T  # boards last
    seen = jax.vmap(lambda one: env.observe(packing.unpack(one, like), params), in_axes=-1)(flat)
    return jax.tree.map(lambda leaf: leaf.reshape(*words.shape[:-1], *leaf.shape[1:]), seen)


def _target_params(state: TrainState) -> Any:
    return state.params if state.target_params is None else state.target_params


def _frame(player: Player, state: TrainState, seen: Observation) -> judge.Frame:
    return judge.frame(player.learns_afterstates, seen, state.tunables["discount"])


def _noise(player: Player, key: PRNGKeyArray) -> dict[str, PRNGKeyArray] | None:
    return {NOISE: key} if player.config.noisy else None


def _judgements(player: Player, params: Any, seen: Observation, key: PRNGKeyArray) -> Float32[Array, "N A K"]:
    """Judge every action without a memory."""
    is_first = jnp.zeros(seen.legal.shape[:-1], bool)
    return player.network.apply(params, seen, (), is_first, rngs=_noise(player, key))[0]


def _unrolled(
    player: Player, params: Any, seen: Observation, data: Slot, key: PRNGKeyArray
) -> tuple[Float32[Array, "L N A K"], Any]:
    """Judge every step of windows one after the other; return the memory after each step too, [L, N, ...]."""
    network, burn_in = player.network, player.config.burn_in
    encoded: Any = network.apply(params, seen, method=network.encode)

    def step(memory: Any, step_input: tuple[Array, Array]) -> Any:
        z, memory = network.apply(
            params, *_in_order(step_input, memory), method=network.step, rngs=_noise(player, key)
        )
        return memory, (z, memory)

    def part(memory: Any, steps: slice) -> Any:
        return jax.lax.scan(step, memory, (encoded[steps], data.is_first[steps]))

    memory, warm = part(jax.tree.map(lambda leaf: leaf[0], data.memory), slice(0, burn_in))
    _, rest = part(jax.lax.stop_gradient(memory), slice(burn_in, None))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), jax.lax.stop_gradient(warm), rest)


def _in_order(step_input: tuple[Array, Array], memory: Any) -> tuple[Array, Any, Array]:
    encoded, is_first = step_input
    return encoded, memory, is_first


def _cut_off(
    player: Player, params: Any, last: Observation, memories: Any, key: PRNGKeyArray
) -> Float32[Array, "L N A K"]:
    """Judge what is seen after each step but the last with the memory of then."""
    num_steps, num_windows = last.legal.shape[:2]
    memories = jax.lax.stop_gradient(jax.tree.map(lambda leaf: leaf[:-1], memories))
    last, memories = jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), (last, memories))
    is_first = jnp.zeros(num_steps * num_windows, bool)
    z, _ = player.network.apply(params, last, memories, is_first, rngs=_noise(player, key))
    return z.reshape(num_steps, num_windows, *z.shape[1:])


def _best(player: Player, state: TrainState, seen: Observation, z: Array, z_select: Array) -> Returns:
    """Return the returns that follow the best action by `z_select` as `z` has them (double learning, where they differ:
    van Hasselt et al. 2016, arXiv 1509.06461, equation 4).
    """
    config, moments = player.config, state.value_moments
    frame = _frame(player, state, seen)
    action = judge.greedy(judge.worth(config, moments, z_select, frame, seen))
    offset, scale = (judge.of_action(part, action)[..., None] for part in frame)
    best = judge.returns(config, moments, judge.of_action(z, action))
    return Returns(offset + scale * best.values, best.probabilities)


def _ending(gained: Array, discount: Array, end: Returns) -> Returns:
    """Put what was gained on the way in front of the returns at the end."""
    return Returns(gained[..., None] + discount[..., None] * end.values, end.probabilities)


def _mean(target: Returns) -> Array:
    return jnp.sum(target.values * target.probabilities, axis=-1)


def _at(values: Array, index: Int32[Array, "*S N"]) -> Array:
    """Take one step of each window: [L, N, ...] -> [*S, N, ...]."""
    windows = jnp.broadcast_to(jnp.arange(values.shape[1]), index.shape)
    return values[index, windows]
