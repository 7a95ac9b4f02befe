"""A network of one's own: any flax module, in place of those that `NetworkConfig` describes.

It is called with the `Observation` of B games, [B, ...], and gives what its algorithm asks for (`ppo.make`,
`dqn.make`). It remembers nothing, draws nothing, and holds parameters alone, float32. What does not fit is one
ValueError when an agent is made, before anything is compiled.
"""

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from tetrax.env.contract import Game, HostGame, Observation, example_observation

NUM_GAMES = 11  # of the batch that a network is tried with: few sizes of a network are 11
PARAMS = "params"  # flax's name of what is learned
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of an object without a name: another one in each process


class Outputs(NamedTuple):
    """What a network has to give for B games."""

    words: str  # "logits [B, A] and values [B]"
    shapes: tuple[
        tuple[int, ...], ...
    ]  # for NUM_GAMES games, one for each array; one array alone is no tuple


def check_module(network: Any) -> None:
    """Raise ValueError for what is no flax module, or cannot be told apart from others."""
    allowed = "allowed: a flax.linen module"
    if isinstance(network, type):
        raise ValueError(f"network: given the class {network.__name__}; {allowed}: {network.__name__}(…)")
    if not isinstance(network, nn.Module):
        raise ValueError(f"network: given {network!r} ({type(network).__name__}); {allowed}")
    try:
        hash(network)
    except TypeError:
        given = f"{describe(network)}, which has a field that cannot be hashed"
        raise ValueError(
            f"network: given {given}; {allowed} of numbers, words, tuples and functions"
        ) from None


def check_fits(network: nn.Module, env: Game | HostGame, seen: Observation, outputs: Outputs) -> None:
    """Raise ValueError where a network, called with an observation [NUM_GAMES, ...], gives anything else.

    What the network itself raises is left as it is, with a note of what it was called with.
    """
    check_module(network)
    with _noting_what_was_seen(network, env, seen):
        variables = jax.eval_shape(network.init, jax.random.key(0, impl="threefry2x32"), seen)
    more = sorted(set(variables) - {PARAMS})
    if more:
        raise _wrong(network, f"keeps {', '.join(more)} beside its parameters", "parameters alone")
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        if leaf.dtype != jnp.float32:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise _wrong(network, f"has {name} as {leaf.dtype}", "parameters that are float32")
    with _noting_what_was_seen(network, env, seen):
        given = jax.eval_shape(network.apply, variables, seen)
    expected = tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in outputs.shapes)
    wanted = expected if len(expected) > 1 else expected[0]
    if _spell(given) != _spell(wanted):
        returns = f"returns {_spell(given)} for B = {NUM_GAMES} games of {env.spec.title}"
        raise _wrong(network, returns, f"{_spell(wanted)}: {outputs.words}")


def example_batch(env: Game | HostGame) -> Observation:
    """Return shapes and types of what NUM_GAMES games show, [NUM_GAMES, ...]."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((NUM_GAMES, *leaf.shape), leaf.dtype), example_observation(env)
    )


def describe(network: nn.Module) -> str:
    """Write a network as the call that makes it, `MyNetwork(hidden=(32, 32), activation=relu)`.

    Equal networks are written alike in every process, so that a file can tell which one is meant.
    """
    fields = [field.name for field in dataclasses.fields(network) if field.name not in ("parent", "name")]
    return f"{type(network).__name__}({', '.join(f'{name}={_write(getattr(network, name))}' for name in fields)})"


def _write(value: Any) -> str:
    if isinstance(value, nn.Module):
        return describe(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_write, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_write(key)}: {_write(item)}' for key, item in value.items())}}}"
    if isinstance(value, functools.partial):
        settings = [
            *map(_write, value.args),
            *(f"{name}={_write(each)}" for name, each in value.keywords.items()),
        ]
        return f"{_write(value.func)}({', '.join(settings)})"
    name = getattr(value, "__name__", None)
    return name if callable(value) and isinstance(name, str) else ADDRESS.sub("", repr(value))


@contextmanager
def _noting_what_was_seen(network: nn.Module, env: Game | HostGame, seen: Observation) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        shown = ", ".join(
            f"{jax.tree_util.keystr(path, simple=True, separator='.')} {_spell(leaf)}"
            for path, leaf in jax.tree_util.tree_leaves_with_path(seen)
        )
        error.add_note(
            f"network: {describe(network)} was called with what {NUM_GAMES} games of {env.spec.title} show: {shown}"
        )
        raise


def _spell(given: Any) -> str:
    """Write what a network gives: `float32[3]`, or `(float32[3, 8], float32[3])`."""
    if isinstance(given, tuple | list):
        return f"({', '.join(map(_spell, given))})"
    if hasattr(given, "shape") and hasattr(given, "dtype"):
        return f"{given.dtype}{list(given.shape)}"
    return f"a {type(given).__name__}"


def _wrong(network: nn.Module, does: str, allowed: str) -> ValueError:
    return ValueError(f"network: given {describe(network)}, which {does}; allowed: {allowed}")
