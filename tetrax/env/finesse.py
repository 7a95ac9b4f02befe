"""Finesse: a shortest sequence of keys, one a tick, that brings the active piece to a chosen placement.

The way is searched among real states of the engine, so gravity, soft drop, lock delay and kicks are those
of the game. It is a best-first search (A*): a state waits at the number of ticks played to reach it plus a
bound that is never more than the ticks it still needs. The bound comes from the graph of all poses, in which
falling costs what soft drop needs for it at the least; so the first lock found at the least number is a
shortest one. States are told apart by what decides the piece's future alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env.actions.keys import Direct, direct_keys
from tetrax.env.game import board, moves, scoring
from tetrax.env.game.moves import HALF_TURN_KICK, Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.rules import GRAVITY_ONE, MAX_GRAVITY_LEVEL, Params, Rules, gravity_by_level
from tetrax.env.game.state import SPINS, State, level, piece_cells, select
from tetrax.env.game.vector import describe
from tetrax.env.tetris import EnvParams, Tetris

MARGIN = MAX_BOX - 1  # columns and rows by which a box may stand outside the matrix, left and below
BATCH = 64  # states whose keys are tried in one call
MAX_KEYS = 256  # longer sequences are not looked for
NO_LOCK = np.int32(2**30)  # a lock delay that never runs out, in ticks
ROUNDING = 1e-6  # of the bounds' sums of float64; they may be too low, not too high
HARD_DROP, HOLD = "hard_drop", "hold"


class Placement(NamedTuple):
    """Where a piece shall rest, as the actions of "locked_position" say it."""

    use_hold: bool  # whether the piece is the one that hold brings
    orientation: int  # 0, 1 (R), 2, 3 (L)
    x: int  # column of the lower-left corner of the resting piece's bounding box
    y: int  # row of it
    spin: int | None = None  # index into SPINS that the lock must earn; None = any


class Node(NamedTuple):
    """What decides the active piece's future, as in `State`."""

    orientation: int
    x: int
    y: int
    kick: int  # -1 throughout where no spin is asked for
    gravity_accumulator: int
    lock_timer: int
    lock_resets: int
    lowest_y: int


KICK, ACCUMULATOR, TIMER, RESETS = (
    Node._fields.index(name) for name in ("kick", "gravity_accumulator", "lock_timer", "lock_resets")
)


class Poses(NamedTuple):
    """Every pose of a piece on one board, fitting or not (N of them, see `_number`)."""

    fits: np.ndarray  # bool[N]
    after_key: np.ndarray  # int32[N, M], the pose after each move or turn; itself if it fails
    below: np.ndarray  # int32[N], the pose one row lower; itself at rest
    resting: np.ndarray  # int32[N], the pose after a hard drop
    spin: np.ndarray  # int32[N, kicks + 1], what a lock there earns by the last kick; the last entry: no kick


def keys(env: Tetris | Rules, params: EnvParams | Params, state: State, placement: Placement) -> list[str]:
    """Return a shortest list of `direct` keys after which the piece has locked in the chosen cells.

    The last key is that of the lock. A turn of the piece that fills the same cells counts as the same
    placement. Played in `direct` from exactly `state` (one board), the list does what it says under these
    `params`. ValueError when the placement cannot be reached, or not in time under this gravity.
    """
    rules = env if isinstance(env, Rules) else env.rules
    game = params.game if isinstance(params, EnvParams) else params
    if not isinstance(placement, tuple) or len(placement) not in (4, 5):  # with a spin or without
        raise TypeError(
            f"placement: given {describe(placement)}; allowed: a Placement, or a tuple of its fields"
        )
    placement = Placement(*placement)
    _check(rules, state, placement)
    # Garbage never touches a piece before it locks, and nothing that comes after the lock is asked for.
    rules = dataclasses.replace(rules, garbage=False)
    state = state.replace(garbage=None, history=None)
    endless = game.replace(lock_delay=jnp.asarray(NO_LOCK))
    played = []
    if placement.use_hold:
        # Hold comes first in a shortest sequence: it brings the same piece to the same place at any tick.
        state, event = _press(rules)(endless, state, jnp.int32(direct_keys(rules).index(HOLD)))
        if event.life_lost:
            raise _refusal(placement, "one of a piece that can enter (hold brings one that is blocked)")
        played.append(HOLD)
    return played + _Search(rules, game, state, placement).run(locks_first=placement.use_hold)


