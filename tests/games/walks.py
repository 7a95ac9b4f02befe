"""The grid world once more, in plain Python: games from drawn grids, and the fewest steps in which all can be found."""

import itertools
from collections import deque

import jax.numpy as jnp

from tetrax.games.grid_config import GridState
from tetrax.games.grid_world import GridWorld

Cell = tuple[int, int]
ACTIONS = {"stay": 0, "up": 1, "down": 2, "left": 3, "right": 4}
STRIDES = [(0, 0), (0, 1), (0, -1), (-1, 0), (1, 0)]


def read(env: GridWorld, drawing: str) -> GridState:
    """Return the start that is drawn: agents A, B, …, targets 1, 2, …, the top row first."""
    lines = drawing.split()
    assert len(lines) == env.config.height and {len(line) for line in lines} == {env.config.width}
    places = {mark: (x, y) for y, line in enumerate(reversed(lines)) for x, mark in enumerate(line)}
    agents = [places[chr(ord("A") + agent)] for agent in range(env.config.num_agents)]
    targets = [places[str(target + 1)] for target in range(env.config.num_targets)]
    return start(env, agents, targets)


def start(env: GridWorld, agents: list[Cell], targets: list[Cell]) -> GridState:
    """Return a game that begins with agents and targets in these cells."""
    config = env.config
    return GridState(
        agents=jnp.asarray(agents, jnp.int32),
        targets=jnp.asarray(targets, jnp.int32),
        found=jnp.zeros(config.num_targets, bool),
        scores=jnp.zeros(config.num_agents, jnp.int32),
        num_steps=jnp.int32(0),
        over=jnp.bool_(False),
    )


def search_fewest_steps(
    width: int, height: int, agents: list[Cell], targets: list[Cell], *, own: bool = False
) -> int:
    """Search breadth first, over the places of all agents and what is found, for the fewest steps to find all."""
    everything = frozenset(range(len(targets)))
    first = (tuple(agents), frozenset[int]())
    seen, border = {first}, deque([(first, 0)])
    while border:
        (places, found), steps = border.popleft()
        if found == everything:
            return steps
        moves = [[walk(width, height, place, stride) for stride in STRIDES] for place in places]
        for after in itertools.product(*moves):
            finds = {
                target
                for target, cell in enumerate(targets)
                for agent, place in enumerate(after)
                if place == cell and (not own or agent == target)
            }
            state = (after, found | finds)
            if state not in seen:
                seen.add(state)
                border.append((state, steps + 1))
    raise AssertionError("every target can be reached")


def fewest_steps_by_tours(agents: list[Cell], targets: list[Cell]) -> int:
    """Return the same from distances alone: the best sharing of the targets, each agent's in its best order.

    The grid has no obstacles and agents none in each other, so that each walks the shortest way from one of its
    targets to the next, and all is found when the last has come to its last.
    """
    best = None
    for owners in itertools.product(range(len(agents)), repeat=len(targets)):
        longest = 0
        for agent, place in enumerate(agents):
            mine = [cell for cell, owner in zip(targets, owners, strict=True) if owner == agent]
            tours = (_tour(place, order) for order in itertools.permutations(mine))
            longest = max(longest, min(tours))
        best = longest if best is None else min(best, longest)
    assert best is not None
    return best


def _tour(place: Cell, order: tuple[Cell, ...]) -> int:
    total = 0
    for cell in order:
        total += abs(cell[0] - place[0]) + abs(cell[1] - place[1])
        place = cell
    return total


def walk(width: int, height: int, place: Cell, stride: Cell) -> Cell:
    """Return where a step leads; one into a wall nowhere."""
    x, y = place[0] + stride[0], place[1] + stride[1]
    return (x, y) if 0 <= x < width and 0 <= y < height else place
