"""A recording of a run as the page that plays it: the one that the run has left beside it, or one that is made here."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tetrax.fields.errors import UserError, in_words
from tetrax.live import safe_reading
from tetrax.live.safe_reading import Mark
from tetrax.live.shelf import Entry
from tetrax.train.folder.run_folder import RunFolder

# It is shown in a frame, where it runs its own program and reaches nothing: no network, no other page, no cookie.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)
LARGEST_PAGE = 64 * 2**20
KEPT = 8  # pages that were made here


@dataclass(frozen=True)
class RecordingPage:
    """What is answered."""

    html: str
    status: int
    policy: str = POLICY


def recording_page(entry: Entry, path: Path, *, thoughts: bool = False) -> RecordingPage:
    """Return the page that plays a recording, or one that says why there is none.

    With `thoughts`, what the run's policy makes of each decision is beside.
    """
    made = path.with_suffix(".html")
    known, newer = safe_reading.mark(path), safe_reading.mark(made)
    try:
        if not thoughts and known is not None and newer is not None and newer.changed >= known.changed:
            with safe_reading.open_file(entry.path, made) as file:
                return RecordingPage(file.read(LARGEST_PAGE).decode("utf-8", "replace"), 200)
        policy = safe_reading.mark(RunFolder(entry.path).policy / "config.json") if thoughts else None
        with safe_reading.open_file(entry.path, path):
            return RecordingPage(_made(path, known, entry.path if thoughts else None, policy), 200)
    except OSError as error:
        said = in_words(error)
    except (UserError, ValueError, TypeError, KeyError) as error:
        said = f"{path.name}: {error}"
    return RecordingPage(f"<!DOCTYPE html><title>No recording</title><p>{escape(said)}</p>", 400)


@functools.lru_cache(maxsize=KEPT)
def _made(path: Path, known: Mark | None, run: Path | None, policy: Mark | None) -> str:
    """Play a recording again and return its page; `known` and `policy` tell files from those that were there before.

    With the thoughts of a run's policy where one is given.
    """
    from tetrax.env.record import Replay
    from tetrax.games import recordings
    from tetrax.train.folder import policy_io
    from tetrax.train.report.thoughts import think
    from tetrax.view import page

    replayed = recordings.replay(recordings.load(path))
    if run is None:
        return page.show(replayed).html
    if not isinstance(replayed, Replay):
        raise UserError("what its policy thinks is told of games of one board; this one has several")
    return page.show(replayed, thoughts=think(policy_io.load(run), replayed)).html
