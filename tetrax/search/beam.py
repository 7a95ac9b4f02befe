"""Beam search over whole placements: tucks, spins and hold, many games at once, in one compiled program.

A step expands every board of every beam, scores all placements, merges equal boards and keeps the best. A game has two
beams side by side: one keeps the best by attack and evaluation, the other adds what speaks for a perfect clear. What is
made of the boards at the end is in `verdicts`.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32, UInt32

from tetrax.env.game import randomizer
from tetrax.env.game.randomizer import Source
from tetrax.env.game.reach import placements
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.rules import Rules, default_params
from tetrax.env.game.state import State
from tetrax.search import children, resting, stacks
from tetrax.search.attack_weights import Weights
from tetrax.search.children import Choices, Lanes, Scored

CHILDREN = 80  # placements of a board that there is room for, on average over a beam
CANDIDATES = 3  # times the width: the best ones, among which equal boards are merged
UNKNOWN = 2  # pieces after the known ones that a search may come to
FOR_EVER = 1 << 20  # placements left of a game without a last one


@dataclass(frozen=True)
class Size:
    """How much is looked at: static."""

    width: int = 64
    clear_width: int = 64
    depth: int = 7
    beyond: int = 0
    candidates: int = (
        0  # first placements compared by what may come next, with a value, where all known pieces are placed
    )
    candidate_boards: int = 0  # of each

    @property
    def boards(self) -> int:
        """Return the boards of a game that are kept at each step."""
        return self.width + self.clear_width


class Root(NamedTuple):
    """What is known of G games, and where their first two pieces are."""

    stack: UInt32[Array, "G W"]
    pieces: Int32[Array, "G S"]  # the active one, the visible ones, and those drawn beyond; -1 = not known
    hold: Int32[Array, "G"]
    chain: Int32[Array, "G"]  # difficult clears in a row minus one; -1 = none
    combo: Int32[Array, "G"]  # clears in a row
    starts: tuple[Start, ...]  # [G] each
    bag: UInt32[Array, "G"]  # what is left in the bag after the pieces that are known
    left: Int32[Array, "G"]  # placements until the last one
    steps: Int32[Array, "G"]  # placements to look ahead, at most those of `Size`


def find_root(rules: Rules, size: Size, state: State, placements_in_all: int) -> Root:
    """Read what is known of one game whose future was drawn anew; `size.beyond` of the pieces drawn are believed.

    After the last of all placements (0 = there is none) it looks one ahead, as in a game without a last one.
    """
    pieces = [state.piece, *(state.queue[i] for i in range(rules.preview))]
    draws, source = state.draws, Source(state.bag, state.random)
    for number in range(size.beyond):
        kind, source = randomizer.draw(rules, state.key, draws + number, source)
        pieces.append(kind)
    pieces += [jnp.int32(-1)] * UNKNOWN
    _, starts = placements.starts(rules, state)
    left, steps = jnp.int32(FOR_EVER), jnp.int32(size.depth)
    if placements_in_all:
        remain = placements_in_all - state.pieces
        left = jnp.where(remain > 0, remain, left)
        steps = jnp.where(remain > 0, jnp.minimum(remain, steps), 1)
    return Root(
        stack=jnp.stack(stacks.from_rows(rules, state.rows)),
        pieces=jnp.stack(pieces),
        hold=state.hold,
        chain=state.back_to_back if rules.attack == "tetrio" else jnp.minimum(state.back_to_back, 0),
        combo=state.combo + 1,
        starts=starts,
        bag=source.bag,
        left=left,
        steps=steps,
    )


class Found(NamedTuple):
    """The boards at the end of a search of G games."""

    lanes: Lanes  # [G B] each
    placed: Int32[Array, "G"]  # pieces on the way to them
    boards: Int32[Array, "G"]  # that were expanded
    missed: Int32[Array, "G"]  # placements that there was no room for


def search(rules: Rules, size: Size, weights: Weights, root: Root) -> tuple[Found, Int32[Array, "D G B"]]:
    """Place piece after piece, keeping the best boards; return how each came about at each step, too, -1 where it
    stayed.
    """

    def step(so_far: Found, depth: Int32[Array, ""]) -> tuple[Found, Array]:
        return look_ahead(rules, size, weights, root, so_far, depth)

    return jax.lax.scan(step, begin(size, root), jnp.arange(size.depth, dtype=jnp.int32))


def begin(size: Size, root: Root) -> Found:
    """Start with one board of each game."""
    num_games = root.hold.shape[0]
    is_first = np.arange(size.boards) == 0

    def spread(field: Array) -> Array:
        return jnp.repeat(field, size.boards, axis=0)

    zeros = jnp.zeros(num_games * size.boards, jnp.int32)
    lanes = Lanes(
        stack=spread(root.stack).T,
        hold=spread(root.hold),
        position=zeros,
        chain=spread(root.chain),
        combo=spread(root.combo),
        sent=zeros.astype(jnp.float32),
        gained=zeros.astype(jnp.float32),
        score=jnp.tile(jnp.where(is_first, 0.0, -jnp.inf).astype(jnp.float32), num_games),
        first=zeros,
    )
    nothing = jnp.zeros(num_games, jnp.int32)
    return Found(lanes, nothing, nothing, nothing)


def look_ahead(
    rules: Rules, size: Size, weights: Weights, root: Root, so_far: Found, depth: Int32[Array, ""]
) -> tuple[Found, Int32[Array, "G B"]]:
    """Place one more piece on every board; return how each of them came about, too, -1 where it stayed."""
    lanes = so_far.lanes
    choices, starts = find_choices(rules, root, lanes, size.boards, depth)
    scored, fade = expand(rules, size, weights, lanes, choices, starts, root.left - depth)
    after, took = place(rules, weights, lanes, choices, fade, scored, choose(size, scored), depth)
    return settle(root, so_far, scored, after, took, depth)


def expand(
    rules: Rules,
    size: Size,
    weights: Weights,
    lanes: Lanes,
    choices: Choices,
    starts: tuple[Start, ...],
    left: Int32[Array, "G"],
) -> tuple[Scored, Float32[Array, "G"]]:
    """Score all that may be placed where so many placements are left; tell how much of the evaluation counts then."""
    found = resting.find(rules, lanes.stack, tuple(choices.kind), starts)
    fade = jnp.clip((left - 1).astype(jnp.float32) / jnp.maximum(weights.fade, 1.0), 0.0, 1.0)
    return children.score_all(rules, lanes, choices, found, weights, fade, size.boards * CHILDREN), fade


def place(
    rules: Rules,
    weights: Weights,
    lanes: Lanes,
    choices: Choices,
    fade: Float32[Array, "G"],
    scored: Scored,
    choice: tuple[Int32[Array, "G B"], Bool[Array, "G B"]],
    depth: Int32[Array, ""],
) -> tuple[Lanes, Int32[Array, "G B"]]:
    """Make the chosen placements, with a score of -inf where there is none; return how each board came about, too."""
    chosen, exists = choice
    num_games, beam = chosen.shape
    took = jnp.take_along_axis(scored.step, chosen, axis=1)
    score = jnp.where(exists, jnp.take_along_axis(scored.score, chosen, axis=1), -jnp.inf).reshape(-1)
    step = children.decode(took.reshape(-1))
    step = step._replace(lane=step.lane + np.repeat(np.arange(num_games, dtype=np.int32) * beam, beam))
    own = weights.replace(placement=jnp.repeat(weights.placement.T, beam, axis=1))
    after = children.advance(rules, default_params(rules), lanes, choices, own, jnp.repeat(fade, beam), step)
    first = jnp.where(depth == 0, children.encode(step._replace(lane=jnp.zeros_like(step.lane))), after.first)
    return after._replace(score=score, first=first), took


def settle(
    root: Root,
    so_far: Found,
    scored: Scored,
    after: Lanes,
    took: Int32[Array, "G B"],
    depth: Int32[Array, ""],
) -> tuple[Found, Int32[Array, "G B"]]:
    """Let the boards stay as they are where the game has no further placements, or nothing could be placed."""
    lanes, (num_games, beam) = so_far.lanes, took.shape
    goes_on = (root.steps > depth) & jnp.any(jnp.isfinite(after.score.reshape(num_games, -1)), axis=1)
    expanded = jnp.sum(jnp.isfinite(lanes.score.reshape(num_games, -1)), axis=1, dtype=jnp.int32)
    searched = Found(
        lanes=stay(~jnp.repeat(goes_on, beam), lanes, after),
        placed=so_far.placed + goes_on.astype(jnp.int32),
        boards=so_far.boards + jnp.where(goes_on, expanded, 0),
        missed=so_far.missed + jnp.where(goes_on, scored.missed, 0),
    )
    return searched, jnp.where(goes_on[:, None], took, -1)


def stay(stays: Bool[Array, "n"], before: Lanes, after: Lanes) -> Lanes:
    """Return boards after a placement, or as they were."""
    return jax.tree.map(lambda new, old: jnp.where(stays, old, new), after, before)


def find_choices(
    rules: Rules, root: Root, lanes: Lanes, beam: int, depth: Int32[Array, ""]
) -> tuple[Choices, tuple[Start, ...]]:
    """Return which pieces may be placed on each board, and where they begin."""
    game = np.repeat(np.arange(root.hold.shape[0]), beam)
    last = root.pieces.shape[1] - 1
    flat = root.pieces.reshape(-1)

    def piece(position: Array) -> Array:
        return flat.at[game * (last + 1) + jnp.minimum(position, last)].get(mode="promise_in_bounds")

    exists = jnp.isfinite(lanes.score) & jnp.repeat(root.steps > depth, beam)
    active = piece(lanes.position)
    begin = functools.partial(_begin_piece, rules, depth)
    starts = [begin(active, exists & (active >= 0), root.starts[0], beam)]
    if not rules.hold:
        choices = Choices(active[None], lanes.hold[None], lanes.position[None] + 1)
        return choices._replace(kind=jnp.maximum(choices.kind, 0)), tuple(starts)
    has_hold = lanes.hold >= 0
    brought = jnp.where(has_hold, lanes.hold, piece(lanes.position + 1))
    # Where both pieces are of a kind, holding changes nothing but the order.
    allowed = exists & (brought >= 0) & (brought != active)
    starts.append(begin(brought, allowed, root.starts[1], beam))
    following = lanes.position + 1
    choices = Choices(
        kind=jnp.maximum(jnp.stack([active, brought]), 0),
        hold=jnp.stack([lanes.hold, active]),
        position=jnp.stack([following, following + jnp.where(has_hold, 0, 1)]),
    )
    return choices, tuple(starts)


def _begin_piece(
    rules: Rules, depth: Int32[Array, ""], kind: Array, allowed: Array, root: Start, beam: int
) -> Start:
    """Return where a piece begins: at the first placement where it is, later where pieces enter."""
    enters = entering(rules, kind, allowed)
    now = jax.tree.map(lambda field: jnp.repeat(field, beam), root)
    now = now._replace(allowed=now.allowed & allowed)
    return jax.tree.map(lambda a, b: jnp.where(depth == 0, a, b), now, enters)


def entering(rules: Rules, kind: Array, allowed: Array) -> Start:
    """Return where pieces enter."""
    known = jnp.maximum(kind, 0)
    return Start(
        orientation=jnp.zeros_like(kind),
        x=jnp.asarray(rules.spawn_x.astype(np.int32))[known],
        y=jnp.asarray(rules.spawn_y.astype(np.int32))[known],
        kick=jnp.full_like(kind, -1),
        allowed=allowed,
    )


def choose(size: Size, scored: Scored) -> tuple[Int32[Array, "G B"], Bool[Array, "G B"]]:
    """Choose the placements that go on, those of the first beam, then those of the second; tell which there are."""
    chosen, exist = find_best(scored.score, scored.names, size.width)
    if not size.clear_width:
        return chosen, exist
    known = jnp.stack([jnp.take_along_axis(name, chosen, axis=1) for name in scored.names])
    others, others_exist = find_best(scored.clear_score, scored.names, size.clear_width, known)
    return jnp.concatenate([chosen, others], axis=1), jnp.concatenate([exist, others_exist], axis=1)


def find_best(
    score: Float32[Array, "G M"],
    names: UInt32[Array, "2 G M"],
    width: int,
    known: UInt32[Array, "2 G K"] | None = None,
) -> tuple[Int32[Array, "G width"], Bool[Array, "G width"]]:
    """Return the best placements, of those that lead to equal boards one, and of how many there are enough."""
    count = min(CANDIDATES * width, score.shape[1])
    best, index = jax.lax.top_k(score, count)
    own = jnp.stack([jnp.take_along_axis(name, index, axis=1) for name in names])
    earlier = np.tril(np.ones((count, count), bool), -1)
    same = (own[0][:, :, None] == own[0][:, None]) & (own[1][:, :, None] == own[1][:, None])
    is_known = jnp.any(same & earlier[None], axis=2)
    if known is not None:
        same = (own[0][:, :, None] == known[0][:, None]) & (own[1][:, :, None] == known[1][:, None])
        is_known |= jnp.any(same, axis=2)
    is_known |= jnp.isneginf(best)
    # New ones first, in their order.
    order = jnp.argsort(is_known, axis=1, stable=True)[:, :width]
    return jnp.take_along_axis(index, order, axis=1), ~jnp.take_along_axis(is_known, order, axis=1)
