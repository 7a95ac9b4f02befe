"""What a policy would do in a position that a front end tells: its moves, the one that it would play first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import PROBABILITIES, WORTHS, Sight
from tetrax.env import observe
from tetrax.env.game import locking, randomizer
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.randomizer import BITS_PER_PIECE
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import SPINS, State, select
from tetrax.fields.errors import UserError
from tetrax.live.bot.centres import KINDS, WIDTH, cells_at, centre_of
from tetrax.live.bot.position import WHOLE_BAG, Move, Position
from tetrax.live.play.guest import Guest, placement_of
from tetrax.search.lines import LINES

MOST_MOVES = 8  # that are suggested
VISIBLE_ROWS = 20  # of the protocol's board
EMPTY = Position((0,) * 40, KINDS, None, 0, False, WHOLE_BAG)


class Told(NamedTuple):
    """A position as the compiled program takes it."""

    rows: np.ndarray  # uint32[H]
    kinds: np.ndarray  # int32[1 + P], the active piece and the visible ones
    hold: np.int32  # -1 = none
    hold_used: np.bool_
    combo: np.int32
    back_to_back: np.bool_
    bag: np.uint32
    placed: np.int32


class Advice(NamedTuple):
    """What a policy would do."""

    moves: tuple[Move, ...]  # the first is the one it would play; none where no piece has a place
    told: dict[str, float]  # what it says beside
    seconds: float  # that it thought


@dataclass(frozen=True, eq=False)
class Advisor:
    """A policy, asked about positions; each time as if its game began there."""

    guest: Guest

    @property
    def rules(self) -> Rules:
        """Return the rules that the policy knows."""
        return self.guest.env.rules

    def advise(self, position: Position) -> Advice:
        """Ask the policy; compiled at the first call."""
        begun = time.perf_counter()
        fits, actions, placed, legal, told = jax.device_get(
            self._program(self.guest.actor.policy, tell(self.rules, position))
        )
        moves: dict[frozenset[Any], Move] = {}
        names = [piece.name for piece in self.rules.pieces]
        for index in range(len(actions)):
            if not (fits and legal[index]):
                continue
            kind, orientation, x, y, spin = placed[index].tolist()
            name = names[kind]
            move = Move(name, orientation, *centre_of(name, orientation, x, y), SPINS[spin])
            cells = frozenset((name, *cell) for cell in cells_at(*move[:4]))
            moves.setdefault(cells, move)  # orientations that fill the same cells are one
        seconds = time.perf_counter() - begun
        return Advice(tuple(moves.values()), {name: float(value) for name, value in told.items()}, seconds)

    @cached_property
    def _program(self) -> Callable[..., tuple[Array, Array, Array, Array, dict[str, Array]]]:
        env, actor = self.guest.env, self.guest.actor
        params = env.default_params

        def advise(policy: Any, told: Told) -> tuple[Array, Array, Array, Array, dict[str, Array]]:
            state, fits = _begin(self.guest, told)
            sight = Sight(observation=env.observe(state, params), is_first=jnp.bool_(True), state=state)
            sight = jax.tree.map(lambda leaf: leaf[None], sight)
            memory, key = actor.initial_memory((1,)), jax.random.fold_in(state.key, told.placed)
            action, _, diagnostics = actor.act(policy, sight, memory, key, True)
            legal = sight.observation.legal[0]
            actions = _rank(env.rules, action[0], legal, diagnostics)

            candidates = env.action_set.candidates(state)
            assert candidates is not None

            def look_at(action: Array) -> Array:
                placed = placement_of(env, params, state, candidates, action)
                return jnp.concatenate([candidates.kind[action][None], placed[1:]])

            placed = jax.lax.map(look_at, actions)
            plain = {
                name: value[0]
                for name, value in diagnostics.items()
                if name not in (PROBABILITIES, WORTHS, LINES)
            }
            return fits, actions, placed, legal[actions], plain

        return jax.jit(advise)


def check(guest: Guest) -> None:
    """Raise a UserError for a policy whose game is another than the protocol's, or that decides about keys."""
    rules = guest.env.rules
    if guest.by_keys:
        actions = guest.env.config.actions
        raise UserError(
            f"--policy: given {guest.name!r}, which decides about keys ({actions}); "
            "allowed: one of whole placements (drop, locked_position)"
        )
    for name, given, allowed in (
        ("width", rules.width, WIDTH),
        ("height", rules.height, VISIBLE_ROWS),
        ("pieces", {piece.name for piece in rules.pieces}, {piece.name for piece in TETROMINOES}),
    ):
        if given != allowed:
            shown = [" ".join(sorted(each)) if isinstance(each, set) else each for each in (given, allowed)]
            raise UserError(
                f"--policy: given {guest.name!r}, whose rules.{name} is {shown[0]}; "
                f"allowed: {shown[1]}, as the protocol has it"
            )


