"""A chunk of training on a game that steps on the host: acting and learning are compiled, the game is not.

It stands in the place of `tetrax.train.program.Program`. The TrainState holds all that decides the future but the
games: these cannot be saved, so a resumed run starts new episodes, from seeds that follow from the run's seed and
the iteration.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Agent, Metrics, Rollout, Sight
from tetrax.agents.episodes import GAMES
from tetrax.env.contract import RETURN, STEPS
from tetrax.fields.errors import UserError
from tetrax.train.config import TrainConfig
from tetrax.train.program import Outcome, all_finite

RESUMED = (
    "This game steps on the host, where it cannot be saved: its episodes start anew here, so that the run differs "
    "from one that was never stopped."
)


class Played(NamedTuple):
    """A rollout as the host keeps it, [T, B]."""

    seen: np.ndarray  # float32[T, B, F]
    action: np.ndarray  # int32
    log_prob: np.ndarray  # float32
    value: np.ndarray  # float32
    next_value: np.ndarray  # float32
    reward: np.ndarray  # float32
    terminated: np.ndarray  # bool
    truncated: np.ndarray  # bool
    is_first: np.ndarray  # bool
    memory: Any  # before the first step, [B, ...]


class Decided(NamedTuple):
    """What the policy made of B episodes."""

    action: Array  # int32[B]
    log_prob: Array  # float32[B]
    value: Array  # float32[B]
    memory: Any  # after the step, [B, ...]


class HostProgram:
    """A run's compiled programs and its games; `num_traces` counts how often learning was traced."""

    num_seeds = 1

    def __init__(self, agent: Agent, env: Any, config: TrainConfig) -> None:
        assert agent.learn is not None, "validate refuses algorithms that cannot learn from games on the host"
        self.agent = agent
        self.env = env
        self.steps_per_chunk = agent.steps_per_iteration * config.chunk_iterations
        self.num_traces = 0
        self._config = config
        self._episodes: _Episodes | None = None  # begun with the first chunk
        self._decide = jax.jit(self._decide_for)
        self._learn = jax.jit(self._learn_from, donate_argnums=0)
        self._take_policy = jax.jit(lambda state: jax.tree.map(jnp.copy, agent.policy(state)))
        self._finite = jax.jit(lambda state: all_finite(agent.policy(state)))

    def initial_state(self, values: Any = None) -> Any:
        """Return the state before training."""
        del values  # there is one member
        return jax.jit(self._initial)(jnp.int32(self._config.seed))

    @cached_property
    def template(self) -> Any:
        """Shapes and dtypes of the state, found without computing it."""
        return jax.eval_shape(self._initial, jax.ShapeDtypeStruct((), jnp.int32))

    def lower(self) -> None:
        """Do nothing: jax compiles deciding and learning when they are first called."""

    def compile(self) -> None:
        """Do nothing, as `lower`."""

    def place(self, state: Any) -> Any:
        """Return a restored state as it is: there is one device."""
        return state

    def policy(self, state: Any, seed_index: int) -> Any:
        """Copy the policy out of the state, so that the state stays free to be donated."""
        del seed_index
        return self._take_policy(state)

    def run_chunk(self, state: Any) -> tuple[Any, Outcome]:
        """Play and learn for a chunk of iterations; `state` is used up."""
        totals, means = [], []
        for _ in range(self._config.chunk_iterations):
            if self._episodes is None:
                self._episodes = _Episodes(self.agent, self.env, self._config.seed, int(state.iteration))
            try:
                played, came_to = self._episodes.play(self._decide, state)
            except Exception as error:  # whatever somebody else's environment raises
                failed = f"game: {self.env.spec.title} failed in a step ({type(error).__name__}: {error})"
                raise UserError(failed) from error
            state, metrics = self._learn(state, played)
            totals.append(came_to)
            means.append(metrics.means)
        reduced = Metrics(
            totals={name: jnp.float32(sum(each[name] for each in totals)) for name in totals[0]},
            means=jax.tree.map(lambda *values: jnp.mean(jnp.stack(values)), *means),
        )
        assert self._episodes is not None, "there is at least one iteration"
        return state, Outcome(reduced, self._finite(state), self._episodes.so_far(), None)

    def _initial(self, seed: Array) -> Any:
        return self.agent.init(jax.random.key(seed, impl="threefry2x32"), horizon=self._config.horizon)

    def _decide_for(self, state: Any, seen: Array, memory: Any, is_first: Array, step: Array) -> Decided:
        """Choose actions for B episodes, as the agent explores now."""
        sight = Sight(observation=self.env.observation(seen), is_first=is_first)
        act_key = jax.random.fold_in(state.key, step)
        action, memory, told = self.agent.act(self.agent.policy(state), sight, memory, act_key, False)
        return Decided(action, told["log_prob"], told["value"], memory)

    def _learn_from(self, state: Any, played: Played) -> tuple[Any, Metrics]:
        self.num_traces += 1
        assert self.agent.learn is not None
        remembers = bool(jax.tree.leaves(played.memory))
        fields: dict[str, Any] = played._asdict()
        if not remembers:
            fields["is_first"] = None
        rollout = Rollout(observation=self.env.observation(fields.pop("seen")), **fields)
        return self.agent.learn(state, rollout)


