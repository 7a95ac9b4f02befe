"""The memory that a run's replay takes, stated and checked before it is allocated."""

from __future__ import annotations

from pathlib import Path

import jax

from tetrax.agents.agent import Agent
from tetrax.train.errors import UserError

SHARE = 0.9  # of the memory that is free that a replay may take: there is more to a run
MEMINFO = Path("/proc/meminfo")
# Of version 2 and of version 1.
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def check_replay(agent: Agent, num_seeds: int, available: int | None) -> None:
    """Raise UserError where the replays of all seeds do not fit into the memory that is free (None: unknown)."""
    needed = agent.replay_bytes * num_seeds
    if available is not None and needed > SHARE * available:
        seeds = f" for {num_seeds} seeds" if num_seeds > 1 else ""
        raise UserError(
            f"--agent.replay-capacity: given a replay of {readable(needed)}{seeds}; allowed: "
            f"{readable(int(SHARE * available))}, {SHARE:.0%} of what is free"
        )


def available_bytes() -> int | None:
    """Return the memory that is free on the devices, or on this machine if these are CPUs; None where unknown."""
    devices = jax.devices()
    if devices[0].platform == "cpu":
        return _of_machine()
    stats = [device.memory_stats() or {} for device in devices]
    if not all("bytes_limit" in each for each in stats):
        return None
    return sum(each["bytes_limit"] - each.get("bytes_in_use", 0) for each in stats)


def readable(size: int) -> str:
    """Write a number of bytes for people: 72.9 MB."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _of_machine() -> int | None:
    """Return what Linux says is available, or the limit of this process' control group if that is less."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    return min([free, *(limit for path in CGROUP_LIMITS if (limit := _number_in(path)) is not None)])


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there, or "max"
        return None
