"""AlphaZero as an agent: searching, keeping what was found, learning it."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import checks, episodes, sizes
from tetrax.agents.agent import PROBABILITIES, Agent, Memory, Metrics, Sight, no_memory
from tetrax.agents.alphazero import judging, self_play
from tetrax.agents.alphazero.alphazero_config import TUNABLE_RANGES, AlphaZeroConfig
from tetrax.agents.alphazero.judging import Judgement, Searcher, Slot
from tetrax.agents.alphazero.self_play import TrainState
from tetrax.env import batch
from tetrax.env.contract import Game
from tetrax.env.game.vector import check_key
from tetrax.ops import normalise, optimise, packing, replay
from tetrax.ops.distributions import MaskedCategorical
from tetrax.search.tree import tree_search

FLOAT = 4  # bytes
NODE_NUMBERS = 6  # that a tree keeps of each action at each position


class Policy(struct.PyTreeNode):
    """What acting needs."""

    params: Any
    value_moments: normalise.RunningMoments
    env_params: Any  # of the game that is looked ahead in
    discount: Array  # float32[]


def make(config: AlphaZeroConfig, env: Game) -> Agent:
    """Return an AlphaZero agent for a compiled game; ValueError when the settings do not fit together.

    `horizon` of the agent's `init` is the number of iterations over which the learning rate falls.
    """
    checks.check_kinds(config, AlphaZeroConfig, env, most_players=2)
    config.validate(env)
    searcher = judging.make_searcher(config, env)
    return Agent(
        name="alphazero",
        steps_per_iteration=config.num_envs * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(searcher, key, env_params, horizon),
        train=lambda state: _train(searcher, state),
        policy=lambda state: Policy(
            params=state.params,
            value_moments=state.value_moments,
            env_params=state.env_params,
            discount=state.tunables["discount"],
        ),
        initial_memory=no_memory,
        act=lambda *args: _act(searcher, *args),
        games=lambda state: state.env_state.env_state.game,
        so_far=lambda state: episodes.mean_so_far(state.env_state),
        num_groups=config.num_groups,
        partition=lambda state: batch.everywhere(state).replace(
            env_state=batch.spread(state.env_state), replay=replay.partition(state.replay, batch.DEVICES)
        ),
        replay_bytes=replay.memory_bytes(_slot_like(searcher), **_replay_sizes(config)),
        max_iterations=checks.LARGEST // config.num_updates,
        find_working_bytes=lambda: _find_working_bytes(searcher),
        take_over=lambda state, policy: state.replace(
            params=policy.params, value_moments=policy.value_moments
        ),
    )


def _slot_like(searcher: Searcher) -> Slot:
    """Return shapes and types of what is kept of a position."""
    env = searcher.env

    def slot(key: PRNGKeyArray) -> Slot:
        game = env.init(key, env.default_params)
        of_one = jax.tree.map(lambda leaf: leaf[None], env.observe(game, env.default_params))
        games = jax.tree.map(lambda leaf: leaf[..., None], game)
        nothing = jnp.zeros((1, env.spec.num_actions), jnp.int32)
        seen, _ = judging.keep(searcher, games, of_one, jnp.zeros(1, jnp.int32), nothing)
        seen = jax.tree.map(lambda leaf: leaf[0], seen)
        if searcher.learns_afterstates:
            return Slot(seen=seen, weights=None, value=jnp.zeros(1 + searcher.num_others, jnp.float32))
        weights = jnp.zeros(env.spec.num_actions, jnp.float32)
        return Slot(seen=seen, weights=weights, value=jnp.float32(0))

    return jax.eval_shape(slot, jax.random.key(0, impl="threefry2x32"))


def _replay_sizes(config: AlphaZeroConfig) -> dict[str, Any]:
    return {
        "capacity": config.replay_capacity,
        "num_envs": config.num_envs,
        "length": 1,
        "new_steps": config.num_steps,
        "num_groups": config.num_groups,
    }


def _find_working_bytes(searcher: Searcher) -> int:
    """Return the bytes of the trees of all games, and of the gradient of a batch."""
    config, env = searcher.config, searcher.env
    state = jax.eval_shape(
        lambda key: env.init(key, env.default_params), jax.random.key(0, impl="threefry2x32")
    )
    node = FLOAT * (packing.num_words(state) + NODE_NUMBERS * env.spec.num_actions)
    judged = sizes.observation_bytes(env) + sizes.activation_bytes(env, config.network)
    trees = config.num_envs * (config.num_simulations + 1) * node
    return trees + max(config.num_envs, config.batch_size) * judged


def _init(searcher: Searcher, key: PRNGKeyArray, env_params: Any, horizon: Array | int) -> TrainState:
    config, env = searcher.config, searcher.env
    check_key(key)
    params_key, reset_key, key = jax.random.split(key, 3)
    env_params = env.default_params if env_params is None else env_params
    envs = self_play.make_envs(env)
    env_state, _ = envs.reset(jax.random.split(reset_key, config.num_envs), env_params)
    params = judging.initial_params(searcher, params_key)
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    tunables["horizon"] = jnp.asarray(horizon, jnp.float32)
    return TrainState(
        params=params,
        optimiser=optimise.init(params),
        value_moments=normalise.RunningMoments.empty(),
        env_state=env_state,
        replay=replay.empty(_slot_like(searcher), **_replay_sizes(config)),
        tunables=tunables,
        env_params=env_params,
        iteration=jnp.int32(0),
        key=key,
    )


def _act(
    searcher: Searcher, policy: Policy, sight: Sight, memory: Memory, key: PRNGKeyArray, greedy: bool
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose actions for a batch, by search where that is asked for and the state is given: the best, or drawn ones.

    Diagnostics: "value", "entropy", and the probabilities: of the network, or as the search improved them.
    """
    config, legal = searcher.config, sight.observation.legal
    judgement = Judgement(policy.params, policy.value_moments, policy.discount)
    if config.acting_simulations and sight.state is not None:
        plan = tree_search(config.search, config.acting_simulations, explores=not greedy)
        action, found = plan(self_play.make_model(searcher, judgement, policy.env_params), sight, key)
        value, logits = found.value, jnp.log(jnp.maximum(found.weights, 1e-30))
        distribution = MaskedCategorical.from_logits(logits, legal)
    else:
        logits, value = judging.judge(searcher, judgement, sight.observation)
        distribution = MaskedCategorical.from_logits(logits, legal)
        action = distribution.mode() if greedy else distribution.sample(key)
    diagnostics = {
        "value": value,
        "entropy": distribution.entropy(),
        PROBABILITIES: distribution.probabilities,
    }
    return jnp.asarray(action, jnp.int32), memory, diagnostics


