"""Beginning with what another run has learned: its parameters, as far as they fit the networks of this one.

Networks of other shapes may share most of theirs: weights shared along a board know nothing of its width. What does
not fit begins anew, and is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax import Array

from tetrax.fields.errors import UserError, wrong
from tetrax.train.config import TrainConfig
from tetrax.train.folder import policy_io
from tetrax.train.folder.checkpoint import describe, named_leaves
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.program import Program

FLAG = "--start-from"
LISTED = 4  # arrays that begin anew are named up to this number


class Source(NamedTuple):
    """What another run has learned."""

    folder: Path
    arrays: dict[str, Array]  # by name: the leaves of its policy


def read(config: TrainConfig) -> Source | None:
    """Read what `config.start_from` names, None where it names nothing; UserError where nothing can be begun with."""
    if config.start_from is None:
        return None
    if config.make_agent().take_over is None:
        raise wrong(FLAG, config.start_from, f"none with {config.algorithm}, which cannot begin with another")
    try:
        loaded = policy_io.load(config.start_from, network=config.network)
    except (UserError, ValueError) as error:
        raise UserError(f"{FLAG}: {error}") from None
    if loaded.config.algorithm != config.algorithm:
        given = f"{config.start_from}, which is of {loaded.config.algorithm}"
        raise UserError(f"{FLAG}: given {given}; allowed: a run of {config.algorithm}")
    source = Source(Path(config.start_from), named_leaves(loaded.policy))
    if not any(source.arrays[name].ndim for name in _fitting(config, source)):
        raise UserError(
            f"{FLAG}: given {config.start_from}, of whose arrays none has the shape that is needed here; "
            "allowed: a run whose networks are like those of this one, at least in part"
        )
    return source


def put_in(program: Program | HostProgram, state: Any, source: Source) -> tuple[Any, str]:
    """Return a state before training, every seed of which knows what the source does, and what was done in words."""
    agent, several = program.agent, program.num_seeds > 1

    def knowing(state: Any) -> Any:
        own = agent.policy(state)
        arrays = {
            name: source.arrays[name] if _fits(leaf, source.arrays.get(name)) else leaf
            for name, leaf in named_leaves(own).items()
        }
        assert agent.take_over is not None, "`read` refuses agents that cannot"
        return agent.take_over(state, jax.tree.unflatten(jax.tree.structure(own), arrays.values()))

    begun = jax.jit(jax.vmap(knowing) if several else knowing, donate_argnums=0)(state)
    needed = named_leaves(
        jax.eval_shape(agent.policy, _one(program.template) if several else program.template)
    )
    return program.place(begun), _in_words(source, needed)


def _fitting(config: TrainConfig, source: Source) -> list[str]:
    agent = config.make_agent()
    policy = jax.eval_shape(lambda key: agent.policy(agent.init(key)), jax.random.key(0, impl="threefry2x32"))
    return [name for name, leaf in named_leaves(policy).items() if _fits(leaf, source.arrays.get(name))]


def _fits(leaf: Any, given: Array | None) -> bool:
    return given is not None and describe(given) == describe(leaf)


def _one(template: Any) -> Any:
    """Return the shapes of one seed's state."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), template)


def _in_words(source: Source, needed: dict[str, Any]) -> str:
    anew = [name for name, leaf in needed.items() if not _fits(leaf, source.arrays.get(name))]
    said = f"begun with {len(needed) - len(anew)} of {len(needed)} arrays of {source.folder}"
    if not anew:
        return said
    words = [_difference(name, source.arrays.get(name), needed[name]) for name in anew[:LISTED]]
    more = f" and {len(anew) - LISTED} more" if len(anew) > LISTED else ""
    return f"{said}; anew: {', '.join(words)}{more}"


def _difference(name: str, there: Array | None, here: Any) -> str:
    return f"{name} ({'none' if there is None else describe(there)} there, {describe(here)} here)"
