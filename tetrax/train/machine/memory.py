"""How much memory there is, and whether what a training needs fits into it, before it is allocated."""

from __future__ import annotations

from pathlib import Path

import jax

from tetrax.agents.agent import Agent
from tetrax.fields.errors import UserError

SHARE = 0.9  # of the memory that is free that a replay or a program may take: there is more to a run
MEMINFO = Path("/proc/meminfo")
# The limit of a control group and what it has in use, of version 2 and of version 1.
CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def check_replay(agent: Agent, num_seeds: int) -> None:
    """Raise UserError where the replays of all seeds do not fit into the memory that is free.

    That of the devices holds a part each; that of the machine holds what its CPU devices do, and the copy of the
    whole that a checkpoint is written from or read into. What is not known is not checked.
    """
    whole = agent.replay_bytes * num_seeds
    local = jax.local_devices()
    here = whole * len(local) // jax.device_count()
    seeds = f" for {num_seeds} seeds" if num_seeds > 1 else ""
    given = f"a replay of {readable(whole)}{seeds}"
    if local[0].platform == "cpu":
        whole += here
    else:
        _refuse_beyond(device_bytes(), here, given, "of the devices")
    with_copy = f"{given}, with what checkpoints take {readable(whole)}"
    _refuse_beyond(machine_bytes(), whole, with_copy, "of the machine")


def program_bytes() -> int | None:
    """Return the memory that one program may take on this process' first device; None where nobody tells."""
    free = _free_on(jax.local_devices()[0])
    if free is None:
        free = machine_bytes()
    return None if free is None else int(SHARE * free)


def device_bytes() -> int | None:
    """Return the memory that is free on this process' devices; None where they do not tell."""
    free = [_free_on(device) for device in jax.local_devices()]
    return None if None in free else sum(each for each in free if each is not None)


def _free_on(device: jax.Device) -> int | None:
    """Return the memory that is free on a device; None where it does not tell, as a CPU does not."""
    stats = device.memory_stats() or {}
    return stats["bytes_limit"] - stats.get("bytes_in_use", 0) if "bytes_limit" in stats else None


def machine_bytes() -> int | None:
    """Return what Linux says is available, or what is left to this process' control group if that is less."""
    try:
        told = MEMINFO.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in told if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    for limit, in_use in ((_number_in(limit), _number_in(used)) for limit, used in CGROUPS):
        if limit is not None:
            free = min(free, limit - (in_use or 0))
    return free


def _refuse_beyond(free: int | None, needed: int, given: str, where: str) -> None:
    if free is not None and needed > SHARE * free:
        raise UserError(
            f"--agent.replay-capacity: given {given}; allowed: {readable(int(SHARE * free))}, "
            f"{SHARE:.0%} of the free memory {where}"
        )


def readable(size: int) -> str:
    """Write a number of bytes for people: 72.9 MB."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there, or "max"
        return None
