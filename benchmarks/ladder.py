"""python -m benchmarks.ladder: matches of versus Tetris between policies; the ladder of docs/ladder.md is made of them.

Every two of those named play each other, with the same seed: baselines by name, runs and exports as NAME=FOLDER. A
match whose result is kept already is not played again, so that a ladder grows by those who are new.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from benchmarks import ladder_page, measure, records
from tetrax.fields.errors import UserError, wrong
from tetrax.games.versus import Versus
from tetrax.live import contestants
from tetrax.train.report import evaluation, match_game
from tetrax.train.report.match_game import Contestant
from tetrax.train.report.tally import MAX_EPISODES, MAX_LENGTH

DEFAULT_SEED, DEFAULT_GAMES = 1, 256


@dataclass(frozen=True)
class Options:
    """Who plays whom, how often."""

    players: tuple[str, ...] = ("random", "dellacherie", "bcts", "guideline=pretrained/guideline")
    """Two or more: baselines, and runs or exports as NAME=FOLDER."""
    games: int = DEFAULT_GAMES
    """Games of each match."""
    max_pieces: int = 1_000
    """Pieces of a player after which a game is a draw."""
    seed: int = DEFAULT_SEED
    """Seed of the games."""
    save: bool = False
    """Keep the results under benchmarks/results/ladder, and play only what is not kept yet."""


def main(argv: Sequence[str] | None = None) -> int:
    return measure.run(_measure, argv)


def _measure(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "ladder", __doc__ or "")
    if options is None:
        return
    _check_numbers(options)
    paths = find_paths(options.players)
    pairs = [pair for pair in itertools.combinations(paths, 2) if not (options.save and _have_met(*pair))]
    seats = {pair: seat(*pair, paths) for pair in pairs}  # all, before the first of them plays for long
    for (first, second), (game, player, opponent) in seats.items():
        print(f"{first} against {second}: {game.spec.title}", file=sys.stderr)
        match = play(first, second, match_game.Match(game, player, opponent), options)
        if options.save:
            _save(match, options)
        measure.print_json(dataclasses.asdict(match))


def _check_numbers(options: Options) -> None:
    for flag, number, lowest, highest in (
        ("--games", options.games, 1, MAX_EPISODES),
        ("--max-pieces", options.max_pieces, 1, MAX_LENGTH),
        ("--seed", options.seed, 0, 2**31 - 1),
    ):
        if not lowest <= number <= highest:
            raise wrong(flag, number, f"{lowest} or more, up to {highest}")


def _have_met(first: str, second: str) -> bool:
    """Tell, and say, whether a match is kept already, whoever of the two was the first."""
    is_kept = any(ladder_page.path_of(*pair).exists() for pair in ((first, second), (second, first)))
    if is_kept:
        print(f"{first} and {second} have met", file=sys.stderr)
    return is_kept


def find_paths(players: Sequence[str]) -> dict[str, str]:
    """Return what to load by name; UserError where there are fewer than two, or two of a name."""
    paths: dict[str, str] = {}
    for word in players:
        name, equals, path = word.partition("=")
        if not name or (equals and not path) or "/" in name:
            raise UserError(
                f"--players: given {word!r}; allowed: the name of a baseline, or NAME=FOLDER without / in NAME"
            )
        if name in paths:
            raise UserError(f"--players: given {name!r} twice; allowed: names that differ")
        paths[name] = path or name
    if len(paths) < 2:
        raise UserError(f"--players: given {' '.join(players) or 'nobody'}; allowed: two or more")
    return paths


def seat(first: str, second: str, paths: dict[str, str]) -> tuple[Versus, Contestant, Contestant]:
    """Return the game that two play, and both in their seats; UserError where they cannot play versus Tetris."""
    try:
        known = [contestants.know(paths[name]) for name in (first, second)]
        game = contestants.find_game(known)
        player, opponent = (contestants.seat(each, game) for each in known)
    except UserError as error:
        raise UserError(str(error).replace("--versus:", "--players:", 1)) from None
    if not isinstance(game, Versus):
        raise UserError(
            f"--players: given {first} and {second}, which play {game.spec.title}; allowed: players of versus"
        )
    return game, player, opponent


def play(first: str, second: str, match: match_game.Match, options: Options) -> ladder_page.Met:
    """Let two play each other."""
    result = evaluation.evaluate(
        match,
        match_game.actor_of(match.player),
        episodes=options.games,
        seed=options.seed,
        max_pieces=options.max_pieces,
    )
    totals = {name: float(values.sum()) for name, values in result.totals.items()}
    wins, losses = int(totals["wins"]), int(totals["losses"])
    return ladder_page.Met(
        first=first,
        second=second,
        games=options.games,
        wins=wins,
        draws=options.games - wins - losses,  # those that were stopped among them
        losses=losses,
        pieces=totals["pieces"] / options.games,
        attack_per_piece=totals["attack"] / max(1.0, totals["pieces"]),
    )


def _save(match: ladder_page.Met, options: Options) -> None:
    of = {word.partition("=")[0]: word for word in options.players}
    words = ["--players", of[match.first], of[match.second], "--games", str(options.games)]
    words += ["--max-pieces", str(options.max_pieces), "--seed", str(options.seed), "--save"]
    measurement = records.Measurement(
        what=f"versus Tetris: wins of {match.first} against {match.second}",
        value=match.wins / match.games,
        unit="share of games",
        interval=ladder_page.interval(match.wins, match.games),
        machine=measure.machine(),
        command=" ".join(["python -m benchmarks.ladder", *words]),
        commit=measure.commit(),
        date=date.today().isoformat(),
    )
    records.write(ladder_page.path_of(match.first, match.second), measurement, dataclasses.asdict(match))


if __name__ == "__main__":
    sys.exit(main())
