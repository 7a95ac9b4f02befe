"""python -m benchmarks.chance_nodes: what a tree gains by nodes for chance, over one that draws a future once.

Both search by visit counts (PUCT), judge nothing, see the same and know no hidden piece. The one draws what comes after
the queue before each search, as the planners here do. The other has a node for each piece that may come (Antonoglou et
al. 2022, "Planning in Stochastic Environments with a Learned Model"; mctx's). Such a node counts as a simulation,
so that about half of its simulations place a piece: compare the times as well.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np
from jax import Array

from benchmarks import measure

SIMULATIONS = (8, 16, 32)
UNLIKELY = -1e9  # logit of a piece that cannot come


@dataclass(frozen=True)
class Options:
    """How much is played: the board of 4 x 6 cells with dominoes, the next one visible, by placements."""

    simulations: tuple[int, ...] = SIMULATIONS
    """Positions that are looked at before each placement."""
    games: int = 256
    """Games of each."""
    pieces: int = 30
    """Pieces of a game, at most."""
    seed: int = 0
    """Seed of the games."""


def main(argv: Sequence[str] | None = None) -> int:
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "chance_nodes", __doc__ or "")
    if options is None:
        return
    measure.check_positive("--games", options.games)
    measure.check_positive("--pieces", options.pieces)
    for number in options.simulations:
        measure.check_positive("--simulations", number)
    import tetrax

    env = tetrax.make("mini", actions="drop", reward="lines_only")
    rows = []
    for number in options.simulations:
        told = [str(number)]
        for plan in (drawn_once, by_chance_nodes):
            lines, seconds = play(env, plan, number, options)
            half = 1.96 * lines.std(ddof=1) / np.sqrt(len(lines)) if len(lines) > 1 else 0.0
            told += [f"{lines.mean():.2f} ± {half:.2f}", f"{1000 * seconds:.2f}"]
        rows.append(told)
    head = ["simulations", "lines, drawn once", "ms a placement", "lines, chance nodes", "ms a placement"]
    print(measure.table(head, rows))


def play(env: Any, plan: Any, simulations: int, options: Options) -> tuple[np.ndarray, float]:
    """Play games side by side; return their lines, and CPU seconds a placement without compiling."""
    params = env.default_params

    @jax.jit
    def step(states: Any, number: Array) -> Any:
        key = jax.random.fold_in(jax.random.key(options.seed, impl="threefry2x32"), ~number)
        actions = plan(env, simulations, states, key)
        return jax.vmap(env.transition, in_axes=(0, 0, None))(states, actions, params)[0]

    keys = jax.random.split(jax.random.key(options.seed, impl="threefry2x32"), options.games)
    states = jax.jit(jax.vmap(lambda key: env.init(key, params)))(keys)
    jax.block_until_ready(step(states, jnp.uint32(0)))
    begun = time.process_time()
    for number in range(options.pieces):
        states = step(states, jnp.uint32(number))
    lines = np.asarray(states.lines, np.float64)
    return lines, (time.process_time() - begun) / (options.games * options.pieces)


def drawn_once(env: Any, simulations: int, states: Any, key: Array) -> Array:
    """Choose by a tree over one future that is drawn anew."""
    from tetrax.env.contract import Sight
    from tetrax.search.game_model import GameParams, even_judge, game_model
    from tetrax.search.tree import SearchConfig, tree_search

    model = game_model(env, even_judge, GameParams((), env.default_params, jnp.float32(1)))
    seen = jax.vmap(env.observe, in_axes=(0, None))(states, env.default_params)
    sight = Sight(observation=seen, is_first=None, state=states)
    return tree_search(SearchConfig(kind="puct"), simulations)(model, sight, key)[0]


def by_chance_nodes(env: Any, simulations: int, states: Any, key: Array) -> Array:
    """Choose by a tree with a node for each piece that may come."""
    params = env.default_params
    future_key, search_key = jax.random.split(key)

    def legal(states: Any) -> Array:
        return jax.vmap(env.observe, in_axes=(0, None))(states, params).legal

    def decide(params: Any, key: Array, action: Array, states: Any) -> tuple[Any, Any]:
        del key
        after, reward, terminated, _, _ = jax.vmap(env.transition, in_axes=(0, 0, None))(
            states, action, params
        )
        chances = jax.vmap(lambda one: jnp.where(may_come(env.rules, one), 0.0, UNLIKELY))(after)
        return mctx.DecisionRecurrentFnOutput(chance_logits=chances, afterstate_value=reward), (
            after,
            reward,
            terminated,
        )

    def draw(params: Any, key: Array, kind: Array, left: Any) -> tuple[Any, Any]:
        del params, key
        after, reward, terminated = left
        states = jax.vmap(with_newest)(after, kind)
        return mctx.ChanceRecurrentFnOutput(
            action_logits=jnp.where(legal(states), 0.0, UNLIKELY),
            value=jnp.zeros_like(reward),
            reward=reward,
            discount=jnp.where(terminated, 0.0, 1.0),
        ), states

    # The hidden pieces are drawn anew here too, so that the key of the game tells nothing.
    drawn = jax.vmap(env.resample_future)(states, jax.random.split(future_key, states.piece.shape[0]))
    allowed = legal(states)
    root = mctx.RootFnOutput(
        prior_logits=jnp.where(allowed, 0.0, UNLIKELY),
        value=jnp.zeros(states.piece.shape[0]),
        embedding=drawn,
    )
    found = mctx.stochastic_muzero_policy(
        params,
        search_key,
        root,
        decide,
        draw,
        simulations,
        invalid_actions=~allowed & jnp.any(allowed, axis=-1, keepdims=True),
        dirichlet_fraction=0.0,
        temperature=0.0,
    )
    return found.action.astype(jnp.int32)


def may_come(rules: Any, state: Any) -> Array:
    """Return which kinds the newest visible piece could have been, bool[kinds], before it was drawn from a bag."""
    return ((_bag_before(state) >> np.arange(rules.num_pieces, dtype=np.uint32)) & np.uint32(1)) != 0


def with_newest(state: Any, kind: Array) -> Any:
    """Return a game whose newest visible piece is of this kind, and not the one that was drawn from the bag."""
    bag = _bag_before(state) & ~(jnp.uint32(1) << kind.astype(jnp.uint32))
    return state.replace(queue=state.queue.at[-1].set(kind.astype(jnp.int32)), bag=bag)


def _bag_before(state: Any) -> Array:
    """Return the bag, uint32[], from which the newest visible piece was drawn."""
    return state.bag | (jnp.uint32(1) << state.queue[-1].astype(jnp.uint32))


if __name__ == "__main__":
    sys.exit(main())
