"""Learning: updates from the replay, or from a whole rollout."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, PRNGKeyArray

from tetrax.agents.dqn import judge, windows
from tetrax.agents.dqn.acting import Player
from tetrax.agents.dqn.train_state import Sample, TrainState
from tetrax.env.contract import Game
from tetrax.ops import minibatches, normalise, optimise, replay, schedules

Measured = dict[str, Array]  # float32[] by name

LARGEST_SHARE = 0.9  # of a sequence's largest error in its priority; the rest is the mean (R2D2, section 2.3)
SMALLEST_SIZE = 1e-3  # of an error: what is known well is drawn now and then all the same


@jax.named_scope("learning")
def from_rollout(
    player: Player, state: TrainState, samples: Sample, key: PRNGKeyArray
) -> tuple[TrainState, Measured]:
    """Pass over samples [T, B] in minibatches shuffled by group."""
    config = player.config
    moments = state.value_moments
    if config.value_scale == "normalised":
        values = (samples.target - samples.offset) / jnp.where(samples.scale > 0, samples.scale, 1.0)
        moments = normalise.update_decayed(moments, jnp.where(samples.scale > 0, values, moments.mean))
    state = state.replace(value_moments=moments)
    samples = minibatches.group(samples, config.num_groups)
    num_groups, num_samples = samples.action.shape

    def loss(params: Any, part: Sample, noise_key: PRNGKeyArray) -> tuple[Array, Measured]:
        z = windows.judge_action(player, params, part.shown, part.action, noise_key)
        target = judge.Returns(part.target[:, None], jnp.ones_like(part.target)[:, None])
        frame = judge.Frame(part.offset, part.scale)
        losses, sizes = judge.errors(config, moments, z, frame, target)
        return jnp.mean(losses), {"loss/value": jnp.mean(losses), "td_error": jnp.mean(sizes)}

    def minibatch(state: TrainState, inputs: tuple[Array, PRNGKeyArray]) -> tuple[TrainState, Measured]:
        index, noise_key = inputs
        part = minibatches.pick(samples, index)
        grads, metrics = jax.grad(loss, has_aux=True)(state.params, part, noise_key)
        return _take_step(state, grads, metrics)

    def epoch(state: TrainState, epoch_key: PRNGKeyArray) -> tuple[TrainState, Measured]:
        order_key, noise_key = jax.random.split(epoch_key)
        parts = minibatches.shuffle(order_key, num_groups, num_samples, config.num_minibatches)
        return jax.lax.scan(minibatch, state, (parts, jax.random.split(noise_key, config.num_minibatches)))

    state, metrics = jax.lax.scan(epoch, state, jax.random.split(key, config.num_epochs))
    return state, {**_means(metrics), "value/target": jnp.mean(samples.target)}


@jax.named_scope("learning")
def from_replay(
    player: Player, env: Game, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, Measured]:
    """Make `num_updates` updates from samples of the replay."""
    judge_windows = windows.judge_sequences if player.config.is_recurrent else windows.judge_steps

    def update(state: TrainState, update_key: PRNGKeyArray) -> tuple[TrainState, Measured]:
        sample_key, noise_key = jax.random.split(update_key)
        assert state.replay is not None
        drawn = replay.sample(state.replay, sample_key, player.config.batch_size)
        weights = _importance(player, state, drawn.probability)

        def loss(params: Any) -> tuple[Array, tuple[Array, Measured]]:
            errors = judge_windows(player, env, state, params, drawn.data, noise_key)
            weighed = jnp.mean(weights * jnp.mean(errors.loss, axis=0))
            means = {"td_error": jnp.mean(errors.size), "value/target": jnp.mean(errors.target)}
            return weighed, (errors.size, {"loss/value": weighed, **means})

        grads, (sizes, metrics) = jax.grad(loss, has_aux=True)(state.params)
        state, metrics = _take_step(state, grads, metrics)
        if player.config.prioritised:
            state = state.replace(replay=_set_priorities(state, drawn.index, sizes))
        return _follow_with_target(player, state), metrics

    state, metrics = jax.lax.scan(update, state, jax.random.split(key, player.config.num_updates))
    assert state.replay is not None
    kept = state.replay.filled.astype(jnp.float32) * player.config.num_envs
    return state, {**_means(metrics), "replay/steps": kept}


def _take_step(state: TrainState, grads: Any, metrics: Measured) -> tuple[TrainState, Measured]:
    """Take one step of the optimiser."""
    params, optimiser, norm = optimise.step(
        state.params,
        grads,
        state.optimiser,
        optimise.learning_rate(state.tunables, state.iteration),
        state.tunables["max_grad_norm"],
    )
    state = state.replace(params=params, optimiser=optimiser, updates=state.updates + 1)
    return state, {**metrics, "grad_norm": norm}


def _means(metrics: Measured) -> Measured:
    return {name: jnp.mean(value) for name, value in metrics.items()}


def _importance(player: Player, state: TrainState, probability: Float32[Array, "N"]) -> Float32[Array, "N"]:
    """Weigh samples against their priorities; the exponent goes to 1 over the run."""
    if not player.config.prioritised:
        return jnp.ones_like(probability)
    tunables = state.tunables
    exponent = schedules.linear(state.iteration, tunables["horizon"], tunables["importance_start"], 1.0)
    return replay.importance_weights(probability, exponent)


def _set_priorities(state: TrainState, index: Array, sizes: Float32[Array, "L N"]) -> Any:
    """Give what was sampled priorities by its errors: (size + SMALLEST_SIZE)^exponent (Schaul et al. 2016, 3.3)."""
    size = LARGEST_SHARE * jnp.max(sizes, axis=0) + (1 - LARGEST_SHARE) * jnp.mean(sizes, axis=0)
    priority = (size + SMALLEST_SIZE) ** state.tunables["priority_exponent"]
    assert state.replay is not None
    return replay.set_priorities(state.replay, index, priority)


def _follow_with_target(player: Player, state: TrainState) -> TrainState:
    """Let the target network follow."""
    kind, tunables = player.config.target_network, state.tunables
    if kind == "none":
        return state
    old, new = state.target_params, state.params
    if kind == "soft":
        target = jax.tree.map(lambda o, n: o + tunables["target_rate"] * (n - o), old, new)
    else:
        is_due = state.updates % tunables["target_period"].astype(jnp.int32) == 0
        target = jax.tree.map(lambda o, n: jnp.where(is_due, n, o), old, new)
    return state.replace(target_params=target)
