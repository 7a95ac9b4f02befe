"""Checkpoints: everything that decides the future of a run, written whole or not at all.

A checkpoint is a folder named by its step. Orbax writes the arrays; beside them lie `checkpoint.json` (what
was saved: names, shapes and dtypes of the arrays, the configuration, the host's own state, versions) and
`checksums.json`. It appears under its name only when all of it is on disk. Reading goes the other way:
checksums tell a damaged checkpoint, `checkpoint.json` one that does not fit, and only then are arrays read,
because orbax would cast and drop silently.
"""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from tetrax.fields.errors import UserError, in_words
from tetrax.system.disk import read_json
from tetrax.train.folder import files
from tetrax.train.folder.run_folder import versions
from tetrax.train.machine import processes

FORMAT_VERSION = 2
PATTERN_LETTERS = "*?["  # with which a name stands for others
DAMAGED = ".damaged"  # last letters of the name of a checkpoint that was set aside
# What reading a file that was not written whole comes to.
UNREADABLE = (ValueError, RecursionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)

State = TypeVar("State")
Warn = Callable[[str], None]


class DamagedError(Exception):
    """A checkpoint is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files are as they were written; its arrays are not read yet."""

    path: Path
    step: int
    leaves: dict[str, str]  # name of an array → its dtype and shape, "float32[64,10]"
    config: dict[str, Any]  # the run's configuration when it was saved
    host: dict[str, Any]  # the host's own state
    versions: dict[str, str]


def save(folder: Path, step: int, state: Any, *, config: dict[str, Any], host: dict[str, Any]) -> None:
    """Write the checkpoint of `step`; the live state is left free to be donated.

    Where the state is spread over several processes, the others have to call `to_host` at the same time.
    """
    leaves, arrays = named_leaves(state), to_host(state)
    description = {
        "format": FORMAT_VERSION,
        "step": step,
        "host": host,
        "config": config,
        "versions": versions(),
        "leaves": {name: describe(leaf) for name, leaf in leaves.items()},
    }
    folder.mkdir(exist_ok=True)
    with files.replacing(folder / f"{step:012d}") as path:
        path.mkdir()
        try:
            with _literal(path.absolute()) as place:
                _checkpointer().save(place / "state", arrays)
        except (ValueError, RuntimeError) as error:  # so tensorstore tells what the system answered
            raise OSError(errno.EIO, str(error).splitlines()[0], str(path / "state")) from error
        (path / "checkpoint.json").write_text(json.dumps(description, indent=1, allow_nan=False))
        (path / "checksums.json").write_text(json.dumps(_checksums(path), indent=1))


def keep_newest(folder: Path, count: int) -> None:
    """Remove all but the newest `count` checkpoints."""
    for step in steps(folder)[:-count]:
        files.discard(folder / f"{step:012d}")


def steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, oldest first; what is named otherwise is none of ours."""
    names = (entry.name for entry in folder.glob("[0-9]*") if entry.is_dir())
    return sorted(int(name) for name in names if name.isdecimal() and name == f"{int(name):012d}")


def newest(folder: Path, warn: Warn) -> Checkpoint | None:
    """Return the newest undamaged checkpoint, None where none was ever written; warn of damaged ones."""
    _bring_back(folder)
    damaged = []
    for step in reversed(steps(folder)):
        path = folder / f"{step:012d}"
        try:
            return _open(path, step)
        except DamagedError as error:
            damaged.append(f"{path} is damaged ({error})")
            warn(f"checkpoint {damaged[-1]}; trying the one before")
    if damaged:
        raise UserError(f"checkpoints: given {'; '.join(damaged)}; allowed: at least one that is whole")
    return None


def _bring_back(folder: Path) -> None:
    """Give the newest checkpoint its name back, if it was being replaced by another of its step when all was killed."""
    newest_step = max(steps(folder), default=-1)
    for aside in folder.glob(f"{files.TEMPORARY}*{files.ASIDE}"):
        name = aside.name.removeprefix(files.TEMPORARY).removesuffix(files.ASIDE)
        if name.isdecimal() and name == f"{int(name):012d}" and int(name) > newest_step:
            aside.rename(folder / name)


def set_aside_newer(folder: Path, step: int) -> None:
    """Rename the checkpoints after `step`, found damaged, so that they neither count nor come back."""
    for newer in steps(folder):
        if newer > step:
            aside = folder / f"{newer:012d}{DAMAGED}"
            files.discard(aside)
            (folder / f"{newer:012d}").rename(aside)


def check_fits(checkpoint: Checkpoint, template: Any) -> None:
    """Refuse, naming the difference, a checkpoint of arrays that are not those of `template`."""
    expected = {name: describe(leaf) for name, leaf in named_leaves(template).items()}
    for name in {**expected, **checkpoint.leaves}:
        given, allowed = checkpoint.leaves.get(name), expected.get(name)
        if given != allowed:
            raise UserError(
                f"checkpoint {checkpoint.path}: given {given or 'nothing'} as {name}; "
                f"allowed: {allowed or 'nothing of that name'}"
            )


def restore(checkpoint: Checkpoint, template: State) -> State:
    """Read the arrays into a tree like `template`: arrays, or their shapes and dtypes."""
    check_fits(checkpoint, template)
    arrays = _checkpointer().restore((checkpoint.path / "state").absolute())
    leaves = named_leaves(template)
    restored = [_to_device(arrays.get(name), leaf) for name, leaf in leaves.items()]
    return jax.tree.unflatten(jax.tree.structure(template), restored)


def to_host(state: Any) -> dict[str, np.ndarray]:
    """Copy the arrays that have elements to the host, by name; orbax cannot store those that have none."""
    return {name: host_copy(leaf) for name, leaf in named_leaves(state).items() if leaf.size}


def named_leaves(tree: Any) -> dict[str, Any]:
    """Return the arrays of a tree by name: {"params/head/kernel": …}, in the tree's order."""
    pairs = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in pairs}


