"""Recordings of the games that have them, of one board or of several: play, save, load and verify."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from jax import Array

from tetrax.env import record
from tetrax.env.record import Recording, Replay
from tetrax.games import versus_record
from tetrax.games.versus_record import VersusRecording, VersusReplay

# What keeps games, by `Spec.name`.
KEEPERS: dict[str, ModuleType] = {"tetris": record, "versus": versus_record}


def has_recordings(env: Any) -> bool:
    """Tell whether games of an environment can be recorded."""
    return env.spec.name in KEEPERS


def play(env: Any, key: Array, actions: Any) -> Replay | VersusReplay:
    """Play actions from a reset key, by the environment's own numbers."""
    replayed: Replay | VersusReplay = KEEPERS[env.spec.name].play(
        env.config, env.default_params, key, actions
    )
    return replayed


def save(recording: Recording | VersusRecording, path: str | Path) -> None:
    """Write a recording as one JSON file, whole or not at all."""
    if isinstance(recording, VersusRecording):
        versus_record.save(recording, path)
    else:
        record.save(recording, path)


def load(path: str | Path) -> Recording | VersusRecording:
    """Read a recording of either kind; a file that is none is a ValueError in one line."""
    return versus_record.load(path) if versus_record.is_one(path) else record.load(path)


def replay(recording: Recording | VersusRecording) -> Replay | VersusReplay:
    """Play a recording again, as its own module does."""
    if isinstance(recording, VersusRecording):
        return versus_record.replay(recording)
    return record.replay(recording)