def tell(rules: Rules, position: Position) -> Told:
    """Write a position as a game of these rules.

    A queue that is too short is filled up by what may come; hold is then forbidden where it would bring a piece that
    nobody has told. Of a longer one the policy sees as much as it is used to.
    """
    wanted = 1 + rules.preview
    known = position.queue[:wanted]
    kinds = (*known, *_guess(position, wanted - len(known)))
    hidden = position.hold is None and len(position.queue) < 2
    names = [piece.name for piece in rules.pieces]
    return Told(
        rows=np.array((*position.rows, *[0] * rules.total_height)[: rules.total_height], np.uint32),
        kinds=np.array([names.index(kind) for kind in kinds], np.int32),
        hold=np.int32(-1 if position.hold is None else names.index(position.hold)),
        hold_used=np.bool_(hidden),
        combo=np.int32(position.combo - 1),
        back_to_back=np.bool_(position.back_to_back),
        bag=np.uint32(_write_bag(rules, _bag_after(position, wanted))),
        placed=np.int32(position.placed),
    )


def _begin(guest: Guest, told: Told) -> tuple[State, Array]:
    """Return the state of a game, and whether its piece can enter."""
    env = guest.env
    key = jax.random.key(0, impl="threefry2x32")
    shapes = jax.eval_shape(lambda: env.init(key, env.default_params))
    state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes.replace(key=None)).replace(
        key=key,
        random=randomizer.source(env.rules, key).random,
        lives=jnp.int32(env.rules.lives),
        rows=jnp.asarray(told.rows),
        hold=jnp.asarray(told.hold),
        hold_used=jnp.asarray(told.hold_used),
        queue=jnp.asarray(told.kinds[1:]),
        draws=told.placed + np.int32(len(told.kinds)),
        bag=jnp.asarray(told.bag),
        combo=jnp.asarray(told.combo),
        back_to_back=jnp.where(told.back_to_back, 0, -1).astype(jnp.int32),
        pieces=jnp.asarray(told.placed),
    )
    entered, fits = locking.spawn(env.rules, state, jnp.asarray(told.kinds[0]))
    # Where nothing can enter the game is over, and whatever is asked about it has no answer.
    state = select(fits, entered, entered.replace(game_over=jnp.bool_(True)))
    return observe.with_history(state, env.config.history), fits


def _rank(rules: Rules, chosen: Array, legal: Array, diagnostics: Mapping[str, Any]) -> Array:
    """Return the actions that are suggested, int32[N]: the chosen one, then the best others as the policy says.

    One that weighs no actions, but tells its best lines, means their first placements.
    """
    for kind in (PROBABILITIES, WORTHS):
        if kind in diagnostics:
            scores = jnp.where(legal, diagnostics[kind][0], -jnp.inf).at[chosen].set(jnp.inf)
            return jax.lax.top_k(scores, min(MOST_MOVES, scores.shape[0]))[1].astype(jnp.int32)
    if LINES not in diagnostics:
        return chosen[None].astype(jnp.int32)
    hold, orientation, x, y = (part[0, :, 0] for part in diagnostics[LINES][:4])
    places = ((hold.astype(jnp.int32) * 4 + orientation) * rules.height + y) * rules.width + x
    others = jnp.where(x >= 0, places, chosen)
    return jnp.concatenate([chosen[None], others]).astype(jnp.int32)


def _guess(position: Position, count: int) -> list[str]:
    """Draw pieces that may come after the queue, the same ones for the same position."""
    bag, drawn = position.bag or WHOLE_BAG, []
    chance = random.Random(position.placed)
    for _ in range(count):
        drawn.append(chance.choice(sorted(bag)))
        bag = (bag - {drawn[-1]}) or WHOLE_BAG
    return drawn


def _bag_after(position: Position, count: int) -> frozenset[str]:
    """Return what the bag holds once `count` pieces of the queue are out of it: later ones are put back."""
    if position.bag is None or len(position.queue) < count:
        return WHOLE_BAG
    bag = position.bag
    for kind in reversed(position.queue[count:]):
        bag = (frozenset() if bag == WHOLE_BAG else bag) | {kind}
    return bag


def _write_bag(rules: Rules, bag: frozenset[str]) -> int:
    """Write a bag as `State.bag`; in TETR.IO's, whose order nobody knows, in the order of the rules."""
    kinds = [number for number, piece in enumerate(rules.pieces) if piece.name in bag]
    if rules.randomizer == "tetrio":
        return sum((kind + 1) << (BITS_PER_PIECE * place) for place, kind in enumerate(kinds))
    return sum(1 << kind for kind in kinds)
