"""Scenes: what is shown is what is there, and every locked cell has the colour of its piece."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import Chain
from tests.env.games import Letters, played_by_keys, played_by_placements, played_with_garbage
from tetrax import games
from tetrax.env.ascii import state_from_ascii
from tetrax.env.game.rules import Rules
from tetrax.env.record import replay
from tetrax.env.tetris import make
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.view.cells import EMPTY, clear_rows, garbage_kind, unknown_kind
from tetrax.view.frames import frames, scene_at, scenes
from tetrax.view.origins import find_placed_cells
from tetrax.view.scene import numbers, read_moments, scene
from tetrax.view.shown_games import has_boards, picture_of

RULES = Rules(width=6, height=7, buffer=4, preview=2)
BOARD = """
    #.....
    ##..##
    #.####
"""


def letters(rules: Rules, cells: np.ndarray) -> Letters:
    names = ["", *(piece.name for piece in rules.pieces)]
    return [[names[kind - EMPTY] for kind in row] for row in cells.tolist()]


def test_colours_follow_the_pieces_of_the_reference_in_every_tick() -> None:
    """The reference keeps a letter in each cell and moves it with the clears: a truth of its own."""
    recording, boards = played_by_keys(seed=1, ticks=1200)
    rules = recording.config.rules
    shown = [each for each in scenes(recording) if not each.full_rows]
    assert len(shown) == len(boards) == len(recording.actions) + 1
    for each, board in zip(shown, boards, strict=True):
        assert letters(rules, each.cells) == board
    assert recording.outcome.lines > 10
    spins = replay(recording).events.spin
    assert (spins > 0).any()  # pieces turned into places where nothing could drop


def test_colours_follow_the_pieces_of_the_reference_in_every_placement() -> None:
    recording, boards = played_by_placements(seed=2, pieces=90)
    rules = recording.config.rules
    *shown, last = scenes(recording)
    assert len(shown) == len(recording.actions) == len(boards) - 1
    for each, board in zip(shown, boards[1:], strict=True):
        assert letters(rules, clear_rows(each.cells, each.full_rows)) == board
        assert len({each.cells[y, x] for x, y in each.placed}) == 1  # one piece, of one kind
        assert len(each.placed) == 4
    assert letters(rules, last.cells) == boards[-1]
    assert recording.outcome.lines > 10


def test_numbers_and_pieces_beside_the_board_are_the_states() -> None:
    recording, _ = played_by_keys(seed=1, ticks=1200)
    states = replay(recording).states
    shown = [each for each in scenes(recording) if not each.full_rows]
    for name in ("piece", "hold", "hold_used", "score", "lines", "pieces", "game_over"):
        assert [getattr(each, name) for each in shown] == np.asarray(getattr(states, name)).tolist(), name
    assert [list(each.queue) for each in shown] == np.asarray(states.queue).tolist()
    assert [each.level for each in shown] == [1 + each.lines // 10 for each in shown]


def test_a_clear_is_shown_before_it_happens() -> None:
    recording, _ = played_by_keys(seed=1, ticks=1200)
    shown = list(scenes(recording))
    flashes = [index for index, each in enumerate(shown) if each.full_rows]
    cleared = [len(shown[index].full_rows) for index in flashes]
    assert sum(cleared) == recording.outcome.lines
    for index in flashes:
        flash, after = shown[index], shown[index + 1]
        assert (flash.cells[list(flash.full_rows)] != EMPTY).all()
        assert any(y in flash.full_rows for _, y in flash.placed)
        assert after.lines == flash.lines == shown[index - 1].lines + len(flash.full_rows)


def test_only_the_last_scene_is_the_end() -> None:
    recording, _ = played_by_placements(seed=3, pieces=150)
    assert recording.outcome.game_over
    *shown, last = scenes(recording)
    assert last.game_over
    assert not any(each.game_over for each in shown)


def test_a_state_is_shown_with_its_active_piece_and_ghost() -> None:
    state = state_from_ascii(RULES, BOARD, piece="T", hold="I", queue="LO")
    shown = scene(RULES, state, start_level=3)
    # The T's box of 3 enters in column (6 - 3) // 2 = 1: its flat side in row 7, then one row lower.
    assert set(shown.active) == {(1, 6), (2, 6), (3, 6), (2, 7)}
    # It falls until its flat side would touch the cell (1, 1): rows 2 and 3.
    assert set(shown.ghost) == {(1, 2), (2, 2), (3, 2), (2, 3)}
    unknown = unknown_kind(RULES)
    assert shown.cells[:3].tolist() == [
        [unknown if mark == "#" else EMPTY for mark in line] for line in reversed(BOARD.split())
    ]
    assert (shown.cells[3:] == EMPTY).all()
    names = [piece.name for piece in RULES.pieces]
    assert (names[shown.piece], names[shown.hold]) == ("T", "I")
    assert [names[kind] for kind in shown.queue] == ["L", "O"]
    assert (shown.level, shown.lines, shown.score, shown.game_over) == (3, 0, 0, False)


def test_a_game_is_shown_by_its_name_if_it_has_pictures() -> None:
    env = make("mini")
    state = state_from_ascii(env, "#.#.")
    picture, same = picture_of(env, state), scene(env.rules, state)
    assert picture is not None and not picture.drawing
    (shown,) = picture.scenes
    assert (shown.cells == same.cells).all()
    assert (shown.rules, shown.active, shown.queue) == (same.rules, same.active, same.queue)
    assert has_boards(env)
    chain = Chain()
    assert not has_boards(chain) and picture_of(chain, chain.init(jax.random.key(0))) is None


def test_a_game_without_such_boards_is_drawn_in_characters() -> None:
    env = games.make("tictactoe", TicTacToeConfig())
    picture = picture_of(env, env.init(jax.random.key(0), env.default_params))
    assert picture is not None and not picture.scenes and not has_boards(env)
    assert picture.drawing.splitlines()[-1] == "X to move"


def test_no_ghost_where_the_piece_already_lies_nor_after_the_end() -> None:
    state = state_from_ascii(RULES, BOARD, piece="T")
    assert scene(RULES, state.replace(y=jnp.int32(1))).ghost == ()
    assert scene(RULES, state.replace(game_over=jnp.bool_(True))).ghost == ()


def test_a_piece_that_slid_under_a_roof_is_found_by_the_board_it_left() -> None:
    """A J slid left under the roof: nothing could drop there."""
    before = state_from_ascii(
        RULES,
        """
        ####..
        ......
        ...###
        """,
        piece="J",
    )
    # J pointing up at the left end: (0, 0) (1, 0) (2, 0) and (0, 1). The bottom row goes, (0, 1) falls.
    after = before.replace(
        rows=jnp.array([0b000001, 0b001111, *[0] * 9], jnp.uint32), lines=jnp.int32(1), pieces=jnp.int32(1)
    )
    pair = read_moments(jax.tree.map(lambda a, b: jnp.stack([a, b]), before, after))
    kind = [piece.name for piece in RULES.pieces].index("J")
    for given in (kind, unknown_kind(RULES)):
        cells = find_placed_cells(RULES, *pair, kind=given)
        assert set(cells) == {(0, 0), (1, 0), (2, 0), (0, 1)}


def test_a_board_that_no_place_explains_is_refused() -> None:
    before = state_from_ascii(RULES, "...###", piece="J")
    after = before.replace(rows=jnp.zeros_like(before.rows), lines=jnp.int32(1), pieces=jnp.int32(1))
    pair = read_moments(jax.tree.map(lambda a, b: jnp.stack([a, b]), before, after))
    with pytest.raises(ValueError, match="piece 0: no place of J gives the next board"):
        find_placed_cells(RULES, *pair, kind=1)


@pytest.mark.parametrize("actions", ["direct", pytest.param("drop", marks=pytest.mark.slow)])
def test_garbage_is_told_from_pieces(actions: str) -> None:
    """The engine counts the rows of garbage at the floor: all cells there are garbage, none above are."""
    recording = played_with_garbage(actions)
    grey = garbage_kind(recording.config.rules)
    replayed = replay(recording)
    heights, rows = np.asarray(replayed.states.garbage.height), replayed.states.rows
    for step in [0, *np.flatnonzero(replayed.events.locked) + 1]:
        shown = scene_at(recording, int(step))
        is_garbage = shown.cells == grey
        assert is_garbage.any(axis=1).tolist() == [y < heights[step] for y in range(len(is_garbage))]
        assert (is_garbage.sum(axis=1)[: heights[step]] == 3).all()  # 4 columns, one hole
        assert is_garbage.sum() + ((shown.cells >= 0) & ~is_garbage).sum() == sum(
            int(row).bit_count() for row in rows[step]
        )
        alone = jax.tree.map(lambda leaf, step=step: leaf[step], replayed.states)
        assert ((scene(recording.config.rules, alone).cells == grey) == is_garbage).all()
    assert recording.outcome.lines > 0
    assert (np.asarray(replayed.events.garbage_received) > 0).sum() > 5
    assert (np.asarray(replayed.events.garbage_cleared) > 0).any()


@pytest.mark.parametrize("actions", ["direct", pytest.param("drop", marks=pytest.mark.slow)])
def test_lives_are_counted_and_the_board_of_a_lost_one_goes(actions: str) -> None:
    recording = played_with_garbage(actions)
    shown = list(frames(recording))
    assert recording.outcome.game_over
    assert {frame.scene.lives for frame in shown} == {0, 1, 2, 3}
    lost = [frame for frame in shown if "life lost: " in frame.caption]
    assert [frame.scene.lives for frame in lost] == [2, 1]
    for frame in lost:
        assert frame.highlight
        assert (frame.scene.cells == EMPTY).all()
        assert dict(numbers(frame.scene))["LIVES"] == str(frame.scene.lives)
    assert "game over: " in shown[-1].caption
    assert shown[-1].scene.game_over
    assert (shown[-1].scene.cells != EMPTY).any()


def test_every_frame_knows_its_step_and_what_happened_in_it() -> None:
    recording, _ = played_by_keys(seed=1, ticks=1200)
    events = replay(recording).events
    shown = list(frames(recording))
    assert [frame.step for frame in shown if not frame.scene.full_rows] == list(
        range(len(recording.actions) + 1)
    )
    for frame in shown[1:]:
        happened = jax.tree.map(
            lambda leaf, step=frame.step: leaf[step - 1].item(),
            events.replace(reward_terms=None, attack=None, sent=None),
        )
        assert bool(frame.caption) == (happened.locked or happened.hold_refused)
        assert (f"+{happened.score:,}" in frame.caption) == (happened.locked and happened.score > 0)
        assert ("-spin" in frame.caption) == (happened.spin > 0)
        assert ("line" in frame.caption) == (happened.lines > 0 and happened.spin == 0)
    assert shown[0].caption == ""


def test_a_recording_is_shown_after_any_step() -> None:
    recording, boards = played_by_placements(seed=2, pieces=90)
    rules = recording.config.rules
    for step in (0, 1, 45, 90, -1, -2, -91):
        shown = scene_at(recording, step)
        assert letters(rules, shown.cells) == boards[step]
        assert shown.pieces == step % 91
        assert len(shown.active) == 4
    for step in (91, -92):
        with pytest.raises(ValueError, match=f"step: given {step}; allowed: -91 to 90, the steps of the"):
            scene_at(recording, step)


def test_colours_that_are_not_the_boards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the tracking wrong somewhere, the scene would say so and not show a wrong board."""
    recording, _ = played_by_placements(seed=2, pieces=90)
    from tetrax.view import origins as module

    def one_row_short(cells: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
        return clear_rows(cells, rows[1:])

    monkeypatch.setattr(module, "clear_rows", one_row_short)
    with pytest.raises(ValueError, match=r"board after piece \d+: colours and bits differ at column \d, row"):
        list(scenes(recording))


@pytest.mark.parametrize("batch", [(3,), ()])
def test_a_batch_or_a_board_of_other_rules_is_refused(batch: tuple[int, ...]) -> None:
    state: Any = state_from_ascii(RULES, BOARD)
    if batch:
        state = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), state)
        message = r"state.rows: given shape \(3, 11\); allowed: \(11,\), one board"
        rules = RULES
    else:
        rules = dataclasses.replace(RULES, height=8)
        message = r"state.rows: given shape \(11,\); allowed: \(12,\), one board"
    with pytest.raises(ValueError, match=message):
        scene(rules, state)


def test_rows_fall_by_the_number_of_rows_cleared_below_them() -> None:
    cells = np.array([[0, 0], [1, EMPTY], [2, 2], [3, EMPTY]], np.int8)
    expected = [[1, EMPTY], [3, EMPTY], [EMPTY, EMPTY], [EMPTY, EMPTY]]
    assert clear_rows(cells, (0, 2)).tolist() == expected
