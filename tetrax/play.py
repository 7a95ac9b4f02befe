"""`python -m tetrax.play`: play yourself: in the terminal or in the browser, alone, with an agent or beside one."""

from __future__ import annotations

import dataclasses
import gc
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tetrax.env.game.rules import RULE_PRESETS, Rules
from tetrax.env.tetris import ENV_PRESETS
from tetrax.fields.errors import UserError, exit_code, in_words, install, wrong, wrong_name
from tetrax.system import streams
from tetrax.train.command import acting_words, flags

if TYPE_CHECKING:
    from tetrax.live.play.guest import Guest
    from tetrax.live.play.modes import Result
    from tetrax.live.play.seats import Seat, Setting

PROGRAM = "python -m tetrax.play"
TICKS_PER_SECOND = 60
LONGEST_DELAY = 2_000  # milliseconds
RULES = dataclasses.replace(RULE_PRESETS["guideline"], ticks_per_second=TICKS_PER_SECOND)


@dataclass(frozen=True)
class Game:
    """The game that is played."""

    preset: str | None = None
    """Rules to begin with: guideline (when not given, unless an agent brings its own), tetrio, classic-10x20, …."""
    rules: Rules = RULES
    """The rules of the game, one by one."""
    params: tuple[str, ...] = ()
    """Numbers of the game in place of the rules' own, NAME=VALUE each: game.start_level=5, game.lock_delay=60."""


@dataclass(frozen=True)
class Options:
    """What to play, and how."""

    mode: Literal["sprint", "ultra", "endless", "practice"] = "sprint"
    """40 lines; two minutes; until the game is lost; or with pieces that can be taken back."""
    browser: bool = False
    """Play in the browser; the address is printed."""
    host: str = "127.0.0.1"
    """Address to serve the browser from; another than this machine's own asks for a token, which is in the address."""
    port: int = 8777
    """Port to serve the browser from; 0 is any that is free."""
    policy: str | None = None
    """An agent to play with: the folder of a run or of an exported policy, or a baseline: random, beam, …"""
    part: Literal["plays", "helps", "beside"] = "plays"
    """What the agent does at first: it plays and you watch, you play and may ask it, or each of you plays a game with
    the same pieces. Its place is taken, and given back, by a key."""
    speed: float | None = None
    """Keys that the agent presses in a second, up to 60; when not given 10, or, where it decides about keys, as many as
    it is used to."""
    das: float = 167.0
    """Milliseconds that a shift is held until it repeats (delayed auto shift)."""
    arr: float = 33.0
    """Milliseconds between repeats (auto repeat rate); 0 = a cell in every tick, 60 a second."""
    soft_drop: int | None = None
    """How many times as fast a piece falls in a soft drop; when not given, as the rules have it (20)."""
    level: int | None = None
    """Level to begin at; when not given, as the rules have it (1)."""
    keys: tuple[str, ...] = ()
    """Keys in place of ours, MEANING=KEY each: rotate_cw=k hold=l. A browser lets you change and keep them, too."""
    seed: int | None = None
    """Seed of the first game's pieces; when not given, any."""
    save: str = "recordings"
    """Folder for recordings of the games."""
    env: Game = field(default_factory=Game)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, {**_types(), **acting_words.types(argv)})
    if words.wants_help:
        _print_help()
        return 0
    for word in words.positionals:
        raise wrong("unexpected word", word, "flags (an agent is given by --policy)")
    acting = acting_words.among(words.values)
    values = {
        ("env.preset" if path == "preset" else path): value
        for path, value in words.values.items()
        if path not in acting
    }
    options = _put(values)
    _check(options, {**values, **acting})
    from tetrax.live.play import keeping, key_bindings

    bindings = key_bindings.bind(options.keys)
    if not options.browser:
        _check_terminal()
    folder = keeping.check_folder(options.save)
    rules_given = "env.preset" in values or any("env.rules" in path for path in values)
    setting = _prepare(options, rules_given, acting)
    if options.browser:
        _play_in_browser(options, setting, bindings, folder)
    else:
        _play_in_terminal(options, setting, bindings, folder)
    streams.deliver()
    return 0


def _types() -> dict[str, Any]:
    """Return the types of the flags; the preset has a short one, too."""
    types = flags.field_types(Options())
    return {"preset": types["env.preset"], **types}


def _put(values: dict[str, Any]) -> Options:
    """Put the words over the rules of the preset; UserError for rules that cannot be."""
    name = values.get("env.preset") or "guideline"
    if name not in ENV_PRESETS:
        raise wrong_name("--preset", name, ENV_PRESETS)
    rules = dataclasses.replace(ENV_PRESETS[name].rules, ticks_per_second=TICKS_PER_SECOND)
    try:
        return flags.put(Options(env=Game(rules=rules)), values)
    except ValueError as error:
        raise UserError(f"--env.{error}" if str(error).startswith("rules.") else str(error)) from None


