"""`python -m tetrax.evaluate`: play whole games with a run, an exported policy or a baseline, and report."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tetrax.fields.errors import UserError, exit_code, in_words, wrong, wrong_name
from tetrax.system import disk, streams
from tetrax.train.command import acting_words, flags

if TYPE_CHECKING:
    from tetrax.agents.agent import Actor
    from tetrax.train.report.evaluation import EvalResult

PROGRAM = "python -m tetrax.evaluate"
DEFAULT_GAME, DEFAULT_ENVIRONMENT = "tetris", "guideline"
OF_ANY_GAME = ("random", "gumbel")  # baselines
# The lines of the table, each of the statistics of a measure.
STATISTICS: dict[str, Callable[[dict[str, Any]], float]] = {
    "mean": lambda numbers: numbers["mean"],
    "± 95%": lambda numbers: numbers["ci95"][1] - numbers["mean"],
    "std": lambda numbers: numbers["std"],
    "min": lambda numbers: numbers["min"],
    "5%": lambda numbers: numbers["quantiles"]["0.05"],
    "median": lambda numbers: numbers["quantiles"]["0.5"],
    "95%": lambda numbers: numbers["quantiles"]["0.95"],
    "max": lambda numbers: numbers["max"],
}


@dataclass(frozen=True)
class Options:
    """What to play and how to report it."""

    policy: str | None = None
    """A baseline to play instead of a run: random, dellacherie, bcts, bcts-attack, dt10, dt20, beam or
    gumbel."""
    game: str | None = None
    """The game that policy random or gumbel plays, as in training: tetris (when not given), cartpole, tictactoe,
    connect4, gymnax:ID, and random also gridworld, versus, gymnasium:ID."""
    preset: str | None = None
    """The environment that a baseline plays: guideline (when not given), classic-10x10, …."""
    actions: Literal["direct", "chords", "drop", "locked_position"] | None = None
    """The action set of a baseline; when not given that of the preset, or drop where the baseline needs it, or
    locked_position for beam and gumbel, which also plays drop. Only random plays others."""
    opponent: str | None = None
    """Who has the other side of a game of two players: random (when not given), in tic-tac-toe also perfect; in a
    competitive grid world greedy (when not given), random, or self: one policy in all seats."""
    versus: tuple[str, ...] = ()
    """Two who play against each other in place of one: folders of runs or of exported policies, or baselines. What is
    told is of the first."""
    episodes: int = 256
    """Games to play."""
    seed: int = 0
    """Seed of the games: game i is the same whatever their number."""
    max_pieces: int | None = None
    """Pieces (in games without them: steps) after which a game is stopped; 0 = no cap. When not given, 5000 where
    games may go on for ever, else 0."""
    sample: bool = False
    """Draw actions by their probability instead of taking the most probable."""
    record: str | None = None
    """File to write the best game to, as a recording (JSON)."""
    csv: str | None = None
    """File to write one line per game to."""
    json: bool = False
    """Print one JSON object as the last line instead of a table."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped; nothing was written")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, {**flags.field_types(Options()), **acting_words.types(argv)})
    if words.wants_help:
        _print_help()
        return 0
    acting = acting_words.among(words.values)
    options = flags.put(Options(), {path: words.values[path] for path in words.values if path not in acting})
    _check(options, words.positionals, acting)
    env, actor, name = _player(options, words.positionals, acting)
    env = _against(options, env)
    from tetrax.games import recordings
    from tetrax.system import compilation_cache, libraries
    from tetrax.train.report import evaluation

    if notice := compilation_cache.enable():
        print(notice, file=sys.stderr)
    max_pieces = _max_pieces(options, env)
    if options.record is not None and not recordings.has_recordings(env):
        raise wrong("--record", options.record, f"nothing: {env.spec.title} has no recordings")
    _check_files(options, (*words.positionals, *options.versus))
    for fault in libraries.faults():
        print(fault, file=sys.stderr)
    with _progress(options.episodes, max_pieces, env.spec.length) as on_progress:
        result = evaluation.evaluate(
            env,
            actor,
            episodes=options.episodes,
            seed=options.seed,
            max_pieces=max_pieces,
            greedy=not options.sample,
            record=options.record is not None,
            opponent=evaluation.SELF if env.spec.acts_together else None,  # else it is in the game already
            on_progress=on_progress,
        )
    failures = _write("--csv", options.csv, lambda path: evaluation.write_csv(result, path))
    if options.json:
        print(json.dumps(result.summary(), allow_nan=False))
    else:
        print(_table(f"{name}: {env.spec.title}", result))
    # After the result is seen: the best game has to be played again, which may take long.
    failures += _write(
        "--record",
        options.record,
        lambda path: recordings.save(evaluation.recording_of_best(env, result), path),
    )
    if failures:
        raise UserError("; ".join(failures))
    streams.deliver()
    return 0


