"""Several processes that train together: one program over the devices of all, joined by jax.distributed.

All run the same chunks. Process 0 leads: it alone has the run folder, evaluates, saves and talks. The others
follow (`tetrax.train.follow`). What the next chunk or a checkpoint needs all of them for is agreed on between
chunks: whether there is anything to train, when to save, when to stop. A process on its own agrees with itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

from tetrax.fields.errors import UserError, wrong

COORDINATOR, COUNT, INDEX = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
NOTHING_LEFT, CALLED_OFF = -1, -2  # what process 0 says instead of the chunks that are trained already


def join() -> None:
    """Join the other processes of this run; nothing of jax may have been used before.

    Under Slurm, Open MPI, Kubernetes and on TPUs everything is found; elsewhere three variables say it.
    """
    count, index = _number(COUNT), _number(INDEX)
    try:
        jax.distributed.initialize(num_processes=count, process_id=index)
    except (ValueError, RuntimeError) as error:
        by_hand = f"{COORDINATOR} (host:port of process 0), {COUNT} and {INDEX}"
        raise UserError(
            f"--distributed: given processes that cannot be joined ({error}); allowed: those that Slurm, "
            f"Open MPI or Kubernetes started, or {by_hand} in the environment of each"
        ) from None


def has_others() -> bool:
    """Tell whether other processes train too."""
    return jax.process_count() > 1


def leads() -> bool:
    """Tell whether this is process 0, the one that writes."""
    return jax.process_index() == 0


@contextmanager
def leading() -> Iterator[Callable[[int], None]]:
    """Say to the others, once, how many chunks are trained already, and wait for them at the end.

    Leaving without a word tells them that nothing is left to train, or by an exception that it is called off.
    """
    told = False

    def tell(chunks: int) -> None:
        nonlocal told
        told = True
        _from_process_0(chunks)

    try:
        yield tell
    except BaseException:
        if not told:
            _from_process_0(CALLED_OFF)
        raise
    if not told:
        _from_process_0(NOTHING_LEFT)
    wait_for_all()


def listen() -> int:
    """Return what process 0 tells: the chunks that are trained already, NOTHING_LEFT or CALLED_OFF."""
    return _from_process_0(0)


def agree(*, save: bool, stop: bool) -> tuple[bool, bool]:
    """Decide together after a chunk: save when process 0 wants it, stop when any process does."""
    if not has_others():
        return save, stop
    wishes = np.asarray(multihost_utils.process_allgather(np.array([save, stop])))  # [processes, 2]
    return bool(wishes[0, 0]), bool(wishes[:, 1].any())


def wait_for_all() -> None:
    """Wait until all are here: a process that leaves early would be taken for one that failed."""
    if has_others():
        multihost_utils.sync_global_devices("the run is over")


def _from_process_0(number: int) -> int:
    if not has_others():
        return number
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def _number(variable: str) -> int | None:
    given = os.environ.get(variable)
    if given is None:
        return None
    if not given.isdecimal():
        raise wrong(variable, given, "a whole number")
    return int(given)
