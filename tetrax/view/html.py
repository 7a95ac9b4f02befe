"""A recording as one HTML page that plays it: no network, no other file.

The page is `player/page.html` with its style, its program, the first scene and the data put in.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from html import escape
from importlib import resources

from tetrax.env.record import Recording
from tetrax.view import svg
from tetrax.view.deltas import document
from tetrax.view.scene import frames

IFRAME_HEIGHT = "46rem"  # in a notebook


def page(recording: Recording, *, title: str | None = None) -> str:
    """Return the page that plays a recording."""
    shown = list(frames(recording))
    data = json.dumps(document(recording, shown), separators=(",", ":"), allow_nan=False)
    files = resources.files("tetrax.view") / "player"
    parts = {
        "title": escape(default_title(recording) if title is None else title),
        "stage": svg.stage(shown[0].scene),
        "facts": "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>\n" for name, said in facts(recording)
        ),
        "style": (files / "style.css").read_text(encoding="utf-8"),
        "program": (files / "player.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c"),  # so that nothing in it can end its element
    }
    template = (files / "page.html").read_text(encoding="utf-8")
    return re.sub(
        r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template
    )  # in one pass: parts stay as they are


def iframe(recording: Recording) -> str:
    """Return the page as an element for another page, of which its program sees nothing."""
    return (
        f'<iframe sandbox="allow-scripts" style="width:100%;height:{IFRAME_HEIGHT};border:0" '
        f'title="{escape(default_title(recording))}" srcdoc="{escape(page(recording))}"></iframe>'
    )


@dataclass(frozen=True, eq=False)
class Player:
    """A recording as a notebook shows it: the page that plays it, in a frame."""

    recording: Recording

    def _repr_html_(self) -> str:
        return iframe(self.recording)


def default_title(recording: Recording) -> str:
    """Return what a recording is called when nobody says."""
    outcome = recording.outcome
    return f"Tetris · {recording.config.preset} · {outcome.lines:,} lines · {outcome.score:,} points"


def facts(recording: Recording) -> list[tuple[str, str]]:
    """Return what is known of a recording, as names and values for people."""
    config, outcome, game = recording.config, recording.outcome, recording.params.game
    said = [
        ("environment", f"{config.preset}, actions {config.actions}"),
        ("lines", f"{outcome.lines:,}"),
        ("score", f"{outcome.score:,}"),
        ("pieces", f"{outcome.pieces:,}"),
        ("steps", f"{len(recording.actions):,}"),
        ("ended", "game over" if outcome.game_over else "not lost"),
        ("reset key", " ".join(str(number) for number in recording.key_data.tolist())),
        ("rules.pieces", " ".join(piece.name for piece in config.rules.pieces)),
    ]
    rules = {field.name: getattr(config.rules, field.name) for field in dataclasses.fields(config.rules)}
    params = {field.name: getattr(game, field.name).item() for field in dataclasses.fields(game)}
    said += [(f"rules.{name}", _said(value)) for name, value in rules.items() if name != "pieces"]
    said += [(f"params.{name}", _said(value)) for name, value in params.items()]
    return [*said, ("SHA-256 of the actions", outcome.actions), ("SHA-256 of the boards", outcome.boards)]


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
