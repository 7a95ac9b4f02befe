"""Whether this process was forked from one in which JAX had started: its threads are gone then, and it hangs."""

import os

from jax._src import xla_bridge  # no public name tells whether JAX has started

ADVICE = (
    "JAX had started before this process was forked, and would hang in it; allowed: vector_kwargs={'context': 'spawn'} "
    "in mode 'async', making the environments before JAX is first used, or no vectorization_mode at all (many "
    "boards in one compiled step, which is faster)"
)

GENERAL_ADVICE = (
    "JAX had started before this process was forked, and would hang in it; allowed: processes that are spawned, or "
    "making and resetting the environment before JAX is first used"
)


class _Forks:
    """Note before each fork whether JAX has started: asked in the child, it might wait for a lock for ever."""

    had_started = False  # at the last fork
    is_cut_off = False  # in a child of it

    def note(self) -> None:
        self.had_started = xla_bridge.backends_are_initialized()

    def note_child(self) -> None:
        self.is_cut_off = self.had_started


_forks = _Forks()
if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(before=_forks.note, after_in_child=_forks.note_child)


def check_not_forked(advice: str = ADVICE) -> None:
    """Raise a RuntimeError where JAX would hang, being forked after it had started."""
    if _forks.is_cut_off:
        raise RuntimeError(advice)
