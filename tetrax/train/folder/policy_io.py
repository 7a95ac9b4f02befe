"""A policy on disk: a folder with the run's `config.json` and one file of parameters.

The parameters are an ordinary NumPy archive, one array per leaf of the policy, named by its path
(`policy/params/Dense_0/kernel`); nothing in it is executed on reading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents import AGENTS
from tetrax.agents.agent import Actor, Agent, Sight
from tetrax.env.record import Recording
from tetrax.fields.errors import UserError
from tetrax.games import recordings
from tetrax.games.versus_record import VersusRecording
from tetrax.system import compilation_cache
from tetrax.system.disk import as_path
from tetrax.train.config import TrainConfig, load_config, to_json
from tetrax.train.folder import files

CONFIG = "config.json"
PARAMETERS = "parameters.npz"
POLICY = "policy"  # folder of the export inside a run, and first part of every parameter's name


@dataclass(frozen=True, eq=False)
class LoadedPolicy:
    """A policy that is ready to act, and the environment that it was trained in."""

    env: Any
    config: TrainConfig
    policy: Any  # parameters and frozen normalisers
    agent: Agent

    @property
    def actor(self) -> Actor:
        """The policy as `tetrax.train.report.evaluation` takes it."""
        return Actor(self.policy, self.agent.initial_memory, self.agent.act)

    def initial_memory(self, batch_shape: tuple[int, ...] = ()) -> Any:
        """Return what the policy remembers before the first decision of each of a batch of games."""
        return self.agent.initial_memory(batch_shape)

    def act(
        self, sight: Sight, memory: Any, key: Array, greedy: bool = True
    ) -> tuple[Array, Any, dict[str, Array]]:
        """Choose an action for each of the B games that are seen: (int32[B], the new memory, diagnostics float32[B]).

        `greedy` takes the most probable action instead of drawing one with `key`. Compiled at the first call.
        """
        return self._compiled_act(self.policy, sight, memory, key, greedy)

    def reset(self, keys: Array) -> tuple[Any, Any]:
        """Start B games from typed keys [B]: their states and time steps, [B, ...]. Compiled at the first call."""
        return self._compiled_game[0](keys)

    def step(self, states: Any, actions: Array) -> tuple[Any, Any]:
        """Play an action, int32[B], in each of B games: states and time steps, [B, ...]. Compiled at the first call."""
        return self._compiled_game[1](states, actions)

    def play(self, seed: int = 0, max_pieces: int = 500) -> Recording | VersusRecording:
        """Play one game, or its first `max_pieces` pieces, by the most probable actions; `tetrax.show` shows it.

        It is game 0 of an evaluation with that seed. ValueError for games that cannot be recorded.
        """
        from tetrax.train.report import evaluation  # slow to import, for those who only act

        if not recordings.has_recordings(self.env):
            raise ValueError(
                f"play: given {self.env.spec.title}, of which there are no recordings; "
                f"allowed: {', '.join(recordings.KEEPERS)}"
            )
        result = evaluation.evaluate(
            self.env, self.actor, episodes=1, seed=seed, max_pieces=max_pieces, record=True
        )
        return evaluation.recording_of_best(self.env, result)

    @cached_property
    def _compiled_act(self) -> Any:
        return jax.jit(self.agent.act, static_argnums=4)

    @cached_property
    def _compiled_game(self) -> tuple[Any, Any]:
        if self.env.spec.on_host:
            raise ValueError(
                f"game: given {self.env.spec.title}, which steps on the host; allowed: a compiled game"
            )
        return jax.jit(jax.vmap(self.env.reset)), jax.jit(jax.vmap(self.env.step))


def export(config: TrainConfig, policy: Any, path: str | Path) -> None:
    """Write a policy as a folder that `load` reads; a folder of that name is replaced as a whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as folder:
        folder.mkdir()
        files.write_json(folder / CONFIG, to_json(config))
        # savez takes names for its own arguments too; these all begin with "policy".
        arrays: dict[str, Any] = {name: np.asarray(leaf) for name, leaf in _leaves(policy).items()}
        np.savez(folder / PARAMETERS, **arrays)


