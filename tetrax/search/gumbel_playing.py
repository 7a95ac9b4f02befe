"""Play by Gumbel's tree search, without having learned anything: Tetris by whole placements, and any compiled game.

In Tetris a linear evaluation of attack judges boards. In other games nothing judges, so that the search learns of a
position only by reaching the end.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import Game, Sight
from tetrax.env.game.rules import check_choice, check_whole
from tetrax.env.tetris import Tetris
from tetrax.search import beam, placement_tree
from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten, unflatten
from tetrax.search.game_model import GameParams, even_judge, game_model
from tetrax.search.lines import Lines, read_tree
from tetrax.search.placement_tree import Setting
from tetrax.search.playing import MOST_PLACEMENTS
from tetrax.search.tree import MAX_SIMULATIONS, SearchConfig, tree_search


@dataclass(frozen=True)
class GumbelSettings:
    """How a tree search plays."""

    simulations: int = 64
    """Positions that are looked at before each decision."""
    considered: int = 16
    """Actions that are looked at from the root, at most: the best by the evaluation, where there is one."""
    beyond: int = 0
    """Pieces beyond the visible ones that are drawn from what may come, and believed (Tetris)."""
    placements: int = 0
    """Placements of a game: what pays only after the last one is worth nothing; 0 = it goes on (Tetris)."""
    weights: Literal["tuned", "hand", "cold-clear-2"] = "tuned"
    """Weights of the evaluation: tuned for the attack of 50 placements, written by hand, or Cold Clear 2's (Tetris)."""

    def __post_init__(self) -> None:
        check_whole("simulations", self.simulations, 1, MAX_SIMULATIONS)
        check_whole("considered", self.considered, 1, MAX_SIMULATIONS)
        check_whole("beyond", self.beyond, 0, MOST_PLACEMENTS)
        check_whole("placements", self.placements, 0, 2**31 - 1)
        check_choice("weights", self.weights, tuple(ATTACK_WEIGHTS))


class Found(NamedTuple):
    """What a search says of B games with A actions."""

    action: Int32[Array, "B"]
    value: Float32[Array, "B"]
    weights: Float32[Array, "B A"]  # the policy that the search makes; 0 where illegal
    visits: Int32[Array, "B A"]
    best_lines: Lines | None = None  # the most visited ones; None where no placements are planned


def check_game(env: Any) -> None:
    """Raise a ValueError for a game that cannot be looked ahead in."""
    if env.spec.on_host:
        raise ValueError(
            f"game: given {env.spec.title} with policy gumbel, which looks ahead; allowed: a compiled game"
        )
    if env.spec.acts_together:
        raise ValueError(
            f"game: given {env.spec.title} with policy gumbel, where players act at once; "
            "allowed: one who acts at a time"
        )
    if isinstance(env, Tetris):
        config = env.config
        if config.actions not in ("drop", "locked_position") or config.orientation != "chosen":
            raise ValueError(
                f"env.actions: given {config.actions!r} with orientation {config.orientation!r} with policy gumbel, "
                "which chooses among whole placements; allowed: drop, or locked_position with orientation 'chosen'"
            )
        if config.rules.randomizer == "list":
            raise ValueError(
                "rules.randomizer: given 'list' with policy gumbel; allowed: bag, uniform or tetrio"
            )


def initial_policy(env: Any, settings: GumbelSettings) -> Array:
    """Return what acting needs: the weights of the evaluation, float32[D]; none where nothing is evaluated."""
    if not isinstance(env, Tetris):
        return jnp.zeros(0, jnp.float32)
    return flatten(ATTACK_WEIGHTS[settings.weights])


def look_ahead(env: Any, settings: GumbelSettings, policy: Array, sight: Sight, key: PRNGKeyArray) -> Found:
    """Search from what B players may know."""
    if sight.state is None:
        raise ValueError("sight: given no states to policy gumbel, which plans; allowed: those of the games")
    if not isinstance(env, Tetris):
        return _search_states(env, settings, sight, key)
    legal = sight.observation.legal
    weights = jnp.broadcast_to(policy[None], (legal.shape[0], policy.shape[0]))
    keys = jax.random.split(key, legal.shape[0])
    size = beam.Size(width=1, clear_width=0, depth=1, beyond=settings.beyond)

    def look(state: Any, key: PRNGKeyArray) -> beam.Root:
        return beam.find_root(env.rules, size, env.resample_future(state, key), settings.placements)

    setting = Setting(env.rules, only_drops=env.config.actions == "drop")
    roots = jax.vmap(look)(sight.state, keys)
    return _searcher(setting, settings.simulations, settings.considered)(weights, roots, legal)


def _search_states(env: Game, settings: GumbelSettings, sight: Sight, key: PRNGKeyArray) -> Found:
    """Search a game of which nothing is known but its rules."""
    model = game_model(env, even_judge, GameParams((), env.default_params, jnp.float32(1)))
    plan = tree_search(SearchConfig(kind="gumbel", considered=settings.considered), settings.simulations)
    action, found = plan(model, sight, key)
    return Found(action, found.value, found.weights, found.visits)


@functools.lru_cache(maxsize=64)
def _searcher(setting: Setting, num_simulations: int, considered: int) -> Callable[..., Found]:
    """Return the search of Tetris, on games [B]; under vmap more games are searched side by side."""

    @jax.custom_batching.custom_vmap
    def search(weights: Array, root: beam.Root, legal: Bool[Array, "B A"]) -> Found:
        actions, output = placement_tree.search(
            setting, num_simulations, considered, unflatten(weights), root, legal
        )
        summary = output.search_tree.summary()
        games = jnp.arange(len(actions))[:, None]
        exists = jnp.isfinite(output.search_tree.embeddings.scores[:, 0])

        def by_action(values: Array) -> Array:
            """Tell it of the environment's actions; places that are none share one, and add nothing to it."""
            return jnp.zeros(legal.shape, values.dtype).at[games, actions].add(jnp.where(exists, values, 0))

        chosen = jnp.take_along_axis(actions, output.action[:, None], axis=1)[:, 0]
        found = jnp.any(exists, axis=1)
        action = jnp.where(found, chosen, jnp.argmax(legal, axis=1)).astype(jnp.int32)
        return Found(
            action,
            summary.value,
            by_action(output.action_weights),
            by_action(summary.visit_counts),
            read_tree(output.search_tree),
        )

    @search.def_vmap
    def search_more(axis_size: int, in_batched: Any, *given: Any) -> tuple[Found, Any]:
        def merge(field: Array, is_batched: bool) -> Array:
            if not is_batched:
                field = jnp.broadcast_to(field[None], (axis_size, *field.shape))
            return field.reshape(-1, *field.shape[2:])

        found = search(*jax.tree.map(merge, given, tuple(in_batched)))
        split = jax.tree.map(lambda field: field.reshape(axis_size, -1, *field.shape[1:]), found)
        return split, jax.tree.map(lambda _: True, split)

    return search
