"""`python -m benchmarks.fewest_steps RUN_DIR …`: the steps of cooperative grid world runs beside the fewest possible.

The fewest steps are found breadth first over the places of all agents and what is found, for every start of the final
evaluation. Prints a JSON object a run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tetrax.fields.errors import UserError, exit_code
from tetrax.games.grid_config import GridWorldConfig
from tetrax.train.config import load_config
from tetrax.train.report.artifacts import SEED
from tetrax.train.report.evaluation import game_key

Cell = tuple[int, ...]
MOST_CELLS = 10**7  # of a set of joint places


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return exit_code(_run, argv, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    if argv == ["--help"]:
        print(__doc__.replace("`", "").strip())
        return 0
    if not argv or any(word.startswith("-") for word in argv):
        given = " ".join(argv) or "nothing"
        raise UserError(
            f"RUN_DIR: given {given}; allowed: folders of finished runs on the cooperative grid world"
        )
    for word in argv:
        print(json.dumps({"run": word, **measure(Path(word))}))
    return 0


def measure(run: Path) -> dict[str, Any]:
    """Return the mean steps of every seed of a run in its final evaluation, and the fewest from the same starts."""
    config, told = load_config(run / "config.json"), json.loads((run / "eval.json").read_text())
    if not isinstance(config.env, GridWorldConfig) or config.env.is_competitive:
        raise UserError(
            f"{run}: given a run on {config.make_env().spec.title}; allowed: the cooperative grid world"
        )
    seeds = told.get("per_seed", [told])
    optimum = float(np.mean(fewest_of_starts(config.env, seeds[0]["episodes"], SEED)))
    steps = [seed["steps"]["mean"] for seed in seeds]
    return {
        "games": seeds[0]["episodes"],
        "fewest": optimum,
        "steps": steps,
        "over_fewest": [mean / optimum - 1 for mean in steps],
        "completed": [seed["completed"]["mean"] for seed in seeds],
    }


def fewest_of_starts(config: GridWorldConfig, episodes: int, seed: int) -> list[int]:
    """Return the fewest steps from the start of each game of an evaluation."""
    from tetrax.games.grid_world import GridWorld

    init = jax.jit(GridWorld(config).init)
    found = []
    for game in range(episodes):
        state = init(game_key(seed, game))
        agents, targets = (
            [tuple(cell) for cell in np.asarray(cells).tolist()] for cells in (state.agents, state.targets)
        )
        found.append(fewest_steps(config.width, config.height, agents, targets, own=config.own_targets))
    return found


def fewest_steps(
    width: int, height: int, agents: Sequence[Cell], targets: Sequence[Cell], *, own: bool = False
) -> int:
    """Search breadth first, with all joint places that can be reached as one set for each set of found targets."""
    shape = (width, height) * len(agents)
    if np.prod(shape, dtype=np.float64) > MOST_CELLS:
        raise ValueError(
            f"agents: given {len(agents)} on {width} by {height}; allowed: up to {MOST_CELLS} joint places"
        )
    on_target = [
        _who_are_on(shape, cell, [target] if own else range(len(agents)))
        for target, cell in enumerate(targets)
    ]
    reached = {0: np.zeros(shape, bool)}  # by the targets found, as bits
    reached[0][tuple(np.ravel(agents))] = True
    steps, everything = 0, 2 ** len(targets) - 1
    while everything not in reached:
        reached = {found: _spread(places) for found, places in reached.items()}
        for target, here in enumerate(on_target):
            for found in [found for found in reached if not found >> target & 1]:
                finds = reached[found] & here
                if finds.any():
                    more = found | 1 << target
                    reached[more] = reached[more] | finds if more in reached else finds
                    reached[found] = reached[found] & ~here
        steps += 1
    return steps


def _who_are_on(shape: tuple[int, ...], cell: Cell, agents: Sequence[int]) -> np.ndarray:
    """Return the joint places in which one of these agents is on a cell."""
    x, y = cell
    here = np.zeros(shape, bool)
    for agent in agents:
        index: list[Any] = [slice(None)] * len(shape)
        index[2 * agent : 2 * agent + 2] = x, y
        here[tuple(index)] = True
    return here


def _spread(places: np.ndarray) -> np.ndarray:
    """Return where all agents can be a step later: each stays or goes to a neighbouring cell."""
    for agent in range(places.ndim // 2):
        after = places.copy()
        for axis in (2 * agent, 2 * agent + 1):
            ahead: list[Any] = [slice(None)] * places.ndim
            behind = list(ahead)
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            after[tuple(ahead)] |= places[tuple(behind)]
            after[tuple(behind)] |= places[tuple(ahead)]
        places = after
    return places


if __name__ == "__main__":
    sys.exit(main())