def _check(options: Options, positionals: Sequence[str], acting: Mapping[str, Any]) -> None:
    """Refuse what cannot be done, before anything slow begins."""
    from tetrax.train.report.tally import MAX_EPISODES, MAX_LENGTH

    allowed = "one folder of a run or of an exported policy, --policy NAME, or --versus A B"
    if options.versus:
        _check_versus(options, positionals, acting)
    if options.policy is not None and positionals:
        raise wrong("what to play", f"{positionals[0]} and --policy {options.policy}", allowed)
    if options.policy is None and len(positionals) != 1 and not options.versus:
        raise UserError(f"what to play: given {' and '.join(positionals) or 'nothing'}; allowed: {allowed}")
    acting_words.check(options.policy, acting)
    if options.policy is None and not options.versus:
        if not positionals[0]:
            raise wrong("what to play", "", allowed)
        chosen = (("--game", options.game), ("--preset", options.preset), ("--actions", options.actions))
        for flag, given in chosen:
            if given is not None:
                raise wrong(flag, given, "nothing: a trained policy plays the environment it was trained in")
    for flag, number, minimum, maximum in (
        ("--episodes", options.episodes, 1, MAX_EPISODES),
        ("--seed", options.seed, 0, 2**31 - 1),
        ("--max-pieces", options.max_pieces or 0, 0, MAX_LENGTH),
    ):
        if not minimum <= number <= maximum:
            raise wrong(flag, number, f"{minimum} or more, up to {maximum}")
    for flag, path in (("--record", options.record), ("--csv", options.csv)):
        if path is not None and (not path or os.path.isdir(path) or not os.path.isdir(Path(path).parent)):
            raise wrong(flag, path, "a file in a folder that exists")
    if options.csv is not None and options.record is not None:
        both = os.path.realpath(options.csv) == os.path.realpath(options.record)
        if both and (os.path.isfile(options.csv) or not os.path.exists(options.csv)):  # a device takes both
            raise wrong("--record", options.record, "another file than that of --csv")


def _check_versus(options: Options, positionals: Sequence[str], acting: Mapping[str, Any]) -> None:
    """Refuse what says nothing about a match of two."""
    if len(options.versus) != 2:
        raise wrong(
            "--versus", " ".join(options.versus), "two: folders of runs or of exported policies, or baselines"
        )
    given = {
        "what to play": positionals[0] if positionals else None,
        "--policy": options.policy,
        "--game": options.game,
        "--preset": options.preset,
        "--actions": options.actions,
        "--opponent": options.opponent,
        "--record": options.record,
        **{flags.flag_name(path): value for path, value in acting.items()},
    }
    for name, value in given.items():
        if value is not None:
            raise wrong(name, value, "nothing, with --versus")


def _match(options: Options) -> tuple[Any, Actor, str]:
    """Return a match as a game of one, who plays it and what to call them."""
    from tetrax.live import contestants
    from tetrax.train.report import match_game

    known = [contestants.know(name) for name in options.versus]
    game = contestants.find_game(known)
    player, opponent = (contestants.seat(each, game) for each in known)
    match = match_game.Match(game, player, opponent, greedy=not options.sample)
    return match, match_game.actor_of(player), player.name


def _player(
    options: Options, positionals: Sequence[str], acting: Mapping[str, Any]
) -> tuple[Any, Actor, str]:
    """Return the environment, who plays it and what to call them."""
    if options.versus:
        return _match(options)
    if options.policy is None:
        loaded = acting_words.load(positionals[0], acting)
        return loaded.env, loaded.actor, positionals[0]
    from tetrax.agents import baselines

    if options.policy not in baselines.BASELINES:
        raise wrong_name("--policy", options.policy, baselines.BASELINES)
    if options.game not in (None, DEFAULT_GAME):
        env = _other_game(options)
        return env, acting_words.baseline(options.policy, env, acting), options.policy
    try:
        env = baselines.environment(options.policy, options.preset or DEFAULT_ENVIRONMENT, options.actions)
    except ValueError as error:
        raise UserError("--" + str(error).removeprefix("env.")) from None
    # What pays after the cap is worth nothing, where nothing else is said.
    searches = options.policy in baselines.SETTINGS
    ends = {"policy.placements": options.max_pieces or 0} if searches else {}
    return env, acting_words.baseline(options.policy, env, {**ends, **acting}), options.policy


