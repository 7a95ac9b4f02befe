"""python -m benchmarks.attack_table: rows sent in 50 placements, by policy; the table of docs/attack.md is made of it.

Every policy plays the game of the preset `attack-50`; those that only drop pieces straight down play it so. Game i is
the same for all of them, and that of an evaluation with the same seed.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import attack_page, measure, records
from tetrax.fields.errors import wrong_name

DEFAULT_SEED = 1
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Options:
    """Who plays how much."""

    policies: tuple[str, ...] = ()
    """Names of those that play; when not given all of them."""
    games: int = 1_000
    """Games of each."""
    together: int = 250
    """Games that are played side by side."""
    seed: int = DEFAULT_SEED
    """Seed of the games."""
    save: bool = False
    """Keep the results under benchmarks/results/attack."""


def main(argv: Sequence[str] | None = None) -> int:
    return measure.run(_measure, argv)


def _measure(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "attack_table", __doc__ or "")
    if options is None:
        return
    measure.check_positive("--games", options.games)
    measure.check_positive("--together", options.together)
    players = find_players()
    for name in options.policies or tuple(players):
        if name not in players:
            raise wrong_name("--policies", name, players)
    for name in options.policies or tuple(players):
        title, invite = players[name]
        env, actor = invite()
        rows, seconds, lost = play(env, actor, options)
        result = _describe(name, title, env, rows, seconds, lost)
        if options.save:
            _save(result, options)
        measure.print_json(dataclasses.asdict(result))


def find_players() -> dict[str, tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Return everybody there is, by name: a title, and what loads their environment and them."""
    players: dict[str, tuple[str, Callable[[], tuple[Any, Any]]]] = {
        "random": ("any legal place", lambda: _baseline("random", "locked_position")),
        "random-drop": ("any legal drop", lambda: _baseline("random", "drop")),
    }
    for name in ("dellacherie", "bcts", "dt10", "dt20"):
        players[name] = (f"`{name}`", lambda name=name: _baseline(name, "drop"))
    players["guideline"] = ("PPO, `pretrained/guideline`", _guideline)
    players["dqn"] = ("DQN, trained by default", _dqn)
    for width in (8, 16, 32, 64):
        settings = {"width": width, "clear_width": width, "placements": attack_page.PLACEMENTS}
        title = f"beam search, {width} + {width} boards, tuned weights"
        players[f"beam-{width}"] = (title, lambda given=settings: _baseline("beam", "locked_position", given))
    for number in (16, 64, 256):
        settings = {"simulations": number, "placements": attack_page.PLACEMENTS}
        title = f"Gumbel search, {number} simulations"
        players[f"gumbel-{number}"] = (
            title,
            lambda given=settings: _baseline("gumbel", "locked_position", given),
        )
    players["attack-50"] = ("beam search, `pretrained/attack-50`", _attack_50)
    players["attack-50-alone"] = ("learned value of `pretrained/attack-50` without search", _attack_50_alone)
    return players


