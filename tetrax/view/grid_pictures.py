"""Pictures of the grid world: text, and SVG. Agents are letters; targets are stars, or small letters if owned."""

from typing import Any

import numpy as np

from tetrax.env.game.vector import describe
from tetrax.games.grid_config import GridState, GridWorldConfig
from tetrax.games.grid_world import GridWorld

EMPTY, TARGET = ".", "*"
COLOURS = (  # of the agents, and of the targets that are theirs
    *("#c8503c", "#2f6fb7", "#2e8b57", "#8a4fb0"),
    *("#b8860b", "#c2458a", "#2b8f8f", "#6b5b4a"),
)
GROUND, LINES, STAR, WORDS, LETTERS = "#f4f4f2", "#c9c9c4", "#d9a520", "#222222", "#ffffff"
CELL, MARGIN, LINE = 36, 8, 28  # pixels


def check_state(env: GridWorld, state: Any) -> GridState:
    """Return a state of the game; TypeError or ValueError for anything else, many games too."""
    if not isinstance(state, GridState):
        raise TypeError(f"state: given {describe(state)}; allowed: a GridState, as reset and step give it")
    for name, count in (("agents", env.config.num_agents), ("targets", env.config.num_targets)):
        given = np.shape(getattr(state, name))
        if given != (count, 2):
            raise ValueError(f"state.{name}: given shape {given}; allowed: ({count}, 2), one game")
    return state


def tell(env: GridWorld, state: GridState) -> str:
    """Say how far the game is, or how it ended."""
    config, scores = env.config, np.asarray(state.scores)
    over, num_steps = bool(state.over), int(state.num_steps)
    when = f"{num_steps} steps" if over else f"step {num_steps} of {config.max_steps}"
    if not config.is_competitive:
        num_found = int(np.sum(state.found))
        return f"{when}, {'all' if num_found == config.num_targets else num_found} found"
    count = ", ".join(f"{_letter(agent)} {score}" for agent, score in enumerate(scores))
    if not over:
        return f"{when}, {count}"
    best = np.flatnonzero(scores == scores.max())
    return f"{when}, {count}: {'a draw' if best.size > 1 else _letter(best[0]) + ' wins'}"


def draw_text(env: GridWorld, state: GridState) -> str:
    """Draw a grid as text, the top row first, with how far the game is below it."""
    config = env.config
    marks = [[_mark(config, state, x, y) for x in range(config.width)] for y in range(config.height)]
    wide = max(len(mark) for row in marks for mark in row)
    lines = [" ".join(mark.ljust(wide) for mark in row).rstrip() for row in reversed(marks)]
    return "\n".join([*lines, tell(env, state)])


def draw_svg(env: GridWorld, state: GridState) -> str:
    """Draw a grid as an SVG image."""
    config = env.config
    width, height = config.width * CELL + 2 * MARGIN, config.height * CELL + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + LINE}" '
        f'viewBox="0 0 {width} {height + LINE}" role="img">',
        f"<title>{env.spec.title}: {tell(env, state)}</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="{GROUND}"/>',
    ]
    for x in range(config.width + 1):
        parts.append(_line(MARGIN + x * CELL, MARGIN, MARGIN + x * CELL, height - MARGIN))
    for y in range(config.height + 1):
        parts.append(_line(MARGIN, MARGIN + y * CELL, width - MARGIN, MARGIN + y * CELL))
    for target, (place, found) in enumerate(
        zip(np.asarray(state.targets), np.asarray(state.found), strict=True)
    ):
        if not found:
            parts += _draw_target(config, target, *_middle(config, place))
    for y in range(config.height):
        for x in range(config.width):
            here = _agents_at(state, x, y)
            for number, agent in enumerate(here):  # side by side where several share a cell
                aside = (number - (len(here) - 1) / 2) * CELL * 0.6 / max(len(here) - 1, 1)
                left, top = _middle(config, (x, y))
                parts.append(
                    f'<circle cx="{left + aside:g}" cy="{top:g}" r="{CELL * 0.32:g}" fill="{COLOURS[agent]}"/>'
                )
                parts.append(_word(left + aside, top + 5, _letter(agent), LETTERS, "middle"))
    parts += [_word(MARGIN, height + LINE - 9, tell(env, state), WORDS, "start"), "</svg>"]
    return "".join(parts)


def _agents_at(state: GridState, x: int, y: int) -> list[int]:
    return np.flatnonzero((np.asarray(state.agents) == (x, y)).all(axis=-1)).tolist()


def _mark(config: GridWorldConfig, state: GridState, x: int, y: int) -> str:
    """Return what stands for a cell: its agents, else its target that is left."""
    agents = _agents_at(state, x, y)
    if agents:
        return "".join(map(_letter, agents))
    targets = np.flatnonzero((np.asarray(state.targets) == (x, y)).all(axis=-1) & ~np.asarray(state.found))
    return _target_mark(config, int(targets[0])) if targets.size else EMPTY


def _target_mark(config: GridWorldConfig, target: int) -> str:
    return _letter(target).lower() if config.own_targets else TARGET


def _letter(agent: int) -> str:
    return chr(ord("A") + agent)


def _middle(config: GridWorldConfig, place: Any) -> tuple[float, float]:
    """Return the middle of a cell in the picture."""
    x, y = (int(part) for part in place)
    return MARGIN + x * CELL + CELL / 2, MARGIN + (config.height - 1 - y) * CELL + CELL / 2


def _draw_target(config: GridWorldConfig, target: int, left: float, top: float) -> list[str]:
    side = CELL * 0.44
    colour = COLOURS[target] if config.own_targets else STAR
    corner = f'x="{left - side / 2:g}" y="{top - side / 2:g}" width="{side:g}" height="{side:g}"'
    shape = f'<rect {corner} fill="{colour}" transform="rotate(45 {left:g} {top:g})"/>'
    letter = (
        [_word(left, top + 5, _target_mark(config, target), LETTERS, "middle")] if config.own_targets else []
    )
    return [shape, *letter]


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke="{LINES}"/>'


def _word(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    style = f'font-family="sans-serif" font-size="15" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{text}</text>'
