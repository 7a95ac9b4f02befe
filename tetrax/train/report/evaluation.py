"""Play whole games with a frozen policy and count what they come to.

Games go on side by side in blocks of one size, in compiled chunks (`tetrax.train.report.blocks`); games that step on
the host go on in a list (`host_evaluation`). Game i is decided by `fold_in(key(seed), i)` alone: its chances and its
acting keys come from that key, and `act` sees one game at a time. So the same game comes out, bit for bit, among 8
games and among 1,000.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array

from tetrax.agents.agent import Actor
from tetrax.env.contract import Spec, check_game
from tetrax.env.game.rules import check_whole
from tetrax.env.game.vector import describe
from tetrax.env.record import Recording, Replay
from tetrax.games import recordings
from tetrax.games.versus_record import VersusRecording, VersusReplay
from tetrax.system.disk import write_whole
from tetrax.train.report import blocks, host_evaluation
from tetrax.train.report.tally import MAX_EPISODES, MAX_LENGTH, Asked, Tally

MAX_SEED = 2**31 - 1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_97_5 = 1.959964  # standard deviations that hold 95% of a normal distribution
SELF = "self"  # in place of an opponent: the policy itself
DEFAULT_CAP = 5_000  # of games that may go on for ever


@dataclass(frozen=True, eq=False)
class EvalResult:
    """What each of E games came to, in the order of their numbers."""

    seed: int
    cap: int  # of the measure that `length` names; 0 = none
    length: str  # the measure in which the games are long
    # By measure of the game, the headline first.
    totals: dict[str, np.ndarray]  # int64[N]; float64[N] of the return
    steps: np.ndarray  # int64[N]
    capped: np.ndarray  # bool[N], stopped by the cap, a time limit or a stall, not ended
    actions: dict[int, np.ndarray]  # by number of the game, int32[T]: as far as they are recorded

    @property
    def headline(self) -> str:
        """Return the measure that games are judged by first."""
        return next(iter(self.totals))

    @property
    def mean(self) -> float:
        """Return the mean of the headline measure over the games."""
        return float(self.totals[self.headline].mean())

    @property
    def best(self) -> int:
        """Return the number of the best game: by its first measure; among equals by its second, then the first."""
        return self.ranking[0]

    @property
    def ranking(self) -> list[int]:
        """Return the numbers of the games, the best first."""
        ranks = list(self.totals.values())[:2]
        order: list[int] = np.lexsort((-np.arange(len(self.steps)), *reversed(ranks))).tolist()
        return order[::-1]

    def summary(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
        return {
            "episodes": len(self.steps),
            f"max_{self.length}": self.cap,
            "capped": int(self.capped.sum()),
            **{name: statistics(values) for name, values in self.totals.items()},
        }


def evaluate(
    env: Any,
    actor: Actor,
    *,
    episodes: int,
    seed: int = 0,
    max_pieces: int = 0,
    greedy: bool = True,
    record: bool = False,
    record_all: bool = False,
    opponent: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Play `episodes` games of an environment to their end, or to `max_pieces` pieces (in games without them: steps).

    `max_pieces` 0 is no cap. `record` keeps the actions of the best game, and until it is known those of all that run;
    `record_all` keeps those of every game. A game of several players is played against an opponent, one of its own
    `opponents` (when not named the first of them), from a seat that each game draws; see `against`.
    `on_progress` is told, now and then, how many games are over and how long the longest running one is. A second
    call with the same environment and act function compiles nothing. ValueError for a number out of its range.
    """
    check_game(env)
    if not isinstance(actor, Actor):
        raise TypeError(
            f"actor: given {describe(actor)}; allowed: an Actor, such as tetrax.load(folder).actor or a baseline"
        )
    check_whole("episodes", episodes, 1, MAX_EPISODES)
    check_whole("max_pieces", max_pieces, 0, MAX_LENGTH)
    check_whole("seed", seed, 0, MAX_SEED)
    records = record or record_all
    if records and env.spec.on_host:
        raise ValueError(f"record: given True for {env.spec.title}; allowed: False for a game on the host")
    env = against(env, opponent)
    tally = Tally.of(env.spec, episodes, blocks.action_type(env.spec) if records else None, record_all)
    play = host_evaluation.play if env.spec.on_host else blocks.play
    play(Asked(env, actor, seed, max_pieces, greedy, on_progress), tally)
    return EvalResult(
        seed=seed,
        cap=max_pieces,
        length=env.spec.length,
        totals=tally.totals,
        steps=tally.steps,
        capped=tally.capped,
        actions=tally.actions,
    )


def against(env: Any, opponent: str | None = None) -> Any:
    """Return what is played in an evaluation: the game, or where players play against each other that of one of them.

    The opponent is the first of the game's where none is named. SELF leaves all seats to one policy where players act
    together, as no opponent does where they only help each other. ValueError for an opponent that there is not.
    """
    if env.spec.num_players > 1:
        if env.spec.acts_together and (opponent == SELF or (opponent is None and not env.opponents)):
            return env
        return env.against(env.opponents[0] if opponent is None else opponent)
    if opponent is not None:
        raise ValueError(
            f"opponent: given {opponent!r} in {env.spec.title}; allowed: None in a game of one player"
        )
    return env


def default_cap(spec: Spec) -> int:
    """Return the cap of games when none is asked for: none where the rules see to it that games end."""
    return DEFAULT_CAP if spec.is_endless else 0


def game_key(seed: int, game: int) -> Array:
    """Return the key that game number `game` of an evaluation is reset with."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), game)


def recording_of_best(env: Any, result: EvalResult) -> Recording | VersusRecording:
    """Make the recording of an evaluation's best game, playing it again."""
    return replay_of_best(env, result).recording


def replay_of_best(env: Any, result: EvalResult) -> Replay | VersusReplay:
    """Play an evaluation's best game again: its recording, with every state for those who draw it."""
    return replay_of(env, result, result.best)


def replay_of(env: Any, result: EvalResult, number: int) -> Replay | VersusReplay:
    """Play a recorded game of an evaluation again, by its number."""
    if number not in result.actions:
        raise ValueError(
            f"game {number}: given no actions; allowed: the result of evaluate(..., record=True)"
        )
    key = game_key(result.seed, number)
    return recordings.play(env, key, result.actions[number])


def pool(results: list[EvalResult]) -> EvalResult:
    """Put the games of several results together."""
    first = results[0]
    return EvalResult(
        seed=first.seed,
        cap=first.cap,
        length=first.length,
        totals={name: np.concatenate([each.totals[name] for each in results]) for name in first.totals},
        steps=np.concatenate([each.steps for each in results]),
        capped=np.concatenate([each.capped for each in results]),
        actions={},
    )


def statistics(values: np.ndarray) -> dict[str, Any]:
    """Return mean, spread and the mean's 95% confidence interval (normal approximation)."""
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    half_width = NORMAL_97_5 * std / math.sqrt(len(values))
    return {
        "mean": mean,
        "std": std,
        "min": float(values.min()),
        "max": float(values.max()),
        "quantiles": {str(q): float(np.quantile(values, q)) for q in QUANTILES},
        "ci95": [mean - half_width, mean + half_width],
    }


def write_csv(result: EvalResult, path: str | Path) -> None:
    """Write one line per game, all of them or none. Raises OSError that names the file."""
    columns = {
        "game": np.arange(len(result.steps)),
        **result.totals,
        "steps": result.steps,
        "capped": result.capped.astype(int),
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    write_whole(Path(path), text.getvalue().encode())
