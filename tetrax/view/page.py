"""A recording as one HTML page that plays it: no network, no other file.

The page is `player/page.html` with its style, its program, the first scene and the data put in.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from typing import Any

from tetrax.env.record import Recording, Replay, replay
from tetrax.env.tetris import Tetris
from tetrax.games.versus_record import VersusRecording, VersusReplay
from tetrax.view import several_boards, svg
from tetrax.view.frames import frames
from tetrax.view.player_data import encode_frames, encode_thought

IFRAME_HEIGHT = "46rem"  # in a notebook


@dataclass(frozen=True)
class Page:
    """A page that plays a game. A notebook shows it in a frame; `html` is all of it, for a file or a server."""

    title: str
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        """Return the page as an element for another page, of which its program sees nothing."""
        return (
            f'<iframe sandbox="allow-scripts" style="width:100%;height:{IFRAME_HEIGHT};border:0" '
            f'title="{escape(self.title)}" srcdoc="{escape(self.html)}"></iframe>'
        )


def show(
    game: Recording | Replay | VersusRecording | VersusReplay,
    *,
    title: str | None = None,
    thoughts: Sequence[dict[str, Any]] | None = None,
) -> Page:
    """Return the page that plays a recording: pause, single steps, speed, and what each action did.

    The page needs no other file and no network. A recording is played once, here; a replay is not played again.
    `title` is the heading, by default what the game came to. `thoughts` are shown beside, one for each action: what a
    policy held of the decision (`tetrax.train.report.thoughts.think`); of a game of several boards there are none.
    """
    if isinstance(game, (VersusRecording, VersusReplay)):
        refuse_thoughts(thoughts)
        title = several_boards.default_title(game) if title is None else title
        return Page(title, several_boards.write_page(game, title))
    replayed = replay(game)
    recording = replayed.recording
    title = default_title(recording) if title is None else title
    return Page(title, _write_page(replayed, title, thoughts))


def refuse_thoughts(thoughts: Sequence[dict[str, Any]] | None) -> None:
    """Raise a ValueError where thoughts are given with a game of several boards."""
    if thoughts is not None:
        raise ValueError("thoughts: given with a game of several boards; allowed: with one of one board")


def _write_page(replayed: Replay, title: str, thoughts: Sequence[dict[str, Any]] | None) -> str:
    """Put the first scene, the facts, the data, the style and the program into the page."""
    recording, shown = replayed.recording, list(frames(replayed))
    encoded = encode_frames(recording, shown)
    if thoughts is not None:
        names = Tetris(recording.config).action_names
        encoded["thoughts"] = [encode_thought(each, names) for each in thoughts]
    data = json.dumps(encoded, separators=(",", ":"), allow_nan=False)
    files = resources.files("tetrax.view") / "player"
    parts = {
        "title": escape(title),
        "stage": svg.stage(shown[0].scene),
        "facts": "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>\n" for name, said in facts(recording)
        ),
        "style": (files / "style.css").read_text(encoding="utf-8"),
        "program": (files / "player.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c"),  # so that nothing in it can end its element
    }
    template = (files / "page.html").read_text(encoding="utf-8")
    # In one pass: what looks like a place to fill in one of the parts stays as it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


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
    said += [(f"rules.{name}", _write_value(value)) for name, value in rules.items() if name != "pieces"]
    said += [(f"params.{name}", _write_value(value)) for name, value in params.items()]
    return [
        *said,
        ("SHA-256 of the actions, first half", outcome.actions),
        ("SHA-256 of the boards, first half", outcome.boards),
    ]


def _write_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