def play(env: Any, actor: Any, options: Options) -> tuple[list[int], float, int]:
    """Play; return the rows that each game sent, CPU seconds a placement without compiling, and games lost early."""
    import jax
    import jax.numpy as jnp

    from tetrax.env.contract import Sight

    params, together = env.default_params, min(options.together, options.games)

    def step(policy: Any, carry: Any, number: Any) -> Any:
        states, memory, sent = carry
        observed = jax.vmap(env.observe, in_axes=(0, None))(states, params)
        # Games are numbered from below.
        key = jax.random.fold_in(jax.random.key(options.seed, impl="threefry2x32"), ~number)
        sight = Sight(observation=observed, is_first=states.ticks == 0, state=states)
        actions, memory, _ = actor.act(policy, sight, memory, key, True)
        states, _, _, _, event = jax.vmap(env.transition, in_axes=(0, 0, None))(states, actions, params)
        return states, memory, sent + jnp.sum(event.attack, axis=1)

    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(options.seed, impl="threefry2x32"), i))
    begin = jax.jit(jax.vmap(lambda key: env.init(key, params)))
    compiled: Any = None
    rows: list[int] = []
    seconds, lost = 0.0, 0
    while len(rows) < options.games:
        states = begin(keys(jnp.arange(len(rows), len(rows) + together, dtype=jnp.uint32)))
        carry = (states, actor.initial_memory((together,)), jnp.zeros(together, jnp.int32))
        if compiled is None:
            compiled = jax.jit(step).lower(actor.policy, carry, jnp.uint32(0)).compile()
        begun = time.process_time()
        for number in range(attack_page.PLACEMENTS):
            carry = compiled(actor.policy, carry, jnp.uint32(len(rows) * attack_page.PLACEMENTS + number))
        carry = jax.block_until_ready(carry)
        seconds += time.process_time() - begun
        taken = min(together, options.games - len(rows))
        rows += carry[2][:taken].tolist()
        lost += int(carry[0].game_over[:taken].sum())
        print(f"{len(rows)} of {options.games} games", file=sys.stderr)
    played = -(-options.games // together) * together
    return rows, seconds / (played * attack_page.PLACEMENTS), lost


def _baseline(name: str, actions: str, settings: dict[str, Any] | None = None) -> tuple[Any, Any]:
    from tetrax.agents import baselines

    env = baselines.environment(name, "attack-50", actions)
    make = baselines.BASELINES[name]
    return env, make(env) if settings is None else make(env, baselines.SETTINGS[name](**settings))


def _guideline() -> tuple[Any, Any]:
    import tetrax

    return _on_this_game(tetrax.load(ROOT / "pretrained" / "guideline"))


def _dqn() -> tuple[Any, Any]:
    """Train it as `python -m tetrax.train dqn` does, and keep nothing."""
    import tetrax

    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "dqn"
        evaluation = {"every": 0, "final_episodes": 0}  # which change nothing of what is learned
        tetrax.train_agent(tetrax.configure("dqn", evaluation=evaluation), run_dir, quiet=True)
        return _on_this_game(tetrax.load(run_dir))


def _on_this_game(loaded: Any) -> tuple[Any, Any]:
    """Return a policy of straight drops in this game, whose pieces and board are those that it knows."""
    from tetrax.env.game.rules import RULE_PRESETS
    from tetrax.env.tetris import Tetris

    return Tetris(dataclasses.replace(loaded.env.config, rules=RULE_PRESETS["attack-50"])), loaded.actor


def _attack_50() -> tuple[Any, Any]:
    import tetrax

    loaded = tetrax.load(ROOT / "pretrained" / "attack-50")
    return loaded.env, loaded.actor


def _attack_50_alone() -> tuple[Any, Any]:
    """Make the placement that is worth most by the rows that it sends and the value of the board after it."""
    from tetrax.search import beam, playing

    env, actor = _attack_50()
    all_places = beam.Size(width=playing.MOST_BOARDS, clear_width=0, depth=1)

    def act(policy: Any, sight: Any, memory: Any, key: Any, greedy: bool) -> tuple[Any, Any, dict[str, Any]]:
        del greedy
        actions, told = playing.act(
            env, all_places, attack_page.PLACEMENTS, policy.weights, sight.state, key, policy.value
        )
        return actions, memory, told

    return env, actor._replace(act=act)


def _describe(
    name: str, title: str, env: Any, rows: Sequence[int], seconds: float, lost: int
) -> attack_page.Result:
    mean = sum(rows) / len(rows)
    spread = math.sqrt(sum((each - mean) ** 2 for each in rows) / max(1, len(rows) - 1))
    return attack_page.Result(
        name=name,
        title=title,
        actions=env.config.actions,
        games=len(rows),
        mean=mean,
        half_width=1.96 * spread / math.sqrt(len(rows)),
        milliseconds=1000 * seconds,
        lost=lost,
    )


def _save(result: attack_page.Result, options: Options) -> Path:
    words = ["--policies", result.name, "--games", str(options.games), "--together", str(options.together)]
    seed = [] if options.seed == DEFAULT_SEED else ["--seed", str(options.seed)]
    measurement = records.Measurement(
        what=f"rows sent in {attack_page.PLACEMENTS} placements: {result.title}",
        value=round(result.mean, 3),
        unit="rows",
        interval=(round(result.mean - result.half_width, 3), round(result.mean + result.half_width, 3)),
        machine=measure.machine(),
        command=" ".join(["python -m benchmarks.attack_table", *words, *seed, "--save"]),
        commit=measure.commit(),
        date=date.today().isoformat(),
    )
    return records.write(attack_page.RESULTS / f"{result.name}.json", measurement, dataclasses.asdict(result))


if __name__ == "__main__":
    sys.exit(main())
