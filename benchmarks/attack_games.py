"""python -m benchmarks.attack_games: the best, the median and the worst of many games of a policy, for docs/attack.md.

The games are those of `python -m tetrax.evaluate` with the same seed, ranked by the rows that they sent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import attack_page, measure
from tetrax.fields.errors import UserError, wrong

ROOT = Path(__file__).parent.parent
RECORDINGS, PICTURES = ROOT / "docs" / "recordings", ROOT / "docs" / "pictures"
MEASURE = "attack"
FRAMES_PER_SECOND, CELL = 2.5, 10  # of a picture: cells in pixels


@dataclass(frozen=True)
class Options:
    """Who plays how much."""

    policy: str = "pretrained/attack-50"
    """Folder of a run or of an exported policy."""
    games: int = 1_000
    """Games to play."""
    seed: int = 0
    """Seed of the games."""
    save: bool = False
    """Write the recordings into docs/recordings and their pictures into docs/pictures."""


def main(argv: Sequence[str] | None = None) -> int:
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "attack_games", __doc__ or "")
    if options is None:
        return
    measure.check_positive("--games", options.games)
    import tetrax
    from tetrax.env import record
    from tetrax.train.report import evaluation
    from tetrax.view import render

    loaded = tetrax.load(options.policy)
    if MEASURE not in loaded.env.spec.measures:
        raise wrong("--policy", options.policy, f"one that plays a game with the measure {MEASURE}")
    begun = time.process_time()
    result = evaluation.evaluate(
        loaded.env,
        loaded.actor,
        episodes=options.games,
        seed=options.seed,
        max_pieces=attack_page.PLACEMENTS,
        record_all=True,
    )
    seconds = time.process_time() - begun
    rows = result.totals[MEASURE]
    found = {"policy": options.policy, "seed": options.seed, **result.summary()[MEASURE], "games": len(rows)}
    found["milliseconds"] = round(1000 * seconds / float(result.steps.sum()), 3)  # of CPU, compiling included
    for name, number in choose(rows).items():
        found[f"{name} game"] = {"number": number, "rows": int(rows[number])}
        if not options.save:
            continue
        replayed = evaluation.replay_of(loaded.env, result, number)
        try:
            for folder in (RECORDINGS, PICTURES):
                folder.mkdir(exist_ok=True)
            record.save(replayed.recording, RECORDINGS / f"attack-{name}.json")
            picture = render.render_gif(replayed, frames_per_second=FRAMES_PER_SECOND, cell=CELL)
            (PICTURES / f"attack-{name}.gif").write_bytes(picture)
        except OSError as error:
            raise UserError(f"--save: the {name} game is not written ({error})") from None
    measure.print_json(found)


def choose(rows: np.ndarray) -> dict[str, int]:
    """Return the numbers of the best, the median and the worst game by rows [n]; among equals that played first."""
    order = np.argsort(-np.asarray(rows), kind="stable")
    worst = np.flatnonzero(rows == rows[order[-1]])[0]
    return {"best": int(order[0]), "median": int(order[len(order) // 2]), "worst": int(worst)}


if __name__ == "__main__":
    sys.exit(main())
