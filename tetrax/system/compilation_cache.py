"""The persistent compilation cache: a program compiled once on this machine starts at once the next time.

JAX looks for its settings when it compiles for the first time in a process: what is set after that has no effect.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import jax

FOLDER, SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
ONLY_SLOW = 1.0  # seconds to compile, that JAX by itself finds worth keeping


def enable() -> str | None:
    """Keep every compiled program in ~/.cache/tetrax/xla, or where $TETRAX_CACHE_DIR says ("" = nowhere).

    JAX's own settings win, in the environment or in `jax.config`. Returns what the user should know, in one line, where
    programs cannot be kept; JAX would say so for every one of them.
    """
    refused = enable_for_slow_programs()
    if jax.config.values[SECONDS] == ONLY_SLOW and SECONDS.upper() not in os.environ:
        # A start compiles many smaller programs.
        jax.config.update(SECONDS, 0.0)
    chosen = jax.config.values[FOLDER]
    if refused is None and chosen and "://" not in chosen:  # a folder of this machine
        refused = _try(Path(chosen))
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    if refused is None:
        return None
    return (
        f"compiled programs cannot be kept, so that the next start compiles them again ({refused}); "
        "$TETRAX_CACHE_DIR names another folder"
    )


def enable_for_slow_programs() -> str | None:
    """Do the same for programs that take a second to compile: for libraries, in whose process others compile too.

    Returns why they cannot be kept.
    """
    if jax.config.values[FOLDER] is not None or FOLDER.upper() in os.environ:
        return None
    folder = os.environ.get("TETRAX_CACHE_DIR")
    try:
        folder = str(_default_folder()) if folder is None else folder
    except RuntimeError as error:  # there is no home
        return str(error)
    if not folder:
        return None
    refused = _try(Path(folder))
    if refused is None:
        jax.config.update(FOLDER, folder)
    return refused


def _try(folder: Path) -> str | None:
    """Write to a folder, which is made where it is not there; return why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tetrax" / "xla"
