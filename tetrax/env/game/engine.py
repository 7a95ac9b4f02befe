"""The game: `init`, `tick` (one input of the real game) and `place` (one whole piece).

Within a tick: hold, rotation, shift, then hard drop, or gravity and lock delay.
"""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray

from tetrax.env.game import board, garbage, moves, randomizer, scoring
from tetrax.env.game.board import Walled, Words, keep_form
from tetrax.env.game.locking import BLOCK_OUT, add_points, advance, lock, lose, spawn
from tetrax.env.game.moves import Pose
from tetrax.env.game.rules import (
    GRAVITY_ONE,
    MAX_GRAVITY_LEVEL,
    Params,
    Rules,
    gravity_by_level,
)
from tetrax.env.game.state import (
    LOCK_REASONS,
    Event,
    Inputs,
    State,
    active_rows,
    level,
    no_event,
    select,
)
from tetrax.env.game.vector import check_key, decision, lookup, traced_once

HARD_DROP, SOFT_DROP, LOCK_DELAY, PLACED = (
    LOCK_REASONS.index(reason) for reason in ("hard_drop", "soft_drop", "lock_delay", "placed")
)


def init(rules: Rules, params: Params, key: PRNGKeyArray) -> State:
    """Start a game: an empty matrix (but for starting garbage), a full queue, the first piece at its spawn place.

    TypeError unless `key` is one typed Threefry key, as `jax.random.key(seed)` makes.
    """
    check_key(key)
    return _begin(rules, params, key)


@traced_once
def _begin(rules: Rules, params: Params, key: PRNGKeyArray) -> State:
    zero, none = jnp.int32(0), jnp.int32(-1)
    kinds, left = randomizer.deal(rules, key, 1 + rules.preview)
    rows, waiting = garbage.start(rules, params, key)
    state = State(
        key=key,
        rows=rows,
        piece=kinds[0],
        orientation=zero,
        x=zero,
        y=zero,
        hold=none,
        hold_used=jnp.bool_(False),
        queue=kinds[1:],
        draws=jnp.int32(len(kinds)),
        bag=left.bag,
        random=left.random,
        gravity_accumulator=zero,
        lock_timer=none,
        lock_resets=zero,
        lowest_y=zero,
        kick=none,
        score=zero,
        lines=zero,
        pieces=zero,
        combo=none,
        back_to_back=none,
        ticks=zero,
        lives=jnp.int32(rules.lives),
        game_over=jnp.bool_(False),
        garbage=waiting,
    )
    return board.by_array(spawn(rules, state, state.piece)[0])


@keep_form
def tick(rules: Rules, params: Params, state: State, inputs: Inputs) -> tuple[State, Event]:
    """Play one tick. After the end nothing changes and the event is empty."""
    before, event, running = state, no_event(state), ~state.game_over
    state = garbage.by_timer(rules, params, state.replace(ticks=state.ticks + 1))
    state, event, alive = _hold(rules, state, inputs.hold & running, event)
    held, held_event = state, event

    walled = board.add_walls(rules, state.rows)
    state, moved, box_rows = _turn_and_shift(rules, walled, state, inputs)
    distance = _find_distance(rules, walled, state)
    state, event, locks = _fall(rules, params, state, inputs, distance, moved, event)
    spin, locks = _find_spin(rules, state, box_rows, locks & alive & running)
    state, event = lock(rules, params, state, event.replace(spin=spin), locks)

    # Where the game stopped nothing locked, and the rows are those from before.
    held, before = held.replace(rows=state.rows), before.replace(rows=state.rows)
    state, event = select(alive, (state, event), (held, held_event))
    return select(running, (state, event), (before, no_event(before)))


@keep_form
def place(
    rules: Rules,
    params: Params,
    state: State,
    use_hold: Bool[Array, ""],
    pose: Pose,
    legal: Bool[Array, ""],
    spin: Int32[Array, ""],
) -> tuple[State, Event]:
    """Put the active piece (or, with `use_hold`, the one that hold brings) where it comes to rest.

    `pose` is where it rests, `spin` (index into SPINS) what it earns there, and `legal` tells whether
    it can be reached; when it cannot, only time passes. The way down counts as a hard drop. One call is
    one tick.
    """
    before = state
    state = garbage.by_timer(rules, params, state.replace(ticks=state.ticks + 1))
    waiting = state
    state, event, _ = _hold(rules, state, use_hold, no_event(before))
    cells = jnp.maximum(state.y - pose.y, 0)
    state = state.replace(orientation=pose.orientation, x=pose.x, y=pose.y)
    state = state.replace(score=add_points(state.score, scoring.HARD_DROP_POINTS * cells))
    event = event.replace(
        lock_reason=jnp.int32(PLACED),
        spin=spin,
        hard_cells=cells,
        score=scoring.HARD_DROP_POINTS * cells,
    )
    state, event = lock(rules, params, state, event, jnp.bool_(True))
    state, event = select(legal, (state, event), (waiting, no_event(before)))
    return select(before.game_over, (before, no_event(before)), (state, event))


def incoming(rules: Rules, state: State) -> Int32[Array, ""]:
    """Return the kind that hold would bring: the held piece, or else the next one.

    With an empty hold and no preview it cannot be known yet and is given as 0.
    """
    following = state.queue[0] if rules.preview else jnp.int32(0)
    return jnp.where(state.hold >= 0, state.hold, following)


