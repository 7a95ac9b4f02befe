"""What JAX, XLA and the machine say when they cannot go on, as a line that tells what to do about it."""

from __future__ import annotations

import os
import re
import traceback

PLATFORMS = "JAX_PLATFORMS"
NO_DEVICE = "Unable to initialize backend"  # how JAX begins to say that there is no such device
NO_MEMORY = "RESOURCE_EXHAUSTED"  # and XLA that there is no more memory
MISFIT = re.compile(r"jaxlib (is )?version ")  # and JAX, when it is imported, that jaxlib is of another time
OF_NVIDIA = "; an NVIDIA GPU wants pip install -e '.[cuda]' in a checkout of tetrax, and a driver from 525 on"
AS_ASKED = "pip install -e . in a checkout of tetrax (with '.[cuda]' for an NVIDIA GPU) brings those that fit"


def in_one_line(error: BaseException) -> str | None:
    """Say what is the matter and what to do; None where the error is of no such kind."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and text.startswith(NO_MEMORY)):
        return _of_memory(text)
    if isinstance(error, RuntimeError) and text.startswith(NO_DEVICE):
        return _of_device(text)
    if isinstance(error, AssertionError) and _is_search_for_devices(error):
        return _of_device("")
    if isinstance(error, RuntimeError) and MISFIT.match(text):
        return f"jax: {text.rstrip('.')}; {AS_ASKED}"
    return None


def _of_memory(text: str) -> str:
    """Name the settings that memory goes with; XLA's own list of what it had allocated is long."""
    asked = re.search(r"[\d.]+ ?(?:bytes|[KMGTPE]i?B)", text)
    wanted = f" ({asked[0]} were asked for at once)" if asked else ""
    return (
        f"out of memory{wanted}: lower --agent.num-envs, --agent.num-steps, --agent.batch-size, "
        "--agent.replay-capacity, --num-seeds or --episodes, whichever there is; a run goes on from its last "
        "checkpoint with --resume"
    )


def _of_device(text: str) -> str:
    wanted = os.environ.get(PLATFORMS, "")
    if not wanted:
        return f"device: {text}"
    reason = re.sub(r"^Unable to initialize backend '[^']*': | \(set JAX_PLATFORMS=.*$", "", text).rstrip(".")
    says = f" ({reason})" if reason else ""
    more = OF_NVIDIA if {"cuda", "gpu"} & set(wanted.split(",")) else ""
    return (
        f"{PLATFORMS}: given {wanted!r}, but JAX finds no such device{says}; allowed: cpu, or nothing at all, for the "
        f"best there is{more}"
    )


def _is_search_for_devices(error: AssertionError) -> bool:
    """Whether JAX looked for devices in vain: of an NVIDIA GPU that is not there it only asserts that there is one."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__") == "jax._src.xla_bridge"