def _check(options: Options, given: Mapping[str, Any]) -> None:
    """Refuse numbers that cannot be meant, before anything slow begins."""
    for flag, delay in (("--das", options.das), ("--arr", options.arr)):
        if not 0 <= delay <= LONGEST_DELAY:
            raise wrong(flag, delay, f"0 to {LONGEST_DELAY:,} milliseconds")
    if options.speed is not None and not 0 < options.speed <= TICKS_PER_SECOND:
        raise wrong("--speed", options.speed, f"more than 0 keys a second, up to {TICKS_PER_SECOND}")
    for flag, number, low in (("--soft-drop", options.soft_drop, 1), ("--level", options.level, 1)):
        if number is not None and not low <= number <= 1000:
            raise wrong(flag, number, f"{low} to 1000")
    if options.seed is not None and not 0 <= options.seed < 2**31:
        raise wrong("--seed", options.seed, f"0 to {2**31 - 1}")
    if options.policy is None:
        for path in ("part", "speed", *acting_words.among(given)):
            if path in given:
                raise wrong(
                    flags.flag_name(path), given[path], "nothing, without --policy: it is of an agent"
                )
    if not options.browser:
        for path in ("host", "port"):
            if path in given:
                raise wrong(flags.flag_name(path), given[path], "nothing, without --browser")


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "terminal: given a file or a pipe; allowed: a terminal to type in, or --browser to play in the browser"
        )
    try:
        import termios  # noqa: F401
    except ImportError:
        raise UserError("terminal: given one of Windows; allowed: --browser") from None


def _prepare(options: Options, rules_given: bool, acting: Mapping[str, Any]) -> Setting:
    """Load the agent, compile the game, and try both, so that nothing is compiled while somebody plays."""
    from tetrax.live.play import handling, match, one_board, seats
    from tetrax.system import compilation_cache

    if notice := compilation_cache.enable():
        print(notice, file=sys.stderr)
    guest = _invite(options, rules_given, acting)
    rules, preset = options.env.rules, options.env.preset or "guideline"
    if guest is not None and not rules_given:
        rules, preset = guest.env.rules, guest.env.config.preset
        rules = dataclasses.replace(rules, ticks_per_second=TICKS_PER_SECOND)
    numbers = {"game.soft_drop_factor": options.soft_drop, "game.start_level": options.level}
    params = (
        *options.env.params,
        *(f"{name}={value}" for name, value in numbers.items() if value is not None),
    )
    try:
        config = one_board.people_config(preset, rules, params)
    except ValueError as error:
        raise UserError(f"--{error}") from None
    print("preparing the game; the first time takes a moment", file=sys.stderr)
    setting = seats.Setting(
        board=one_board.compile_board(config),
        mode=options.mode,
        handling=handling.handling(options.das, options.arr, rules.ticks_per_second),
        guest=guest,
        part=options.part,
        keys_per_second=options.speed,
        worker=None if guest is None else ThreadPoolExecutor(1, "agent"),
        seed=options.seed,
    )
    match.warm_up(setting)
    # What is loaded stays: looking through all of it for what could be freed would stop a game for many milliseconds.
    gc.collect()
    gc.freeze()
    return setting


def _invite(options: Options, rules_given: bool, acting: Mapping[str, Any]) -> Guest | None:
    if options.policy is None:
        return None
    from tetrax.live.play import guest

    return guest.invite(options.policy, options.env.rules if rules_given else None, acting)


def _play_in_terminal(options: Options, setting: Setting, bindings: dict[str, str], folder: Path) -> None:
    from tetrax.live.play import keeping, terminal_play
    from tetrax.train.report.terminal import console, has_colours

    kept: list[str] = []
    failures: list[str] = []

    def keep(seat: Seat, result: Result) -> None:
        try:
            path = keeping.keep_game(folder, options.mode, seat)
        except OSError as error:  # the next game may be saved again
            failures.append(in_words(error))
            return
        if path is not None:
            kept.append(keeping.in_words(path, result))

    terminal_play.play(setting, bindings, keep, colour=has_colours(console()))
    for line in kept:
        print(line)
    if failures:
        raise UserError(f"games that could not be saved: {'; '.join(failures)}")


def _play_in_browser(options: Options, setting: Setting, bindings: dict[str, str], folder: Path) -> None:
    try:
        from tetrax.live.web import play_page
    except ModuleNotFoundError as error:
        raise UserError(
            f"--browser: {error.name} is not installed; it comes with: {install('dashboard')}"
        ) from None
    house = play_page.House(setting, bindings, options.das, options.arr, folder)
    play_page.serve(house, options.host, options.port, lambda line: print(line, flush=True))


def _print_help() -> None:
    from tetrax.live.play import key_bindings
    from tetrax.live.play.terminal_view import TAPS_NOTE

    keys = key_bindings.in_words(key_bindings.DEFAULT_BINDINGS, key_bindings.MEANINGS)
    flags.print_help(
        Options,
        Options(),
        prog=PROGRAM,
        description=(
            f"Play Tetris by the rules that agents play by, {TICKS_PER_SECOND} ticks a second. Every game is saved as "
            f"a recording. Keys (--keys): {keys}. {TAPS_NOTE}"
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
