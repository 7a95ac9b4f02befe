"""Updates of tetrax's Dreamer by themselves, compiled as in training, and the parts of them."""

from __future__ import annotations

import re
from typing import Any

import jax

from benchmarks import op_profile
from benchmarks.workers.stopwatch import Learned, Stopwatch
from tetrax.agents.dreamer import DreamerConfig, dreaming, make
from tetrax.agents.dreamer.mind import make_mind
from tetrax.env.contract import Observation, example_observation
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.train import presets
from tetrax.world_model import readings
from tetrax.world_model.model_config import WorldModelConfig

# The published model, and everything else as published. The replay is smaller, which costs nothing but memory.
PUBLISHED = DreamerConfig(model=WorldModelConfig(size="1m"), replay_capacity=65_536)
DROP = EnvConfig(actions="drop", observation="bitboards", reward="lines_only")

# Parts of an update: scopes of `tetrax.agents.dreamer.dreaming`.
PARTS = {
    name: re.compile(rf"\b{name}\b")
    for name in ("replaying", "observing", "telling", "imagining", "judging", "stepping")
}


def example_sizes(name: str) -> tuple[int, int, int, int]:
    """Return how many numbers the model reads of a moment, the actions, the sequences of a batch and their steps."""
    env_config, config = ours(name)
    env = Tetris(env_config)

    def read(seen: Observation) -> Any:
        return readings.as_vector(readings.read(env.spec.shows, seen), env.spec.shows.num_kinds)

    num_inputs = jax.eval_shape(read, example_observation(env)).shape[-1]
    return num_inputs, env.spec.num_actions, config.batch_size, config.batch_length


def ours(name: str) -> tuple[EnvConfig, DreamerConfig]:
    """Return the game and the settings of a contestant: "1m", or a preset of `drop`."""
    if name == "1m":
        return DROP, PUBLISHED
    config = presets.find("dreamer", name, "drop")
    return config.env, config.agent


class Updates:
    """A state of training, and the compiled program that updates it from its replay; the state is donated."""

    def __init__(self, name: str) -> None:
        env_config, self.config = ours(name)
        env = Tetris(env_config)
        self.state = jax.jit(make(self.config, env).init)(jax.random.key(0))
        self.num_parameters = sum(leaf.size for leaf in jax.tree.leaves(self.state.params))
        self._mind, self._env = make_mind(self.config, env), env
        self._key = jax.random.key(1)
        self.compiled: Any = None

    def compile(self) -> float:
        """Compile as many updates as an iteration of training makes; return the seconds that took."""

        def learn(state: Any, key: Any) -> Any:
            key, learn_key = jax.random.split(key)
            return *dreaming.learn(self._mind, self.config, self._env, state, learn_key), key

        began = Stopwatch()
        self.compiled = jax.jit(learn, donate_argnums=0).lower(self.state, self._key).compile()
        seconds = began.seconds
        self.once()
        return seconds

    def once(self) -> Any:
        """Run the program once; return what it measured."""
        self.state, measured, self._key = self.compiled(self.state, self._key)
        return measured

    def parts(self) -> dict[str, float] | None:
        """Return the shares of an update's parts by the profiler, or None where it tells too little."""
        events = op_profile.trace(self.once)
        return op_profile.breakdown(events, op_profile.operation_names(self.compiled), PARTS)

    def learn(self, seconds: float) -> Learned:
        """Make updates for about so many seconds, those of one iteration at least."""
        jax.block_until_ready(self.state)
        calls, began, waiting = 0, Stopwatch(), []
        while not calls or began.seconds < seconds:
            waiting.append(self.once())
            calls += 1
            if calls > 1:  # the next one is started before the last one is waited for, as in training
                jax.block_until_ready(waiting.pop(0))
        jax.block_until_ready(self.state)
        count = calls * self.config.num_updates
        moments = self.config.batch_size * self.config.batch_length
        return Learned(count, count * moments, began.seconds, began.cpu_seconds)