def _train(searcher: Searcher, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play by search, keep what it found, and learn from what is kept."""
    play_key, learn_key, next_key = jax.random.split(state.key, 3)
    state, slots, totals, told = self_play.play(searcher, state, play_key)
    state = state.replace(replay=replay.insert(state.replay, slots))
    if searcher.config.normalise_values:
        moments = normalise.update_decayed(
            state.value_moments, slots.value, mask=judging.is_learned(searcher, slots)
        )
        state = state.replace(value_moments=moments)
    state, losses = _learn(searcher, state, learn_key)
    rate = optimise.learning_rate(state.tunables, state.iteration)
    state = state.replace(iteration=state.iteration + 1, key=next_key)
    return state, Metrics(totals=totals, means={**told, **losses, "learning_rate": rate})


@jax.named_scope("learning")
def _learn(searcher: Searcher, state: TrainState, key: PRNGKeyArray) -> tuple[TrainState, dict[str, Array]]:
    """Make `num_updates` updates from positions of the replay."""

    def update(carry: tuple[Any, Any], update_key: PRNGKeyArray) -> Any:
        params, optimiser = carry
        slots = replay.sample(state.replay, update_key, searcher.config.batch_size).data
        slots = jax.tree.map(lambda leaf: leaf[0], slots)  # windows of one step
        grads, metrics = jax.grad(judging.loss, argnums=1, has_aux=True)(searcher, params, state, slots)
        params, optimiser, norm = optimise.step(
            params,
            grads,
            optimiser,
            optimise.learning_rate(state.tunables, state.iteration),
            state.tunables["max_grad_norm"],
        )
        return (params, optimiser), {**metrics, "grad_norm": norm}

    keys = jax.random.split(key, searcher.config.num_updates)
    (params, optimiser), metrics = jax.lax.scan(update, (state.params, state.optimiser), keys)
    return state.replace(params=params, optimiser=optimiser), jax.tree.map(jnp.mean, metrics)
