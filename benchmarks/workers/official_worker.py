"""The published DreamerV3 agent as a contestant: `python -m benchmarks.workers.official_worker CHECKOUT ...`.

It learns at size 1m, in float32, from batches of made-up moments: vectors of as many numbers as tetrax's model reads of
a moment, rewards and flags, and the model's states of the moment before. Each update takes the next batch from its own
stream, which moves it to the device, and is `Agent.train`. Sampling from a replay and writing states back are left out.
"""

import contextlib
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workers import protocol
from benchmarks.workers.stopwatch import Learned, Stopwatch

NUM_BATCHES = 8  # different ones, taken by turns
GAME_LENGTH = 50.0  # steps on average


# Of jax.jit, which newer versions take by name alone; the agent gives them by place.
PLACES = ("in_shardings", "out_shardings", "static_argnums", "static_argnames", "donate_argnums")


def accept_places() -> None:
    """Let jax.jit take its arguments by place, as older versions did."""
    import jax

    by_name = jax.jit

    def jit(*given: Any, **named: Any) -> Any:
        return by_name(*given[:1], **dict(zip(PLACES, given[1:], strict=False)), **named)

    jax.jit = jit


def make_config(checkout: Path, batch_size: int, batch_length: int, logdir: str) -> Any:
    """Return the published settings of size 1m, but for the numbers it computes in and the device."""
    import elements
    import jax
    import ruamel.yaml

    groups = ruamel.yaml.YAML(typ="safe").load((checkout / "dreamerv3" / "configs.yaml").read_text())
    config = elements.Config(groups["defaults"]).update(groups["size1m"])
    return elements.Config(
        **config.agent,
        **{name: config[name] for name in ("seed", "replay_context", "report_length", "replica", "replicas")},
        batch_size=batch_size,
        batch_length=batch_length,
        logdir=logdir,
        # The report is not compiled, and no profile is taken in the middle of a measurement.
        jax={
            **config.jax,
            "platform": jax.default_backend(),
            "compute_dtype": "float32",
            "precompile": False,
            "profiler": False,
        },
    )


def make_agent(checkout: Path, num_inputs: int, num_actions: int, batch: tuple[int, int], logdir: str) -> Any:
    """Return the agent for a game that shows a vector of numbers and has so many actions."""
    sys.path.insert(0, str(checkout))
    accept_places()
    import elements
    from dreamerv3.agent import Agent

    flag = elements.Space(bool)
    seen = {
        "vector": elements.Space(np.float32, num_inputs),
        "reward": elements.Space(np.float32),
        "is_first": flag,
        "is_last": flag,
        "is_terminal": flag,
    }
    actions = {"action": elements.Space(np.int32, (), 0, num_actions)}
    return Agent(seen, actions, make_config(checkout, *batch, logdir))


def make_up(
    spaces: Any, num_actions: int, shape: tuple[int, int], rng: np.random.Generator
) -> dict[str, Any]:
    """Return a batch [B, T] of what a replay would give."""
    is_first = rng.random(shape) < 1 / GAME_LENGTH
    is_last = np.roll(is_first, -1, axis=1)
    meant = {
        "vector": (rng.random((*shape, *spaces["vector"].shape)) < 0.3),
        "reward": rng.random(shape) < 0.1,
        "is_first": is_first,
        "is_last": is_last,
        "is_terminal": is_last,
        "action": rng.integers(0, num_actions, shape),
        "dyn/deter": np.tanh(rng.normal(size=(*shape, *spaces["dyn/deter"].shape))),
        "dyn/stoch": np.eye(spaces["dyn/stoch"].shape[-1])[
            rng.integers(0, spaces["dyn/stoch"].shape[-1], (*shape, spaces["dyn/stoch"].shape[0]))
        ],
    }
    # `consec` 0: each batch begins from the states that were kept.
    nothing = {name: np.zeros((*shape, *space.shape)) for name, space in spaces.items() if name not in meant}
    return {name: value.astype(spaces[name].dtype) for name, value in {**meant, **nothing}.items()}


class Learner:
    """The agent, its stream of batches and what it carries from one to the next."""

    def __init__(self, agent: Any, num_actions: int, batch_size: int, batch_length: int) -> None:
        rng = np.random.default_rng(0)
        shape = (batch_size, batch_length + agent.config.replay_context)
        batches = [make_up(agent.spaces, num_actions, shape, rng) for _ in range(NUM_BATCHES)]
        self.agent, self.moments = agent, batch_size * batch_length
        self._stream: Iterator[Any] = iter(agent.stream(itertools.cycle(batches)))
        self._carry = agent.init_train(batch_size)

    def update(self) -> dict[str, Any]:
        """Make one update; return what it measured of the one before, nothing at first."""
        self._carry, _, measured = self.agent.train(self._carry, next(self._stream))
        return measured

    def learn(self, seconds: float) -> Learned:
        """Make updates for about so many seconds, one at least."""
        self.wait()
        count, began = 0, Stopwatch()
        while not count or began.seconds < seconds:
            self.update()
            count += 1
        self.wait()
        return Learned(count, count * self.moments, began.seconds, began.cpu_seconds)

    def wait(self) -> None:
        """Wait until everything that was asked for is done."""
        import jax

        jax.block_until_ready(self.agent.params)


def main(checkout: str, num_inputs: str, num_actions: str, batch_size: str, batch_length: str) -> None:
    """Compile the update and serve it."""
    batch, actions = (int(batch_size), int(batch_length)), int(num_actions)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        agent = make_agent(Path(checkout), int(num_inputs), actions, batch, folder)
        learner = Learner(agent, actions, *batch)
        began = Stopwatch()
        learner.update()
        learner.wait()
        compile_seconds = began.seconds
        learner.update()
        measured = learner.update()
    about = {
        "compile_seconds": compile_seconds,
        "parameters": int(measured["opt/param_count"]),
        "versions": protocol.find_versions("jax", "jaxlib", "elements", "ninjax", "optax"),
    }
    protocol.serve(about, learner.learn)


if __name__ == "__main__":
    main(*sys.argv[1:])
