"""`python -m benchmarks.versus`: what a step of two boards that send each other garbage costs beside one board's."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import measure
from tetrax.fields.errors import UserError

BAR = 2.3  # times one board, of two


@dataclass(frozen=True)
class Options:
    """What to measure."""

    actions: Literal["direct", "drop", "locked_position"] = "drop"
    """The action set: one key a step, or one placement a step."""
    observation: str = "bitboards"
    """What is observed of each board; players see the others' too."""
    players: int = 2
    """Boards of a game."""
    batch: int = 1024
    """Games side by side, of one board and of several alike."""
    rounds: int = 5
    """Turns that each of the two has, one after the other."""
    seconds: float = 2.0
    """Seconds of play that are timed, in each turn."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(), argv, "versus", "Time random play of games of several boards beside that of one board."
    )
    if options is None:
        return
    for flag in ("players", "batch", "rounds", "seconds"):
        measure.check_positive(f"--{flag}", getattr(options, flag))
    found = compare(options)
    bar = BAR * options.players / 2
    verdict = "met" if found["ratio"] <= bar else "missed"
    print(
        f"{options.actions}, batch {options.batch}: one board {found['one']:.3f} us of CPU a step, "
        f"{options.players} boards {found['several']:.3f} us: {found['ratio']:.2f} times (bar: {bar:.2f}, {verdict}); "
        f"{measure.machine()}"
    )
    if options.save:
        measure.save(
            f"versus-{options.actions}-{options.players}",
            what=f"a step of {options.players} boards beside one of one board, `{options.actions}`, "
            f"batch {options.batch}",
            value=found["ratio"],
            unit="times the CPU time",
            module="versus",
            argv=argv,
            data=found,
        )
    if options.json:
        measure.print_json(found)


def compare(options: Options) -> dict[str, Any]:
    """Time both by turns; return the medians in microseconds of CPU time a step of a game, and their ratio."""
    from benchmarks.random_play import random_play
    from tetrax.env.tetris import EnvConfig
    from tetrax.games.versus import Versus
    from tetrax.games.versus_config import BOARD, VersusConfig

    try:
        board = EnvConfig(rules=BOARD.rules, actions=options.actions, observation=options.observation)  # type: ignore[arg-type]
        env = Versus(VersusConfig(num_players=options.players, board=board))
    except ValueError as error:
        raise UserError(str(error).replace("env.num_players", "--players").replace("env.", "--", 1)) from None
    loops = {"one": random_play(env.board, options.batch), "several": random_play(env, options.batch)}
    compiled = {name: loop.compile() for name, loop in loops.items()}
    for loop in loops.values():
        loop.run(options.seconds / 5)
    times: dict[str, list[float]] = {name: [] for name in loops}
    games: dict[str, int] = dict.fromkeys(loops, 0)
    for _ in range(options.rounds):
        for name, loop in loops.items():
            played = loop.run(options.seconds)
            times[name].append(1e6 * played.cpu_seconds / played.steps)
            games[name] += played.games
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        **medians,
        "ratio": medians["several"] / medians["one"],
        "turns": times,
        "games": games,
        "players": options.players,
        "batch": options.batch,
        "actions": options.actions,
        "observation": options.observation,
        "compile_seconds": compiled,
        **measure.context(),
    }


if __name__ == "__main__":
    sys.exit(main())
