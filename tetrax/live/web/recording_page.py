"""A recording of a run as the page that plays it: the one that the run has left beside it, or one that is made here."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tetrax.fields.errors import UserError, in_words
from tetrax.live import safe_reading
from tetrax.live.safe_reading import Mark
from tetrax.live.shelf import Entry

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


def recording_page(entry: Entry, path: Path) -> RecordingPage:
    """Return the page that plays a recording, or one that says why there is none."""
    made = path.with_suffix(".html")
    known, newer = safe_reading.mark(path), safe_reading.mark(made)
    try:
        if known is not None and newer is not None and newer.changed >= known.changed:
            with safe_reading.open_file(entry.path, made) as file:
                return RecordingPage(file.read(LARGEST_PAGE).decode("utf-8", "replace"), 200)
        with safe_reading.open_file(entry.path, path):
            return RecordingPage(_made(os.path.realpath(path), known), 200)
    except OSError as error:
        said = in_words(error)
    except (UserError, ValueError, TypeError, KeyError) as error:
        said = f"{path.name}: {error}"
    return RecordingPage(f"<!DOCTYPE html><title>No recording</title><p>{escape(said)}</p>", 400)


@functools.lru_cache(maxsize=KEPT)
def _made(path: str, known: Mark | None) -> str:
    """Play a recording again and return its page; `known` tells a file from the one that was there before."""
    from tetrax.env import record
    from tetrax.view import page

    return page.show(record.load(path)).html