def load(
    path: str | Path, network: nn.Module | None = None, acting: Mapping[str, Any] | None = None
) -> LoadedPolicy:
    """Load the policy of a run or of an export; raise UserError naming what is wrong with the folder.

    A policy that was trained with a network of one's own needs it again, as `network`. `acting` are settings of the
    agent that only decide how it acts, such as {"planned_rollouts": 4}; UserError for others.
    """
    compilation_cache.enable_for_slow_programs()
    folder = _export_folder(as_path(path))
    config = load_config(folder / CONFIG)
    try:
        config = _acting_by(config.with_network(network), acting or {})
        env, agent = config.make_env(), config.make_agent()
    except (ValueError, ModuleNotFoundError) as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    template = jax.eval_shape(
        lambda key: agent.policy(agent.init(key)), jax.random.key(0, impl="threefry2x32")
    )
    policy = _read_parameters(folder / PARAMETERS, template)
    return LoadedPolicy(env=env, config=config, policy=policy, agent=agent)


def _acting_by(config: TrainConfig, acting: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration of a policy that acts as asked."""
    if not acting:
        return config
    allowed = AGENTS[config.algorithm].acting
    for name, value in acting.items():
        if name not in allowed:
            listed = ", ".join(allowed) or "nothing"
            raise UserError(
                f"agent.{name}: given {value!r} for a policy of {config.algorithm}; allowed: {listed}"
            )
    agent = dataclasses.replace(config.agent, **acting)
    try:
        agent.validate(config.make_env())
    except ValueError as error:
        raise UserError(str(error)) from None
    return dataclasses.replace(config, agent=agent)


def _export_folder(path: Path) -> Path:
    """Find the export that `path` is, or that the run at `path` holds."""
    allowed = "allowed: the folder of a run or of an exported policy"
    if not path.exists():
        raise UserError(f"{path}: given a folder that does not exist; {allowed}")
    if not path.is_dir():
        raise UserError(f"{path}: given a file; {allowed}")
    for folder in (path, path / POLICY):
        if (folder / PARAMETERS).is_file():
            return folder
    if (path / CONFIG).is_file():
        raise UserError(f"{path}: given a run that has saved no policy yet; allowed: one that has")
    raise UserError(f"{path}: given a folder that holds no run (no {CONFIG}); {allowed}")


def _read_parameters(path: Path, template: Any) -> Any:
    """Read the arrays that the template names; refuse a file that lacks one or has another shape or dtype."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        if not all(isinstance(array, np.ndarray) for array in stored.values()):
            raise ValueError("it holds more than arrays")
    except (
        Exception
    ) as error:  # a damaged file can be anything: an archive with a password, a shape of terabytes
        raise UserError(
            f"{path}: given a file that cannot be read ({error}); allowed: {PARAMETERS}"
        ) from None
    expected = _leaves(template)
    _check_names(path, stored, expected)
    for name, leaf in expected.items():
        found = f"{stored[name].dtype}{list(stored[name].shape)}"
        wanted = f"{leaf.dtype}{list(leaf.shape)}"
        if found != wanted:
            raise UserError(f"{path}: {name}: given {found}; allowed: {wanted}, as {CONFIG} has it")
        if np.issubdtype(stored[name].dtype, np.inexact) and not np.isfinite(stored[name]).all():
            raise UserError(f"{path}: {name}: given numbers that are NaN or infinite; allowed: finite ones")
    arrays = [jnp.asarray(stored[name]) for name in expected]
    return jax.tree.unflatten(jax.tree.structure(template), arrays)


def _check_names(path: Path, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name in expected:
        if name not in stored:
            raise UserError(f"{path}: given no array {name}; allowed: every parameter that {CONFIG} asks for")
    for name in stored:
        if name not in expected:
            raise UserError(f"{path}: given an array {name}; allowed: only what {CONFIG} asks for")


def _leaves(tree: Any) -> dict[str, Any]:
    """Name each leaf by its path."""
    return {
        "/".join([POLICY, *(jax.tree_util.keystr((part,), simple=True) for part in path)]): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
