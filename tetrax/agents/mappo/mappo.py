"""PPO for several players as an agent: playing, and learning from what was played. See `tetrax.agents.ppo`.

Each of the K sets of parameters is learned by PPO from the steps of its own seats: all where it is shared, else those
of one player. Advantages are normalised, gradients clipped and values scaled set by set, so that nothing of one
player's learning depends on another's rewards; with a central value it does depend on what the others see.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import checks, episodes, sizes
from tetrax.agents.agent import Agent, Metrics, Rollout, no_memory
from tetrax.agents.mappo import league
from tetrax.agents.mappo.mappo_config import TUNABLE_RANGES, MAPPOConfig
from tetrax.agents.mappo.players import Players, Policy
from tetrax.agents.mappo.together import TrainState, collect, make_envs
from tetrax.env import batch
from tetrax.env.contract import Game, Observation
from tetrax.env.game.vector import check_key
from tetrax.ops import minibatches, normalise, optimise, returns
from tetrax.ops.distributions import MaskedCategorical


class Sample(NamedTuple):
    """What one update needs of a step of all P players: [G, N, P] in G groups of games, [N, P] in a minibatch."""

    observation: Observation
    action: Array
    log_prob: Array
    advantage: Array
    target: Array
    is_learned: Array | None = None  # bool, whether the learner sat there; None where it sits everywhere


def make(config: MAPPOConfig, env: Game) -> Agent:
    """Return an agent for a game whose players act together; ValueError when the settings do not fit together.

    `horizon` of the agent's `init` is the number of iterations over which the learning rate falls. `act` takes the
    seats of many games side by side, as `tetrax.env.batch.by_seat` gives them.
    """
    checks.check_kinds(config, MAPPOConfig, env, most_players=checks.LARGEST, together=True)
    config.validate(env)
    players = Players.of(config, env)
    return Agent(
        name="mappo",
        steps_per_iteration=config.num_envs * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(players, key, env_params, horizon),
        train=lambda state: _train(players, state),
        policy=lambda state: Policy(params=state.params, value_moments=state.value_moments),
        initial_memory=no_memory,
        act=players.act,
        games=lambda state: state.env_state.env_state.game,
        so_far=lambda state: episodes.mean_so_far(state.env_state),
        num_groups=config.num_groups,
        partition=lambda state: batch.everywhere(state).replace(env_state=batch.spread(state.env_state)),
        num_envs=config.num_envs,
        num_steps=config.num_steps,
        learns_by_td=config.value == "own",  # `act` tells no other value
        find_working_bytes=lambda: _find_working_bytes(players),
        take_over=lambda state, policy: state.replace(
            params=policy.params,
            value_moments=policy.value_moments,
            league=league.begin(config.league, policy.params),
        ),
    )


def _find_working_bytes(players: Players) -> int:
    """Return the bytes of a rollout, and of the gradient of a minibatch of it."""
    config, env = players.config, players.env
    views = players.count if config.value == "central" else 1
    shown, steps = sizes.observation_bytes(env), config.num_envs * config.num_steps  # of all players
    activations = players.count * (1 + views) * sizes.activation_bytes(env, config.network)
    return steps * shown + steps // config.num_minibatches * (views * shown + activations)


def _init(players: Players, key: PRNGKeyArray, env_params: Any, horizon: Array | int) -> TrainState:
    config, env = players.config, players.env
    check_key(key)
    params_key, reset_key, key = jax.random.split(key, 3)
    env_params = env.default_params if env_params is None else env_params
    env_state, _ = make_envs(env).reset(jax.random.split(reset_key, config.num_envs), env_params)
    params = players.initial_params(params_key)
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    tunables["horizon"] = jnp.asarray(horizon, jnp.float32)
    empty = normalise.RunningMoments.empty()
    return TrainState(
        params=params,
        optimiser=jax.vmap(optimise.init)(params),
        value_moments=jax.tree.map(lambda leaf: jnp.stack([leaf] * players.num_sets), empty),
        env_state=env_state,
        tunables=tunables,
        env_params=env_params,
        iteration=jnp.int32(0),
        key=key,
        league=league.begin(config.league, params),
    )


def _train(players: Players, state: TrainState) -> tuple[TrainState, Metrics]:
    """Collect one rollout and learn from it."""
    rollout_key, update_key, next_key = jax.random.split(state.key, 3)
    state, rollout, finished, against = collect(players, state, rollout_key)
    samples, value, moments = _advantages(players, state, rollout)
    state = state.replace(value_moments=moments)
    state, losses = _update(players, state, samples, update_key)
    means = {
        **jax.tree.map(jnp.mean, losses),
        "explained_variance": returns.explained_variance(samples.target, value, samples.is_learned),
        "learning_rate": optimise.learning_rate(state.tunables, state.iteration),
    }
    state = state.replace(iteration=state.iteration + 1, key=next_key)
    if state.league is not None:
        league_key, next_key = jax.random.split(next_key)
        past = league.move_on(
            players.config.league, state.league, state.params, against, state.iteration, league_key
        )
        state = state.replace(league=past, key=next_key)
        means["league/score"] = league.mean_score(past)
    return state, Metrics(totals=finished, means=means)


def _advantages(
    players: Players, state: TrainState, rollout: Rollout
) -> tuple[Sample, Array, normalise.RunningMoments]:
    """Estimate advantages; return samples [G, T * B / G, P], their values then, and the moments of the targets [K]."""
    steps = [rollout.action, rollout.log_prob, rollout.value, rollout.next_value, rollout.reward]
    chex.assert_equal_shape(steps)  # [T, B, P]
    advantages = returns.gae(
        rollout.reward,
        rollout.value,
        rollout.next_value,
        jnp.broadcast_to(rollout.terminated[..., None], rollout.reward.shape),  # all end in the same step
        jnp.broadcast_to(rollout.truncated[..., None], rollout.reward.shape),
        state.tunables["discount"],
        state.tunables["gae_lambda"],
    )
    targets, moments, learned = rollout.value + advantages, state.value_moments, _learned(players, rollout)
    if players.config.normalise_values:
        told = jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), (targets, learned))
        by_set = players.by_set(told)  # [K, N] each
        moments = jax.vmap(lambda past, told: normalise.update_decayed(past, told[0], mask=told[1]))(
            moments, by_set
        )
    samples = Sample(rollout.observation, rollout.action, rollout.log_prob, advantages, targets, learned)
    samples, value = minibatches.group((samples, rollout.value), players.config.num_groups)
    return samples, value, moments


def _learned(players: Players, rollout: Rollout) -> Array | None:
    """Tell which steps are the learner's own, bool[T, B, P]; None where all are."""
    config = players.config
    if not config.league.size:
        return None
    own = league.seats(config.league, config.num_envs, config.num_groups, players.count)
    return jnp.broadcast_to(own[None], rollout.action.shape)


