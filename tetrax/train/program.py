"""The compiled programs of a run: a chunk of training, and the policy taken out of it.

A chunk is `chunk_iterations` whole iterations of the agent in one program, for one seed or for several side by
side. It is compiled ahead of the first call and can only be called with what it was compiled for, so that
nothing is ever compiled again; the state given to it is donated, so that there is never a second one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from tetrax.agents.agent import Agent
from tetrax.env import batch
from tetrax.env.game.state import State

SUMS = "episodes/"  # first letters of the metrics that are added up; all others are averaged
# The start of a run is computed once, in milliseconds; optimising it would take many seconds.
RUN_ONCE_ON_CPU: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}


class Outcome(NamedTuple):
    """What a chunk tells the host; with several seeds, every array has the seeds first."""

    metrics: dict[str, Array]  # float32[], reduced over the chunk
    finite: Array  # bool[], whether every number of the policy is one
    game: State | None  # one of the games being played, for the display


class Program:
    """A run's compiled programs; `num_traces` counts how often a chunk was traced."""

    def __init__(self, agent: Agent, *, chunk_iterations: int, seed: int, num_seeds: int) -> None:
        self.agent = agent
        self.num_seeds = num_seeds
        self.steps_per_chunk = agent.steps_per_iteration * chunk_iterations  # of one seed
        self.num_traces = 0
        self._chunk_iterations = chunk_iterations
        self._seeds = jnp.arange(seed, seed + num_seeds)
        self._compiled: Any = None
        self._start = jax.jit(self._initial)  # kept, so that it is traced once for shape and state
        self._take_policy = jax.jit(self._policy_of_seed)

    def initial_state(self) -> Any:
        """Return the state before training: seed i of several starts like a run of its own with that seed."""
        options = RUN_ONCE_ON_CPU if jax.default_backend() == "cpu" else None
        return self._start.lower(self._seeds).compile(options)(self._seeds)

    @cached_property
    def template(self) -> Any:
        """Shapes and dtypes of the state, found without computing it."""
        return self._start.eval_shape(self._seeds)

    def compile(self) -> None:
        """Compile the chunk; this may go on in another thread while the state is being made."""
        chunk = self._chunk if self.num_seeds == 1 else jax.vmap(self._chunk)
        self._compiled = jax.jit(chunk, donate_argnums=0).lower(self.template).compile()

    def run_chunk(self, state: Any) -> tuple[Any, Outcome]:
        """Start a chunk of training; `state` is used up, and the results are not waited for."""
        return self._compiled(state)

    def policy(self, state: Any, seed_index: int) -> Any:
        """Copy the policy of one seed out of the state, so that the state stays free to be donated."""
        return self._take_policy(state, seed_index)

    def tunables(self) -> dict[str, Array]:
        """Return the tunables that the agent's configuration gives, without the rest of the state."""
        return jax.jit(lambda seeds: self._initial(seeds).tunables)(self._seeds)

    def _initial(self, seeds: Array) -> Any:
        """Build the state from the seeds, int32[S]; they are no constants, to be found in the cache."""
        if self.num_seeds == 1:
            return self.agent.init(jax.random.key(seeds[0]))
        return jax.vmap(lambda seed: self.agent.init(jax.random.key(seed)))(seeds)

    def _chunk(self, state: Any) -> tuple[Any, Outcome]:
        self.num_traces += 1
        state, metrics = jax.lax.scan(
            lambda state, _: self.agent.train(state), state, length=self._chunk_iterations
        )
        reduced = {
            name: jnp.sum(values) if name.startswith(SUMS) else jnp.mean(values)
            for name, values in metrics.items()
        }
        return state, Outcome(reduced, _all_finite(self.agent.policy(state)), _first_game(state))

    def _policy_of_seed(self, state: Any, seed_index: Array) -> Any:
        if self.num_seeds > 1:
            state = jax.tree.map(lambda leaf: leaf[seed_index], state)
        return jax.tree.map(jnp.copy, self.agent.policy(state))


def _all_finite(tree: Any) -> Array:
    numbers = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return (
        jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in numbers])) if numbers else jnp.bool_(True)
    )


def _first_game(tree: Any) -> State | None:
    """Find the games inside a training state and return the first one."""
    games = [node for node in jax.tree.leaves(tree, is_leaf=_is_game) if _is_game(node)]
    if not games:
        return None
    return batch.game(games[0], 0)


def _is_game(node: Any) -> bool:
    return isinstance(node, State)
