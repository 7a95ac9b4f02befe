"""`python -m tetrax.dream FOLDER`: what the world model of a run or an exported policy foresees, beside the truth."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tetrax.fields.errors import UserError, exit_code, in_words, wrong
from tetrax.system import disk, streams
from tetrax.train.command import flags

if TYPE_CHECKING:
    from tetrax.train.folder.policy_io import LoadedPolicy
    from tetrax.world_model.dreams import Comparison, Plan

PROGRAM = "python -m tetrax.dream"
PICTURE = "dream.png"  # in the working folder, of an exported policy
MAX_MOMENTS = 100_000  # of all games together: more would not fit into memory
MOST_LINES = 16  # of the table, between its head and the mean
HEADS = {  # of the table's columns
    "cells": "cells right",
    "boards": "boards right",
    "unmoved": "cells if nothing moved",
    "numbers": "error (symlog)",
}


@dataclass(frozen=True)
class Options:
    """What to dream, and where to draw it."""

    games: int = 16
    """Games to play and to foresee."""
    context: int = 16
    """Steps of each game that the model sees before it closes its eyes."""
    horizon: int = 15
    """Steps of each game that it foresees then."""
    seed: int = 0
    """Seed of the games and of what is drawn in them."""
    out: str | None = None
    """File to write the picture to (PNG). When not given plots/dream.png of a run, and dream.png in the working folder
    for an exported policy."""
    json: bool = False
    """Print one JSON object as the last line instead of a table."""


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
    folder = _folder(words.positionals)
    plan = _plan(options)
    path = _path(options, folder)
    loaded = _load(folder)
    from tetrax.system import compilation_cache, libraries

    if notice := compilation_cache.enable():
        print(notice, file=sys.stderr)
    for fault in libraries.faults():
        print(fault, file=sys.stderr)
    comparison, failure = _dream(loaded, plan, options.seed, path, folder)
    title = f"{folder}: {loaded.env.spec.title}"
    if options.json:
        print(json.dumps(document(comparison, plan, options.seed, path), allow_nan=False))
    else:
        print(table(title, comparison, plan, options.seed))
        if failure is None:
            print(f"\npicture: {path}")
    if failure is not None:
        raise UserError(failure)
    streams.deliver()
    return 0


def _folder(positionals: Sequence[str]) -> str:
    if len(positionals) != 1 or not positionals[0]:
        given = " and ".join(positionals) or "nothing"
        raise UserError(f"FOLDER: given {given}; allowed: one folder of a run or of an exported policy")
    return positionals[0]


def _plan(options: Options) -> Plan:
    """Return how much to dream; refuse what cannot be done, before anything slow begins."""
    from tetrax.world_model.dreams import Plan

    for flag, number, low, high in (
        ("--games", options.games, 1, MAX_MOMENTS),
        ("--context", options.context, 1, MAX_MOMENTS),
        ("--horizon", options.horizon, 1, MAX_MOMENTS),
        ("--seed", options.seed, 0, 2**31 - 1),
    ):
        if not low <= number <= high:
            raise wrong(flag, number, f"{low} or more, up to {high}")
    each = options.context + options.horizon
    if options.games * each > MAX_MOMENTS:
        allowed = f"at most {MAX_MOMENTS} steps together, here {max(1, MAX_MOMENTS // each)} games of {each}"
        raise wrong("--games", options.games, allowed)
    return Plan(options.games, options.context, options.horizon)


def _path(options: Options, folder: str) -> Path:
    """Return the file to draw to; refuse one that cannot be written."""
    from tetrax.train.folder.run_folder import RunFolder

    run, given = RunFolder(Path(folder)), options.out
    if given is not None:
        path = Path(given)
        is_file = bool(given) and not path.is_dir() and path.parent.is_dir()
        if not is_file or path.suffix.lower() != ".png":
            raise wrong("--out", given, "a file that ends in .png, in a folder that exists")
    else:
        path = run.dream if run.policy.is_dir() else Path(PICTURE)
    try:
        if path.parent.is_dir():
            disk.try_writing(path)
        else:  # the run has no plots yet
            disk.try_writing_in(run.root)
    except OSError as error:
        raise wrong("--out", str(path), f"a file that can be written ({error.strerror})") from None
    return path


def _load(folder: str) -> LoadedPolicy:
    from tetrax.train.folder import policy_io

    loaded = policy_io.load(folder)
    if loaded.agent.dream is None:
        raise UserError(
            f"{folder}: given a policy of {loaded.agent.name}, which has no model of its game; "
            "allowed: one of an agent with a world model, such as dreamer"
        )
    return loaded


def _dream(
    loaded: LoadedPolicy, plan: Plan, seed: int, path: Path, name: str
) -> tuple[Comparison, str | None]:
    """Dream, and draw it; return what came of it, and why there is no picture, where there is none."""
    import jax

    from tetrax.train.report import dream_plot

    assert loaded.agent.dream is not None
    key = jax.random.key(seed, impl="threefry2x32")
    dream, comparison = loaded.agent.dream(loaded.policy, key, plan)
    try:
        dream_plot.dream_picture(dream, comparison, loaded.env.spec, f"{loaded.config.title} ({name})", path)
    except OSError as error:
        return comparison, f"--out: {in_words(error)}"
    return comparison, None


def document(comparison: Comparison, plan: Plan, seed: int, path: Path) -> dict[str, Any]:
    """Return a comparison as JSON values, null where there is nothing to tell."""
    calibration, by_step = comparison.calibration, comparison.by_step()
    return {
        **plan._asdict(),
        "seed": seed,
        "picture": str(path),
        **{name: _plain(value) for name, value in comparison.summary().items()},
        "by_step": {name: _plain(values) for name, values in by_step.items()},
        "calibration": {
            "number": _plain(calibration.number),
            "told": _plain(calibration.told),
            "real": _plain(calibration.real),
        },
        "by_game": {
            name: {"told": _plain(told), "real": _plain(real)}
            for name, (told, real) in comparison.by_game().items()
        },
    }


def _plain(values: Any) -> Any:
    """Return an array as lists of numbers, None for what is none."""
    import numpy as np

    listed = np.asarray(values).tolist()
    if isinstance(listed, list):
        return [None if isinstance(value, float) and not math.isfinite(value) else value for value in listed]
    return listed if math.isfinite(listed) else None


def table(title: str, comparison: Comparison, plan: Plan, seed: int) -> str:
    """Write what was foreseen, step by step, within 80 columns: every step, or some at even distances and the mean."""
    import numpy as np

    from tetrax.train.report.columns import align
    from tetrax.world_model.dreams import average

    by_step = {name: np.asarray(values) for name, values in comparison.by_step().items()}
    number = by_step["number"]
    shows_boards = "cells" in by_step
    names = [name for name in HEADS if (name == "numbers") != shows_boards]
    write = _percent if shows_boards else _short
    steps = np.unique(np.linspace(0, plan.horizon - 1, min(plan.horizon, MOST_LINES)).round().astype(int))
    lines = [["step", *(HEADS[name] for name in names), "games"]]
    for step in steps:
        lines.append([f"{step + 1}", *(write(by_step[name][step]) for name in names), f"{number[step]:,}"])
    means = [float(average(by_step[name], number)) for name in names]
    lines.append(["mean", *(write(mean) for mean in means), ""])
    sums = [
        f"{name} of a game in these steps: {np.mean(told):.3g} foreseen, {np.mean(real):.3g} real"
        for name, (told, real) in comparison.by_game().items()
    ]
    head = f"{plan.games:,} games from seed {seed}: {plan.context:,} steps seen, {plan.horizon:,} foreseen"
    return "\n".join([title, head, "", align(lines, first="left"), "", *sums])


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}%"


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} FOLDER",
        description=(
            "Let the policy in FOLDER, a run or an exported policy with a world model, play games. Its model sees the "
            "first part of each and foresees the rest; both are compared and drawn."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