def describe(array: Any) -> str:
    """Return dtype and shape as text, `float32[64,10]`; a typed key is `key<fry>[64]`."""
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def host_copy(array: Any) -> np.ndarray:
    """Copy an array, or a typed key's data, to the host: a real copy, for a live view cancels donation.

    What is spread over several processes is put together; all of them have to call this, in the same order.
    """
    if is_key(array):
        array = jax.random.key_data(array)
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        array = multihost_utils.process_allgather(array, tiled=True)
    return np.array(array, copy=True)


def is_key(array: Any) -> bool:
    """Whether an array holds typed random keys."""
    return jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)


def _to_device(array: np.ndarray | None, leaf: Any) -> jax.Array:
    """Copy a saved array to the device: jax must own its memory to be able to donate it."""
    if array is None:
        return jnp.zeros(leaf.shape, leaf.dtype)  # it has no elements
    if is_key(leaf):
        return jax.random.wrap_key_data(jnp.array(array), impl=jax.random.key_impl(jnp.empty((), leaf.dtype)))
    return jnp.array(array)


@contextmanager
def _literal(folder: Path) -> Iterator[Path]:
    """Give a path to a folder that orbax finds: it takes `[x]` in a name for a pattern, and leaves out what it saved.

    That is a link, where a name on the way has letters of a pattern.
    """
    if not set(PATTERN_LETTERS) & set(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory() as elsewhere:
        link = Path(elsewhere) / "checkpoint"
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _checkpointer() -> Any:
    """Return orbax's reader and writer; it waits for no other process."""
    import orbax.checkpoint as ocp  # slow to import, and not needed until here

    if not processes.has_others():
        return ocp.PyTreeCheckpointer()
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix=f"process_{here}"
    )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _open(path: Path, step: int) -> Checkpoint:
    """Check every file that was written against its checksum and read the description.

    What else lies there is no matter: file managers and network file systems leave files of their own.
    """
    try:
        _check_files(path, _read_object(path / "checksums.json"))
        description = _read_object(path / "checkpoint.json")
    except UNREADABLE as error:
        raise DamagedError(str(error)) from None
    except OSError as error:
        if (
            error.errno == errno.EIO
        ):  # the disk cannot read it any more; anything else says nothing of the content
            raise DamagedError(in_words(error)) from None
        raise
    if "format" not in description:
        raise DamagedError("checkpoint.json does not say its format")
    if description["format"] != FORMAT_VERSION:
        raise UserError(
            f"checkpoint {path}: given format {description['format']}, of another version of tetrax; allowed: "
            f"{FORMAT_VERSION} (train anew, or go on with that version; its policy can still be evaluated)"
        )
    fields = ("leaves", "config", "host", "versions")
    for name in fields:
        if not isinstance(description.get(name), dict):
            raise DamagedError(f"checkpoint.json does not say its {name}")
    return Checkpoint(path=path, step=step, **{name: description[name] for name in fields})


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; ValueError for other content."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise ValueError(f"{path.name} holds no object")
    return document


def _check_files(path: Path, expected: dict[str, Any]) -> None:
    """Raise DamagedError for a file that is missing or not as it was written."""
    if "checkpoint.json" not in expected:
        raise DamagedError("checksums.json does not list checkpoint.json")
    for name, digest in sorted(expected.items()):
        if not (path / name).is_file() or _digest(path / name) != digest:
            raise DamagedError(f"{name} is not as it was written")


def _checksums(path: Path) -> dict[str, str]:
    """Return the digest of every file of a checkpoint but that of the digests."""
    files_there = (
        file for file in sorted(path.rglob("*")) if file.is_file() and file.name != "checksums.json"
    )
    return {str(file.relative_to(path)): _digest(file) for file in files_there if not files.is_foreign(file)}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
