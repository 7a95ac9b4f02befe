"""The persistent compilation cache: a program compiled once on this machine starts at once the next time.

JAX looks for its settings when it compiles for the first time in a process: what is set after that has no effect.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import jax

FOLDER, SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
ONLY_SLOW = 1.0  # seconds to compile, that JAX by itself finds worth keeping


def enable() -> None:
    """Keep every compiled program in ~/.cache/tetrax/xla, or where $TETRAX_CACHE_DIR says ("" = nowhere).

    JAX's own settings win, in the environment or in `jax.config`; so does a folder that cannot be written.
    """
    enable_for_slow_programs()
    if jax.config.values[SECONDS] == ONLY_SLOW and SECONDS.upper() not in os.environ:
        # A start compiles many smaller programs.
        jax.config.update(SECONDS, 0.0)


def enable_for_slow_programs() -> None:
    """Do the same for programs that take a second to compile: for libraries, in whose process others compile too."""
    if jax.config.values[FOLDER] is not None or FOLDER.upper() in os.environ:
        return
    # Without a folder to write to, JAX would warn at every program.
    with contextlib.suppress(OSError, RuntimeError):  # the latter where there is no home
        folder = os.environ.get("TETRAX_CACHE_DIR")
        folder = str(_default_folder()) if folder is None else folder
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            jax.config.update(FOLDER, folder)


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tetrax" / "xla"
