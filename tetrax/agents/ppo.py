"""Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347).

The details that matter follow Huang et al. 2022, "The 37 implementation details of PPO": advantage
estimation with the true last observation, advantages normalised by minibatch, gradients clipped by
their global norm, Adam with epsilon 1e-5, a linear schedule. Value targets are
normalised by their running moments (Yu et al. 2022, arXiv 2103.01955, section 5.1).

With a recurrent network the memory at the start of a rollout is kept, updates take the whole sequence of
each environment, and each pass unrolls it from that memory anew, forgetting where a game began.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import checks, episodes, sizes
from tetrax.agents.agent import PROBABILITIES, Agent, Memory, Metrics, Rollout, Sight
from tetrax.env import batch
from tetrax.env.batch import Batch
from tetrax.env.contract import Game, HostGame, Observation, TimeStep, example_observation
from tetrax.env.game.state import select
from tetrax.env.game.vector import check_key
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics
from tetrax.networks.actor_critic import (
    ActorCritic,
    actor_critic,
    check_own,
    initial_params,
    judge,
    judge_again,
)
from tetrax.networks.attention import attends, attention_weights
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.recurrent import initial_memory
from tetrax.ops import minibatches, normalise, optimise, returns
from tetrax.ops.distributions import MaskedCategorical

MAX_ON_HOST = 10_000  # environments that the host steps one after the other


@dataclass(frozen=True)
class PPOConfig:
    """Settings of PPO. Those marked (tunable) may change when a run is resumed."""

    num_envs: int = 256
    """Games played side by side."""
    num_steps: int = 32
    """Steps of each game between updates."""
    num_epochs: int = 2
    """Passes over each rollout."""
    num_minibatches: int = 4
    """Parts each pass is cut into; must divide num_envs times num_steps (of one group), or num_envs alone with a
    recurrent network."""
    num_groups: int = 1
    """Groups that the games are divided into; each minibatch takes as much of every group. Several devices need a
    multiple of their number, so that no game's data moves between them; results depend on the groups, not on the
    devices."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network that judges what is seen."""
    clip_value_loss: bool = False
    """Clip the change of the value like that of the policy."""
    normalise_values: bool = True
    """Learn values in units of their running mean and spread."""
    learning_rate: float = 1e-3
    """Adam's step size at the start (tunable)."""
    final_learning_rate_fraction: float = 0.1
    """Fraction of the learning rate left at the end of its linear schedule (tunable)."""
    discount: float = 0.99
    """Discount per step (tunable)."""
    gae_lambda: float = 0.95
    """Decay of the advantage estimate's trace (tunable)."""
    clip: float = 0.2
    """How far the probability ratio may leave 1 (tunable)."""
    entropy: float = 0.003
    """Weight of the entropy bonus, in nats (tunable)."""
    value_loss: float = 0.5
    """Weight of the value loss (tunable)."""
    max_grad_norm: float = 0.5
    """Global norm to which gradients are clipped (tunable)."""

    def validate(self, env: Game | HostGame, *, has_own_network: bool = False) -> None:
        """Raise ValueError naming the first setting that cannot work; with an own network, `network` has no effect."""
        checks.check_network(self.network, env, has_own_network)
        for name in ("num_envs", "num_steps", "num_minibatches", "num_groups"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("num_epochs", self.num_epochs, highest=checks.MAX_EPOCHS)
        checks.check_product(num_envs=self.num_envs, num_steps=self.num_steps)
        if env.spec.on_host and self.num_envs > MAX_ON_HOST:
            raise checks.wrong(
                "num_envs", self.num_envs, f"up to {MAX_ON_HOST} of a game that steps on the host"
            )
        if self.num_envs % self.num_groups:
            raise checks.wrong("num_groups", self.num_groups, f"a divisor of num_envs ({self.num_envs})")
        group = self.num_envs // self.num_groups
        if self.is_recurrent and group % self.num_minibatches:
            allowed = f"with a recurrent network, a divisor of num_envs / num_groups ({group})"
            raise checks.wrong("num_minibatches", self.num_minibatches, allowed)
        if (group * self.num_steps) % self.num_minibatches:
            allowed = f"a divisor of num_envs / num_groups times num_steps ({group} x {self.num_steps})"
            raise checks.wrong("num_minibatches", self.num_minibatches, allowed)
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)

    @property
    def is_recurrent(self) -> bool:
        """Tell whether the network remembers."""
        return self.network.recurrent != "none"


TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "discount": (0.0, 1.0),
    "gae_lambda": (0.0, 1.0),
    "clip": (0.0, 10.0),
    "entropy": (0.0, 10.0),
    "value_loss": (0.0, 100.0),
    "max_grad_norm": (1e-6, 1e6),
}


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    params: Any  # of the network
    optimiser: Any  # Adam's moments
    value_moments: normalise.RunningMoments  # of the value targets, []
    env_state: EpisodeState | None  # of B games, on the last axis; None where the game steps on the host
    memory: Memory  # of the network before the next step, [B, ...]
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES and "horizon" (iterations)
    env_params: Any  # of the environment
    iteration: Array  # int32[], iterations done
    key: Array  # key<fry>[]


class Policy(struct.PyTreeNode):
    """What acting needs."""

    params: Any
    value_moments: normalise.RunningMoments


class Sample(NamedTuple):
    """What one update needs of a step: [G, N] in G groups of games, [N] in a minibatch.

    With a recurrent network each of N is the whole sequence of one environment, [..., T], and `memory` is that before
    its start.
    """

    observation: Observation
    action: Array
    log_prob: Array
    value: Array
    advantage: Array
    target: Array
    is_first: Array | None = None
    memory: Memory = ()


def make(config: PPOConfig, env: Game | HostGame, network: nn.Module | None = None) -> Agent:
    """Return a PPO agent for an environment; ValueError when the settings do not fit together.

    `network`, where given, takes the place of `config.network`: a flax module without a memory, called with the
    Observation of B games, that returns logits float32[B, A] and values float32[B], in the units in which the agent
    learns them; where an action is illegal its logit does not count. `horizon` of the agent's `init` is the number of
    iterations over which the learning rate falls.
    """
    checks.check_kinds(config, PPOConfig, env)
    config.validate(env, has_own_network=network is not None)
    has_attention = network is None and not config.is_recurrent and attends(config.network, env)
    network = actor_critic(env, config.network) if network is None else check_own(network, env)
    return Agent(
        name="ppo",
        steps_per_iteration=config.num_envs * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(config, env, network, key, env_params, horizon),
        train=lambda state: _train(config, env, network, state),
        policy=lambda state: Policy(params=state.params, value_moments=state.value_moments),
        initial_memory=lambda batch_shape: initial_memory(config.network, batch_shape),
        act=lambda *args: _act(config, network, *args),
        games=lambda state: None if state.env_state is None else state.env_state.env_state.game,
        so_far=lambda state: episodes.mean_so_far(state.env_state),
        num_groups=config.num_groups,
        partition=lambda state: batch.everywhere(state).replace(
            env_state=batch.spread(state.env_state), memory=batch.spread_rows(state.memory)
        ),
        learn=lambda state, rollout: _learn(config, network, state, rollout),
        num_envs=config.num_envs,
        num_steps=config.num_steps,
        learns_by_td=True,
        find_working_bytes=lambda: _find_working_bytes(config, env),
        attend=(lambda policy, seen: attention_weights(network, policy.params, seen))
        if has_attention
        else None,
        take_over=lambda state, policy: state.replace(
            params=policy.params, value_moments=policy.value_moments
        ),
    )


def _find_working_bytes(config: PPOConfig, env: Game | HostGame) -> int:
    """Return the bytes of a rollout, and of the gradient of a minibatch of it."""
    shown, steps = sizes.observation_bytes(env), config.num_envs * config.num_steps
    learned = steps // config.num_minibatches * (shown + sizes.activation_bytes(env, config.network))
    return steps * shown + learned


def _make_envs(env: Game) -> Batch:
    return Batch(EpisodeStatistics(AutoReset(env)))


def _init(
    config: PPOConfig,
    env: Game | HostGame,
    network: ActorCritic,
    key: PRNGKeyArray,
    env_params: Any,
    horizon: Array | int,
) -> TrainState:
    check_key(key)
    params_key, reset_key, key = jax.random.split(key, 3)
    env_params = env.default_params if env_params is None else env_params
    env_state = None
    if not env.spec.on_host:
        reset_keys = jax.random.split(reset_key, config.num_envs)
        env_state, _ = _make_envs(cast(Game, env)).reset(reset_keys, env_params)
    params = initial_params(network, config.network, params_key, example_observation(env))
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    tunables["horizon"] = jnp.asarray(horizon, jnp.float32)
    return TrainState(
        params=params,
        optimiser=optimise.init(params),
        value_moments=normalise.RunningMoments.empty(),
        env_state=env_state,
        memory=initial_memory(config.network, (config.num_envs,)),
        tunables=tunables,
        env_params=env_params,
        iteration=jnp.int32(0),
        key=key,
    )


