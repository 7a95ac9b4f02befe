"""Games in a mirror: columns, pieces and placements as drawn by hand, and games that go on as their images do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.env import mirror
from tetrax.env.game.pieces import Piece
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import Tetris, make

SIX = make("guideline", actions="drop", observation="bitboards", width=6, height=6, preview=1)
MINI = make("mini", actions="drop", observation="bitboards")


@functools.cache
def programs(env: Tetris):
    """Return what starts games, plays and mirrors them, each compiled for several side by side."""
    params = env.default_params
    play = jax.vmap(lambda state, action: env.transition(state, action, params)[:3])
    legal = jax.vmap(lambda state: env.observe(state, params))
    return (
        jax.jit(jax.vmap(lambda key: env.init(key, params))),
        jax.jit(play),
        jax.jit(jax.vmap(env.mirror)),
        jax.jit(legal),
    )


def first(env: Tetris, pieces: str, rows: dict[int, str]):
    """Return two alike games (programs are of two) with pieces, active and next, on a drawn board."""
    kinds = [[piece.name for piece in env.rules.pieces].index(name) for name in pieces]
    words = np.zeros(env.rules.total_height, np.uint32)
    for y, row in rows.items():
        words[y] = sum(1 << x for x, mark in enumerate(row) if mark == "#")
    start, *_ = programs(env)
    state = start(jax.random.split(jax.random.key(0), 2))
    x, y = (int(place[kinds[0]]) for place in (env.rules.spawn_x, env.rules.spawn_y))
    one = jnp.ones(2, jnp.int32)
    return state.replace(
        rows=jnp.tile(words, (2, 1)),
        piece=kinds[0] * one,
        queue=one[:, None] * kinds[1],
        x=x * one,
        y=(y - 1) * one,
    )


def number(env: Tetris, name: str) -> int:
    return env.action_names.index(name)


@pytest.mark.slow
def test_pieces_and_placements_are_those_drawn_by_hand() -> None:
    """J upright by the left wall, its hook at the top, is in a mirror L upright by the right wall: columns 4 and 5."""
    _, _, mirrored, _ = programs(SIX)
    state = first(SIX, "JS", {0: "##...#", 1: "#....."})
    for name, image in (
        ("drop_R_0", "drop_L_4"),
        ("drop_0_0", "drop_0_3"),  # three columns wide
        ("drop_2_2", "drop_2_1"),
        ("drop_L_3", "drop_R_1"),
        ("hold_drop_0_1", "hold_drop_0_2"),  # S, which becomes Z
        ("hold_drop_R_4", "hold_drop_R_0"),  # of two that look alike the lower one
    ):
        given = jnp.full(2, number(SIX, name), jnp.int32)
        seen, action, is_exact = mirrored(state, given)
        assert SIX.action_names[int(action[0])] == image and bool(is_exact[0])
        assert [SIX.rules.pieces[int(kind)].name for kind in (seen.piece[0], seen.queue[0, 0])] == ["L", "Z"]
        assert np.asarray(seen.rows[0, :3]).tolist() == [0b110001, 0b100000, 0]  # bit x = column x
        assert int(seen.x[0]) == 1  # where L enters, like J, left of the middle


@pytest.mark.slow
def test_where_the_way_in_is_blocked_on_one_side_the_mirror_image_is_not_exact() -> None:
    """Pieces of three enter at columns 1 to 3 of six: to the left over one column, to the right over two.

    A tower in column 4 leaves J the columns from 0 on. In the mirror it is in column 1, in L's way in.
    """
    _, _, mirrored, _ = programs(SIX)
    tower = dict.fromkeys(range(8), "....#.")
    drop = jnp.full(2, number(SIX, "drop_0_0"), jnp.int32)
    assert not np.asarray(mirrored(first(SIX, "JS", tower), drop)[2]).any()
    low = dict.fromkeys(range(4), "....#.")
    assert np.asarray(mirrored(first(SIX, "JS", low), drop)[2]).all()


@pytest.mark.slow
@pytest.mark.parametrize("env", [MINI, SIX], ids=["mini", "six"])
def test_the_mirror_image_of_a_game_goes_on_as_the_game_does(env: Tetris) -> None:
    """Over random games: mirrored twice is as before, and a mirrored placement leaves the mirrored board."""
    start, play, mirrored, observe = programs(env)
    num_games, chance = 64, np.random.default_rng(0)
    state = start(jax.random.split(jax.random.key(1), num_games))
    count, exact_ends = 0, 0
    for _ in range(40):
        seen = observe(state)
        legal = np.asarray(seen.legal)
        scores = np.where(legal, chance.random(legal.shape), -1.0)
        action = jnp.asarray(scores.argmax(axis=-1), jnp.int32)
        image, done, is_exact = mirrored(state, action)
        twice, back, _ = mirrored(image, done)
        runs = np.asarray(is_exact & ~state.game_over)
        count += runs.sum()
        assert env.rules.hold or runs.sum() == (~np.asarray(state.game_over)).sum(), (
            "dominoes enter in the middle"
        )
        for name in ("rows", "piece", "queue", "hold", "bag"):
            before, after = (np.asarray(getattr(one, name)) for one in (state, twice))
            np.testing.assert_array_equal(before[runs], after[runs], err_msg=name)
        np.testing.assert_array_equal(np.asarray(action)[runs], np.asarray(back)[runs])
        # What is seen of it is what a player of the mirrored game would see.
        locked = np.asarray(observe(image).bitboards[:, 0]), np.asarray(seen.bitboards[:, 0])
        np.testing.assert_array_equal(
            locked[0], np.asarray(mirror._reverse(env.rules, jnp.asarray(locked[1])))
        )

        state, reward, over = play(state, action)
        played, rewarded, ended = play(image, done)
        shown, _, next_exact = mirrored(state, action)
        np.testing.assert_array_equal(np.asarray(played.rows)[runs], np.asarray(shown.rows)[runs])
        np.testing.assert_array_equal(np.asarray(rewarded)[runs], np.asarray(reward)[runs])
        end = runs & np.asarray(over)
        exact_ends += (end & np.asarray(next_exact)).sum()
        agree = np.asarray(ended == over)
        assert agree[end & np.asarray(next_exact)].all()
    assert count > 200 and exact_ends > 0


def test_what_has_no_mirror_image_says_why() -> None:
    assert mirror.why_not(SIX.rules, "drop") == mirror.why_not(MINI.rules, "drop") == ""
    assert "actions 'direct'" in make().spec.why_no_mirror
    assert "actions 'locked_position'" in make(actions="locked_position").spec.why_no_mirror
    assert "no mirror image of piece 'J'" in mirror.why_not(Rules(pieces=("J", "O")), "drop")
    own = Piece("X", ("#..", "#..", "##."))
    assert "no mirror image of piece 'X'" in mirror.why_not(Rules(pieces=(own,)), "drop")
    listed = make("mini", actions="drop", randomizer="list", sequence=("D",))
    assert "list of pieces" in listed.spec.why_no_mirror
    given = make("mini", actions="drop", reward=lambda rules, params, before, after, event: jnp.float32(0))
    assert "a function" in given.spec.why_no_mirror
    with pytest.raises(
        ValueError, match=r"mirror: given guideline, direct: .*; allowed: a game that has one"
    ):
        make().mirror(None, None)
