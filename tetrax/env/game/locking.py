"""What happens when a piece locks: clear, score, attack, garbage, the next piece, and losing."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import board, garbage, moves, randomizer, scoring
from tetrax.env.game.moves import Pose
from tetrax.env.game.randomizer import Source
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import GAME_OVER_REASONS, Event, State, active_rows, level, select
from tetrax.env.game.vector import choose, decision, lookup

BLOCK_OUT, LOCK_OUT, GARBAGE_OUT, STACK_OUT = (
    GAME_OVER_REASONS.index(reason) for reason in ("block_out", "lock_out", "garbage_out", "stack_out")
)


def lock(
    rules: Rules, params: Params, state: State, event: Event, locks: Bool[Array, ""]
) -> tuple[State, Event]:
    """Lock the active piece where it is: clear, score, let garbage in, bring in the next piece.

    Where nothing locks, the state and the event stay as they are. `event.spin` is what the lock earns.
    """
    before = (state, event)
    cells = active_rows(rules, state)
    above = state.y + lookup(rules.tables.bottom, state.piece, state.orientation) >= rules.height
    settled = board.settle(rules, state.rows, cells, state.x, state.y)
    lines = settled.lines
    perfect_clear = (lines > 0) & settled.is_empty
    spin = event.spin
    worth = scoring.clear_score(
        lines, spin, perfect_clear, level(params, state), state.combo, state.back_to_back
    )
    attack = scoring.attack(rules, params, lines, spin, perfect_clear, worth)
    state = state.replace(
        score=add_points(state.score, worth.points),
        lines=state.lines + lines,
        pieces=state.pieces + 1,
        combo=worth.combo,
        back_to_back=worth.back_to_back,
        hold_used=jnp.bool_(False),
    )
    event = event.replace(
        locked=jnp.bool_(True),
        lines=lines,
        combo=worth.combo,
        back_to_back=worth.paid_back_to_back,
        perfect_clear=perfect_clear,
        score=event.score + worth.points,
        pieces=state.pieces,
        attack=attack,
        sent=attack,
    )
    state, event, pushed_out = _exchange_garbage(rules, params, state, event, settled)
    state, kind = advance(rules, state)
    state, fits = spawn(rules, state, kind)
    reason = _find_reason(rules, state, above, pushed_out, fits)
    state, event = select(reason != 0, lose(rules, state, event, reason), (state, event))
    return select(locks, (state, event), before)


def lose(rules: Rules, state: State, event: Event, reason: Int32[Array, ""]) -> tuple[State, Event]:
    """Lose a life: the active piece enters an emptied matrix, or, with the last life, the game ends."""
    event = event.replace(life_lost=jnp.bool_(True), game_over=reason)
    state = state.replace(lives=state.lives - 1)
    ended = state.replace(game_over=jnp.bool_(True))
    if rules.lives == 1:
        return ended, event
    fresh = state.replace(
        rows=board.clear_all(state.rows),
        combo=jnp.int32(-1),
        back_to_back=jnp.int32(-1),
        garbage=None if state.garbage is None else garbage.empty(state.garbage),
    )
    fresh, _ = spawn(rules, fresh, state.piece)
    return select(state.lives > 0, fresh, ended), event


def advance(rules: Rules, state: State) -> tuple[State, Int32[Array, ""]]:
    """Take the next piece from the queue and draw one more; return its kind."""
    drawn, left = randomizer.draw(rules, state.key, state.draws, Source(state.bag, state.random))
    pieces = (*state.queue, drawn)
    state = state.replace(queue=pieces[1:], draws=state.draws + 1, bag=left.bag, random=left.random)
    return state, pieces[0]


def spawn(rules: Rules, state: State, kind: Int32[Array, ""]) -> tuple[State, Bool[Array, ""]]:
    """Bring in a piece of a kind; return whether it fits."""
    pose, fits = _enter(rules, state, kind)
    state = state.replace(
        piece=kind,
        orientation=pose.orientation,
        x=pose.x,
        y=pose.y,
        gravity_accumulator=jnp.int32(0),
        lock_timer=jnp.int32(-1),
        lock_resets=jnp.int32(0),
        lowest_y=pose.y,
        kick=jnp.int32(-1),
    )
    return state, fits


@decision
def _enter(rules: Rules, state: State, kind: Int32[Array, ""]) -> tuple[Pose, Bool[Array, ""]]:
    """Return where a piece enters the board, and whether it fits there."""
    walled = board.add_walls(rules, state.rows)
    return moves.spawn(rules, walled, kind, after_clear=state.combo >= 0)


def add_points(score: Int32[Array, ""], points: Int32[Array, ""]) -> Int32[Array, ""]:
    """Add points to a score that stops at the largest int32."""
    return score + jnp.minimum(points, scoring.MAX_SCORE - score)


def _exchange_garbage(
    rules: Rules, params: Params, state: State, event: Event, settled: board.Settled
) -> tuple[State, Event, Bool[Array, ""]]:
    """Cancel waiting garbage by the attack, then let some in; return whether it pushed a block out."""
    y, state = state.y, state.replace(rows=settled.rows)
    if state.garbage is None:
        return state, event, jnp.bool_(False)
    waiting, sent = garbage.cancel(state.garbage, event.attack)
    num_cleared = jnp.int32(0)
    for dy, full in enumerate(settled.full):
        num_cleared += (full & (y + dy < waiting.height)).astype(jnp.int32)
    state = state.replace(garbage=waiting.replace(height=waiting.height - num_cleared))
    allowed = (event.lines == 0) | (not rules.garbage_blocking)
    entered = garbage.enter(rules, params, state, allowed)
    event = event.replace(sent=sent, garbage_received=entered.num_rows, garbage_cleared=num_cleared)
    state = state.replace(rows=entered.rows, garbage=entered.waiting)
    return state, event, entered.pushed_out


@decision
def _find_reason(
    rules: Rules,
    state: State,
    above: Bool[Array, ""],
    pushed_out: Bool[Array, ""],
    fits: Bool[Array, ""],
) -> Int32[Array, ""]:
    """Return why the game is lost, an index into GAME_OVER_REASONS; 0 when it goes on."""
    reason = choose(fits, 0, BLOCK_OUT)
    if rules.top_out == "guideline":
        reason = choose(above, LOCK_OUT, reason)
    if rules.top_out == "stack":
        reason = choose(board.reaches(state.rows, rules.height), STACK_OUT, reason)
    return choose(pushed_out, GARBAGE_OUT, reason).astype(jnp.int32)
