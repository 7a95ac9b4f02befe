"""What of a gymnasium environment goes into a pickle or a deep copy: a game goes on in it as it would have here.

Compiled programs stay behind and are made again where it is loaded. The clock that games are timed by means nothing
there either: the seconds that have passed go along instead.
"""

import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.adapters.programs import KEY_KIND, Board, programs


def pack(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an environment, its board as NumPy arrays."""
    packed = {name: each for name, each in fields.items() if name != "_programs"}
    board: Board | None = fields["_board"]
    if board is not None:
        state = board.state.replace(key=jax.random.key_data(board.state.key))
        packed["_board"] = jax.tree.map(np.asarray, board.replace(state=state))
    packed["_started"] = time.perf_counter() - fields["_started"]
    return packed


def unpack(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an environment from what `pack` made of them."""
    fields = {**packed, "_programs": programs(packed["view"])}
    board: Board | None = packed["_board"]
    if board is not None:
        board = jax.tree.map(jnp.asarray, board)
        key = jax.random.wrap_key_data(board.state.key, impl=KEY_KIND)
        fields["_board"] = board.replace(state=board.state.replace(key=key))
    fields["_started"] = time.perf_counter() - packed["_started"]
    return fields
