"""Games of people on disk: recordings that can be replayed, verified and learned from."""

from __future__ import annotations

import datetime
from pathlib import Path

from tetrax.env import record
from tetrax.fields.errors import wrong
from tetrax.live.play.modes import Result
from tetrax.live.play.seats import Seat
from tetrax.system import disk


def check_folder(given: str) -> Path:
    """Return the folder for recordings, made where it is not there; UserError where it cannot be written to."""
    folder = Path(given)
    try:
        if not given:
            raise FileNotFoundError(2, "no name")
        folder.mkdir(parents=True, exist_ok=True)
        disk.try_writing_in(folder)
    except OSError as error:
        raise wrong("--save", given, f"a folder that can be written to ({error.strerror})") from None
    return folder


def keep_game(folder: Path, mode: str, seat: Seat) -> Path | None:
    """Save a game, ended or left, under the time of now, and say in its name who played it.

    None where no piece has locked: then there was no game. OSError where it cannot be written.
    """
    if not seat.session.played.moment.pieces:
        return None
    by = {(True, False): "", (True, True): "-with-agent", (False, True): "-agent"}
    who = by[(seat.ticks_by[False] > 0, seat.ticks_by[True] > 0)]
    folder.mkdir(parents=True, exist_ok=True)  # somebody may have removed it since
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name, number = f"{now}-{mode}{who}", 2
    path = folder / f"{name}.json"
    while path.exists():
        path, number = folder / f"{name}-{number}.json", number + 1
    record.save(seat.session.recording(), path)
    return path


def in_words(path: Path, result: Result) -> str:
    """Say where a game is, what it came to, and how it is seen again."""
    return f"{path}: {result.in_words()}; python -m tetrax.view {path} --out game.html replays it"