class _Search:
    """One search: the board and its poses, the goal, the states found so far."""

    def __init__(self, rules: Rules, params: Params, state: State, placement: Placement) -> None:
        self.rules, self.params, self.state, self.placement = rules, params, state, placement
        self.poses = _poses(rules, state)
        self.goal = _goal(rules, int(state.piece), self.poses, placement)
        self.hops, self.ticks, self.row_cost = _bounds(rules, params, state, self.poses, self.goal)
        self.lock_delay = int(params.lock_delay)
        self.keeps_kick = placement.spin is not None and bool(rules.tables.spins[int(state.piece)])
        self.moves = _moves(rules)
        self.nodes: list[tuple[int, ...]] = []
        self.depth: list[int] = []  # keys from the first state to each
        self.came_from: list[tuple[int, str]] = []  # the state before each, and the key pressed in it
        self.least: dict[tuple[int, ...], int] = {}  # the least depth of a state so far
        self.waiting: dict[int, list[int]] = defaultdict(list)  # by depth and bound, the newest last
        self.best: tuple[int, int, str] | None = None  # keys, the state before the lock, the key of the lock

    def run(self, *, locks_first: bool) -> list[str]:
        """Return the keys from the first state; with `locks_first` it may have locked already."""
        start = np.array([[int(getattr(self.state, name)) for name in Node._fields]], np.int32)
        if locks_first and self._locks(start)[0]:
            if self._is_goal(_number(self.rules, start)[0], start[0, KICK]):
                return []
            raise _refusal(self.placement, "one of a piece that does not lock at once when hold brings it")
        if not np.isfinite(self._bound(start)[0]):
            raise _refusal(self.placement, "a placement that the piece can reach from where it is")
        self._add(start, [(-1, "")], np.zeros(1, int), np.ones(1, bool))
        while self.waiting:
            total = min(self.waiting)
            if self.best is not None and self.best[0] <= total:
                return self._path()
            self._expand(self._take(total))
        if self.best is not None:
            return self._path()
        raise _refusal(
            self.placement,
            f"one that the piece reaches in time under this gravity (in {MAX_KEYS} ticks or fewer)",
        )

    def _take(self, total: int) -> list[int]:
        """Take the newest states that wait at a number of ticks, at most a batch."""
        stack = self.waiting[total]
        taken = stack[-BATCH:]
        del stack[-BATCH:]
        if not stack:
            del self.waiting[total]
        return [index for index in taken if self.depth[index] == self.least[self.nodes[index]]]

    def _expand(self, indices: list[int]) -> None:
        """Try every key in these states."""
        if not indices:
            return
        batch = np.zeros((BATCH, len(Node._fields)), np.int32)
        batch[: len(indices)] = [self.nodes[index] for index in indices]
        batch[len(indices) :] = batch[0]
        after = np.array(self.moves(self.params, self.state, batch))[: len(indices)]  # [n, M, fields]
        names = _moving_keys(self.rules)
        depth = np.array([self.depth[index] + 1 for index in indices for _ in names])
        nodes, origins = (
            after.reshape(-1, batch.shape[1]),
            [(index, name) for index in indices for name in names],
        )
        numbers, locks = _number(self.rules, nodes), self._locks(nodes)
        for row in np.flatnonzero(locks):
            if self._is_goal(numbers[row], nodes[row, KICK]):
                self._found(int(depth[row]), *origins[row])
        self._add(nodes, origins, depth, ~locks)

    def _add(
        self, nodes: np.ndarray, origins: list[tuple[int, str]], depth: np.ndarray, active: np.ndarray
    ) -> None:
        """Note new states, those whose piece is active, and the locks that a hard drop brings about."""
        numbers, total = _number(self.rules, nodes), depth + self._bound(nodes)
        if not self.keeps_kick:
            nodes[:, KICK] = -1
        if self.rules.lock != "extended":
            nodes[:, RESETS] = 0
        for row in np.flatnonzero(active & (total <= MAX_KEYS)):
            node, keys_so_far = tuple(nodes[row].tolist()), int(depth[row])
            if self.least.get(node, MAX_KEYS) <= keys_so_far:
                continue
            index = len(self.nodes)
            self.least[node] = keys_so_far
            self.nodes.append(node)
            self.depth.append(keys_so_far)
            self.came_from.append(origins[row])
            self.waiting[int(total[row])].append(index)
            resting = self.poses.resting[numbers[row]]
            if self._is_goal(resting, node[KICK] if resting == numbers[row] else -1):
                self._found(keys_so_far + 1, index, HARD_DROP)

    def _found(self, num_keys: int, index: int, key: str) -> None:
        if self.best is None or num_keys < self.best[0]:
            self.best = (num_keys, index, key)

    def _is_goal(self, number: int, kick: int) -> bool:
        """Tell whether a lock at a pose, after this last kick, is the one asked for."""
        if number not in self.goal:
            return False
        return self.placement.spin in (None, int(self.poses.spin[number, kick]))

    def _locks(self, nodes: np.ndarray) -> np.ndarray:
        """Tell which states lock in the tick that led to them, bool[n]."""
        numbers = _number(self.rules, nodes)
        return (self.poses.below[numbers] == numbers) & (nodes[:, TIMER] >= self.lock_delay)

    def _bound(self, nodes: np.ndarray) -> np.ndarray:
        """Return a number of ticks that each state needs at the least, float[n]; inf where no way leads on."""
        numbers = _number(self.rules, nodes)
        fallen = nodes[:, ACCUMULATOR] / GRAVITY_ONE * self.row_cost
        ticks = np.ceil(self.ticks[numbers] - fallen - ROUNDING)
        return np.maximum(1, np.maximum(self.hops[numbers], ticks))

    def _path(self) -> list[str]:
        """Return the keys of the best lock."""
        assert self.best is not None
        _, index, key = self.best
        path = []
        while index >= 0:
            path.append(key)
            index, key = self.came_from[index]
        return path[::-1]


