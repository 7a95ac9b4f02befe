"""Whole placements as a model for tree search: the smallest state that decides, and a short list of what may follow.

An action of the tree is a place in that list, of the distinct resting places of the active piece and of the one that
hold brings (40 to 160), not one of the hundreds of cells that an environment names. What a placement earns is attack,
and a board is held to be worth the best that the linear evaluation sees one placement further.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, Int32, UInt32

from tetrax.env.game.reach.flood import Start
from tetrax.env.game.rules import Rules, default_params
from tetrax.ops.distributions import ILLEGAL
from tetrax.search import children, resting, stacks
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Root
from tetrax.search.children import Choices, Lanes

MOST_PLACES = 192  # of a position; further ones are not looked at
TILE = 96  # of them are scored side by side
LOST = -30.0  # rows, what a position without any place is worth
TEMPERATURE = (
    1.0  # rows by which a placement must look better to be e times as probable, before it was looked at
)
TRUST = 0.1  # times the visits (and 50 more), how many e-folds a row is worth that was found by looking


class Node(struct.PyTreeNode):
    """A position of B games, and what may follow."""

    stack: UInt32[Array, "B W"]
    hold: Int32[Array, "B"]
    position: Int32[Array, "B"]  # of the active piece in the list of pieces
    chain: Int32[Array, "B"]
    combo: Int32[Array, "B"]
    left: Int32[Array, "B"]  # placements until the last one
    pieces: Int32[Array, "B S"]  # as in `beam.Root`
    steps: Int32[Array, "B M"]  # as `children.encode` writes them
    scores: Float32[Array, "B M"]  # of each: its attack and what follows from it; -inf = there is none
    worth: Float32[Array, "B"]  # of the position


class Setting(NamedTuple):
    """What is played: static."""

    rules: Rules
    only_drops: bool  # whether pieces drop straight down


def open_root(setting: Setting, weights: Weights, root: Root) -> Node:
    """Return the position that is known, its pieces where they are."""
    lanes = _lanes(root.stack, root.hold, jnp.zeros_like(root.hold), root.chain, root.combo)
    return _open(setting, weights, lanes, root.pieces, root.left, root.starts)


def only_legal(node: Node, actions: Int32[Array, "B M"], legal: Bool[Array, "B A"]) -> Node:
    """Leave those places out that the environment's own actions do not reach."""
    allowed = jnp.take_along_axis(legal, actions, axis=1)
    scores = jnp.where(allowed, node.scores, -jnp.inf)
    return node.replace(scores=scores, worth=_worth(scores))


def actions_of(setting: Setting, node: Node) -> Int32[Array, "B M"]:
    """Return the environment's action for each placement; of places in the list where there is none any."""
    rules, step = setting.rules, children.decode(node.steps)
    half = step.choice * 4 + step.orientation
    action = (
        half * rules.width + step.x
        if setting.only_drops
        else (half * rules.height + step.y) * rules.width + step.x
    )
    return jnp.where(jnp.isfinite(node.scores), action, 0)


def root_output(node: Node) -> mctx.RootFnOutput:
    """Return a root as mctx takes it."""
    return mctx.RootFnOutput(prior_logits=_logits(node), value=node.worth, embedding=node)


def recurrent(
    setting: Setting, weights: Weights, action: Int32[Array, "B"], node: Node
) -> tuple[mctx.RecurrentFnOutput, Node]:
    """Place a piece. Where no piece is known any more a position stays as it is, and so does what it is worth."""
    number = jnp.take_along_axis(node.steps, action[:, None], axis=1)[:, 0]
    score = jnp.take_along_axis(node.scores, action[:, None], axis=1)[:, 0]
    goes_on = jnp.isfinite(score)
    step = children.decode(number)._replace(lane=jnp.arange(len(number), dtype=jnp.int32))
    lanes = _lanes(node.stack, node.hold, node.position, node.chain, node.combo)
    own = weights.replace(placement=weights.placement.T)
    after = children.advance(
        setting.rules,
        default_params(setting.rules),
        lanes,
        _choices(setting.rules, lanes, node.pieces)[0],
        own,
        _fade(weights, node.left),
        step,
    )
    left = node.left - 1
    opened = _open(
        setting, weights, after._replace(gained=jnp.zeros_like(after.gained)), node.pieces, left, None
    )
    opened = opened.replace(scores=jnp.where((left > 0)[:, None], opened.scores, -jnp.inf))
    is_known = _is_known(setting.rules, after, node.pieces) & (left > 0)
    # What the evaluation says of the board itself, where nothing is seen further on.
    still = jnp.where(left > 0, score - after.gained, 0.0)
    value = jnp.where(_has_steps(opened), _worth(opened.scores), jnp.where(is_known, LOST, still))
    opened = opened.replace(worth=value)
    opened = jax.tree.map(functools.partial(_where, goes_on), opened, node)
    return mctx.RecurrentFnOutput(
        reward=jnp.where(goes_on, after.gained, 0.0),
        discount=jnp.ones_like(value),
        prior_logits=_logits(opened),
        value=opened.worth,
    ), opened


def _where(condition: Bool[Array, "B"], if_true: Array, if_false: Array) -> Array:
    return jnp.where(condition.reshape(-1, *(1,) * (if_true.ndim - 1)), if_true, if_false)


def _lanes(stack: Array, hold: Array, position: Array, chain: Array, combo: Array) -> Lanes:
    """Return positions as boards of a beam, one of each game."""
    nothing = jnp.zeros(hold.shape, jnp.float32)
    return Lanes(stack.T, hold, position, chain, combo, nothing, nothing, nothing, jnp.zeros_like(hold))


