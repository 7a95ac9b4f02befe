"""Checkpoints: everything comes back bit for bit, damage is seen, a misfit is named."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.fields.errors import UserError
from tetrax.train.folder import checkpoint, files


class Pair(NamedTuple):
    first: Any
    second: Any


def make_state(seed: int = 0) -> dict[str, Any]:
    key = jax.random.key(seed)
    return {
        "params": Pair(jax.random.normal(key, (3, 4)), jnp.float32(jnp.pi)),
        "a/b": [jnp.arange(5, dtype=jnp.uint32), None, ()],
        "key": key,
        "keys": jax.random.split(key, (2, 3)),
        "flags": jnp.array([True, False]),
        "small": jax.random.normal(key, (7,), jnp.bfloat16),
        "bytes": jnp.arange(3, dtype=jnp.uint8),
        "nothing": jnp.zeros((0, 3)),
        "not a number": jnp.array([jnp.nan, -0.0, jnp.inf]),
    }


def save(folder: Path, step: int, state: Any) -> None:
    checkpoint.save(folder, step, state, config={"seed": 3}, host={"chunks": step})


def no_warning(text: str) -> None:
    raise AssertionError(text)


def assert_same_bits(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert checkpoint.describe(a) == checkpoint.describe(b)
        assert checkpoint.host_copy(a).tobytes() == checkpoint.host_copy(b).tobytes()


def largest_file(folder: Path) -> Path:
    return max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)


def flip_one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    state = make_state()
    save(tmp_path, 64, state)
    found = checkpoint.newest(tmp_path, no_warning)
    assert found is not None
    assert (found.step, found.config, found.host) == (64, {"seed": 3}, {"chunks": 64})
    assert_same_bits(checkpoint.restore(found, state), state)
    assert_same_bits(checkpoint.restore(found, jax.eval_shape(lambda: state)), state)


@pytest.mark.parametrize("name", ["é[x]", "q[/base]", "a*b?c", "%20 #{x}"])
def test_a_name_that_is_also_a_pattern_loses_nothing(tmp_path: Path, name: str) -> None:
    state = make_state()
    (tmp_path / name).mkdir(parents=True)
    save(tmp_path / name, 64, state)
    found = checkpoint.newest(tmp_path / name, no_warning)
    assert found is not None
    assert_same_bits(checkpoint.restore(found, state), state)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["000000000064"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "missing", no_warning) is None


def test_saving_leaves_the_state_free_to_be_donated(tmp_path: Path) -> None:
    step = jax.jit(lambda x: x + 1, donate_argnums=0)
    array = step(jnp.zeros(10_000))
    pointer = array.unsafe_buffer_pointer()
    save(tmp_path, 1, {"array": array})
    assert step(array).unsafe_buffer_pointer() == pointer  # computed in place: nothing held on to it
    assert array.is_deleted()
    # The test can fail: a live view on the host makes jax copy.
    other = step(jnp.zeros(10_000))
    pointer, view = other.unsafe_buffer_pointer(), np.asarray(other)
    assert step(other).unsafe_buffer_pointer() != pointer
    assert view[0] == 1


def test_a_restored_state_can_be_donated(tmp_path: Path) -> None:
    save(tmp_path, 1, {"array": jnp.zeros(10_000)})
    found = checkpoint.newest(tmp_path, no_warning)
    assert found is not None
    array = checkpoint.restore(found, {"array": jnp.zeros(10_000)})["array"]
    pointer = array.unsafe_buffer_pointer()
    assert jax.jit(lambda x: x + 1, donate_argnums=0)(array).unsafe_buffer_pointer() == pointer


@pytest.mark.parametrize("damage", ["bit", "half", "missing", "description", "checksums"])
def test_a_damaged_newest_checkpoint_falls_back_with_one_warning(tmp_path: Path, damage: str) -> None:
    old, new = make_state(0), make_state(1)
    save(tmp_path, 1, old)
    save(tmp_path, 2, new)
    file = largest_file(tmp_path / "000000000002" / "state")
    if damage == "bit":
        flip_one_bit(file)
    elif damage == "half":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "missing":
        file.unlink()
    else:
        name = {"description": "checkpoint.json", "checksums": "checksums.json"}[damage]
        os.truncate(tmp_path / "000000000002" / name, 40)
    warnings: list[str] = []
    found = checkpoint.newest(tmp_path, warnings.append)
    assert found is not None
    assert found.step == 1
    assert_same_bits(checkpoint.restore(found, old), old)
    assert len(warnings) == 1
    assert "000000000002 is damaged" in warnings[0]


def test_only_damaged_checkpoints_are_an_error(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, step, make_state())
        flip_one_bit(largest_file(tmp_path / f"{step:012d}" / "state"))
    with pytest.raises(UserError, match=r"000000000002 is damaged.*000000000001 is damaged.*; allowed: "):
        checkpoint.newest(tmp_path, lambda text: None)


def test_a_save_that_was_cut_short_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1, make_state())
    half = tmp_path / f"{files.TEMPORARY}000000000002"
    (half / "state").mkdir(parents=True)
    (half / "state" / "data").write_bytes(b"half")
    assert checkpoint.steps(tmp_path) == [1]

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", power_cut)  # the last moment before it would count
    with pytest.raises(OSError, match="power cut"):
        save(tmp_path, 2, make_state())
    assert checkpoint.steps(tmp_path) == [1]
    monkeypatch.undo()
    save(tmp_path, 2, make_state())
    assert checkpoint.steps(tmp_path) == [1, 2]
    assert not list(tmp_path.glob(files.TEMPORARY + "*"))


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 1, make_state(0))
    save(tmp_path, 1, make_state(1))
    found = checkpoint.newest(tmp_path, no_warning)
    assert found is not None
    assert_same_bits(checkpoint.restore(found, make_state()), make_state(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flags": jnp.zeros(3, bool)}, r"given bool\[2\] as flags; allowed: bool\[3\]"),
        ({"bytes": jnp.zeros(3, jnp.int32)}, r"given uint8\[3\] as bytes; allowed: int32\[3\]"),
        ({"key": jnp.zeros(2, jnp.uint32)}, r"given key<fry>\[\] as key; allowed: uint32\[2\]"),
        ({"more": jnp.zeros(2)}, r"given nothing as more; allowed: float32\[2\]"),
        ({"a/b": [None]}, r"given uint32\[5\] as a/b/0; allowed: nothing of that name"),
        ({"nothing": jnp.zeros((0, 4))}, r"given float32\[0,3\] as nothing; allowed: float32\[0,4\]"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    save(tmp_path, 1, make_state())
    found = checkpoint.newest(tmp_path, no_warning)
    assert found is not None
    with pytest.raises(UserError, match=message):
        checkpoint.restore(found, make_state() | change)


def test_another_format_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1, make_state())
    folder = tmp_path / "000000000001"
    description = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps(description | {"format": 99}))
    (folder / "checksums.json").write_text(json.dumps(checkpoint._checksums(folder)))
    with pytest.raises(UserError, match=r"given format 99, of another version of tetrax; allowed: 2 "):
        checkpoint.newest(tmp_path, no_warning)


def test_the_newest_are_kept_and_those_set_aside_do_not_count(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        save(tmp_path, step, {"x": jnp.zeros(1)})
    checkpoint.keep_newest(tmp_path, 3)
    assert checkpoint.steps(tmp_path) == [2, 3, 10]
    checkpoint.set_aside_newer(tmp_path, 3)
    assert checkpoint.steps(tmp_path) == [2, 3]
    assert (tmp_path / "000000000010.damaged").is_dir()


def test_a_checkpoint_that_was_being_replaced_comes_back(straight: Path, tmp_path: Path) -> None:
    """Killed between taking the old one of a step away and moving the new one in."""
    folder = shutil.copytree(straight / "checkpoints", tmp_path / "checkpoints")
    *_, before, last = checkpoint.steps(folder)
    (folder / f"{last:012d}").rename(folder / f".tmp-{last:012d}-old")
    shutil.copytree(
        folder / f"{before:012d}", folder / f".tmp-{before:012d}-old"
    )  # it was only to be removed
    found = checkpoint.newest(folder, lambda text: None)
    assert found is not None
    assert found.step == last
    assert (folder / f".tmp-{before:012d}-old").is_dir()