@jax.named_scope("learning")
def _update(
    players: Players, state: TrainState, samples: Sample, key: PRNGKeyArray
) -> tuple[TrainState, dict[str, Array]]:
    """Pass over the samples in minibatches shuffled by group; return losses and the like, [epochs, minibatches, K]."""
    config = players.config
    num_groups, num_samples = samples.action.shape[:2]
    rate = optimise.learning_rate(state.tunables, state.iteration)

    def learn(params: Any, optimiser: Any, moments: Any, sample: Sample) -> Any:
        (_, metrics), grads = jax.value_and_grad(_loss, argnums=1, has_aux=True)(
            players, params, moments, state.tunables, sample
        )
        params, optimiser, norm = optimise.step(
            params, grads, optimiser, rate, state.tunables["max_grad_norm"]
        )
        return params, optimiser, {**metrics, "grad_norm": norm}

    def minibatch(carry: tuple[Any, Any], index: Array) -> Any:
        sample = minibatches.pick(samples, index)  # [N, P, ...]
        sample = players.by_set(sample._replace(observation=players.views(sample.observation)))
        params, optimiser, metrics = jax.vmap(learn)(*carry, state.value_moments, sample)
        return (params, optimiser), metrics

    def epoch(carry: tuple[Any, Any], epoch_key: PRNGKeyArray) -> Any:
        parts = minibatches.shuffle(epoch_key, num_groups, num_samples, config.num_minibatches)
        return jax.lax.scan(minibatch, carry, parts)

    carry = (state.params, state.optimiser)
    (params, optimiser), metrics = jax.lax.scan(epoch, carry, jax.random.split(key, config.num_epochs))
    return state.replace(params=params, optimiser=optimiser), metrics


def _loss(
    players: Players,
    params: Any,
    moments: normalise.RunningMoments,
    tunables: dict[str, Array],
    sample: Sample,
) -> tuple[Array, dict[str, Array]]:
    """Return PPO's loss (Schulman et al. 2017, equation 9) of one set of parameters on N seats, and its parts.

    `sample.observation` has their views, [N, V, ...].
    """
    logits, value = players.judge(params, sample.observation)
    distribution = MaskedCategorical.from_logits(logits, sample.observation.legal[:, 0])
    log_ratio = distribution.log_prob(sample.action) - sample.log_prob
    ratio = jnp.exp(log_ratio)
    mask = sample.is_learned
    advantage = normalise.normalise_batch(sample.advantage, mask)
    clipped = jnp.clip(ratio, 1.0 - tunables["clip"], 1.0 + tunables["clip"])
    policy_loss = -_mean(jnp.minimum(ratio * advantage, clipped * advantage), mask)
    target = sample.target
    if players.config.normalise_values:
        target = normalise.normalise(moments, target)
    value_loss = 0.5 * _mean((value - target) ** 2, mask)
    entropy = _mean(distribution.entropy(), mask)
    total = policy_loss + tunables["value_loss"] * value_loss - tunables["entropy"] * entropy
    return total, {
        "loss/policy": policy_loss,
        "loss/value": value_loss,
        "loss/total": total,
        "entropy": entropy,
        "kl": _mean(ratio - 1.0 - log_ratio, mask),  # low-variance estimate (Schulman 2020)
        "clip_fraction": _mean(jnp.asarray(jnp.abs(ratio - 1.0) > tunables["clip"], jnp.float32), mask),
    }


def _mean(values: Array, mask: Array | None) -> Array:
    """Return the mean over what the mask, where there is one, lets through."""
    if mask is None:
        return jnp.mean(values)
    return jnp.sum(jnp.where(mask, values, 0.0)) / jnp.maximum(jnp.sum(mask), 1)
