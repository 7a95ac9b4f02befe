"""What the compiler says to whoever works on it, kept from those who use a command."""

from __future__ import annotations

import os

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # XLA's own: 0 everything, 1 without notes, 2 without warnings, 3 only what ends it
ONLY_FATAL = "3"


def hide() -> None:
    """Let XLA say only what ends the process, where the user has not said what they want to hear.

    XLA calls a program that compiles for two minutes a bug to be filed, among its errors; here it is a large program.
    What really fails is a Python error as well. It must be called before JAX is imported, which sets a level.
    """
    os.environ.setdefault(LEVEL, ONLY_FATAL)
