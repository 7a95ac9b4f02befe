"""`python -m benchmarks.env_throughput`: how fast the environment plays at random, on whatever device is there."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import measure
from benchmarks.measure import check_positive, table, thousands
from tetrax.env.observe import OBSERVATIONS
from tetrax.env.tetris import ENV_PRESETS, Tetris, make
from tetrax.fields.errors import UserError, wrong, wrong_name

SWEEP = {"cpu": (2**7, 2**14)}  # smallest and largest batch that are tried when none is given
ACCELERATOR_SWEEP = (2**12, 2**22)
GREATEST_BATCH = 2**25


@dataclass(frozen=True)
class Options:
    """What to measure."""

    actions: Literal["direct", "drop", "locked_position"] = "direct"
    """The action set: one key a step, or one placement a step."""
    batch: int | None = None
    """Boards side by side; when not given, every power of two from --smallest to --largest is tried."""
    smallest: int | None = None
    """The first batch of the sweep (128 on CPUs, 4096 on others)."""
    largest: int | None = None
    """The last batch of the sweep (16384 on CPUs, 4194304 on others); it ends early where memory does."""
    seconds: float = 3.0
    """Seconds of play that are timed, for each batch."""
    preset: str = "guideline"
    """The rules, a preset of `tetrax.make`."""
    observation: str = "bitboards"
    """What is observed of the board (bitboards: a word for every row, of locked cells and of the active piece)."""
    board_features: bool = False
    """Whether heights, holes, bumpiness, … are observed too."""
    reward: str | None = None
    """Name of the reward; when not given, that of the preset."""
    vector_width: int | None = None
    """Bits of the vectors that XLA is to use on a CPU: 128, 256 or 512; when not given, its own choice."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance, for the tables and charts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(),
        argv,
        "env_throughput",
        "Time random legal play with automatic reset, in one compiled loop.",
    )
    if options is None:
        return
    env = check(options)
    measure.use_vector_width(options.vector_width)
    result = sweep(env, batches(options), options.seconds, show=lambda line: print(line, flush=True))
    print(_words(options, result))
    if options.save:
        keep(options, result, argv)
    if options.json:
        measure.print_json(result)


def check(options: Options) -> Tetris:
    """Return the environment that is asked for; UserError for the first value that cannot be meant."""
    for name in ("batch", "smallest", "largest"):
        given = getattr(options, name)
        check_positive(f"--{name}", given)
        if given is not None and given > GREATEST_BATCH:
            raise wrong(f"--{name}", given, f"1 to {GREATEST_BATCH}")
    check_positive("--seconds", options.seconds)
    if options.preset not in ENV_PRESETS:
        raise wrong_name("--preset", options.preset, ENV_PRESETS)
    if options.observation not in OBSERVATIONS:
        raise wrong_name("--observation", options.observation, OBSERVATIONS)
    fields: dict[str, Any] = {} if options.reward is None else {"reward": options.reward}
    try:
        return make(
            options.preset,
            actions=options.actions,
            observation=options.observation,
            board_features=options.board_features,
            **fields,
        )
    except ValueError as error:
        raise UserError(str(error).replace("env.", "--", 1)) from None


def batches(options: Options) -> list[int]:
    """Return the batches to try: the one given, or powers of two."""
    if options.batch is not None:
        return [options.batch]
    import jax

    smallest, largest = SWEEP.get(jax.default_backend(), ACCELERATOR_SWEEP)
    smallest, largest = options.smallest or smallest, options.largest or largest
    if smallest > largest:
        raise wrong("--smallest", smallest, f"at most --largest, {largest}")
    first, last = math.ceil(math.log2(smallest)), math.floor(math.log2(largest))
    return [2**power for power in range(first, last + 1)] or [smallest]


def sweep(env: Tetris, batch_sizes: Sequence[int], seconds: float, show: Any) -> dict[str, Any]:
    """Measure each batch; return the JSON object: the best point, and all of them.

    The best is the one with most steps per CPU second on a CPU, where cores are what is paid for (and other
    work may be on the machine), and with most steps per second elsewhere. A batch for which there is no
    memory ends the sweep, unless it is the first.
    """
    import jax

    points: list[dict[str, Any]] = []
    for batch in batch_sizes:
        try:
            points.append(point(env, batch, seconds))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) or not points:
                raise
            show(f"batch {batch}: no memory; the sweep ends")
            break
        show(f"batch {batch}: {thousands(points[-1]['steps_per_second'])} steps/s")
    which = "steps_per_cpu_second" if jax.default_backend() == "cpu" else "steps_per_second"
    best = max(points, key=lambda one: one[which])
    config = env.config
    return {
        **best,
        "actions": config.actions,
        "preset": config.preset,
        "observation": config.view,
        "board_features": config.board_features,
        "reward": config.reward if isinstance(config.reward, str) else "injected",
        "num_actions": env.num_actions,
        "best_by": which,
        "points": points,
        **measure.context(),
    }


def point(env: Tetris, batch: int, seconds: float) -> dict[str, Any]:
    """Measure one batch."""
    from benchmarks.random_play import num_bytes, random_play

    play = random_play(env, batch)
    compile_seconds = play.compile()
    play.run(seconds / 10)  # boards leave the start behind; the first call also touches its memory first
    played = play.run(seconds)
    return {
        **played.rates(),
        "batch": batch,
        "compile_seconds": compile_seconds,
        "state_bytes_per_board": num_bytes(play.carry) / batch,
        **played._asdict(),
    }


HEAD = ("batch", "steps/s", "steps/CPU-s", "pieces/s", "games", "compile s", "bytes/board")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    numbers = ("steps_per_second", "steps_per_cpu_second", "pieces_per_second", "games")
    counts = [thousands(one[name]) for name in numbers]
    return (
        str(one["batch"]),
        *counts,
        f"{one['compile_seconds']:.1f}",
        thousands(one["state_bytes_per_board"]),
    )


def _words(options: Options, result: dict[str, Any]) -> str:
    features = " with board features" if options.board_features else ""
    title = f"{options.actions}, {options.preset}, observed: {result['observation']}{features}; {measure.machine()}"
    best = f"best by {result['best_by'].replace('_', ' ')}: batch {result['batch']}"
    return "\n".join([title, table(HEAD, [_row(one) for one in result["points"]]), best])


def keep(options: Options, result: dict[str, Any], argv: Sequence[str]) -> None:
    """Save a result as data."""
    which = result["best_by"]
    features = "-features" if options.board_features else ""
    observation = f"{result['observation']}{features}"
    measure.save(
        f"env-{options.actions}-{options.preset}-{observation}",
        what=f"random legal play, `{options.actions}`, {options.preset}, observed: {observation}, "
        f"batch {result['batch']}",
        value=result[which],
        unit=which.replace("_", " ").replace("cpu", "CPU"),
        module="env_throughput",
        argv=argv,
        data=result,
    )


if __name__ == "__main__":
    sys.exit(main())
