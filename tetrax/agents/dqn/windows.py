"""What the network gets wrong in windows of the replay: in single steps, and in sequences with a memory.

A window is L steps in a row of one environment; Slots [L, N] hold N of them. A step should have been judged by its
target: what n steps gain, and then the returns of the best action in what was seen after the last of them. A game that
ends on the way ends the target there; one that is cut off goes on from its true last observation.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.agents import kept_games
from tetrax.agents.dqn import judge
from tetrax.agents.dqn.acting import Player
from tetrax.agents.dqn.judge import Frame, Returns
from tetrax.agents.dqn.train_state import Slot, TrainState
from tetrax.env.contract import Game, Observation
from tetrax.networks.noisy import NOISE
from tetrax.networks.q_network import QNetwork
from tetrax.ops import value_targets


class Errors(NamedTuple):
    """What is wrong with the judgements of J steps of N windows: float32[J, N] each."""

    loss: Array
    size: Array  # of the error, as priorities are made of it
    target: Array  # mean of the returns that the step should have been judged to bring


class Prospect(NamedTuple):
    """What is seen at some point, and what is said of every action there."""

    seen: Observation  # [...]
    z: Array  # float32[..., A, Z], by the network that tells the returns
    choosing_z: Array  # float32[..., A, Z], by the one that chooses: with double learning another


class Unrolled(NamedTuple):
    """What a network with a memory makes of every step of N windows."""

    z: Array  # float32[L, N, A, Z]
    memory: Any  # [L, N, ...], after the step


def judge_steps(
    player: Player, env: Game, state: TrainState, params: Any, slots: Slot, key: PRNGKeyArray
) -> Errors:
    """Judge the first step of each window, of n + 1 steps: J = 1. Gradients flow to `params` alone."""
    online_key, choosing_key, target_key = jax.random.split(key, 3)
    gain = value_targets.n_step(
        slots.reward[:-1], slots.terminated[:-1], slots.truncated[:-1], state.tunables["discount"]
    )
    end = show(env, state, _take_step(_find_next(slots), gain.last))
    end_z = choosing_z = _judge_all(player, _target_params(state), end, target_key)
    if player.config.double:
        choosing_z = _judge_all(player, state.params, end, choosing_key)
    target = _add_up(gain.gained, gain.discount, _find_best(player, state, Prospect(end, end_z, choosing_z)))

    seen, action = show(env, state, slots.seen[0]), slots.action[0]
    frame = _frame(player, state, seen).of_action(action)
    if player.learns_afterstates:
        seen, action = kept_games.keep_placement(seen, action), jnp.zeros_like(action)
    z = judge_action(player, params, seen, action, online_key)
    return jax.tree.map(lambda leaf: leaf[None], _measure(player, state, z, frame, target))


def judge_sequences(
    player: Player, env: Game, state: TrainState, params: Any, slots: Slot, key: PRNGKeyArray
) -> Errors:
    """Judge the J = `sequence_length` steps of each window that come after the burn-in.

    The memory stored with the first step is brought up to date over the burn-in, without gradients (Kapturowski et
    al. 2019, "Recurrent Experience Replay in Distributed Reinforcement Learning", section 3).
    """
    config = player.config
    online_key, target_key, *end_keys = jax.random.split(key, 4)
    seen = show(env, state, slots.seen)
    online = _unroll(player, params, seen, slots, online_key)
    targets = _unroll(player, _target_params(state), seen, slots, target_key)
    choosing_z = jax.lax.stop_gradient(online.z) if config.double else targets.z
    each_step = Prospect(seen, targets.z, choosing_z)
    after_each_step = jax.tree.map(lambda leaf: leaf[1:], each_step)  # but the last
    best = _find_best(player, state, after_each_step)
    if slots.last is not None:
        last = show(env, state, slots.last[:-1])
        at_cuts = _look_at_cuts(player, state, last, online.memory, targets.memory, *end_keys)
        best = _select(slots.truncated[:-1], _find_best(player, state, at_cuts), best)

    learned = slice(config.burn_in, config.burn_in + config.sequence_length)
    first_steps = jnp.arange(learned.start, learned.stop)
    steps = first_steps[None] + jnp.arange(config.n_step)[:, None]  # [n, J]
    reward, terminated, truncated = slots.reward[steps], slots.terminated[steps], slots.truncated[steps]
    gain = value_targets.n_step(reward, terminated, truncated, state.tunables["discount"])  # [J, N]
    last_step = first_steps[:, None] + gain.last
    target = _add_up(gain.gained, gain.discount, jax.tree.map(lambda leaf: _take_step(leaf, last_step), best))

    action = slots.action[learned]
    frame = _frame(player, state, jax.tree.map(lambda leaf: leaf[learned], seen)).of_action(action)
    return _measure(player, state, judge.of_action(online.z[learned], action), frame, target)


def judge_action(
    player: Player, params: Any, seen: Observation, action: Int32[Array, "N"], key: PRNGKeyArray
) -> Float32[Array, "N Z"]:
    """Judge one action of each observation, without a memory."""
    return judge.of_action(_judge_all(player, params, seen, key), action)


def show(env: Game, state: TrainState, words: Array) -> Observation:
    """Show packed states, uint32[*n, N, words]."""
    return kept_games.show(env, state.env_params, state.tunables["discount"], words)


def _target_params(state: TrainState) -> Any:
    return state.params if state.target_params is None else state.target_params


def _frame(player: Player, state: TrainState, seen: Observation) -> Frame:
    return judge.frame(player.learns_afterstates, seen, state.tunables["discount"])


def _noise(player: Player, key: PRNGKeyArray) -> dict[str, PRNGKeyArray] | None:
    return {NOISE: key} if player.config.noisy else None


def _judge_all(player: Player, params: Any, seen: Observation, key: PRNGKeyArray) -> Float32[Array, "N A Z"]:
    """Judge every action without a memory."""
    is_first = jnp.zeros(seen.legal.shape[:-1], bool)
    return player.network.apply(params, seen, (), is_first, rngs=_noise(player, key))[0]


def _unroll(player: Player, params: Any, seen: Observation, slots: Slot, key: PRNGKeyArray) -> Unrolled:
    """Judge every step of windows one after the other."""
    network, burn_in = cast(QNetwork, player.network), player.config.burn_in  # one that remembers
    encoded: Any = network.apply(params, seen, method=network.encode)

    def step(memory: Any, step_input: tuple[Array, Array]) -> tuple[Any, Unrolled]:
        encoded, is_first = step_input
        z, memory = network.apply(
            params, encoded, memory, is_first, method=network.step, rngs=_noise(player, key)
        )
        return memory, Unrolled(z, memory)

    def go_through(memory: Any, steps: slice) -> tuple[Any, Unrolled]:
        return jax.lax.scan(step, memory, (encoded[steps], slots.is_first[steps]))

    memory, warm = go_through(jax.tree.map(lambda leaf: leaf[0], slots.memory), slice(0, burn_in))
    _, rest = go_through(jax.lax.stop_gradient(memory), slice(burn_in, None))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), jax.lax.stop_gradient(warm), rest)


def _look_at_cuts(
    player: Player,
    state: TrainState,
    last: Observation,
    online_memory: Any,
    target_memory: Any,
    online_key: PRNGKeyArray,
    target_key: PRNGKeyArray,
) -> Prospect:
    """Judge what games show last, [L - 1, N], as if each step had been followed by it; the memories are [L, N, ...]."""
    z = choosing_z = _judge_with_memory(player, _target_params(state), last, target_memory, target_key)
    if player.config.double:
        choosing_z = _judge_with_memory(player, state.params, last, online_memory, online_key)
    return Prospect(last, z, choosing_z)


def _judge_with_memory(
    player: Player, params: Any, seen: Observation, memory: Any, key: PRNGKeyArray
) -> Float32[Array, "L N A Z"]:
    """Judge what is seen after each step but the last with the memory of then."""
    num_steps, num_windows = seen.legal.shape[:2]
    memory = jax.lax.stop_gradient(jax.tree.map(lambda leaf: leaf[:-1], memory))
    seen, memory = jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), (seen, memory))
    is_first = jnp.zeros(num_steps * num_windows, bool)
    z, _ = player.network.apply(params, seen, memory, is_first, rngs=_noise(player, key))
    return z.reshape(num_steps, num_windows, *z.shape[1:])


def _find_next(slots: Slot) -> Array:
    """Return the packed states after each step but the last, before a cut game is reset: uint32[L - 1, N, words]."""
    if slots.last is None:
        return slots.seen[1:]
    return jnp.where(slots.truncated[:-1, :, None], slots.last[:-1], slots.seen[1:])


def _find_best(player: Player, state: TrainState, prospect: Prospect) -> Returns:
    """Return the returns that follow the best action: one network chooses it, and one tells its returns (double
    learning, where they differ: van Hasselt et al. 2016, arXiv 1509.06461, equation 4).
    """
    config, moments, seen = player.config, state.value_moments, prospect.seen
    frame = _frame(player, state, seen)
    action = judge.greedy(judge.worth(config, moments, prospect.choosing_z, frame, seen))
    best = judge.returns(config, moments, judge.of_action(prospect.z, action))
    return _add_up(*frame.of_action(action), best)


def _select(condition: Array, if_true: Returns, if_false: Returns) -> Returns:
    """Select returns [..., Z] by a condition bool[...]."""
    return jax.tree.map(lambda a, b: jnp.where(condition[..., None], a, b), if_true, if_false)


def _add_up(gained: Array, discount: Array, end: Returns) -> Returns:
    """Put what was gained on the way in front of the returns at the end."""
    return Returns(gained[..., None] + discount[..., None] * end.values, end.probabilities)


def _measure(player: Player, state: TrainState, z: Array, frame: Frame, target: Returns) -> Errors:
    """Compare judgements z of chosen actions, [..., Z], with the returns that they should have told."""
    loss, size = judge.errors(player.config, state.value_moments, z, frame, target)
    return Errors(loss, size, target=jnp.sum(target.values * target.probabilities, axis=-1))


def _take_step(values: Array, step: Int32[Array, "*J N"]) -> Array:
    """Take one step of each window: [L, N, ...] -> [*J, N, ...]."""
    windows = jnp.broadcast_to(jnp.arange(values.shape[1]), step.shape)
    return values[step, windows]
