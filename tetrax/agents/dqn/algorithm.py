"""Putting the parts of value learning together."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import checks, episodes, sizes
from tetrax.agents.agent import WORTHS, Agent, Memory, Metrics, Sight
from tetrax.agents.dqn import acting, collecting, learning
from tetrax.agents.dqn.acting import Player
from tetrax.agents.dqn.dqn_config import TUNABLE_RANGES, DQNConfig
from tetrax.agents.dqn.train_state import Policy, Slot, TrainState
from tetrax.env import batch
from tetrax.env.contract import Game, Observation, example_observation
from tetrax.env.game.vector import check_key
from tetrax.networks.attention import AttentionWeights, attends, attention_weights
from tetrax.networks.q_network import initial_params, own_q_network, q_network
from tetrax.networks.recurrent import initial_memory
from tetrax.ops import normalise, optimise, packing, replay


def make(config: DQNConfig, env: Game, network: nn.Module | None = None) -> Agent:
    """Return an agent that learns values of an environment's actions, or of the boards they leave.

    `network`, where given, takes the place of `config.network`: a flax module without a memory, called with the
    Observation of B games, that returns values float32[B, A], or float32[B, A, Z] where their distribution of
    Z = `config.atoms` is learned. Where values of afterstates are learned it is also called with one placement of
    each game, A = 1, and judges each by what it leaves alone. `horizon` of the agent's `init` is the number of
    iterations over which the learning rate falls and the weights of priorities rise. ValueError when the settings do
    not fit together.
    """
    checks.check_kinds(config, DQNConfig, env)
    config.validate(env, has_own_network=network is not None)
    num_outputs = 1 if config.distribution == "none" else config.atoms
    by_afterstate = config.learns_afterstates(env)
    if network is not None:
        player = Player(config, own_q_network(network, env, num_outputs, by_afterstate), by_afterstate)
    else:
        described = q_network(
            env, config.network, num_outputs=num_outputs, dueling=config.dueling, noisy=config.noisy
        )
        player = Player(config, described, by_afterstate)
    return Agent(
        name="dqn",
        steps_per_iteration=config.num_envs * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(player, env, key, env_params, horizon),
        train=lambda state: _train(player, env, state),
        policy=lambda state: acting.make_policy(state, acting.find_exploration(config, state)),
        initial_memory=lambda batch_shape: initial_memory(config.network, batch_shape),
        act=lambda *args: _act(player, *args),
        games=lambda state: state.env_state.env_state.game,
        so_far=lambda state: episodes.mean_so_far(state.env_state),
        num_groups=config.num_groups,
        partition=_partition,
        replay_bytes=_replay_bytes(config, env),
        max_iterations=checks.LARGEST // _num_updates(config),
        learns_by_td=True,
        find_working_bytes=lambda: _find_working_bytes(player, env),
        attend=_attend(player) if network is None and _may_attend(config, env) else None,
        take_over=_take_over,
    )


def _may_attend(config: DQNConfig, env: Game) -> bool:
    """Tell whether what attends to what can be told: where nothing is remembered, and no weights are drawn."""
    return config.network.recurrent == "none" and not config.noisy and attends(config.network, env)


def _attend(player: Player) -> Callable[[Policy, Observation], AttentionWeights]:
    def attend(policy: Policy, seen: Observation) -> AttentionWeights:
        return attention_weights(cast(nn.Module, player.network), policy.params, seen, (), None)

    return attend


def _take_over(state: TrainState, policy: Policy) -> TrainState:
    target = None if state.target_params is None else jax.tree.map(jnp.copy, policy.params)
    return state.replace(params=policy.params, target_params=target, value_moments=policy.value_moments)


def _num_updates(config: DQNConfig) -> int:
    """Return the updates of one iteration."""
    return config.num_updates if config.replay_capacity else config.num_epochs * config.num_minibatches


def _find_working_bytes(player: Player, env: Game) -> int:
    """Return the bytes of deciding once in every game, and of an update or the rollout that it is drawn from."""
    config, shown = player.config, sizes.observation_bytes(env)
    judged = shown + sizes.activation_bytes(env, config.network)
    if config.replay_capacity:
        windows = config.window if config.is_recurrent else 2  # first and last step
        return max(config.num_envs, config.batch_size * windows) * judged
    kept = shown // env.spec.num_actions if player.learns_afterstates else shown
    return config.num_envs * (judged + config.num_steps * kept)


def _init(player: Player, env: Game, key: PRNGKeyArray, env_params: Any, horizon: Array | int) -> TrainState:
    config = player.config
    check_key(key)
    params_key, reset_key, warmup_key, key = jax.random.split(key, 4)
    env_params = env.default_params if env_params is None else env_params
    envs = collecting.make_envs(config, env)
    env_state, _ = envs.reset(jax.random.split(reset_key, config.num_envs), env_params)
    params = initial_params(player.network, params_key, example_observation(env))
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    tunables["horizon"] = jnp.asarray(horizon, jnp.float32)
    state = TrainState(
        params=params,
        target_params=None if config.target_network == "none" else jax.tree.map(jnp.copy, params),
        optimiser=optimise.init(params),
        value_moments=normalise.RunningMoments.empty(),
        env_state=env_state,
        memory=initial_memory(config.network, (config.num_envs,)),
        is_first=jnp.ones(config.num_envs, bool),
        replay=_empty_replay(config, env) if config.replay_capacity else None,
        tunables=tunables,
        env_params=env_params,
        iteration=jnp.int32(0),
        updates=jnp.int32(0),
        key=key,
    )
    return _warm_up(player, env, state, warmup_key) if config.replay_capacity else state


def _warm_up(player: Player, env: Game, state: TrainState, key: PRNGKeyArray) -> TrainState:
    """Fill the start of the replay with games of random legal actions."""
    config = player.config
    num_rollouts = -(-config.warmup_steps // (config.num_envs * config.num_steps))

    def play(state: TrainState, play_key: PRNGKeyArray) -> tuple[TrainState, None]:
        state, slots, _ = collecting.collect_slots(player, env, state, acting.at_random(), play_key)
        return _keep(state, slots), None

    return jax.lax.scan(play, state, jax.random.split(key, num_rollouts))[0]


def _keep(state: TrainState, slots: Slot) -> TrainState:
    """Put played steps into the replay."""
    assert state.replay is not None
    return state.replace(replay=replay.insert(state.replay, slots))


def _train(player: Player, env: Game, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play, and learn from it or from what was kept."""
    config = player.config
    play_key, learn_key, next_key = jax.random.split(state.key, 3)
    explores = acting.find_exploration(config, state)
    if config.replay_capacity:
        state, slots, played = collecting.collect_slots(player, env, state, explores, play_key)
        state, losses = learning.from_replay(player, env, _keep(state, slots), learn_key)
    else:
        state, samples, played = collecting.collect_samples(player, env, state, explores, play_key)
        state, losses = learning.from_rollout(player, state, samples, learn_key)
    means = {
        **played.means,
        **losses,
        "explore/epsilon": explores.epsilon,
        "explore/temperature": explores.temperature,
        "learning_rate": optimise.learning_rate(state.tunables, state.iteration),
    }
    state = state.replace(iteration=state.iteration + 1, key=next_key)
    return state, Metrics(totals=played.totals, means=means)


