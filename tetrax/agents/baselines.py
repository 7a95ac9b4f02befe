"""Policies that do not learn, by name."""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from tetrax.agents.agent import PROBABILITIES, WORTHS, Actor, Memory, Sight, no_memory
from tetrax.env.tetris import ENV_PRESETS, Tetris, make
from tetrax.networks.linear import best_of, best_placement, placement_worths
from tetrax.ops.distributions import MaskedCategorical
from tetrax.search import gumbel_playing
from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten
from tetrax.search.gumbel_playing import GumbelSettings
from tetrax.search.lines import LINES
from tetrax.search.playing import BeamSettings, check_environment
from tetrax.search.playing import act as look_ahead

CLASSIC_VIEW = "afterstate_classic"

# Weights of linear controllers, of placement_features.CLASSIC_FEATURES in order. Dellacherie's, with 0 for what he does
# not use, is from Fahey's page (2003); BCTS is from Thiery and Scherrer, "Building Controllers for Tetris"
# (2009); DT-10 and DT-20 are from Gabillon, Ghavamzadeh and Scherrer, "Approximate Dynamic Programming
# Finally Performs Well in the Game of Tetris" (2013).
LINEAR_WEIGHTS: dict[str, tuple[float, ...]] = {
    "dellacherie": (-1, 1, -1, -1, -4, -1, 0, 0, 0),
    "bcts": (-12.629, 6.601974, -9.215815, -19.77356, -13.08335, -10.48747, -1.611863, -24.04087, 0),
    "dt10": (-2.18, 2.42, -2.17, -3.31, 0.95, -2.22, -0.81, -9.65, 1.27),
    "dt20": (-2.68, 1.38, -2.41, -6.32, 2.03, -2.71, -0.43, -9.48, 0.89),
}

BCTS_ATTACK = "bcts-attack"
ROW_WORTH = 10.0  # of a row that is sent, in what BCTS weighs: holes cost 13, eroded cells pay 6.6
ATTACK_REWARD = "attack"  # the reward that foretells these rows

BEAM, GUMBEL = BeamSettings(), GumbelSettings()


def random(env: Any) -> Actor:
    """Choose among the legal actions, each alike (greedy or not)."""
    del env
    return Actor(policy=(), initial_memory=no_memory, act=_act_randomly)


def linear(name: str, env: Tetris) -> Actor:
    """Choose the placement whose afterstate has the largest sum of LINEAR_WEIGHTS[name] times its features.

    A placement that loses is chosen only where every one does; among equals the lowest index, that is the
    first orientation, then the leftmost column. ValueError unless `env` has placements and shows the classic
    features, as `environment(name, preset)` does.
    """
    _check_linear(name, env.config.actions, env.config.view)
    weights = jnp.asarray(LINEAR_WEIGHTS[name], jnp.float32)
    return Actor(policy=weights, initial_memory=no_memory, act=_act_linearly)


def bcts_attack(env: Tetris) -> Actor:
    """Choose as BCTS does, the rows that a placement sends being worth ROW_WORTH each.

    ValueError unless `env` foretells them, as `environment("bcts-attack", preset)` does.
    """
    _check_linear(BCTS_ATTACK, env.config.actions, env.config.view)
    if env.config.reward != ATTACK_REWARD or not env.foretells_reward:
        raise ValueError(
            f"env.reward: given {env.config.reward!r} with policy {BCTS_ATTACK!r}, which looks at the rows that are "
            f"sent; allowed: {ATTACK_REWARD}"
        )
    weights = jnp.asarray(LINEAR_WEIGHTS["bcts"], jnp.float32)
    return Actor(policy=weights, initial_memory=no_memory, act=_act_for_attack)


def beam(env: Tetris, settings: BeamSettings = BEAM) -> Actor:
    """Look ahead by a beam search, by weights with a name. ValueError unless `env` has all places as its actions."""
    check_environment(env)
    weights = flatten(ATTACK_WEIGHTS[settings.weights])
    act = functools.partial(_act_ahead, env, settings)
    return Actor(policy=weights, initial_memory=no_memory, act=act)


def gumbel(env: Any, settings: GumbelSettings = GUMBEL) -> Actor:
    """Look ahead by tree search; of Tetris in whole placements. ValueError for a game that has none, or no rules."""
    gumbel_playing.check_game(env)
    policy = gumbel_playing.initial_policy(env, settings)
    return Actor(policy=policy, initial_memory=no_memory, act=functools.partial(_act_by_tree, env, settings))


