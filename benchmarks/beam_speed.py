"""`python -m benchmarks.beam_speed`: boards that the beam search expands a second, and where its time goes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import measure
from benchmarks.measure import check_positive, table, thousands
from benchmarks.workers.stopwatch import Stopwatch
from tetrax.fields.errors import wrong

PARTS = ("moves", "evaluation", "merging")
BEGINNING = 8  # placements before anything is timed, so that boards are those of a game
MIDDLE = 3  # placements that are looked ahead before the parts of one more are timed


@dataclass(frozen=True)
class Options:
    """What to measure."""

    games: tuple[int, ...] = (1, 8, 64)
    """Games side by side."""
    widths: tuple[int, ...] = (8, 64)
    """Boards kept at each step, and as many again for perfect clears."""
    seconds: float = 5.0
    """Seconds that are timed, of the whole and of each part."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "beam_speed", "Time the beam search and its parts.")
    if options is None:
        return
    check(options)
    results = []
    for width in options.widths:
        for games in options.games:
            results.append(time_search(games, width, options.seconds))
            print(words(results[-1:]), flush=True)
    document = {"searches": results, **measure.context()}
    print(words(results))
    if options.save:
        keep(document, argv)
    if options.json:
        measure.print_json(document)


def check(options: Options) -> None:
    """Raise UserError for the first value that cannot be meant."""
    from tetrax.search.playing import MOST_BOARDS

    check_positive("--seconds", options.seconds)
    for name, given, most in (
        ("--games", options.games, 4096),
        ("--widths", options.widths, MOST_BOARDS // 2),
    ):
        if not given or min(given) < 1 or max(given) > most:
            raise wrong(
                name, ",".join(map(str, given)), f"whole numbers from 1 to {most}, with commas between"
            )


def time_search(games: int, width: int, seconds: float) -> dict[str, Any]:
    """Time whole searches of so many games, and the parts of one step of theirs by themselves."""
    import jax
    import jax.numpy as jnp

    from tetrax.env.tetris import ENV_PRESETS, Tetris
    from tetrax.search import beam, playing, verdicts
    from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten, unflatten

    env, size = Tetris(ENV_PRESETS["attack-50"]), beam.Size(width, width)
    row = flatten(ATTACK_WEIGHTS["tuned"])
    weights = jnp.broadcast_to(row[None], (games, row.shape[0]))
    key = jax.random.key(0, impl="threefry2x32")
    plan = jax.jit(lambda root: verdicts.decide(env.rules, size, unflatten(weights), None, root))
    look = jax.jit(jax.vmap(lambda state: beam.find_root(env.rules, size, state, 0)))
    params = env.default_params
    states = jax.jit(jax.vmap(lambda key: env.init(key, params)))(jax.random.split(key, games))
    play = jax.jit(jax.vmap(lambda state, action: env.transition(state, action, params)[0]))
    compiling = Stopwatch()
    plan = plan.lower(look(states)).compile()
    compile_seconds = compiling.seconds
    for _ in range(BEGINNING):
        states = play(states, playing.action_of(env, plan(look(states))))
    root = look(states)
    boards = int(jnp.sum(plan(root).boards))
    whole = _time(plan, (root,), seconds)
    parts, placements = _time_parts(env.rules, size, unflatten(weights), root, seconds)
    return {
        "games": games,
        "width": width,
        "boards": boards,
        "placements_of_a_board": placements,
        "seconds": whole,
        "boards_per_cpu_second": boards / whole,
        "compile_seconds": compile_seconds,
        "seconds_of_a_step": parts,
    }


def _time_parts(
    rules: Any, size: Any, weights: Any, root: Any, seconds: float
) -> tuple[dict[str, float], float]:
    """Return CPU seconds of the parts of one step, each as a program of its own, and placements a board has."""
    import jax
    import jax.numpy as jnp

    from tetrax.search import beam, children, resting, stacks

    depth = jnp.int32(MIDDLE)
    found = jax.jit(
        lambda root: beam.search(rules, dataclasses.replace(size, depth=MIDDLE), weights, root)[0]
    )(root)
    choices, starts = jax.jit(lambda lanes: beam.find_choices(rules, root, lanes, size.boards, depth))(
        found.lanes
    )
    find = jax.jit(lambda stack, kinds, starts: resting.find(rules, stack, kinds, starts))
    moves = (found.lanes.stack, tuple(choices.kind), starts)
    rests = find(*moves)
    fade = jnp.ones(root.hold.shape[0], jnp.float32)
    score = jax.jit(
        lambda lanes, choices, rests: children.score_all(
            rules, lanes, choices, rests, weights, fade, size.boards * beam.CHILDREN
        )
    )
    scored = score(found.lanes, choices, rests)
    merge = jax.jit(lambda scored: beam.choose(size, scored))
    parts = {
        "moves": _time(find, moves, seconds),
        "evaluation": _time(score, (found.lanes, choices, rests), seconds),
        "merging": _time(merge, (scored,), seconds),
    }
    boards = int(jnp.sum(jnp.isfinite(found.lanes.score)))
    return parts, int(jnp.sum(stacks.popcount(rests.rests))) / max(boards, 1)


def _time(program: Any, given: tuple[Any, ...], seconds: float) -> float:
    """Return the CPU seconds of one call, on average over as many as take so long."""
    import jax

    jax.block_until_ready(program(*given))
    watch, calls = Stopwatch(), 0
    while watch.seconds < seconds:
        jax.block_until_ready(program(*given))
        calls += 1
    return watch.cpu_seconds / calls


def words(results: Sequence[dict[str, Any]]) -> str:
    """Return results as text for people."""
    rows = []
    for one in results:
        parts = one["seconds_of_a_step"]
        shares = [f"{parts[part] / sum(parts.values()):.0%}" for part in PARTS]
        rows.append(
            (
                f"{one['games']} games, {one['width']} + {one['width']} boards",
                thousands(one["boards_per_cpu_second"]),
                thousands(one["boards_per_cpu_second"] * one["placements_of_a_board"]),
                f"{one['seconds'] / one['games'] * 1e3:.3g}",
                *shares,
                f"{one['compile_seconds']:.0f}",
            )
        )
    head = ("", "boards/CPU-s", "placements/CPU-s", "ms a decision", *PARTS, "compiling, s")
    return table(head, rows)


def keep(document: dict[str, Any], argv: Sequence[str]) -> None:
    """Save a result as data; its headline is the fastest search."""
    best = max(document["searches"], key=lambda one: one["boards_per_cpu_second"])
    measure.save(
        "beam-search",
        what=f"beam search of {best['games']} games, {best['width']} + {best['width']} boards each, seven placements "
        "ahead: boards whose placements are all found, scored and the best kept",
        value=best["boards_per_cpu_second"],
        unit="boards per CPU second",
        module="beam_speed",
        argv=argv,
        data=document,
    )


if __name__ == "__main__":
    sys.exit(main())