def _check(rules: Rules, state: State, placement: Placement) -> None:
    """Raise a ValueError where a placement is none, or nothing can be placed."""
    if np.shape(state.rows) != (rules.total_height,):
        raise ValueError(
            f"state.rows: given shape {np.shape(state.rows)}; allowed: ({rules.total_height},), one board"
        )
    if state.game_over:
        raise ValueError("state: given a game that is over; allowed: one that runs")
    for name, given, allowed in (
        ("orientation", placement.orientation, range(NUM_ORIENTATIONS)),
        ("x", placement.x, range(rules.width)),
        ("y", placement.y, range(rules.total_height)),
        ("spin", placement.spin, (None, *range(len(SPINS)))),
    ):
        if given not in allowed:
            raise ValueError(f"placement.{name}: given {given}; allowed: one of {list(allowed)}")
    if not placement.use_hold:
        return
    if not rules.hold or state.hold_used:
        why = "hold was used since the last lock" if rules.hold else "these rules have no hold"
        raise ValueError(f"placement.use_hold: given True; allowed: False, {why}")
    if rules.preview == 0 and state.hold < 0:
        raise ValueError("placement.use_hold: given True; allowed: False, hold would bring a hidden piece")


def _refusal(placement: Placement, allowed: str) -> ValueError:
    hold = "hold first, then " if placement.use_hold else ""
    spin = "" if placement.spin is None else f" with spin {SPINS[placement.spin]}"
    where = f"{hold}{'0R2L'[placement.orientation]} at ({placement.x}, {placement.y}){spin}"
    return ValueError(f"placement: given {where}; allowed: {allowed}")


def _number(rules: Rules, nodes: Any) -> Any:
    """Return the number of the pose of each (orientation, x, y, ...) along the last axis."""
    orientation, x, y = nodes[..., 0], nodes[..., 1] + MARGIN, nodes[..., 2] + MARGIN
    return (orientation * (rules.width + MARGIN) + x) * (rules.total_height + MARGIN) + y


def _goal(rules: Rules, kind: int, poses: Poses, placement: Placement) -> frozenset[int]:
    """Return the poses that fill the chosen cells, all orientations; they must be at rest."""
    tables, chosen = rules.tables, placement.orientation
    twins = np.flatnonzero(tables.twin[kind] == tables.twin[kind, chosen])
    left, bottom = tables.left[kind, twins], tables.bottom[kind, twins]
    numbers = _number(rules, np.stack([twins, placement.x - left, placement.y - bottom], axis=-1))
    if not poses.fits[numbers].all() or (poses.below[numbers] != numbers).any():
        raise _refusal(placement, f"a place where piece {rules.pieces[kind].name!r} fits and is at rest")
    return frozenset(numbers.tolist())


