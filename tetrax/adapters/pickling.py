"""What of an environment goes into a pickle or a deep copy: a game goes on in it as it would have here.

Compiled programs stay behind and are made again where it is loaded. The clock that games are timed by means nothing
there either: the seconds that have passed go along instead.
"""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.adapters.programs import KEY_KIND, programs


class KeyWords(NamedTuple):
    """A key, as its words."""

    words: np.ndarray  # uint32[*n, 2]


def to_numpy(tree: Any) -> Any:
    """Return a tree of arrays with NumPy's in their place, keys as `KeyWords`."""

    def copy(leaf: Any) -> Any:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return KeyWords(np.asarray(jax.random.key_data(leaf)))
        return np.asarray(leaf)

    return jax.tree.map(copy, tree)


def from_numpy(tree: Any) -> Any:
    """Undo `to_numpy`."""

    def is_key(node: Any) -> bool:
        return isinstance(node, KeyWords)

    def copy(leaf: Any) -> Any:
        return jax.random.wrap_key_data(leaf.words, impl=KEY_KIND) if is_key(leaf) else jnp.asarray(leaf)

    return jax.tree.map(copy, tree, is_leaf=is_key)


def pack(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an environment, its board as NumPy arrays."""
    packed = {name: each for name, each in fields.items() if name != "_programs"}
    packed["_board"] = to_numpy(fields["_board"])  # None where no game has begun
    packed["_started"] = time.perf_counter() - fields["_started"]
    return packed


def unpack(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an environment from what `pack` made of them."""
    fields = {**packed, "_programs": programs(packed["view"])}
    fields["_board"] = from_numpy(packed["_board"])
    fields["_started"] = time.perf_counter() - packed["_started"]
    return fields
