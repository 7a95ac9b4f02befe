"""A recording of a game of several boards: each board as a game of its own, and all drawn together."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from html import escape
from importlib import resources
from itertools import groupby
from typing import Any, NamedTuple

import jax
import numpy as np

from tetrax.env.record import Outcome, Recording, Replay
from tetrax.games.versus import Versus
from tetrax.games.versus_record import VersusRecording, VersusReplay, replay
from tetrax.view import svg
from tetrax.view.frames import Frame, frames, scene_at
from tetrax.view.player_data import encode_frames
from tetrax.view.scene import Scene
from tetrax.view.side_by_side import join_svg, join_text, tell_player


class SeveralFrame(NamedTuple):
    """All boards at one moment of a recording."""

    scenes: tuple[Scene, ...]  # of each player
    headings: tuple[str, ...]  # what is said above each
    step: int  # actions played so far


def seats(game: VersusRecording | VersusReplay) -> Iterator[Replay]:
    """Give the board of each player as a game of its own, played already: what came from others is in its states.

    A board that stands when the game ends is not over.
    """
    replayed = replay(game)
    recording = replayed.recording
    for player, states in enumerate(replayed.boards):
        last = jax.tree.map(lambda leaf: leaf[-1], states)
        outcome = Outcome(
            lines=int(last.lines),
            score=int(last.score),
            pieces=int(last.pieces),
            ticks=int(last.ticks),
            game_over=bool(replayed.fallen[-1, player]),
            actions=recording.outcome.actions,
            boards=recording.outcome.boards,
        )
        alone = Recording(
            recording.config.board,
            recording.params.board,
            recording.key_data,
            recording.actions[:, player],
            outcome,
        )
        events = jax.tree.map(lambda leaf, player=player: leaf[:, player], replayed.events.boards)
        yield Replay(alone, states.replace(game_over=replayed.fallen[:, player]), events)


def scenes_at(game: VersusRecording | VersusReplay, step: int = -1) -> list[Scene]:
    """Show all boards after `step` actions; a negative number counts from the end, -1 being the last."""
    return [scene_at(seat, step) for seat in seats(game)]


def headings_at(game: VersusRecording | VersusReplay, step: int = -1) -> list[str]:
    """Say of each player after `step` actions who it is, what waits on its board, and how it ended."""
    replayed = replay(game)
    place = step if step >= 0 else len(replayed.fallen) + step
    env, fallen = Versus(replayed.recording.config), replayed.fallen[place].tolist()
    is_over = all(bool(board.game_over[place]) for board in replayed.boards)
    return [
        tell_player(env, player, waiting_at(replayed, player, place), fallen, is_over=is_over)
        for player in range(env.num_players)
    ]


def waiting_at(replayed: VersusReplay, player: int, place: int) -> int:
    """Return the rows of garbage that wait on a board after so many actions."""
    garbage = replayed.boards[player].garbage
    return 0 if garbage is None else int(np.asarray(garbage.rows)[place].sum())


def frames_of_all(game: VersusRecording | VersusReplay) -> Iterator[SeveralFrame]:
    """Show a recording frame by frame, each board as `frames` shows it alone.

    A step has as many frames as the board has that changes most often in it; the others wait with their last one.
    """
    replayed = replay(game)
    played = list(seats(replayed))
    by_step = [_by_step(seat) for seat in played]
    shown = [scene_at(seat, 0) for seat in played]
    for step in range(len(replayed.fallen)):
        new = [each.get(step, []) for each in by_step]
        headings = tuple(headings_at(replayed, step))
        for number in range(max(map(len, new))):
            for player, scenes in enumerate(new):
                if number < len(scenes):
                    shown[player] = scenes[number]
            yield SeveralFrame(tuple(shown), headings, step)


def _by_step(seat: Replay) -> dict[int, list[Scene]]:
    """Return the scenes of one board by the actions played so far."""
    by_step = groupby(frames_of_seat(seat), key=lambda frame: frame.step)
    return {step: [frame.scene for frame in group] for step, group in by_step}


def frames_of_seat(seat: Replay) -> list[Frame]:
    """Show one board frame by frame, until it has fallen: what others play on changes nothing there."""
    fallen = np.flatnonzero(seat.states.game_over)
    if not len(fallen):
        return list(frames(seat))
    last = int(fallen[0])
    recording = dataclasses.replace(seat.recording, actions=seat.recording.actions[:last])
    states = jax.tree.map(lambda leaf: leaf[: last + 1], seat.states)
    return list(frames(Replay(recording, states, jax.tree.map(lambda leaf: leaf[:last], seat.events))))


def text_at(game: VersusRecording | VersusReplay, step: int = -1, *, colour: bool = False) -> str:
    """Draw all boards after `step` actions in characters."""
    return join_text(scenes_at(game, step), headings_at(game, step), colour=colour)


def svg_at(game: VersusRecording | VersusReplay, step: int = -1) -> svg.Svg:
    """Draw all boards after `step` actions as one SVG image."""
    replayed = replay(game)
    place = step % len(replayed.fallen)
    title = f"{default_title(replayed.recording)} · step {place}"
    return join_svg(scenes_at(replayed, step), headings_at(replayed, step), title=title)


def default_title(game: VersusRecording | VersusReplay) -> str:
    """Return what a recording is called when nobody says."""
    recording = game.recording if isinstance(game, VersusReplay) else game
    outcome = recording.outcome
    if recording.config.cooperative:
        return f"Tetris together · {sum(outcome.lines):,} lines"
    if outcome.winner >= 0:
        return f"Versus Tetris · player {outcome.winner + 1} wins"
    return "Versus Tetris · a draw" if outcome.game_over else "Versus Tetris · not ended"


def write_page(game: VersusRecording | VersusReplay, title: str) -> str:
    """Return the page that plays a recording, all boards beside each other; it needs no other file and no network."""
    replayed = replay(game)
    recording = replayed.recording
    boards, stages = [], []
    for player, seat in enumerate(seats(replayed)):
        shown = frames_of_seat(seat)
        waiting = [waiting_at(replayed, player, place) for place in range(len(replayed.fallen))]
        boards.append(encode_frames(seat.recording, shown) | {"waiting": waiting})
        stages.append(
            f'<figure><figcaption><strong>player {player + 1}</strong> <span class="waits"></span></figcaption>\n'
            f'{svg.stage(shown[0].scene)}<p class="said" aria-live="off"></p></figure>\n'
        )
    files = resources.files("tetrax.view") / "player"
    data = json.dumps({"boards": boards, "steps": len(recording.actions)}, separators=(",", ":"))
    parts = {
        "title": escape(title),
        "stages": "".join(stages),
        "facts": "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>\n" for name, said in facts(recording)
        ),
        "style": (files / "style.css").read_text(encoding="utf-8"),
        "player": (files / "player.js").read_text(encoding="utf-8"),
        "program": (files / "boards.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c"),  # so that nothing in it can end its element
    }
    template = (files / "boards.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def facts(recording: VersusRecording) -> list[tuple[str, str]]:
    """Return what is known of a recording, as names and values for people."""
    config, said = recording.config, dataclasses.asdict(recording.outcome)
    said["winner"] = f"player {recording.outcome.winner + 1}" if recording.outcome.winner >= 0 else "nobody"
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name != "board"
    }
    return [
        ("environment", Versus(config).spec.title),
        *((name.replace("_", " "), _write_value(value)) for name, value in said.items()),
        ("reset key", " ".join(str(number) for number in recording.key_data.tolist())),
        *((name, _write_value(value)) for name, value in settings.items()),
    ]


def _write_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " · ".join(f"{each:,}" for each in value) if isinstance(value, tuple) else str(value)
