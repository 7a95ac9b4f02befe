"""The persistent compilation cache: a program compiled once on this machine starts at once the next time."""

from __future__ import annotations

import os
from pathlib import Path

import jax


def enable() -> None:
    """Keep every compiled program in ~/.cache/tetrax/xla, or where $TETRAX_CACHE_DIR says ("" = nowhere).

    JAX's own environment variables win: $JAX_COMPILATION_CACHE_DIR, $JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tetrax" / "xla"
    folder = os.environ.get("TETRAX_CACHE_DIR", str(default))
    if folder and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", folder)
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # The default keeps only what took a second; a start compiles many smaller programs.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