def _act(
    config: PPOConfig,
    network: ActorCritic,
    policy: Policy,
    sight: Sight,
    memory: Memory,
    key: PRNGKeyArray,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose actions for a batch: the most probable ones, or drawn ones."""
    legal = sight.observation.legal
    logits, value, memory = judge(network, policy.params, sight.observation, memory, sight.is_first)
    distribution = MaskedCategorical.from_logits(logits, legal)
    action = distribution.mode() if greedy else distribution.sample(key)
    chex.assert_equal_shape([action, value])
    diagnostics = {
        "value": _in_rewards(config, policy.value_moments, value),
        "entropy": distribution.entropy(),
        "log_prob": distribution.log_prob(action),
        PROBABILITIES: distribution.probabilities,
    }
    return jnp.asarray(action, jnp.int32), memory, diagnostics


def _in_rewards(config: PPOConfig, moments: normalise.RunningMoments, value: Array) -> Array:
    """Return what the network says of a value in units of reward."""
    return normalise.denormalise(moments, value) if config.normalise_values else value


def _train(
    config: PPOConfig, env: Game | HostGame, network: ActorCritic, state: TrainState
) -> tuple[TrainState, Metrics]:
    """Collect one rollout and learn from it."""
    if env.spec.on_host:
        raise ValueError(
            f"train: given {env.spec.title}, which steps on the host; allowed: learn(state, rollout)"
        )
    rollout_key, _, _ = jax.random.split(state.key, 3)  # `_learn` takes the others
    state, rollout, finished = _collect(config, cast(Game, env), network, state, rollout_key)
    state, metrics = _learn(config, network, state, rollout)
    return state, metrics.replace(totals=finished)


def _learn(
    config: PPOConfig, network: ActorCritic, state: TrainState, rollout: Rollout
) -> tuple[TrainState, Metrics]:
    """Learn from one rollout [T, B]."""
    steps = [rollout.action, rollout.log_prob, rollout.value, rollout.next_value, rollout.reward]
    chex.assert_shape(steps, (config.num_steps, config.num_envs))  # it may come from the host
    _, update_key, next_key = jax.random.split(state.key, 3)
    samples, moments = _advantages(config, state, rollout)
    state = state.replace(value_moments=moments)
    state, losses = _update(config, network, state, samples, update_key)
    means = {
        **jax.tree.map(jnp.mean, losses),
        "explained_variance": returns.explained_variance(samples.target, samples.value),
        "learning_rate": optimise.learning_rate(state.tunables, state.iteration),
    }
    state = state.replace(iteration=state.iteration + 1, key=next_key)
    return state, Metrics(totals={}, means=means)


def _collect(
    config: PPOConfig, env: Game, network: ActorCritic, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, Rollout, dict[str, Array]]:
    """Play `num_steps` of B games side by side; return the rollout [T, B] and totals of the games that ended.

    Games are observed at the start of a step, so that what observing and playing share is computed
    once. The scan looks once more than it plays, for the value after the last step.
    """
    envs = _make_envs(env)
    env_params = env.with_discount(state.env_params, state.tunables["discount"])
    policy = Policy(params=state.params, value_moments=state.value_moments)

    def step(carry: tuple[EpisodeState, Memory], step_input: tuple[PRNGKeyArray, Array]) -> Any:
        (env_state, memory), (act_key, is_played) = carry, step_input
        observation = envs.observe(env_state, env_params)
        is_first = env_state.running.steps == 0 if config.is_recurrent else None
        with jax.named_scope("acting"):
            sight = Sight(observation=observation, is_first=is_first)
            action, remembered, told = _act(config, network, policy, sight, memory, act_key, greedy=False)
        after, timestep = envs.step(env_state, action, env_params)
        looked = Rollout(
            observation=observation,
            action=action,
            log_prob=told["log_prob"],
            value=told["value"],
            next_value=cast(Array, _value_at_the_end(config, network, policy, timestep, remembered)),
            reward=timestep.reward,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            is_first=is_first,
            memory=(),
        )
        finished = episodes.sum_finished(timestep, after)
        return select(is_played, (after, remembered), carry), (looked, finished)

    is_played = jnp.arange(config.num_steps + 1) < config.num_steps
    inputs = (jax.random.split(key, config.num_steps + 1), is_played)
    carry: Any = (state.env_state, state.memory)
    (env_state, memory), (looked, finished) = jax.lax.scan(step, carry, inputs)
    next_value = looked.value[1:]  # of [T + 1, B]
    rollout, finished = jax.tree.map(lambda leaf: leaf[:-1], (looked, finished))
    if rollout.next_value is not None:
        next_value = jnp.where(rollout.truncated, rollout.next_value, next_value)
    rollout = rollout.replace(next_value=next_value, memory=state.memory)
    return state.replace(env_state=env_state, memory=memory), rollout, jax.tree.map(jnp.sum, finished)


def _value_at_the_end(
    config: PPOConfig, network: ActorCritic, policy: Policy, timestep: TimeStep, memory: Memory
) -> Array | None:
    """Return the value of the true last observation, where games can be truncated."""
    last = timestep.last_observation
    if last is None:
        return None
    _, value, _ = judge(network, policy.params, last, memory, jnp.zeros_like(timestep.truncated))
    return _in_rewards(config, policy.value_moments, value)


def _advantages(
    config: PPOConfig, state: TrainState, rollout: Rollout
) -> tuple[Sample, normalise.RunningMoments]:
    """Estimate advantages; return the samples and the moments of the targets.

    Samples are steps [G, T * B / G], or with a recurrent network sequences [G, B / G, T].
    """
    advantages = returns.gae(
        rollout.reward,
        rollout.value,
        rollout.next_value,
        rollout.terminated,
        rollout.truncated,
        state.tunables["discount"],
        state.tunables["gae_lambda"],
    )
    targets = rollout.value + advantages
    moments = state.value_moments
    if config.normalise_values:
        moments = normalise.update_decayed(moments, targets)
    seen, action, log_prob, value = rollout.observation, rollout.action, rollout.log_prob, rollout.value
    samples = Sample(seen, action, log_prob, value, advantages, targets, rollout.is_first)
    chex.assert_equal_shape([action, log_prob, value, advantages, targets])
    if config.is_recurrent:  # the sequence of each environment is one thing: [B, T, ...]
        samples = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), samples)._replace(memory=rollout.memory)
        samples = jax.tree.map(lambda leaf: leaf[None], samples)
    return minibatches.group(samples, config.num_groups), moments


@jax.named_scope("learning")
def _update(
    config: PPOConfig, network: ActorCritic, state: TrainState, samples: Sample, key: PRNGKeyArray
) -> tuple[TrainState, dict[str, Array]]:
    """Pass over the samples in minibatches shuffled by group; return losses and the like, [epochs, minibatches]."""
    num_groups, num_samples = samples.action.shape[:2]

    def minibatch(carry: tuple[Any, Any], index: Array) -> Any:
        params, optimiser = carry
        (_, metrics), grads = jax.value_and_grad(_loss, argnums=2, has_aux=True)(
            config, network, params, state, minibatches.pick(samples, index)
        )
        params, optimiser, norm = optimise.step(
            params,
            grads,
            optimiser,
            optimise.learning_rate(state.tunables, state.iteration),
            state.tunables["max_grad_norm"],
        )
        return (params, optimiser), {**metrics, "grad_norm": norm}

    def epoch(carry: tuple[Any, Any], epoch_key: PRNGKeyArray) -> Any:
        parts = minibatches.shuffle(epoch_key, num_groups, num_samples, config.num_minibatches)
        return jax.lax.scan(minibatch, carry, parts)

    carry = (state.params, state.optimiser)
    epoch_keys = jax.random.split(key, config.num_epochs)
    (params, optimiser), metrics = jax.lax.scan(epoch, carry, epoch_keys)
    return state.replace(params=params, optimiser=optimiser), metrics


def _loss(
    config: PPOConfig, network: ActorCritic, params: Any, state: TrainState, sample: Sample
) -> tuple[Array, dict[str, Array]]:
    """Return PPO's loss (equation 9 of the paper) on a minibatch, and its parts."""
    tunables = state.tunables
    logits, value = judge_again(network, params, sample.observation, sample.memory, sample.is_first)
    distribution = MaskedCategorical.from_logits(logits, sample.observation.legal)
    log_ratio = distribution.log_prob(sample.action) - sample.log_prob
    ratio = jnp.exp(log_ratio)
    advantage = normalise.normalise_batch(sample.advantage)
    clipped = jnp.clip(ratio, 1.0 - tunables["clip"], 1.0 + tunables["clip"])
    policy_loss = -jnp.mean(jnp.minimum(ratio * advantage, clipped * advantage))

    target, old_value = sample.target, sample.value
    if config.normalise_values:
        target = normalise.normalise(state.value_moments, target)
        old_value = normalise.normalise(state.value_moments, old_value)
    error = (value - target) ** 2
    if config.clip_value_loss:
        near = old_value + jnp.clip(value - old_value, -tunables["clip"], tunables["clip"])
        error = jnp.maximum(error, (near - target) ** 2)
    value_loss = 0.5 * jnp.mean(error)
    entropy = jnp.mean(distribution.entropy())
    total = policy_loss + tunables["value_loss"] * value_loss - tunables["entropy"] * entropy
    return total, {
        "loss/policy": policy_loss,
        "loss/value": value_loss,
        "loss/total": total,
        "entropy": entropy,
        "kl": jnp.mean(ratio - 1.0 - log_ratio),  # low-variance estimate (Schulman 2020)
        "clip_fraction": jnp.mean(jnp.asarray(jnp.abs(ratio - 1.0) > tunables["clip"], jnp.float32)),
    }
