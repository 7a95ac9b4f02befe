"""Versions of libraries that are known to fail or do not fit each other, for those who have one all the same.

Installing leaves them out (pyproject.toml); a checkout that is brought up to date keeps what was installed before.
"""

import contextlib
import importlib.metadata
import os
import re
from pathlib import Path

FAULTS = {  # of jax, on CPUs
    "0.8.0": "reads tables in a program wrongly (jax issue 33479)",
    "0.8.1": "reads tables in a program wrongly (jax issue 33479)",
    "0.10.0": "may abort in gradients of attention (jax issue 39264)",
    "0.10.1": "may abort in gradients of attention (jax issue 39264)",
    "0.10.2": "computes wrong sums (jax issue 39103)",
    "0.11.0": "may crash in products of many axes (jax issue 39257)",
    "0.11.1": "is slow in loops that write to large arrays",
}


PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin")  # what JAX reaches NVIDIA's GPUs by
GPU = Path("/dev/nvidia0")


def faults() -> tuple[str, ...]:
    """Return a line for each installed library that is known to fail, or that leaves a GPU unused."""
    return (*_failing_jax(), *_misfits(), *_unused_gpu())


def _failing_jax() -> tuple[str, ...]:
    version = importlib.metadata.version("jax")
    if version not in FAULTS:
        return ()
    return (f"warning: jax {version} {FAULTS[version]} on CPUs; `pip install -e .` takes another",)


def _misfits() -> tuple[str, ...]:
    """Name plugins that JAX does not use, because their numbers are not those of jaxlib."""
    jaxlib = importlib.metadata.version("jaxlib")
    return tuple(
        f"warning: {name} {version} does not fit jaxlib {jaxlib}, so that JAX uses no NVIDIA GPU; "
        "`pip install -e '.[cuda]'` takes those that fit"
        for name, version in _plugins()
        if _numbers(version) != _numbers(jaxlib)
    )


def _unused_gpu() -> tuple[str, ...]:
    """Name an NVIDIA GPU that JAX cannot use, where nobody has said what it shall use."""
    if os.environ.get("JAX_PLATFORMS") or not GPU.exists() or _plugins():
        return ()
    return (
        "warning: JAX does not use this machine's NVIDIA GPU; `pip install -e '.[cuda]'` brings what it lacks",
    )


def _plugins() -> list[tuple[str, str]]:
    found = []
    for name in PLUGINS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((name, importlib.metadata.version(name)))
    return found


def _numbers(version: str) -> str:
    """Return the numbers that a version begins with: a version of one's own build may end in letters."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return found[0] if found else version