class _Episodes:
    """The episodes that are played, and what the policy remembers of them."""

    def __init__(self, agent: Agent, env: Any, seed: int, iteration: int) -> None:
        self._num_steps = agent.num_steps
        self._envs = env.open_many(agent.num_envs)
        first_seed = int(np.random.SeedSequence((seed, iteration)).generate_state(1)[0]) % 2**31
        self._seen: np.ndarray = self._envs.reset(first_seed)
        self._memory = agent.initial_memory((agent.num_envs,))
        self._is_first = np.ones(agent.num_envs, bool)
        self._gained = np.zeros(agent.num_envs)
        self._steps = np.zeros(agent.num_envs, int)

    def play(self, decide: Any, state: Any) -> tuple[Played, dict[str, float]]:
        """Play one rollout; return it and totals of the episodes that ended."""
        totals = {GAMES: 0.0, RETURN: 0.0, STEPS: 0.0}
        began_with, rows = self._memory, []
        for step in range(self._num_steps):
            decided = decide(state, self._seen, self._memory, self._is_first, step)
            played = self._envs.step(np.asarray(decided.action))
            cut_off = np.zeros_like(played.reward)
            if played.truncated.any():  # the value of the true last observation, with the memory of then
                no = np.zeros_like(self._is_first)
                cut_off = np.asarray(decide(state, played.last_seen, decided.memory, no, step).value)
            rows.append((self._seen, self._is_first, decided, played, cut_off))
            self._count(played, totals)
            self._seen, self._memory = played.seen, decided.memory
            self._is_first = played.terminated | played.truncated
        after = decide(state, self._seen, self._memory, self._is_first, self._num_steps)
        return _stack(rows, np.asarray(after.value), began_with), totals

    def so_far(self) -> dict[str, Array]:
        """Return what the episodes being played have come to, by measure: the mean over them."""
        return {RETURN: jnp.float32(self._gained.mean()), STEPS: jnp.float32(self._steps.mean())}

    def _count(self, played: Any, totals: dict[str, float]) -> None:
        self._gained += played.reward
        self._steps += 1
        done = played.terminated | played.truncated
        totals[GAMES] += int(done.sum())
        totals[RETURN] += float(self._gained[done].sum())
        totals[STEPS] += int(self._steps[done].sum())
        self._gained[done], self._steps[done] = 0.0, 0


def _stack(rows: list[Any], value_after: np.ndarray, memory: Any) -> Played:
    """Put T steps together; what follows a step is worth the value of the next, or of its end where it was cut off."""
    seen, is_first, decided, played, cut_off = zip(*rows, strict=True)
    value = np.stack([np.asarray(each.value) for each in decided])
    truncated = np.stack([each.truncated for each in played])
    following = np.concatenate([value[1:], value_after[None]])
    return Played(
        seen=np.stack(seen),
        action=np.stack([np.asarray(each.action) for each in decided]),
        log_prob=np.stack([np.asarray(each.log_prob) for each in decided]),
        value=value,
        next_value=np.where(truncated, np.stack(cut_off), following),
        reward=np.stack([each.reward for each in played]),
        terminated=np.stack([each.terminated for each in played]),
        truncated=truncated,
        is_first=np.stack(is_first),
        memory=memory,
    )