def _against(options: Options, env: Any) -> Any:
    """Return what is played: where players play against each other, the game against an opponent."""
    from tetrax.train.report import evaluation

    try:
        return evaluation.against(env, options.opponent)
    except ValueError as error:
        raise UserError("--" + str(error)) from None


def _other_game(options: Options) -> Any:
    """Return a game that is not Tetris, which has no presets, no action sets, and no baseline of its own."""
    from tetrax import games

    assert options.game is not None
    if options.policy not in OF_ANY_GAME:
        raise wrong("--policy", options.policy, f"{' or '.join(OF_ANY_GAME)}, with --game {options.game}")
    for flag, given in (("--preset", options.preset), ("--actions", options.actions)):
        if given is not None:
            raise wrong(flag, given, f"nothing, with --game {options.game}")
    try:
        named = games.find(options.game)
        config = games.GAMES[named.game].config() if named.config is None else named.config
        return games.make(named.game, config)
    except (ValueError, ModuleNotFoundError) as error:
        raise UserError("--" + str(error)) from None


def _max_pieces(options: Options, env: Any) -> int:
    """Return the cap that is given, or that of the game."""
    from tetrax.train.report.evaluation import default_cap

    return default_cap(env.spec) if options.max_pieces is None else options.max_pieces


@contextlib.contextmanager
def _progress(episodes: int, max_pieces: int, length: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal; leave files and pipes alone."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    from tetrax.train.report import terminal

    with Progress(console=terminal.console(stderr=True), transient=True) as bar:
        task = bar.add_task("playing", total=1.0)

        def on_progress(games_over: int, most_pieces: int) -> None:
            longest = f"{most_pieces} of {max_pieces}" if max_pieces else f"{most_pieces}"
            text = f"{games_over} of {episodes} games over; the longest running one: {longest} {length}"
            bar.update(task, completed=games_over / episodes, description=text)

        yield on_progress


def _is_within(path: str, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _check_files(options: Options, runs: Sequence[str]) -> None:
    """Refuse files that cannot be written before games are played for them."""
    for flag, path in (("--csv", options.csv), ("--record", options.record)):
        if path is not None:
            if os.path.isfile(path) and any(_is_within(path, run) for run in runs):
                raise wrong(flag, path, "a new file, or one outside of what is evaluated")
            try:
                disk.try_writing(Path(path))
            except OSError as error:
                raise wrong(flag, path, f"a file that can be written ({error.strerror})") from None


def _write(flag: str, path: str | None, write: Callable[[str], None]) -> list[str]:
    """Write a file that is asked for and return what went wrong: the result is worth more than its file."""
    if path is not None:
        try:
            write(path)
        except OSError as error:
            return [f"{flag}: {in_words(error)}"]
    return []


def _table(title: str, result: EvalResult) -> str:
    """Write what the games came to: a column for each measure, so that it fits 80 characters with large numbers."""
    from tetrax.train.report.columns import align
    from tetrax.train.report.numbers import exact

    summary = result.summary()
    cap = f", stopped at {result.cap:,} {result.length}: {summary['capped']:,}" if result.cap else ""
    lines = [["per game", *result.totals]]
    for label, find in STATISTICS.items():
        lines.append([label, *(exact(find(summary[measure])) for measure in result.totals)])
    return (
        f"{title}\n{summary['episodes']:,} games from seed {result.seed}{cap}\n\n{align(lines, first='left')}"
    )


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} [FOLDER]",
        description=(
            "Play whole games and report lines, score, rows sent, pieces and return. FOLDER is a run or an exported "
            "policy; --policy NAME plays a baseline instead. Settings that only decide how an agent acts, such as "
            "--agent.planned-rollouts of dreamer, may be given anew; those of --policy beam are --policy.width, "
            "clear-width, depth, beyond, placements (when not given --max-pieces) and weights, those of --policy "
            "gumbel --policy.simulations, considered, beyond, placements and weights."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
