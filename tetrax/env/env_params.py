"""The numbers of an environment: a record of them, others put in their place by name, and a check of those given."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tetrax.env.game.rules import Params
from tetrax.env.game.vector import describe
from tetrax.env.reward import RewardParams

DISCOUNT = "reward.discount"  # of the shaping: the agent's is put in its place
FORM = "NAME=VALUE"


class EnvParams(struct.PyTreeNode):
    """Numbers of the environment that may change without recompiling, and may be vmapped."""

    game: Params
    reward: RewardParams


def named(params: EnvParams) -> dict[str, Any]:
    """Return the numbers of params, each [], by name: {"game.gravity": …}, in the tree's order."""
    pairs = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in pairs}


def put(params: EnvParams, words: Iterable[str], check: Callable[[str, float], None]) -> EnvParams:
    """Return params with numbers put in place of others, by words NAME=VALUE.

    `check` raises ValueError for a number that a name cannot have; so does this for another word.
    """
    leaves, given = named(params), dict[str, float]()
    for word in words:
        name, value = _read(word, leaves)
        if name in given:
            raise ValueError(f"env.params: given {name} twice; allowed: each name once")
        try:
            check(name, value)
        except ValueError as error:
            raise ValueError(f"env.params: {error}") from None
        given[name] = value
    changed = [
        jnp.asarray(given[name], leaf.dtype) if name in given else leaf for name, leaf in leaves.items()
    ]
    put_in: EnvParams = jax.tree.unflatten(jax.tree.structure(params), changed)
    return put_in


def _read(word: object, leaves: dict[str, Any]) -> tuple[str, float]:
    """Take a word apart; ValueError for a name that is not there, or no number."""
    if not isinstance(word, str) or "=" not in word:
        raise ValueError(f"env.params: given {word!r}; allowed: {FORM}, such as game.gravity=655")
    name, _, text = word.partition("=")
    names = [known for known in leaves if known != DISCOUNT]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"env.params: given {name!r}; allowed: {', '.join(names)}{hint}")
    is_whole = jnp.issubdtype(leaves[name].dtype, jnp.integer)
    allowed = "a whole number of 32 bits" if is_whole else "a finite number"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if abs(value) > np.finfo(np.float32).max:  # which is what it becomes
        value = math.inf
    if not math.isfinite(value) or (is_whole and not (value.is_integer() and abs(value) < 2**31)):
        raise ValueError(f"env.params: {name}: given {text!r}; allowed: {allowed}")
    return name, int(value) if is_whole else value


def check_params(like: EnvParams, params: EnvParams) -> None:
    """Raise a TypeError or ValueError where the numbers of an environment are not like those of `like`, or not finite.

    What is traced has no value yet: of it only the shape and type are looked at.
    """
    if not isinstance(params, EnvParams):
        raise TypeError(
            f"params: given {describe(params)}; allowed: EnvParams, as env.default_params gives them"
        )
    given_by_name, like_by_name = named(params), named(like)
    for name in sorted(given_by_name.keys() ^ like_by_name.keys()):
        given, needed = given_by_name.get(name), "a weight" if name in like_by_name else "None"
        raise ValueError(
            f"params.{name}: given {given}; allowed: {needed}, as in this environment's default_params"
        )
    for name, given in given_by_name.items():
        kind, wanted = jnp.result_type(given), like_by_name[name].dtype
        is_integer = jnp.issubdtype(kind, jnp.integer)
        fits = is_integer or (jnp.issubdtype(kind, jnp.floating) and not jnp.issubdtype(wanted, jnp.integer))
        if np.ndim(given) or not fits:
            raise TypeError(f"params.{name}: given {describe(given)}; allowed: one number, {wanted}[]")
        if not is_integer and not isinstance(given, jax.core.Tracer) and not np.isfinite(given):
            raise ValueError(f"params.{name}: given {given}; allowed: a finite number")
