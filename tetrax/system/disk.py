"""Writes to disk that a kill at any moment leaves either whole or not there at all, and errors that name their file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp-"  # first letters of a name that no reader looks at
ASIDE = "-old"  # last letters of the temporary name of a folder that is being replaced or removed
LONGEST_NAME = 200  # bytes that are kept of a name in a temporary one; most file systems hold 255
TRIAL = b"\0" * 4096  # a full disk still takes an empty file
# What a file system answers that has no such call.
NOT_OFFERED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


def read_json(path: Path) -> Any:
    """Read a file of JSON; ValueError for other content, OSError for what cannot be read or would never end."""
    mode = os.stat(path).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):  # reading would wait for somebody to write
        raise OSError(errno.EINVAL, "a pipe or a socket", str(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("lists or objects within each other too deeply") from None


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let an OSError of this block name `path`: writing names no file, and the user knows no temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not the system's own: what it says is all that is known
            raise OSError(errno.EIO, str(error), str(path)) from error
        given = str(error.filename)
        if error.filename is None:
            error.filename = str(path)
        elif temporary is not None and given.startswith(str(temporary)):
            error.filename = str(path) + given.removeprefix(str(temporary))
        raise


@contextmanager
def replacing(path: Path, mark: str = "") -> Iterator[Path]:
    """Give a temporary path to write to (a file or a folder) and move it to `path` once it is on disk.

    A link is followed, and what is no regular file or folder, such as a device or a pipe, is written to as it is.
    `mark` tells writers of the same path apart. Raises OSError that names `path`.
    """
    if _is_special(path):
        with naming(path):
            yield path
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = _temporary(target, mark)
    with naming(path, temporary):
        discard(temporary)
        try:
            yield temporary
            _sync_all(temporary)
            # Renaming replaces a file, but of folders only empty ones; a file takes no folder's place.
            replaced = _set_aside(target) if target.is_dir() and temporary.is_dir() else None
            os.replace(temporary, target)
            sync_folder(target.parent)
            if replaced is not None:
                discard(replaced)
        finally:
            discard(temporary)


def as_path(given: object, name: str = "path") -> Path:
    """Return what is given as a path; TypeError where it is none."""
    if not isinstance(given, (str, os.PathLike)):
        shown = (
            repr(given) if given is None or isinstance(given, int | float) else f"a {type(given).__name__}"
        )
        raise TypeError(f"{name}: given {shown}; allowed: a name, or a Path")
    if not os.fspath(given) or "\0" in os.fspath(given):  # no name at all would be the working folder
        raise ValueError(f"{name}: given {os.fspath(given)!r}; allowed: a name, or a Path")
    return Path(given)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; a kill can leave `.tmp-…` behind, which no reader looks at."""
    with replacing(path, mark=str(os.getpid())) as file:
        file.write_bytes(data)


def write_all(file: io.RawIOBase, text: str) -> None:
    """Write text to an unbuffered file: what fails, fails here, and not again when the file is closed."""
    data = text.encode()
    while data:
        data = data[file.write(data) or 0 :]


def append(path: Path, lines: str) -> None:
    """Add whole lines to the end of a file in one go; where that fails, none of them is left there.

    A last line that somebody else's end has torn is ended first. Raises OSError that names the file.
    """
    with naming(path):
        if _is_special(path):
            with path.open("ab", buffering=0) as file:
                write_all(file, lines)
            return
        with path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            torn = file.read(1) not in (b"", b"\n")
            try:
                write_all(file, "\n" * torn + lines)
            except OSError:
                with contextlib.suppress(OSError):  # the first error is the one that tells
                    file.truncate(end)
                raise


def try_writing(path: Path) -> None:
    """Raise the OSError that writing the file `path` would meet, as far as that can be known; leave all as it is.

    A full disk, a read-only or missing folder and a name that is too long show only when something is written.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if _is_special(path):
        if not path.is_fifo():  # opening a pipe would wait for its reader
            with naming(path), path.open("ab"):
                pass
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    trial = _temporary(target, f"try{os.getpid()}")
    with naming(path, trial):
        try:
            with trial.open("wb") as file:
                file.write(TRIAL)
        finally:
            with contextlib.suppress(OSError):  # the first error is the one that tells
                trial.unlink(missing_ok=True)


def try_writing_in(folder: Path) -> None:
    """Raise the OSError, naming the folder, that writing a new file in it would meet; leave all as it is."""
    trial = folder / f"{TEMPORARY}try{os.getpid()}"
    try:
        try_writing(trial)
    except OSError as error:
        error.filename = str(folder)
        raise


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder is renamed first, so that no half of it is seen.

    A network file system keeps files that somebody has open (`.nfs…`); then the rest waits under its temporary name.
    """
    if path.is_dir():
        shutil.rmtree(path if path.name.startswith(TEMPORARY) else _set_aside(path), ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(descriptor: int) -> bool:
    """Wait until an open file or folder is on disk; return False where the file system cannot tell."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
        return False
    return True


def sync_folder(folder: Path) -> bool:
    """Make the names in `folder` survive a loss of power; return False where that cannot be (or on Windows)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return False
    try:
        return sync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(path: Path) -> None:
    if path.is_dir():
        for entry in path.iterdir():
            _sync_all(entry)
        sync_folder(path)
    else:
        with path.open("rb+") as file:
            sync(file.fileno())  # the name must not be on disk before what it names


def _set_aside(folder: Path) -> Path:
    """Rename a folder to a temporary name that is free."""
    number = 0
    while (aside := folder.with_name(f"{TEMPORARY}{folder.name}{ASIDE}{number or ''}")).exists():
        discard(aside)
        number += 1
    return folder.rename(aside)


def _temporary(path: Path, mark: str) -> Path:
    """Return the temporary name of a path; a name as long as a file system holds is shortened to make room."""
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        if len(os.fsencode(name)) > os.pathconf(path.parent, "PC_NAME_MAX"):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f"{TEMPORARY}{name}-{mark}" if mark else TEMPORARY + name)


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither a regular file nor a folder."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
