"""A match in words, as a scene and as JSON: what its front ends show."""

from __future__ import annotations

import dataclasses
from typing import Any

from tetrax.live.play.match import OVER, PAUSED, READY, Match
from tetrax.live.play.modes import clock, count
from tetrax.live.play.seats import Seat
from tetrax.view.as_data import scene_data
from tetrax.view.planned import Planned
from tetrax.view.scene import Scene


def show(seat: Seat) -> Scene:
    """Show a game, with what the agent proposes."""
    return dataclasses.replace(seat.session.scene(), hint=seat.hint)


def _planned_data(planned: Planned) -> dict[str, Any]:
    return {"kind": planned.kind, "cells": [list(cell) for cell in planned.cells]}


def time_shown(match: Match) -> str:
    """Return the clock: what is left where time ends the game, else what has passed; and the lines to go."""
    result = match.result(match.person)
    mode = match.mode
    shown = clock(result.seconds)[: None if match.phase == OVER else -1]
    if mode.seconds is not None:
        left = max(0.0, mode.seconds - result.seconds)
        shown = f"{clock(left)[:-1]} left"
    if mode.lines is not None:
        shown += f", {count(max(0, mode.lines - result.lines), 'line')} to go"
    return shown


def state_in_words(match: Match) -> str:
    """Say why no time passes, or what the game came to."""
    if match.phase == READY:
        return f"{match.setting.mode}: {match.mode.says}. The first key begins."
    if match.phase == PAUSED:
        return "paused"
    if match.phase == OVER:
        result = match.result(match.person)
        return f"{result.ended_by or 'left'}: {result.in_words()}"
    return ""


def match_data(match: Match) -> dict[str, Any]:
    """Return what a page shows of a match, as JSON values; the sounds are those since the last call."""
    seats = []
    for seat, name in zip(match.seats, ("you", "the agent"), strict=False):
        result = match.result(seat)
        seats.append(
            {
                "name": "the agent, in your place" if seat is match.person and seat.agent_plays else name,
                "scene": {**scene_data(show(seat)), "line": [_planned_data(each) for each in seat.line]},
                "said": seat.said,
                "pace": f"{result.pieces_per_second:.2f}",
                "keys": f"{result.keys_per_piece:.2f}",
                "ended_by": seat.ended_by,
            }
        )
    sounds = [match.person.sounds.popleft() for _ in range(len(match.person.sounds))]
    return {
        "phase": match.phase,
        "clock": time_shown(match),
        "state": state_in_words(match),
        "agent_plays": match.person.agent_plays,
        "seats": seats,
        "sounds": sounds,
    }
