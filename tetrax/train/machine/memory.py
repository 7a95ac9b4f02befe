"""How much memory there is, and whether a training fits into it, before anything is allocated or compiled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from tetrax.agents.agent import Agent
from tetrax.agents.sizes import tree_bytes
from tetrax.fields import as_json
from tetrax.fields.errors import UserError
from tetrax.train.config import TrainConfig, flag

SHARE = 0.9  # of the memory that is free that a training may take: there is more to a run
MEMINFO, OWN_GROUPS, GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
OWN_PAGES = Path("/proc/self/statm")
# What makes each part of a training large: settings of the agent, of those that it has.
GROWS_WITH = {
    "network": ("network.hidden", "network.channels", "network.memory", "network.attention.size"),
    "replay": ("replay_capacity",),
    "games": ("num_envs", "num_steps", "num_candidates", "num_boards", "batch_size"),
}


class GroupFiles(NamedTuple):
    """The files of a memory control group."""

    limit: str
    used: str
    forgettable: str  # the line of memory.stat for files that have been read


# By the controller's name and folder: version 2 has one hierarchy for all.
GROUP_FILES = {
    "": GroupFiles("memory.max", "memory.current", "inactive_file"),
    "memory": GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


class Need(NamedTuple):
    """About how many bytes a training of one seed holds at once."""

    network: int  # parameters, Adam's moments, a target network, gradients
    replay: int
    games: int  # and what is played and learned from in an iteration
    saved: int  # of these, what a checkpoint holds

    @property
    def total(self) -> int:
        """Return the bytes of all parts."""
        return self.network + self.replay + self.games


def find_need(agent: Agent, template: Any, num_seeds: int) -> Need:
    """Tell the need of one seed from the shapes of a TrainState of `num_seeds` seeds; nothing is computed."""
    saved = tree_bytes(template) // num_seeds
    take_policy = agent.policy if num_seeds == 1 else jax.vmap(agent.policy)
    policy = tree_bytes(jax.eval_shape(take_policy, template)) // num_seeds
    network = min(3 * policy, saved - agent.replay_bytes)
    games = saved - agent.replay_bytes - network
    return Need(network + policy, agent.replay_bytes, games + agent.find_working_bytes(), saved)


def check(config: TrainConfig, need: Need, num_seeds: int, *, saves: bool = True) -> None:
    """Raise UserError where what `num_seeds` seeds of a training need does not fit into the memory that is free.

    That of the devices holds a part each; that of the machine holds what its CPU devices do, and, where the training
    saves, the copy of the state that a checkpoint is written from or read into. What is not known is not checked.
    """
    local = jax.local_devices()
    here = -(-need.total * len(local) // jax.device_count())
    copied = need.saved if saves else 0
    if local[0].platform == "cpu":
        copied += here
    else:
        _refuse_beyond(device_bytes(), here, config, need, num_seeds, "of the devices")
    _refuse_beyond(machine_bytes(), copied, config, need, num_seeds, "of the machine")


def _refuse_beyond(
    free: int | None, each: int, config: TrainConfig, need: Need, num_seeds: int, where: str
) -> None:
    if free is None or num_seeds * each <= SHARE * free:
        return
    there = readable(int(SHARE * free))
    name, value = _find_largest(config, need)
    if each <= SHARE * free:
        name, value = "num_seeds", num_seeds
    parts = zip(("network", "games", "replay"), (need.network, need.games, need.replay), strict=True)
    made_of = ", ".join(f"{part} {readable(num_seeds * size)}" for part, size in parts if size)
    raise UserError(
        f"{flag(name)}: given {value}, with which training needs about {readable(num_seeds * each)} at once "
        f"({made_of}); allowed: less, so that it fits into {there}, {SHARE:.0%} of the free memory {where}"
    )


def _find_largest(config: TrainConfig, need: Need) -> tuple[str, Any]:
    """Return the setting that makes the largest part of a training as large as it is, and its value."""
    part = max(GROWS_WITH, key=lambda each: getattr(need, each))
    settings = dict(_leaves(as_json.to_json(config.agent)))
    candidates = {name: settings[name] for name in GROWS_WITH[part] if name in settings}
    if settings.get("network.recurrent") == "none":
        candidates.pop("network.memory", None)
    if settings.get("network.encoder") != "attention":
        candidates.pop("network.attention.size", None)
    if not candidates:
        return "agent", config.algorithm
    name = max(candidates, key=lambda each: _size(candidates[each]))
    return f"agent.{name}", candidates[name]


def _leaves(document: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield path + name, value


def _size(value: Any) -> int:
    return max(value) if isinstance(value, list) else value


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
    """Return what Linux says is available, or what is left to a control group of this process if that is less."""
    try:
        told = MEMINFO.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in told if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    for folder, names in _control_groups():
        limit = _number_in(folder / names.limit)
        if limit is not None:
            used = (_number_in(folder / names.used) or 0) - _forgettable_in(folder, names)
            free = min(free, max(limit - used, 0))
    return free


def _control_groups() -> Iterator[tuple[Path, GroupFiles]]:
    """Give the folders of the memory control groups that this process is in, from the innermost to the root.

    Inside a container its own group may be the root, and the path that the system tells one of outside.
    """
    try:
        told = OWN_GROUPS.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        told = []
    paths = {"": "/", "memory": "/"}
    for line in told:
        _, controllers, path = line.split(":", 2)
        paths |= {each: path for each in controllers.split(",") if each in paths}
    for controller, names in GROUP_FILES.items():
        inside = Path(paths[controller].lstrip("/"))
        for part in (inside, *inside.parents):
            yield GROUPS / controller / part, names


def _forgettable_in(folder: Path, names: GroupFiles) -> int:
    """Return the bytes of files that a group has read and the system may forget; they count as in use."""
    try:
        told = dict(
            line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        return int(told.get(names.forgettable, 0))
    except (OSError, ValueError):
        return 0


def in_use() -> str:
    """Say how much memory is held now: on accelerators what is allocated there, else what this process holds."""
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    if jax.default_backend() != "cpu" and all("bytes_in_use" in each for each in stats):
        return readable(sum(each["bytes_in_use"] for each in stats))
    try:
        pages = int(OWN_PAGES.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):  # not Linux
        return "memory unknown"
    return readable(pages * os.sysconf("SC_PAGE_SIZE"))


def readable(size: int) -> str:
    """Write a number of bytes for people: 72.9 MB."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there, or "max"
        return None
