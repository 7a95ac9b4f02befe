"""`python -m tetrax.duel`: play tic-tac-toe or connect four in the terminal, against a policy or with a friend."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tetrax.fields.errors import UserError, exit_code, wrong, wrong_name
from tetrax.system import streams
from tetrax.train.command import acting_words, flags

if TYPE_CHECKING:
    from tetrax.agents.agent import Actor

PROGRAM = "python -m tetrax.duel"
FRIEND, RANDOM, GUMBEL = "friend", "random", "gumbel"
TURN_GAMES = ("tictactoe", "connect4")


@dataclass(frozen=True)
class Options:
    """What to play, and against whom."""

    opponent: str = FRIEND
    """Folder of a run or of an exported policy; random; gumbel, which looks ahead; or friend, who sits at the same
    keyboard."""
    begin: Literal["me", "opponent"] = "me"
    """Who begins."""
    simulations: int = 0
    """Positions that gumbel (0 = 64) or an alphazero policy (0 = the network alone decides) looks at before a move."""
    seed: int = 0
    """Seed of what an opponent draws."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        _print_help()
        return 0
    options = flags.put(Options(), words.values)
    if not 0 <= options.seed < 2**31:
        raise wrong("--seed", options.seed, f"0 or more, below {2**31}")
    if len(words.positionals) != 1:
        given = " and ".join(words.positionals) or "nothing"
        raise UserError(f"GAME: given {given}; allowed: {' or '.join(TURN_GAMES)}")
    if words.positionals[0] not in TURN_GAMES:
        raise wrong_name("GAME", words.positionals[0], TURN_GAMES)
    from tetrax import games
    from tetrax.live import turn_play

    env = games.make(words.positionals[0], games.GAMES[words.positionals[0]].config())
    opponent = _opponent(options, env)
    players = (None, opponent) if options.begin == "me" else (opponent, None)
    played = turn_play.play(env, players, options.seed, input, lambda text: print(text, flush=True))
    if not played.is_over:
        print("left")
    streams.deliver()
    return 0


def _opponent(options: Options, env: Any) -> Actor | None:
    """Return who plays the other side; None for a person."""
    from tetrax.agents import baselines

    if options.simulations and options.opponent in (FRIEND, RANDOM):
        raise wrong("--simulations", options.simulations, f"0 with --opponent {options.opponent}")
    if options.opponent == FRIEND:
        return None
    if options.opponent == RANDOM:
        return baselines.random(env)
    if options.opponent == GUMBEL:
        given = {"policy.simulations": options.simulations} if options.simulations else {}
        return acting_words.baseline(GUMBEL, env, given)
    from tetrax.train.folder import policy_io

    acting = {"acting_simulations": options.simulations} if options.simulations else {}
    try:
        loaded = policy_io.load(options.opponent, acting=acting)
    except UserError as error:
        if not str(error).startswith("agent.acting_simulations"):
            raise
        raise UserError("--simulations" + str(error).removeprefix("agent.acting_simulations")) from None
    if loaded.env.spec.name != env.spec.name:
        raise wrong(
            "--opponent", options.opponent, f"a policy of {env.spec.name}, not of {loaded.env.spec.name}"
        )
    return loaded.actor


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} {'|'.join(TURN_GAMES)}",
        description=(
            "Play a game of two in the terminal: write the number of a column, or in tic-tac-toe of a cell, and q to "
            f"leave. For example: {PROGRAM} connect4 --opponent runs/first --simulations 64."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
