"""What people are shown of a run besides its metrics, and by what they are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatchConfig:
    """What is left of a run for people to look at; none of it changes what is learned."""

    steps: bool = False
    """Write the facts of each step of the watched game to watched.jsonl from beginning to end; otherwise while a page
    shows it (python -m tetrax.dashboard)."""
    alerts: tuple[str, ...] = ()
    """Rules for what to call somebody: 'METRIC below NUMBER', 'METRIC above NUMBER', 'METRIC stalls STEPS' (no new
    highest value for so long), 'METRIC falls SHARE' (below that share of its usual value). That a number is none is
    always one."""
    alert_command: str | None = None
    """Command line for the shell to run at each alert, with TETRAX_ALERT, TETRAX_RUN and TETRAX_STEP in its
    environment; None = none."""