def _open(
    setting: Setting,
    weights: Weights,
    lanes: Lanes,
    pieces: Int32[Array, "B S"],
    left: Int32[Array, "B"],
    begun: tuple[Start, ...] | None,
) -> Node:
    """Find and score what may follow; pieces begin where they enter, unless they have `begun` elsewhere."""
    rules, num_games = setting.rules, lanes.hold.shape[0]
    choices, allowed = _choices(rules, lanes, pieces)
    starts = []
    for number in range(len(choices.kind)):
        if begun is None:
            starts.append(_enters(rules, choices.kind[number], allowed[number]))
        else:
            starts.append(begun[number]._replace(allowed=begun[number].allowed & allowed[number]))
    seen = stacks.below(lanes.stack) if setting.only_drops else lanes.stack  # under a roof nothing drops
    found = resting.find(rules, seen, tuple(choices.kind), tuple(starts))
    if setting.only_drops:
        found = found._replace(mini=jnp.zeros_like(found.mini), full=jnp.zeros_like(found.full))
    scored = children.score_all(
        rules, lanes, choices, found, weights, _fade(weights, left), MOST_PLACES, TILE
    )
    assert scored.step.shape == (num_games, MOST_PLACES)
    return Node(
        stack=lanes.stack.T,
        hold=lanes.hold,
        position=lanes.position,
        chain=lanes.chain,
        combo=lanes.combo,
        left=left,
        pieces=pieces,
        steps=scored.step,
        scores=scored.score,
        worth=_worth(scored.score),
    )


def _choices(
    rules: Rules, lanes: Lanes, pieces: Int32[Array, "B S"]
) -> tuple[Choices, tuple[Bool[Array, "B"], ...]]:
    """Return which pieces may be placed, and whether each is there."""
    active = _piece(pieces, lanes.position)
    following = lanes.position + 1
    if not rules.hold:
        choices = Choices(jnp.maximum(active, 0)[None], lanes.hold[None], following[None])
        return choices, (active >= 0,)
    has_hold = lanes.hold >= 0
    brought = jnp.where(has_hold, lanes.hold, _piece(pieces, following))
    choices = Choices(
        kind=jnp.maximum(jnp.stack([active, brought]), 0),
        hold=jnp.stack([lanes.hold, active]),
        position=jnp.stack([following, following + jnp.where(has_hold, 0, 1)]),
    )
    # Where both pieces are of a kind, holding changes nothing but the order. A held piece is known to the end.
    return choices, (active >= 0, (brought >= 0) & (brought != active))


def _piece(pieces: Int32[Array, "B S"], position: Int32[Array, "B"]) -> Int32[Array, "B"]:
    at = jnp.minimum(position, pieces.shape[1] - 1)
    return jnp.take_along_axis(pieces, at[:, None], axis=1)[:, 0]


def _enters(rules: Rules, kind: Int32[Array, "B"], allowed: Bool[Array, "B"]) -> Start:
    return Start(
        orientation=jnp.zeros_like(kind),
        x=jnp.asarray(rules.spawn_x.astype(np.int32))[kind],
        y=jnp.asarray(rules.spawn_y.astype(np.int32))[kind],
        kick=jnp.full_like(kind, -1),
        allowed=allowed,
    )


def _is_known(rules: Rules, lanes: Lanes, pieces: Int32[Array, "B S"]) -> Bool[Array, "B"]:
    _, allowed = _choices(rules, lanes, pieces)
    return functools.reduce(jnp.logical_or, allowed)


def _fade(weights: Weights, left: Int32[Array, "B"]) -> Float32[Array, "B"]:
    """Return what the evaluation counts after one more placement: less and less towards the last one."""
    return jnp.clip((left - 1).astype(jnp.float32) / jnp.maximum(weights.fade, 1.0), 0.0, 1.0)


def _has_steps(node: Node) -> Bool[Array, "B"]:
    return jnp.any(jnp.isfinite(node.scores), axis=1)


def _worth(scores: Float32[Array, "B M"]) -> Float32[Array, "B"]:
    """Return what positions are worth by the best of their placements."""
    return jnp.where(jnp.any(jnp.isfinite(scores), axis=1), jnp.max(scores, axis=1), LOST)


def _logits(node: Node) -> Float32[Array, "B M"]:
    best = jnp.max(node.scores, axis=1, keepdims=True, initial=-1e9)
    return jnp.where(jnp.isfinite(node.scores), (node.scores - best) / TEMPERATURE, ILLEGAL)


def search(
    setting: Setting,
    num_simulations: int,
    considered: int,
    weights: Weights,
    root: Root,
    legal: Bool[Array, "B A"],
) -> tuple[Int32[Array, "B M"], Any]:
    """Search B games; return the environment's action for each placement of the roots, and what mctx found."""
    node = open_root(setting, weights, root)
    actions = actions_of(setting, node)
    node = only_legal(node, actions, legal)
    invalid = ~jnp.isfinite(node.scores)
    output = mctx.gumbel_muzero_policy(
        params=weights,
        rng_key=jax.random.key(0, impl="threefry2x32"),  # with a scale of 0 nothing is drawn
        root=root_output(node),
        recurrent_fn=lambda params, key, action, node: recurrent(setting, params, action, node),
        num_simulations=num_simulations,
        invalid_actions=invalid & ~jnp.all(invalid, axis=1, keepdims=True),
        max_num_considered_actions=min(considered, MOST_PLACES),
        gumbel_scale=0.0,
        # In rows, not as shares of the range: that of the worst would decide how little the best ones differ.
        qtransform=functools.partial(
            mctx.qtransform_completed_by_mix_value, value_scale=TRUST, rescale_values=False
        ),
    )
    return actions, output
