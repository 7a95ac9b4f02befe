"""python -m benchmarks.value_error: how far off the learned value of a beam search is, and how much luck decides.

From each board two futures are drawn, and a search is followed to its end in both. What the value says of the board
differs from each outcome by luck, and by how far off the value is. Luck is of each future alone: the mean product of
the two differences is the mean squared error of the value, half the mean square of what the outcomes differ by the
variance of luck.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks import measure
from tetrax.fields.errors import wrong

GAMES = 256  # side by side


@dataclass(frozen=True)
class Options:
    """Whose value is looked at, and on how many boards."""

    policies: tuple[str, ...] = ("pretrained/attack-50",)
    """Folders of runs of beam-value or of their exported policies. The first plays; all are judged on its boards."""
    boards: int = 12_288
    """Boards to look at, rounded up to whole rounds of 256."""
    width: int = 24
    """Boards that each of the two beams keeps at each step."""
    seed: int = 0
    """Seed of the games and of the futures."""


def main(argv: Sequence[str] | None = None) -> int:
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "value_error", __doc__ or "")
    if options is None:
        return
    measure.check_positive("--boards", options.boards)
    import tetrax
    from tetrax.search.playing import MOST_BOARDS

    if not 1 <= options.width <= MOST_BOARDS // 2:
        raise wrong("--width", options.width, f"1 or more, up to {MOST_BOARDS // 2}")
    loaded = [tetrax.load(folder) for folder in options.policies]
    if not loaded:
        raise wrong("--policies", "none", "one folder or more")
    for folder, policy in zip(options.policies, loaded, strict=True):
        if policy.agent.name != "beam-value":
            raise wrong("--policies", folder, f"policies of beam-value (this one is of {policy.agent.name})")
        if policy.env.rules != loaded[0].env.rules:
            raise wrong(
                "--policies", folder, f"policies of the same game ({options.policies[0]} plays another)"
            )
    told, one, other = _look(loaded, options)
    for folder, each in zip(options.policies, told, strict=True):
        measure.print_json({"policy": folder, "boards": len(one), **estimate(each, one, other)})


def _look(loaded: list[Any], options: Options) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return what each value says of boards, and what came of each in two futures: float32[n] each."""
    from tetrax.search import beam, board_value, open_games
    from tetrax.search.attack_weights import unflatten

    rules, config = loaded[0].env.rules, loaded[0].config.agent
    size = beam.Size(options.width, options.width, config.depth)
    players = []
    for policy in (each.policy for each in loaded):
        row = jnp.broadcast_to(policy.weights[None], (GAMES, *policy.weights.shape))
        players.append(open_games.Player(rules, size, unflatten(row), policy.value))

    def total(player: Any, position: Any) -> Array:
        return board_value.total(rules, player.weights, player.value, position)

    @jax.jit
    def look(position: Any, key: Array) -> tuple[Any, tuple[list[Array], Array, Array]]:
        player = players[0]
        explore_key, again_key, begin_key = jax.random.split(key, 3)
        temperature, exploring = jnp.float32(config.temperature), jnp.float32(config.exploring)
        first = open_games.play(player, position, temperature, exploring, explore_key)
        second = open_games.play(player, position, temperature, jnp.float32(0), again_key)
        outcomes = [
            played.sent + jnp.where(played.lost, 0.0, total(player, played.best))
            for played in (first, second)
        ]
        over = first.lost | (first.on.left <= 0)
        new = open_games.begin(rules, config.placements, begin_key, GAMES)
        onward = jax.tree.map(lambda fresh, on: jnp.where(over, fresh, on), new, first.on)
        return onward, ([total(each, position) for each in players], outcomes[0], outcomes[1])

    begin_key, key = jax.random.split(jax.random.key(options.seed, impl="threefry2x32"))
    position = open_games.begin(rules, config.placements, begin_key, GAMES)
    early = -(-config.placements // config.depth)  # rounds after which the games are in every stage
    rounds, found = -(-options.boards // GAMES), []
    for number, round_key in enumerate(jax.random.split(key, early + rounds)):
        position, seen = look(position, round_key)
        if number >= early:
            found.append(jax.tree.map(np.asarray, seen))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


def estimate(told: np.ndarray, one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Return the mean squared error of values [n] whose boards came to this in two futures, in rows squared."""
    products = (told - one) * (told - other)
    error, spread = float(products.mean()), 1.96 * float(products.std()) / len(products) ** 0.5
    return {
        "error": round(error, 3),
        "ci95": [round(error - spread, 3), round(error + spread, 3)],
        "luck": round(float(((one - other) ** 2).mean()) / 2, 3),
        "bias": round(float((told - (one + other) / 2).mean()), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