def _bounds(
    rules: Rules, params: Params, state: State, poses: Poses, goal: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return two least numbers of ticks from each pose to the lock, float[N], and the ticks that a row costs.

    The first counts keys, and falling is free. The second counts what falls: a tick of soft drop falls by
    `speed` cells, and any other by `speed / factor`, so that with k other ticks n rows take at least
    k (1 - 1 / factor) + n / speed ticks in all (less what had been fallen before).
    """
    gravity = int(params.gravity)
    if rules.gravity == "level":
        gravity = int(gravity_by_level(rules)[np.clip(int(level(params, state)), 0, MAX_GRAVITY_LEVEL)])
    factor = max(1, int(params.soft_drop_factor))
    speed = min(max(gravity, 0), rules.total_height * GRAVITY_ONE) * factor / GRAVITY_ONE
    row_cost = 1 / speed if speed > 0 else np.inf
    hops = _least(poses, goal, key_cost=1.0, row_cost=0.0 if speed > 0 else np.inf)
    ticks = _least(poses, goal, key_cost=1 - 1 / factor, row_cost=row_cost)
    return hops, ticks, row_cost if speed > 0 else 0.0


def _least(poses: Poses, goal: frozenset[int], key_cost: float, row_cost: float) -> np.ndarray:
    """Return the least cost of a way from each pose to the lock, which a hard drop ends at a cost of 1."""
    goals = np.array(sorted(goal))
    cost = np.where(poses.fits & np.isin(poses.resting, goals), 1.0, np.inf)
    cost[goals] = 0.0  # a lock delay may run out in the very tick that leads there
    falls = poses.below != np.arange(len(cost))
    while True:
        by_key = key_cost + cost[poses.after_key].min(axis=1)
        by_row = np.where(falls, row_cost + cost[poses.below], np.inf)
        less = np.minimum(cost, np.minimum(by_key, by_row))
        if np.array_equal(less, cost):
            return less
        cost = less


def _poses(rules: Rules, state: State) -> Poses:
    """Look at every pose of the active piece on the board."""
    fits, after_key, below, spin = (
        np.asarray(part) for part in _pose_program(rules)(state.rows, state.piece)
    )
    resting = below
    for _ in range(rules.total_height.bit_length()):  # each time twice as far
        resting = resting[resting]
    return Poses(fits=fits, after_key=after_key, below=below, resting=resting, spin=spin)


@functools.lru_cache(maxsize=16)
def _pose_program(rules: Rules) -> Callable[..., Any]:
    """Compile what looks at every pose."""
    shape = (NUM_ORIENTATIONS, rules.width + MARGIN, rules.total_height + MARGIN)
    grid = np.indices(shape, np.int32).reshape(3, -1)
    turns = (1, -1, 2) if rules.half_turns else (1, -1)
    num_tests = rules.tables.kicks.shape[3]
    kicks = np.full(HALF_TURN_KICK + num_tests + 1, -1, np.int32)
    for kick in (*range(num_tests), *range(HALF_TURN_KICK, HALF_TURN_KICK + num_tests)):
        kicks[kick] = kick

    def look(walled: board.Walled, kind: Array, pose: Pose) -> tuple[Array, Array, Array, Array]:
        piece = piece_cells(rules, kind, pose.orientation)
        fits = board.fits(walled, piece, pose.x, pose.y)
        lower = fits & board.fits(walled, piece, pose.x, pose.y - 1)
        after = [moves.shift(walled, piece, pose, jnp.int32(dx))[0] for dx in (-1, 1)]
        after += [moves.rotate(rules, walled, kind, pose, jnp.int32(turn))[0] for turn in turns]
        below = pose._replace(y=pose.y - lower.astype(jnp.int32))
        spin = jax.vmap(lambda kick: scoring.spin(rules, walled, kind, pose, kick))(jnp.asarray(kicks))
        numbers = [_number(rules, jnp.stack(select(fits, other, pose))) for other in (*after, below)]
        return fits, jnp.stack(numbers[:-1]), numbers[-1], spin

    def every_pose(rows: Array, kind: Array) -> tuple[Array, Array, Array, Array]:
        poses = Pose(jnp.asarray(grid[0]), jnp.asarray(grid[1] - MARGIN), jnp.asarray(grid[2] - MARGIN))
        return jax.vmap(look, in_axes=(None, None, 0))(board.add_walls(rules, rows), kind, poses)

    return jax.jit(every_pose)


def _moving_keys(rules: Rules) -> tuple[str, ...]:
    """Return the keys that a search presses: all but those that lock at once or change the piece."""
    return tuple(name for name in direct_keys(rules) if name not in (HARD_DROP, HOLD))


@functools.lru_cache(maxsize=16)
def _press(rules: Rules) -> Callable[..., Any]:
    """Compile one key in one state."""
    return jax.jit(Direct(rules).apply)


@functools.lru_cache(maxsize=16)
def _moves(rules: Rules) -> Callable[..., Any]:
    """Compile a tick of every moving key in a batch of states, int32[BATCH, M, fields]; no piece locks in it."""
    numbers = np.array([direct_keys(rules).index(name) for name in _moving_keys(rules)], np.int32)
    play = Direct(rules)

    def one(params: Params, state: State, node: Array, key: Array) -> Array:
        state = state.replace(**{name: node[index] for index, name in enumerate(Node._fields)})
        state, _ = play.apply(params, state, key)
        return jnp.stack([getattr(state, name) for name in Node._fields])

    def every(params: Params, state: State, nodes: Array) -> Array:
        params = params.replace(lock_delay=jnp.asarray(NO_LOCK))
        by_key = jax.vmap(one, in_axes=(None, None, None, 0))
        return jax.vmap(by_key, in_axes=(None, None, 0, None))(params, state, nodes, jnp.asarray(numbers))

    return jax.jit(every)
