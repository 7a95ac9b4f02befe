"""Processes for test_devices.py to start: one with several devices, and several that train together.

python -m tests.train.machine.devices compare SEEDS    one chunk on all devices and on one; prints what differs, as JSON
python -m tests.train.machine.devices dream SEEDS      the same of Dreamer
python -m tests.train.machine.devices versus SEEDS     the same of two who play against each other, and a league
python -m tests.train.machine.devices train RUN OUT FLAGS   the training command, then two chunks by hand
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tetrax.agents import dreamer, mappo, ppo
from tetrax.agents.mappo import LeagueConfig, MAPPOConfig
from tetrax.agents.ppo import PPOConfig
from tetrax.env import batch
from tetrax.env.game.rules import RULE_PRESETS
from tetrax.env.tetris import EnvConfig, make
from tetrax.games.versus import Versus
from tetrax.games.versus_config import VersusConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.train import presets, start
from tetrax.train.__main__ import main
from tetrax.train.config import load_config
from tetrax.train.folder import checkpoint
from tetrax.train.program import Program

COLLECTIVE = re.compile(r"\b(all-\w+|collective-\w+|reduce-scatter|send|recv)(?:-start)?\(")
SMALL = PPOConfig(
    num_envs=16,
    num_steps=8,
    num_minibatches=2,
    num_groups=8,
    network=NetworkConfig(hidden=(16,), channels=(4,)),
)

TINY = presets.find("dreamer", "tiny", "drop").agent
DREAMS = dataclasses.replace(
    TINY, num_envs=16, batch_size=8, num_groups=8, imagined_starts=16, warmup_steps=256
)


# A game of each group is against a past self, and with the second iteration there are two of these.
LEAGUE = MAPPOConfig(
    num_envs=16,
    num_steps=8,
    num_epochs=1,
    num_minibatches=2,
    num_groups=8,
    network=NetworkConfig(hidden=(8,)),
    league=LeagueConfig(size=2, share=0.5, every=2, tables=4),
)
VERSUS = VersusConfig(
    board=EnvConfig(
        rules=dataclasses.replace(RULE_PRESETS["mini"], garbage=True),
        actions="drop",
        params=("game.garbage_delay=1",),
    )
)


def collectives(compiled: Any) -> list[str]:
    """Name every way in which the devices of a program exchange data."""
    return sorted(set(COLLECTIVE.findall(compiled.as_text())))


def program(mesh: Any, env: Any, num_seeds: int = 1, *, kind: str = "compare") -> Program:
    if kind == "dream":
        agent, chunk = dreamer.make(DREAMS, env), 1
    elif kind == "versus":
        agent, chunk = mappo.make(LEAGUE, env), 2
    else:
        agent, chunk = ppo.make(SMALL, env), 2
    return Program(agent, chunk_iterations=chunk, horizon=8, num_seeds=num_seeds, mesh=mesh)


def compare(num_seeds: int, *, kind: str = "compare") -> dict[str, Any]:
    """Train one chunk on all devices and on one."""
    env: Any = make("mini", actions="drop", reward="survival")
    if kind == "versus":
        env = Versus(VERSUS)
    if kind == "dream":
        env = make("mini", actions="drop", observation="bitboards", time_limit=9)
    states, facts = [], {"devices": jax.device_count()}
    for mesh in (batch.device_mesh(SMALL.num_groups), None):
        several = program(mesh, env, num_seeds, kind=kind)
        several.compile()
        state = several.initial_state()
        if mesh is not None:
            facts["collectives"] = collectives(several.compiled)
            facts["boards_per_device"] = jax.tree.leaves(state.env_state)[-1].addressable_data(0).shape[-1]
            facts["devices_of_policy"] = len(jax.tree.leaves(several.policy(state, 0))[0].devices())
        state, outcome = several.run_chunk(state)
        states.append({"state": state, "outcome": outcome})
    return facts | differences(*states)


def differences(one: Any, other: Any) -> dict[str, Any]:
    """Name the whole numbers that differ, and tell how far the others do.

    What is kept as bfloat16 may be the next number: what differs by a rounding in float32 can be rounded to either.
    """
    others, named = checkpoint.named_leaves(other), checkpoint.named_leaves(one)
    unequal, farthest = [], 0.0
    for name, leaf in named.items():
        a, b = checkpoint.host_copy(leaf), checkpoint.host_copy(others[name])
        if a.dtype == np.uint16:  # bfloat16, as words: a state of Dreamer's replay
            is_near = np.max(np.abs(a.astype(np.int32) - b.astype(np.int32)), initial=0) <= 1
            unequal += [] if is_near else [name]
        elif a.dtype.kind != "f":
            unequal += [] if np.array_equal(a, b) else [name]
        elif a.size:
            farthest = max(farthest, float(np.max(np.abs(a - b) / (1.0 + np.abs(b)))))
    return {"unequal": unequal, "farthest": farthest, "leaves": len(named)}


def parameters_after_two_chunks(run: Path, path: Path) -> None:
    """Write the parameters that this process holds after two chunks of the run."""
    _, trained = start.make_program(load_config(run / "config.json"))
    trained.compile()
    state = trained.initial_state()
    for _ in range(2):
        state, _ = trained.run_chunk(state)
    leaves = checkpoint.named_leaves(trained.policy(state, 0).params)
    arrays: dict[str, Any] = {name: np.asarray(leaf) for name, leaf in leaves.items()}
    np.savez(path, **arrays)


if __name__ == "__main__":
    if sys.argv[1] in ("compare", "dream", "versus"):
        print(json.dumps(compare(num_seeds=int(sys.argv[2]), kind=sys.argv[1])))
        sys.exit()
    exit_code = main(sys.argv[4:])
    if exit_code == 0:
        parameters_after_two_chunks(Path(sys.argv[2]), Path(sys.argv[3]))
    sys.exit(exit_code)
