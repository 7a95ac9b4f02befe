"""About how much memory an iteration works with, told from shapes: enough to refuse what no machine here can hold."""

import math
from typing import Any

import jax

from tetrax.env.contract import Game, HostGame, example_observation
from tetrax.networks.network_config import NetworkConfig

FLOAT = 4  # bytes


def tree_bytes(tree: Any) -> int:
    """Return the bytes of a tree of arrays, or of their shapes and dtypes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def observation_bytes(env: Game | HostGame) -> int:
    """Return the bytes of what one game shows."""
    return tree_bytes(example_observation(env))


def activation_bytes(env: Game | HostGame, network: NetworkConfig) -> int:
    """Return the bytes that the hidden layers make of one observation, all of which a gradient needs."""
    shown = env.spec.num_actions if env.spec.shows.by_action else 1
    return FLOAT * shown * sum(network.hidden)