def _act(
    player: Player,
    policy: Policy,
    sight: Sight,
    memory: Memory,
    key: PRNGKeyArray,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose actions for a batch: the best ones, or as the agent explores now.

    Diagnostics: "value" of the action, "decider" (a `tetrax.ops.exploration.Decider`) and the "probability" with
    which the action was chosen.
    """
    decision = acting.decide(player, policy, sight.observation, memory, sight.is_first, key, greedy)
    explored = decision.explored
    diagnostics = {
        "value": jnp.max(decision.worths, axis=-1),
        "decider": explored.decider.astype(jnp.float32),
        "probability": explored.probability,
        WORTHS: decision.worths,
    }
    return explored.action, decision.memory, diagnostics


def _slot(config: DQNConfig, env: Game) -> Slot:
    """Return the shapes of what the replay keeps of one step of one game."""

    def slot(key: PRNGKeyArray) -> Slot:
        words, flag = packing.pack(env.init(key, env.default_params)), jnp.bool_(False)
        return Slot(
            seen=words,
            action=jnp.int32(0),
            reward=jnp.float32(0),
            terminated=flag,
            truncated=flag,
            is_first=flag,
            last=words if env.spec.can_truncate else None,
            memory=initial_memory(config.network, ()),
        )

    return jax.eval_shape(slot, jax.random.key(0, impl="threefry2x32"))


def _replay_arguments(config: DQNConfig) -> dict[str, Any]:
    return {
        "capacity": config.replay_capacity,
        "num_envs": config.num_envs,
        "length": config.window,
        "new_steps": config.num_steps,
        "num_groups": config.num_groups,
        "prioritised": config.prioritised,
    }


def _empty_replay(config: DQNConfig, env: Game) -> replay.Replay:
    return replay.empty(_slot(config, env), **_replay_arguments(config))


def _replay_bytes(config: DQNConfig, env: Game) -> int:
    return _count_bytes(_without_tunables(config), env) if config.replay_capacity else 0


@functools.lru_cache(maxsize=16)
def _count_bytes(config: DQNConfig, env: Game) -> int:
    return replay.memory_bytes(_slot(config, env), **_replay_arguments(config))


def _without_tunables(config: DQNConfig) -> DQNConfig:
    """Return the settings that decide shapes, alike for all points of a sweep."""
    defaults = DQNConfig()
    return dataclasses.replace(config, **{name: getattr(defaults, name) for name in TUNABLE_RANGES})


def _partition(state: TrainState) -> Any:
    """Say how a TrainState is spread over devices: its games and its replay, by groups."""
    spread = batch.everywhere(state).replace(
        env_state=batch.spread(state.env_state),
        memory=batch.spread_rows(state.memory),
        is_first=batch.spread(state.is_first),
    )
    if state.replay is not None:
        spread = spread.replace(replay=replay.partition(state.replay, batch.DEVICES))
    return spread