def _hold(
    rules: Rules, state: State, pressed: Bool[Array, ""], event: Event
) -> tuple[State, Event, Bool[Array, ""]]:
    """Swap the active piece with the held one; return whether the game goes on this tick."""
    if not rules.hold:
        return state, event.replace(hold_refused=pressed), jnp.bool_(True)
    allowed = pressed & ~state.hold_used
    drawn, kind = advance(rules, state)
    swapped, kind = select(state.hold >= 0, (state, state.hold), (drawn, kind))
    swapped, fits = spawn(rules, swapped, kind)
    swapped = swapped.replace(hold=state.piece, hold_used=jnp.bool_(True))
    event = event.replace(hold_refused=pressed & ~allowed)
    blocked = allowed & ~fits
    lost = lose(rules, swapped, event, jnp.int32(BLOCK_OUT))
    state, event = select(blocked, lost, (select(allowed, swapped, state), event))
    return state, event, ~blocked


def _turn_and_shift(
    rules: Rules, walled: Walled, state: State, inputs: Inputs
) -> tuple[State, Bool[Array, ""], Words]:
    """Rotate, then shift; return whether either succeeded, and the four rows of the box then."""
    pose = Pose(state.orientation, state.x, state.y)
    turn = inputs.rotate_cw.astype(jnp.int32) - inputs.rotate_ccw.astype(jnp.int32)
    if rules.half_turns:
        turn = jnp.where((turn == 0) & inputs.rotate_180, 2, turn)
    dx = inputs.right.astype(jnp.int32) - inputs.left.astype(jnp.int32)
    pose, kick, shifted, rows = moves.turn_and_shift(rules, walled, state.piece, pose, turn, dx)
    turned = kick >= 0
    state = state.replace(
        orientation=pose.orientation,
        x=pose.x,
        y=pose.y,
        kick=jnp.where(shifted, -1, jnp.where(turned, kick, state.kick)),
    )
    return state, turned | shifted, rows


@decision
def _find_distance(rules: Rules, walled: Walled, state: State) -> Int32[Array, ""]:
    """Return how many cells the active piece can fall."""
    return board.drop_distance(walled, active_rows(rules, state), state.x, state.y)


def _fall(
    rules: Rules,
    params: Params,
    state: State,
    inputs: Inputs,
    distance: Int32[Array, ""],
    moved: Bool[Array, ""],
    event: Event,
) -> tuple[State, Event, Bool[Array, ""]]:
    """Drop hard, or let gravity pull and the lock delay run; return whether the piece locks."""
    hard, soft = inputs.hard_drop, inputs.soft_drop & ~inputs.hard_drop
    fallen, accumulator = _gravity(rules, params, state, soft, distance)
    fall = jnp.where(hard, distance, fallen)
    grounded = fall == distance
    y = state.y - fall

    new_lowest = y < state.lowest_y
    timer = state.lock_timer if rules.lock == "step_count" else jnp.where(new_lowest, -1, state.lock_timer)
    restarts = _may_restart(rules, params, state) & moved & (timer >= 0)
    timer = jnp.where(restarts, -1, timer) + grounded.astype(jnp.int32)
    resets = jnp.where(new_lowest, 0, state.lock_resets + restarts.astype(jnp.int32))
    delay_over = grounded & (timer >= params.lock_delay)

    soft_cells, hard_cells = jnp.where(soft, fall, 0), jnp.where(hard, fall, 0)
    points = soft_cells * scoring.SOFT_DROP_POINTS + hard_cells * scoring.HARD_DROP_POINTS
    state = state.replace(
        y=y,
        gravity_accumulator=jnp.where(grounded, 0, accumulator),
        lock_timer=timer,
        lock_resets=resets,
        lowest_y=jnp.minimum(y, state.lowest_y),
        kick=jnp.where(fall > 0, -1, state.kick),
        score=add_points(state.score, points),
    )
    reason = jnp.where(hard, HARD_DROP, jnp.where(soft, SOFT_DROP, LOCK_DELAY))
    event = event.replace(
        soft_cells=soft_cells,
        hard_cells=hard_cells,
        score=points,
        lock_reason=reason.astype(jnp.int32),
    )
    locks = hard | delay_over
    return state, event.replace(lock_reason=jnp.where(locks, event.lock_reason, 0)), locks


@decision
def _find_spin(
    rules: Rules, state: State, box_rows: Words, locks: Bool[Array, ""]
) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Return the spin class of the lock, none where the piece does not lock, and again whether it does.

    The rows are those of the box before the fall: a piece that fell since its last turn earns no spin anyway.
    """
    pose = Pose(state.orientation, state.x, state.y)
    spin = scoring.spin_in(rules, box_rows, state.piece, pose, state.kick)
    return jnp.where(locks, spin, 0), locks


def _gravity(
    rules: Rules,
    params: Params,
    state: State,
    soft: Bool[Array, ""],
    distance: Int32[Array, ""],
) -> tuple[Int32[Array, ""], Int32[Array, ""]]:
    """Return the cells fallen in this tick and the fraction of a cell that is left."""
    speed = params.gravity
    if rules.gravity == "level":
        current = jnp.clip(level(params, state), 0, MAX_GRAVITY_LEVEL)
        speed = lookup(gravity_by_level(rules), current)
    # More than the whole matrix in one tick is no faster; the bounds keep the products in range.
    speed = jnp.clip(speed, 0, rules.total_height * GRAVITY_ONE)
    factor = jnp.where(soft, jnp.clip(params.soft_drop_factor, 0, 2**15 - 1), 1)
    whole, part = speed // GRAVITY_ONE, speed % GRAVITY_ONE
    fraction = part * factor + state.gravity_accumulator
    cells = whole * factor + fraction // GRAVITY_ONE
    return jnp.minimum(cells, distance), fraction % GRAVITY_ONE


def _may_restart(rules: Rules, params: Params, state: State) -> Bool[Array, ""]:
    """Tell whether a move may still restart the lock delay."""
    if rules.lock == "infinite":
        return jnp.bool_(True)
    if rules.lock in ("classic", "step_count"):
        return jnp.bool_(False)
    return state.lock_resets < params.lock_resets
