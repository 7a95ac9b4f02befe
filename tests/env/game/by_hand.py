"""Boards as drawings for tests worked by hand: '#' locked, '.' empty, a letter the active piece's cells."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.reference.tables import FACINGS, SHAPES
from tetrax.env.ascii import state_from_ascii
from tetrax.env.game import engine
from tetrax.env.game.rules import Params, Rules, default_params
from tetrax.env.game.state import Event, State, no_inputs

GUIDELINE = Rules()
# Few Rules with much in each: every one is compiled. These differ from the guideline in all that they can.
VARIED = Rules(
    width=6,
    height=8,
    buffer=6,
    kicks="srs180",
    preview=1,
    lock="step_count",
    spawn_row=1,
    spawn_drop=False,
    spawn_rise=True,
    lives=2,
    garbage=True,
    garbage_blocking=False,
)


start = jax.jit(engine.init, static_argnums=0)


def stand(drawing: str, rules: Rules = GUIDELINE, *, facing: str | None = None, **given) -> State:
    """Return a game that stands as drawn (the last line is the bottom row).

    Without a letter in the drawing the piece given by `piece` is at its spawn place. `facing` settles
    which of two facings with the same cells is meant. Names of state fields set numbers.
    """
    locked, active = cells(drawing)
    rows = [list(line) for line in drawing.split()]
    board = "\n".join("".join("." if mark.isalpha() else mark for mark in row) for row in rows)
    numbers = {name: given.pop(name) for name in tuple(given) if name in State.__dataclass_fields__}
    name = numbers.pop("piece", None) or next((mark for mark in drawing if mark.isalpha()), "T")
    hold = numbers.pop("hold", None)
    state = state_from_ascii(rules, board, piece=name, hold=hold, queue=numbers.pop("queue", None), **given)
    if active:
        orientation, x, y = pose_of(name, active, facing)
        numbers = {"orientation": orientation, "x": x, "y": y, "lowest_y": y} | numbers
    for field, number in numbers.items():
        state = state.replace(**{field: jnp.asarray(number, getattr(state, field).dtype)})
    assert locked == locked_cells(rules, state)
    return state


def cells(drawing: str) -> tuple[set, set]:
    """Read a drawing as (locked cells, active cells), each (x, y)."""
    marks = [(mark, (x, y)) for y, row in enumerate(drawing.split()[::-1]) for x, mark in enumerate(row)]
    return {cell for mark, cell in marks if mark == "#"}, {cell for mark, cell in marks if mark.isalpha()}


def pose_of(name: str, active: set, facing: str | None) -> tuple[int, int, int]:
    """Find (orientation, x, y) of a piece by its cells."""
    for orientation, letter in enumerate(FACINGS):
        shape = SHAPES[name][letter]
        x = min(x for x, _ in active) - min(dx for dx, _ in shape)
        y = min(y for _, y in active) - min(dy for _, dy in shape)
        if active == {(x + dx, y + dy) for dx, dy in shape} and facing in (None, letter):
            return orientation, x, y
    raise AssertionError(f"no {name} looks like {sorted(active)}")


def locked_cells(rules: Rules, state: State) -> set:
    """Return the locked cells, each (x, y)."""
    rows = np.asarray(state.rows).tolist()
    return {(x, y) for y, row in enumerate(rows) for x in range(rules.width) if row >> x & 1}


def active_cells(rules: Rules, state: State) -> set:
    """Return the active piece's cells, each (x, y)."""
    shape = SHAPES[rules.pieces[int(state.piece)].name][FACINGS[int(state.orientation)]]
    return {(int(state.x) + dx, int(state.y) + dy) for dx, dy in shape}


def assert_stands(state: State, drawing: str, rules: Rules = GUIDELINE) -> None:
    """Compare a game with a drawing; a drawing without letters says nothing of the active piece."""
    locked, active = cells(drawing)
    assert locked_cells(rules, state) == locked
    assert not active or active_cells(rules, state) == active


@functools.cache
def _tick(rules: Rules):
    options = {"xla_backend_optimization_level": 0}  # compiles in half the time
    return jax.jit(functools.partial(engine.tick, rules), compiler_options=options)


def press(state: State, *keys: str, rules: Rules = GUIDELINE, **numbers: int) -> tuple[State, Event]:
    """Play one tick with the given keys down; numbers replace default params."""
    down = no_inputs().replace(**{key: jnp.bool_(True) for key in keys})
    return _tick(rules)(params(rules, **numbers), state, down)


def wait(state: State, ticks: int, *keys: str, rules: Rules = GUIDELINE, **numbers: int) -> State:
    """Play ticks in which nothing locks."""
    for _ in range(ticks):
        state, event = press(state, *keys, rules=rules, **numbers)
        assert not event.locked
    return state


def params(rules: Rules, **numbers: int) -> Params:
    """Return the default params with some numbers replaced."""
    return default_params(rules).replace(**{name: jnp.int32(number) for name, number in numbers.items()})
