"""Tree search over any model: Gumbel's, and the classical one by visit counts.

Danihelka et al. 2022, "Policy improvement by planning with Gumbel"; Silver et al. 2018, "A general reinforcement
learning algorithm that masters chess, shogi, and Go through self-play" (PUCT with Dirichlet noise and temperature).
Both by mctx (Babuschkin et al. 2020), many games at once and compiled.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import mctx
from flax import struct
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.env.contract import Sight
from tetrax.search.game_model import Model

Kind = Literal["gumbel", "puct"]
MAX_SIMULATIONS = 100_000


class Found(struct.PyTreeNode):
    """What a search says beside the action, of B games."""

    value: Array  # float32[B], of the position, in rewards
    weights: Array  # float32[B, A], the policy improved by the search; 0 where illegal
    visits: Array  # int32[B, A], simulations that began with each action
    worths: Array  # float32[B, A], of the actions in rewards; of those without a visit the position's


Plan = Callable[[Model, Sight, PRNGKeyArray], tuple[Array, Found]]
"""plan(model, root: Sight of B games, key) -> (action: int32[B], Found). Pure; may be compiled and mapped."""


@dataclass(frozen=True)
class SearchConfig:
    """Settings of tree search."""

    kind: Kind = "gumbel"
    """How the tree is searched: gumbel draws actions without replacement and halves them; puct counts visits."""
    considered: int = 16
    """Actions that gumbel looks at from the root, at most."""
    dirichlet_fraction: float = 0.25
    """Share of noise in puct's choices at the root."""
    dirichlet_alpha: float = 0.3
    """Concentration of that noise: about 10 divided by the number of legal actions."""
    exploration: float = 1.25
    """How much puct looks at actions of high probability and few visits (c1 of the paper)."""
    value_scale: float = 0.1
    """How much what gumbel found of an action weighs beside the logarithm of its probability (c_scale of the paper)."""
    rescale_values: bool = True
    """Whether gumbel brings what it found of the actions of a position between 0 and 1 first: right where nothing is
    known of the size of rewards. Else `value_scale` is per reward."""

    def validate(self, wrong: Callable[[str, object, str], ValueError]) -> None:
        """Raise what `wrong` makes of the first setting that cannot work: (name, given, allowed)."""
        if self.kind not in get_args(Kind):
            raise wrong("search.kind", repr(self.kind), ", ".join(get_args(Kind)))
        if not _is_number(self.considered, 1, MAX_SIMULATIONS) or not isinstance(self.considered, int):
            raise wrong("search.considered", self.considered, f"1 or more, up to {MAX_SIMULATIONS}")
        for name, low, high in (
            ("dirichlet_fraction", 0.0, 1.0),
            ("dirichlet_alpha", 1e-3, 1e3),
            ("exploration", 0.0, 1e3),
            ("value_scale", 0.0, 1e6),
        ):
            if not _is_number(getattr(self, name), low, high):
                raise wrong(f"search.{name}", getattr(self, name), f"from {low:g} to {high:g}")
        if not isinstance(self.rescale_values, bool):
            raise wrong("search.rescale_values", repr(self.rescale_values), "True or False")


def tree_search(config: SearchConfig, num_simulations: int, *, explores: bool = False) -> Plan:
    """Return a planner that looks at `num_simulations` positions before each decision.

    It takes the best action that it finds. With `explores` it draws around it: gumbel by its noise, puct by visits
    and with noise at the root.
    """
    return functools.partial(_plan, config, num_simulations, explores)


def _plan(
    config: SearchConfig, num_simulations: int, explores: bool, model: Model, sight: Sight, key: PRNGKeyArray
) -> tuple[Array, Found]:
    root_key, search_key = jax.random.split(key)
    root = model.root(model.params, sight, root_key)
    legal = sight.observation.legal
    # Where the game is over nothing is legal, and any action will do.
    invalid = ~legal & jnp.any(legal, axis=-1, keepdims=True)
    common: dict[str, Any] = {
        "params": model.params,
        "rng_key": search_key,
        "root": root,
        "recurrent_fn": model.recurrent,
        "num_simulations": num_simulations,
        "invalid_actions": invalid,
    }
    if config.kind == "gumbel":
        output: Any = mctx.gumbel_muzero_policy(
            **common,
            max_num_considered_actions=min(config.considered, legal.shape[-1]),
            gumbel_scale=1.0 if explores else 0.0,
            qtransform=functools.partial(
                mctx.qtransform_completed_by_mix_value,
                value_scale=config.value_scale,
                rescale_values=config.rescale_values,
            ),
        )
    else:
        output = mctx.muzero_policy(
            **common,
            dirichlet_fraction=config.dirichlet_fraction if explores else 0.0,
            dirichlet_alpha=config.dirichlet_alpha,
            pb_c_init=config.exploration,
            temperature=1.0 if explores else 0.0,
        )
    summary = output.search_tree.summary()
    worths = jnp.where(summary.visit_counts > 0, summary.qvalues, summary.value[:, None])
    return output.action.astype(jnp.int32), Found(
        value=summary.value, weights=output.action_weights, visits=summary.visit_counts, worths=worths
    )


def _is_number(given: object, low: float, high: float) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and low <= given <= high
