"""A run's watched game as training writes it: a real game, played by chance, with what a policy would have thought."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tetrax.env.tetris import Tetris
from tetrax.view.as_data import rules_data, scene_data
from tetrax.view.scene import scene


def first_line(env: Tetris) -> dict[str, Any]:
    return {"rules": rules_data(env.rules), "actions": list(env.action_names)}


def steps(env: Tetris, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Play games one after the other, for ever."""
    chance = np.random.default_rng(seed)
    reset, press = jax.jit(env.reset), jax.jit(env.step)
    game, number = 0, 0
    while True:
        game += 1
        state, timestep = reset(jax.random.key(seed + game))
        over, move, before = False, 0, 0
        while not over:
            legal = np.flatnonzero(np.asarray(timestep.observation.legal))
            scores = chance.dirichlet(np.full(len(legal), 0.3))
            action = int(chance.choice(legal, p=scores))
            ranked = sorted(zip(legal.tolist(), scores.tolist(), strict=True), key=lambda pair: -pair[1])[:8]
            state, timestep = press(state, action)
            shown = scene(env.rules, state)
            over, number, move = bool(timestep.terminated), number + 1, move + 1
            cleared, before = shown.lines - before, shown.lines
            yield {
                "step": 1024 * (number // 32),
                "game": game,
                "move": move,
                "action": action,
                "did": env.action_names[action],
                "decider": ("sampled", "greedy", "random", "search")[number % 4],
                "scores": [[int(one), round(score, 4)] for one, score in ranked],
                "kind": "probabilities",
                "legal": len(legal),
                "value": round(float(chance.normal()), 3),
                "reward": float(timestep.reward),
                "td_error": round(float(chance.normal()), 3),
                "terms": {"lines": float(cleared)},
                "locked": env.rules.pieces[shown.piece].name,
                "why": "hard_drop",
                "lines": cleared,
                "said": f"{cleared} lines" if cleared else "",
                "scene": scene_data(shown),
            }


def write(path: Path, env: Tetris, number: int, seed: int = 0) -> None:
    """Write a watched.jsonl of so many steps."""
    played = steps(env, seed)
    lines = [first_line(env), *(next(played) for _ in range(number))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
