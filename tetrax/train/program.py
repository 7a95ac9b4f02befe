"""The compiled programs of a run: a chunk of training, and the policy taken out of it.

A chunk is `chunk_iterations` whole iterations of the agent in one program, for one seed or for several side by
side. It is compiled ahead of the first call and can only be called with what it was compiled for, so that
nothing is ever compiled again; the state given to it is donated, so that there is never a second one.

Over several devices it is the same program, compiled for all of them: what the agent spreads is shared out, all
else is the same on each. The host looks at what its first device holds, and so waits for no other process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tetrax.agents.agent import Agent, Metrics
from tetrax.env import batch

# The start of a run is computed once, in milliseconds; optimising it would take many seconds.
RUN_ONCE_ON_CPU: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}


class Outcome(NamedTuple):
    """What a chunk tells the host; with several seeds, every array has the seeds first."""

    metrics: Metrics  # reduced over the chunk
    finite: Array  # bool[], whether every number of the policy is one
    so_far: dict[
        str, Array
    ]  # by measure: the mean over the games being played, at the end of the chunk; float32[]
    game: Any  # the state of one of the games being played, for the display; None where there is none


class Members(NamedTuple):
    """Trainings side by side that differ in more than their seeds."""

    values: Any  # what they differ in: a pytree, every leaf [S, ...]
    init: Callable[[Any], Any]  # one member's share of the values -> its TrainState


class Program:
    """A run's compiled programs; `num_traces` counts how often a chunk was traced.

    What is trained side by side is `num_seeds` seeds from `seed` on, for a run of `horizon` iterations, or the
    members given instead. A mesh spreads
    the games of each over its devices; without one there is one device.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        chunk_iterations: int,
        horizon: int = 0,
        seed: int = 0,
        num_seeds: int = 1,
        members: Members | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        if members is None:
            seeds = jnp.arange(seed, seed + num_seeds)
            members = Members(
                seeds, lambda seed: agent.init(jax.random.key(seed, impl="threefry2x32"), horizon=horizon)
            )
        self.agent = agent
        self.num_seeds = jax.tree.leaves(members.values)[0].shape[0]  # S
        self.steps_per_chunk = agent.steps_per_iteration * chunk_iterations  # of one seed
        self.num_traces = 0
        self._chunk_iterations = chunk_iterations
        self._members = members
        self._mesh = mesh
        self._lowered: Any = None
        self.compiled: Any = None  # the chunk, once `compile` has made it
        self._start = jax.jit(self._initial)  # kept, so that it is traced once for shape and state
        self._take_policy = jax.jit(self._policy_of_seed)

    def initial_state(self, values: Any = None) -> Any:
        """Return the state before training: seed i of several starts like a run of its own with that seed.

        `values`, where given, are those of as many other members.
        """
        return self._begin(self._members.values if values is None else values)

    @cached_property
    def _begin(self) -> Any:
        options = RUN_ONCE_ON_CPU if jax.default_backend() == "cpu" else None
        start = self._start
        if self._mesh is not None:
            start = jax.jit(self._initial, out_shardings=self._shardings)
        return start.lower(self._members.values).compile(options)

    @cached_property
    def template(self) -> Any:
        """Shapes and dtypes of the state, found without computing it."""
        return self._start.eval_shape(self._members.values)

    def lower(self) -> None:
        """Trace the chunk; two threads must not trace at once, since jax's own builders are not safe in that."""
        chunk = self._chunk if self.num_seeds == 1 else jax.vmap(self._chunk)
        shardings: dict[str, Any] = {}
        if self._mesh is not None:
            everywhere = NamedSharding(self._mesh, PartitionSpec())
            shardings = {"in_shardings": (self._shardings,), "out_shardings": (self._shardings, everywhere)}
        self._lowered = jax.jit(chunk, donate_argnums=0, **shardings).lower(self.template)

    def compile(self) -> None:
        """Compile the chunk; once it is lowered, another thread may do so while the state is being made."""
        if self._lowered is None:
            self.lower()
        self.compiled, self._lowered = self._lowered.compile(), None

    @cached_property
    def _shardings(self) -> Any:
        """How each leaf of the state lies on the mesh."""
        mesh = self._mesh
        assert mesh is not None
        return jax.tree.map(
            lambda spec: NamedSharding(mesh, spec),
            self.agent.partition(self.template),
            is_leaf=lambda node: isinstance(node, PartitionSpec),
        )

    def place(self, state: Any) -> Any:
        """Spread a state that is whole on this process, such as a restored one, over the devices."""
        if self._mesh is None:
            return state
        return jax.jit(lambda state: state, out_shardings=self._shardings)(state)

    def memory_bytes(self) -> int:
        """Return the bytes that a compiled chunk holds at once: the state, its outcome and what it works with."""
        memory = self.compiled.memory_analysis()
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        return held + memory.temp_size_in_bytes

    def run_chunk(self, state: Any) -> tuple[Any, Outcome]:
        """Start a chunk of training; `state` is used up, and the results are not waited for."""
        state, outcome = self.compiled(state)
        return state, self._on_first_device(outcome)

    def policy(self, state: Any, seed_index: int) -> Any:
        """Copy the policy of one seed out of the state, so that the state stays free to be donated."""
        return self._take_policy(self._on_first_device(state), seed_index)

    def _on_first_device(self, tree: Any) -> Any:
        """View what this process's first device holds: all of what is not spread."""
        return tree if self._mesh is None else jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)

    def _initial(self, values: Any) -> Any:
        """Build the state from what the members differ in; those are no constants, to be found in the cache."""
        if self.num_seeds == 1:
            return self._members.init(jax.tree.map(lambda leaf: leaf[0], values))
        return jax.vmap(self._members.init)(values)

    def _chunk(self, state: Any) -> tuple[Any, Outcome]:
        self.num_traces += 1
        state, metrics = jax.lax.scan(
            lambda state, _: self.agent.train(state), state, length=self._chunk_iterations
        )
        games = self.agent.games(state)
        game = None if games is None else batch.game(games, 0)
        finite = all_finite(self.agent.policy(state))
        return state, Outcome(metrics.reduce(), finite, self.agent.so_far(state), game)

    def _policy_of_seed(self, state: Any, seed_index: Array) -> Any:
        if self.num_seeds > 1:
            state = jax.tree.map(lambda leaf: leaf[seed_index], state)
        return jax.tree.map(jnp.copy, self.agent.policy(state))


def all_finite(tree: Any) -> Array:
    """Tell whether every number of a tree is one, bool[]."""
    numbers = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return (
        jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in numbers])) if numbers else jnp.bool_(True)
    )
