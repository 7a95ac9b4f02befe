"""What a run leaves for people who look at it while it trains: the facts of a watched game, and alerts.

Looking changes nothing of what is learned, and what fails in it is said and ends no run.
"""

from __future__ import annotations

import json
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.system import disk
from tetrax.train.alerts import NAN, Alerts
from tetrax.train.config import TrainConfig
from tetrax.train.folder import mailbox
from tetrax.train.folder.log import Row
from tetrax.train.report.watched_game import WatchedGame
from tetrax.train.run import Progress, Run

SHARE = 0.005  # of the time of the training that the watched game may take
LARGEST_FILE = 16_000_000  # bytes, after which a fresh one is begun


class Watching:
    """What is looked at between two chunks."""

    def __init__(self, run: Run, progress: Progress, earlier: list[Row]) -> None:
        self._run, self._progress = run, progress
        self._alerts: Alerts | None = None
        self._lost: set[str] = set()  # what was said of alerts that failed
        self._config: TrainConfig = run.config
        self._game: WatchedGame | None = None
        self._failed = run.env.spec.on_host  # such games are not played beside
        self._written = 0  # bytes of the file
        self._spent, self._since = 0.0, 0.0  # seconds
        self._earlier = earlier

    def look(self, state: Any, row: Row) -> None:
        """Look at the row of a chunk, and let the watched game go on if somebody watches."""
        self._call(row)
        settings = self._run.config.watch
        if self._failed or not (settings.steps or mailbox.is_watched(self._run.folder.root)):
            return
        try:
            self._play(state, row["step"])
        except Exception as error:  # it is for people to look at: a full disk, memory
            self._failed = True
            self._run.display.note(f"{self._run.folder.watched}: written no more ({_why(error)})")

    def diverged(self, step: int, said: str) -> None:
        """Call somebody because a number is none."""
        self._made_alerts().call(step, self._run.stopwatch.wall_time(), NAN, said)

    def _call(self, row: Row) -> None:
        try:
            for alert in self._made_alerts().look(row):
                self._run.display.note(f"alert at step {alert.step:,}: {alert.said}")
        except Exception as error:  # a full disk, a machine that starts no more processes
            said = f"{self._run.folder.alerts}: an alert has reached nobody ({_why(error)})"
            if said not in self._lost:
                self._lost.add(said)
                self._run.display.note(said)

    def _made_alerts(self) -> Alerts:
        """Return the rules as they are configured now."""
        settings = self._run.config.watch
        if self._alerts is None:
            path = self._run.folder.alerts
            self._alerts = Alerts(path, settings.alerts, settings.alert_command, self._earlier)
            self._earlier = []
        elif self._config.watch != settings:
            self._alerts.change(settings.alerts, settings.alert_command)
        self._config = self._run.config
        return self._alerts

    def _play(self, state: Any, step: int) -> None:
        """Play a burst of the watched game, unless that has taken more than its share already."""
        run = self._run
        if self._game is None:
            self._game = WatchedGame(run.env, run.program.agent, *self._learned(state))
            return
        if not self._game.is_ready:
            return
        began = time.monotonic()
        if not self._since:
            self._since = began
        if self._spent > SHARE * (began - self._since):
            return
        policy, discount = self._learned(state)
        self._write(self._game.play(policy, step, discount))
        self._spent += time.monotonic() - began

    def _learned(self, state: Any) -> tuple[Any, Any]:
        """Return the policy as it is now, and the discount of its values if errors of single steps are told."""
        program, seed = self._run.program, self._progress.leading_seed
        policy = program.policy(state, seed)
        if not program.agent.learns_by_td:
            return policy, None
        of_seeds = np.ravel(jax.device_get(state.tunables["discount"]))
        return policy, jnp.float32(of_seeds[seed])

    def _write(self, facts: list[dict[str, Any]]) -> None:
        path = self._run.folder.watched
        text = "".join(json.dumps(each, allow_nan=False, separators=(",", ":")) + "\n" for each in facts)
        if not 0 < self._written < LARGEST_FILE:
            assert self._game is not None
            header = json.dumps(self._game.header()) + "\n"
            disk.write_whole(path, header.encode())
            self._written = len(header)
        with disk.naming(path), path.open("ab", buffering=0) as file:
            disk.write_all(file, text)
        self._written += len(text)


def _why(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
