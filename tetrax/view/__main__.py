"""`python -m tetrax.view RECORDING`: look at a recorded game: in the terminal, as a page, an animation or a picture."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tetrax.fields.errors import UserError, exit_code, wrong
from tetrax.system import disk, streams
from tetrax.train.command import flags

if TYPE_CHECKING:
    from tetrax.env.record import Replay
    from tetrax.games.versus_record import VersusReplay

PROGRAM = "python -m tetrax.view"
SUFFIXES = (".html", ".gif", ".mp4", ".svg", ".txt")
ANIMATIONS = (".gif", ".mp4")
BEST = Path("recordings") / "best.json"  # in a run's folder


@dataclass(frozen=True)
class Options:
    """What of a recording to show, and where."""

    out: str | None = None
    """File to write: .html is a page that plays the game, .gif and .mp4 an animation, .svg and .txt one board. When
    not given, the board is printed."""
    step: int = -1
    """The board after so many actions, of .svg, .txt and what is printed; -1 is the last, -2 the one before."""
    policy: str | None = None
    """Folder of a run or of an exported policy that knows this game: in a page or an animation, what it makes of each
    decision is shown beside, whoever played."""
    part: Literal["first", "last", "spread"] = "last"
    """Which frames of a long game an animation has: its first ones, its last ones, or some evenly spread."""
    max_frames: int = 400
    """Frames of an animation at most."""
    frames_per_second: float = 10.0
    """Frames of an animation each second (1 to 50)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped; nothing was written")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        _print_help()
        return 0
    options = flags.put(Options(), words.values)
    file = _file(words.positionals)
    out = None if options.out is None else flags.file_to_write("--out", options.out, SUFFIXES)
    _check_meant(words.given, out)
    _check_encoder(out)
    from tetrax.system import compilation_cache

    compilation_cache.enable_for_slow_programs()
    try:
        print(_show(file, out, options))
    except ValueError as error:
        raise UserError(_named(str(error))) from None
    streams.deliver()
    return 0


def _file(positionals: Sequence[str]) -> Path:
    """Return the file of the recording that is named, or the best one of a run."""
    if len(positionals) != 1 or not positionals[0]:
        given = " and ".join(positionals) or "nothing"
        raise UserError(f"RECORDING: given {given}; allowed: one file of a recording, or the folder of a run")
    path = Path(positionals[0])
    if not path.is_dir():
        return path
    if not (path / BEST).is_file():
        raise wrong("RECORDING", str(path), f"a file of a recording, or the folder of a run with {BEST}")
    return path / BEST


def _check_meant(given: object, out: Path | None) -> None:
    """Refuse flags that say nothing about what is asked for."""
    suffix = "" if out is None else out.suffix.lower()
    names = set(given) if isinstance(given, dict) else set()
    for name in ("part", "max_frames", "frames_per_second"):
        if name in names and suffix not in ANIMATIONS:
            raise UserError(
                f"{flags.flag_name(name)}: given without an animation; allowed: with --out FILE.gif or FILE.mp4"
            )
    if "policy" in names and suffix not in (*ANIMATIONS, ".html"):
        raise UserError(
            "--policy: given without a page or an animation; allowed: with --out FILE.html, FILE.gif or FILE.mp4"
        )
    if "step" in names and suffix in (*ANIMATIONS, ".html"):
        raise UserError(
            f"--step: given with {suffix}, which shows the whole game; allowed: with .svg, .txt or none"
        )


def _check_encoder(out: Path | None) -> None:
    """Refuse a film where nothing is installed that makes one, before the game is played again."""
    if out is not None and out.suffix.lower() == ".mp4":
        from tetrax.view import film

        try:
            film.find_encoder()
        except (ModuleNotFoundError, ValueError) as error:
            raise UserError(f"--out: given {str(out)!r}, but {error}") from None


def _show(file: Path, out: Path | None, options: Options) -> str:
    """Write or draw what is asked for; return what there is to print. ValueError for what is no such recording."""
    from tetrax.view import page, render

    replayed, came_to = _play(file, options)
    _check_step(options.step, len(replayed.recording.actions))
    if out is None:
        return f"{render.render_text_step(replayed, options.step, colour=_has_colours())}\n{file}: {came_to}"
    suffix = out.suffix.lower()
    if suffix in ANIMATIONS:
        draw = render.render_gif if suffix == ".gif" else render.render_mp4
        animation = draw(
            replayed,
            part=options.part,
            max_frames=options.max_frames,
            frames_per_second=options.frames_per_second,
            thoughts=_thoughts(replayed, options),
        )
        disk.write_whole(out, animation)
    elif suffix == ".html":
        disk.write_whole(out, page.show(replayed, thoughts=_thoughts(replayed, options)).html.encode())
    elif suffix == ".svg":
        disk.write_whole(out, render.render_step(replayed, options.step).encode())
    else:
        disk.write_whole(out, (render.render_text_step(replayed, options.step) + "\n").encode())
    return f"{out}: {came_to}"


def _play(file: Path, options: Options) -> tuple[Replay | VersusReplay, str]:
    """Play the game of a file again, of one board or of several; return what it came to as well."""
    from tetrax.env import record
    from tetrax.games import versus_record
    from tetrax.view import several_boards

    if versus_record.is_one(file):
        if options.policy is not None:
            raise UserError("--policy: given for a game of several boards; allowed: with those of one board")
        several = versus_record.verify(versus_record.load(file))
        return several, f"{several_boards.default_title(several)}, {several.recording.outcome.steps} steps"
    replayed = record.verify(record.load(file))
    came_to = ", ".join(
        f"{value} {name.replace('_', ' ')}" if not isinstance(value, bool) else name.replace("_", " ")
        for name, value in dataclasses.asdict(replayed.recording.outcome).items()
        if isinstance(value, int) and value is not False
    )
    return replayed, came_to


def _check_step(step: int, length: int) -> None:
    """Refuse a step that the game does not have."""
    if not -length - 1 <= step <= length:
        raise UserError(f"--step: given {step}; allowed: {-length - 1} to {length}")


def _thoughts(replayed: Any, options: Options) -> list[dict[str, Any]] | None:
    """Return what the policy that is named holds of each decision; None where none is."""
    if options.policy is None:
        return None
    from tetrax.train.folder.policy_io import load
    from tetrax.train.report.thoughts import think

    return think(load(options.policy), replayed)


def _has_colours() -> bool:
    from tetrax.train.report.terminal import console, has_colours

    return has_colours(console())


def _named(message: str) -> str:
    """Name the flag where a check named an argument."""
    name = message.partition(":")[0]
    return flags.flag_name(name) + message[len(name) :] if name in flags.field_types(Options()) else message


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} RECORDING",
        description=(
            "Look at a recorded game. RECORDING is its file (recordings/best.json of a run, or what record.save "
            "wrote), or the folder of a run, whose best game is taken. It is played again, and refused where it comes "
            "to another game."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
