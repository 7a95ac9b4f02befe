"""A policy on disk comes back bit for bit, and a folder that is none is refused by name."""

import dataclasses
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.chain import Chain
from tetrax.agents import AGENTS
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.fields.errors import UserError
from tetrax.train import presets
from tetrax.train.config import TrainConfig, to_json
from tetrax.train.folder import policy_io
from tetrax.train.report.evaluation import evaluate


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    rules = Rules(width=4, height=6, buffer=4, preview=1, hold=False)
    env = EnvConfig(rules=rules, actions="drop", observation="afterstate_features")
    return dataclasses.replace(presets.find("ppo", "tiny"), env=env)


@pytest.fixture(scope="module")
def policy(config: TrainConfig) -> Any:
    agent = AGENTS["ppo"].make(config.agent, Tetris(config.env))
    return jax.jit(lambda key: agent.policy(agent.init(key)))(jax.random.key(1))


@pytest.fixture
def folder(config: TrainConfig, policy: Any, tmp_path: Path) -> Path:
    policy_io.export(config, policy, tmp_path / "policy")
    return tmp_path / "policy"


def test_a_loaded_policy_is_the_one_that_was_exported(config: TrainConfig, policy: Any, folder: Path) -> None:
    loaded = tetrax.load(folder)
    assert loaded.config == config and loaded.env == Tetris(config.env)
    assert jax.tree.structure(loaded.policy) == jax.tree.structure(policy)
    for before, after in zip(jax.tree.leaves(policy), jax.tree.leaves(loaded.policy), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


def test_a_loaded_policy_acts(policy: Any, folder: Path) -> None:
    loaded = tetrax.load(folder)
    keys = jax.random.split(jax.random.key(0), 3)
    _, timestep = jax.jit(jax.vmap(loaded.env.reset))(keys)
    memory = loaded.initial_memory((3,))
    observation = timestep.observation
    sight = tetrax.Sight(observation=observation, is_first=jnp.ones(3, bool))
    greedy, memory, diagnostics = loaded.act(sight, memory, jax.random.key(5))
    again, _, _ = loaded.act(sight, memory, jax.random.key(6))
    drawn, _, _ = loaded.act(sight, memory, jax.random.key(5), greedy=False)
    expected, _, _ = loaded.agent.act(policy, sight, memory, jax.random.key(5), True)
    np.testing.assert_array_equal(greedy, expected)
    np.testing.assert_array_equal(greedy, again)
    for actions in (greedy, drawn):
        assert actions.shape == (3,) and actions.dtype == jnp.int32
        assert np.asarray(observation.legal)[np.arange(3), actions].all()
    np.testing.assert_allclose(diagnostics.pop("probabilities").sum(axis=-1), 1.0, rtol=1e-5)
    assert all(value.shape == (3,) for value in diagnostics.values())


def test_what_a_loaded_policy_offers_is_one_compiled_program_each(folder: Path) -> None:
    """Operations compiled one by one would take minutes."""
    loaded = tetrax.load(folder)
    keys = jax.random.split(jax.random.key(0), 3)
    states, timesteps = jax.eval_shape(loaded.reset, keys)
    sight = tetrax.Sight(observation=timesteps.observation, is_first=jax.ShapeDtypeStruct((3,), bool))
    for function, arguments in (
        (loaded.reset, (keys,)),
        (loaded.step, (states, jax.ShapeDtypeStruct((3,), jnp.int32))),
        (loaded.act, (sight, (), keys[0])),
    ):
        program = jax.make_jaxpr(function)(*arguments)
        assert [equation.primitive.name for equation in program.eqns] in (["jit"], ["pjit"])


def test_what_a_game_cannot_do_is_refused(folder: Path) -> None:
    loaded = dataclasses.replace(tetrax.load(folder), env=Chain())
    with pytest.raises(
        ValueError, match="play: given chain, of which there are no recordings; allowed: tetris, versus"
    ):
        loaded.play()
    on_host = SimpleNamespace(spec=dataclasses.replace(Chain().spec, on_host=True))
    with pytest.raises(
        ValueError, match="game: given chain, which steps on the host; allowed: a compiled game"
    ):
        dataclasses.replace(loaded, env=on_host).reset(jax.random.split(jax.random.key(0), 2))


@pytest.mark.slow
def test_a_loaded_policy_can_be_evaluated(folder: Path) -> None:
    loaded = tetrax.load(folder)
    result = evaluate(loaded.env, loaded.actor, episodes=4, max_pieces=3)
    assert result.totals["pieces"].max() <= 3


def test_an_export_replaces_the_one_before(config: TrainConfig, policy: Any, folder: Path) -> None:
    (folder / "stray").touch()
    other = jax.tree.map(lambda leaf: leaf + 1, policy)
    policy_io.export(config, other, folder)
    assert sorted(entry.name for entry in folder.iterdir()) == ["config.json", "parameters.npz"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["policy"]
    for before, after in zip(
        jax.tree.leaves(other), jax.tree.leaves(tetrax.load(folder).policy), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_a_run_gives_the_policy_that_it_holds(config: TrainConfig, folder: Path) -> None:
    run = folder.parent
    (run / "config.json").write_text(json.dumps(to_json(config)))
    assert tetrax.load(run).config == config
    assert tetrax.load(str(run)).config == config


def rewrite(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    """Return a way to damage the parameters of an export."""

    def damage(folder: Path) -> None:
        with np.load(folder / "parameters.npz") as archive:
            arrays: dict[str, Any] = dict(archive)
        change(arrays)
        np.savez(folder / "parameters.npz", **arrays)

    return damage


def archive_of(name: str, content: bytes) -> Callable[[Path], None]:
    """Return a way to put an archive of one file in the place of the parameters."""

    def damage(folder: Path) -> None:
        with zipfile.ZipFile(folder / "parameters.npz", "w") as archive:
            archive.writestr(name, content)

    return damage


def header(shape: str) -> bytes:
    """Return the beginning of an array's file that claims a shape."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def as_one_array(folder: Path) -> None:
    with (folder / "parameters.npz").open("wb") as file:
        np.save(file, np.zeros(3))


def nested(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000 + "]" * 100_000)


def as_pipe(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def first(arrays: dict[str, np.ndarray]) -> str:
    return min(arrays, key=lambda name: (arrays[name].ndim != 2, name))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "parameters.npz").write_bytes(b"PK\x03\x04 not a zip"), "cannot be read"),
        (lambda folder: (folder / "parameters.npz").write_bytes(b""), "cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), "config.json: given a file that does not exist"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "parameters.npz").unlink(), "no policy yet"),
        (rewrite(lambda arrays: arrays.pop(first(arrays))), "given no array policy/params"),
        (rewrite(lambda arrays: arrays.update(extra=np.zeros(3))), "given an array extra"),
        (rewrite(lambda arrays: arrays.update({first(arrays): arrays[first(arrays)].T})), "given float32["),
        (
            rewrite(lambda arrays: arrays.update({first(arrays): arrays[first(arrays)].astype(np.float16)})),
            "given float16[",
        ),
        (
            rewrite(lambda arrays: arrays.update({first(arrays): np.array([{"a": 1}], object)})),
            "cannot be read",  # a pickle is never opened
        ),
        (as_one_array, "cannot be read"),
        (archive_of("policy/params", b"hello"), "more than arrays"),
        (archive_of("policy/params.npy", header("(1000000000000,)")), "cannot be read"),
        (archive_of("policy/params.npy", header("((((")), "cannot be read"),
        (nested, "too deeply"),
        (as_pipe, "a pipe"),
    ],
    ids=[
        "zip",
        "empty",
        "no-config",
        "bad-config",
        "no-file",
        "missing",
        "extra",
        "shape",
        "dtype",
        "pickle",
        "npy",
        "no-array",
        "terabytes",
        "half-a-header",
        "nested",
        "pipe",
    ],
)
def test_a_damaged_export_is_refused(folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder)
    with pytest.raises(UserError) as error:
        tetrax.load(folder)
    assert said in str(error.value)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("hello"), "a file"),
        (lambda path: path.mkdir(), "holds no run"),
    ],
    ids=["absent", "file", "empty"],
)
def test_what_is_no_run_is_refused(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(UserError, match=said):
        tetrax.load(path)