BASELINES: dict[str, Callable[..., Actor]] = {
    "random": random,
    "beam": beam,
    "gumbel": gumbel,
    **{name: functools.partial(linear, name) for name in LINEAR_WEIGHTS},
    BCTS_ATTACK: bcts_attack,
}
"""Who plays an environment without having learned it, by name."""

SETTINGS: dict[str, type] = {"beam": BeamSettings, "gumbel": GumbelSettings}
"""What says how a baseline acts, of those that take it: the second argument of the one of that name."""


def environment(name: str, preset: str, actions: str | None = None) -> Tetris:
    """Return the preset's environment with the actions given and the observation that a baseline needs.

    The linear ones play whole placements, also where the preset is for keys, and those that search any place.
    ValueError for a preset that is not known, or actions that the baseline cannot play.
    """
    chosen: dict[str, Any] = {} if actions is None else {"actions": actions}
    if name in SETTINGS:
        env = make(preset, actions=actions or "locked_position")
        (check_environment if name == "beam" else gumbel_playing.check_game)(env)
        return env
    if name in LINEAR_WEIGHTS or name == BCTS_ATTACK:
        chosen = {"actions": actions or "drop", "observation": CLASSIC_VIEW}
        if name == BCTS_ATTACK:
            chosen["reward"] = ATTACK_REWARD
        if preset in ENV_PRESETS:  # `make` says what is wrong with another
            _check_linear(name, chosen["actions"], CLASSIC_VIEW)
    return make(preset, **chosen)


def _check_linear(name: str, actions: str, view: str) -> None:
    if actions != "drop":
        raise ValueError(
            f"env.actions: given {actions!r} with policy {name!r}, which chooses among straight drops; "
            "allowed: drop"
        )
    if view != CLASSIC_VIEW:
        raise ValueError(
            f"env.observation: given {view!r} with policy {name!r}, which looks at the classic features; "
            f"allowed: {CLASSIC_VIEW}"
        )


def _act_randomly(
    policy: tuple[()], sight: Sight, memory: Memory, key: Array, greedy: bool
) -> tuple[Array, Memory, dict[str, Array]]:
    del policy, greedy
    legal = sight.observation.legal
    uniform = MaskedCategorical.from_logits(jnp.zeros(legal.shape, jnp.float32), legal)
    diagnostics = {"entropy": uniform.entropy(), PROBABILITIES: uniform.probabilities}
    return jnp.asarray(uniform.sample(key), jnp.int32), memory, diagnostics


def _act_ahead(
    env: Tetris,
    settings: BeamSettings,
    policy: Array,
    sight: Sight,
    memory: Memory,
    key: Array,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    del greedy
    actions, told = look_ahead(env, settings.size, settings.placements, policy, sight.state, key)
    return actions, memory, told


def _act_by_tree(
    env: Any,
    settings: GumbelSettings,
    policy: Array,
    sight: Sight,
    memory: Memory,
    key: Array,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    found = gumbel_playing.look_ahead(env, settings, policy, sight, key)
    distribution = MaskedCategorical.from_logits(
        jnp.log(jnp.maximum(found.weights, 1e-30)), sight.observation.legal
    )
    action = found.action if greedy else distribution.sample(key)
    told: dict[str, Any] = {
        "value": found.value,
        "entropy": distribution.entropy(),
        PROBABILITIES: distribution.probabilities,
    }
    if found.best_lines is not None:
        told[LINES] = found.best_lines
    return jnp.asarray(action, jnp.int32), memory, told


def _act_for_attack(
    policy: Array, sight: Sight, memory: Memory, key: Array, greedy: bool
) -> tuple[Array, Memory, dict[str, Array]]:
    del key, greedy
    observation = sight.observation
    weights = jnp.broadcast_to(policy[None], (observation.legal.shape[0], policy.shape[0]))
    assert observation.afterstates is not None and observation.afterstates.reward is not None
    worths = placement_worths(weights, observation) + ROW_WORTH * observation.afterstates.reward
    return best_of(worths, observation), memory, {WORTHS: worths}


def _act_linearly(
    policy: Array, sight: Sight, memory: Memory, key: Array, greedy: bool
) -> tuple[Array, Memory, dict[str, Array]]:
    del key, greedy
    weights = jnp.broadcast_to(policy[None], (sight.observation.legal.shape[0], policy.shape[0]))
    worths = {WORTHS: placement_worths(weights, sight.observation)}
    return best_placement(weights, sight.observation), memory, worths
