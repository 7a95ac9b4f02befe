"""Key repeat, tick by tick, worked by hand."""

from __future__ import annotations

import pytest

from tetrax.live.play.handling import Handling, Hands, handling, next_chord, press, release, tap

HOW = Handling(delay=4, interval=2, tap=3)


def play(hands: Hands, ticks: int, how: Handling = HOW) -> tuple[list[str], Hands]:
    """Return the chords of some ticks as words."""
    chords = []
    for _ in range(ticks):
        chord, hands = next_chord(how, hands)
        chords.append("+".join(sorted(chord.keys)))
    return chords, hands


def test_milliseconds_are_rounded_to_ticks():
    # 167 ms are 10.02 ticks of 1/60 s, 33 ms are 1.98, 100 ms are 6.
    assert handling(167, 33, 60) == Handling(delay=10, interval=2, tap=6)
    assert handling(0, 0, 60) == Handling(delay=0, interval=0, tap=6)


@pytest.mark.parametrize(
    ("delay", "interval", "moves"),
    [
        (4, 2, [0, 4, 6, 8]),  # at once, after the delay, then every second tick
        (4, 3, [0, 4, 7]),
        (4, 0, [0, 4, 5, 6, 7, 8, 9]),  # no interval: a cell in every tick
        (0, 0, [*range(10)]),
        (1, 4, [0, 1, 5, 9]),
        (20, 2, [0]),
    ],
)
def test_a_shift_that_is_held_repeats(delay, interval, moves):
    chords, _ = play(press(Hands(), "left"), 10, Handling(delay, interval, 3))
    assert chords == ["left" if tick in moves else "" for tick in range(10)]


def test_a_key_that_came_and_went_between_two_ticks_is_played_once():
    chords, hands = play(release(press(Hands(), "right"), "right"), 8)
    assert chords == ["right", *[""] * 7]
    assert hands.held == ()


def test_the_keyboards_own_repeats_are_no_presses():
    chords, _ = play(press(press(Hands(), "rotate_cw"), "rotate_cw"), 3)
    assert chords == ["rotate_cw", "", ""]


def test_the_direction_pressed_last_counts_and_the_other_charges_anew():
    _, hands = play(press(Hands(), "left"), 5)  # moved in ticks 0 and 4
    chords, hands = play(press(hands, "right"), 6)
    assert chords == ["right", "", "", "", "right", ""]
    # Left is still down. It is alone again from tick 0 on, and so moves after the delay.
    chords, _ = play(release(hands, "right"), 7)
    assert chords == ["", "", "", "", "left", "", "left"]


def test_keys_of_one_tick_are_one_chord_in_the_engines_order():
    hands = press(press(press(press(Hands(), "hold"), "rotate_cw"), "left"), "hard_drop")
    assert play(hands, 2)[0] == ["hard_drop+hold+left+rotate_cw", ""]


def test_what_was_pressed_after_a_drop_waits_for_the_next_piece():
    hands = press(press(Hands(), "hard_drop"), "left")
    assert play(hands, 7)[0] == ["hard_drop", "left", "", "", "", "left", ""]


@pytest.mark.parametrize(
    ("first", "second"), [("left", "right"), ("rotate_cw", "rotate_ccw"), ("left", "rotate_cw")]
)
def test_what_the_engine_would_not_do_in_this_order_takes_two_ticks(first, second):
    hands = release(press(release(press(Hands(), first), first), second), second)
    assert play(hands, 3)[0] == [first, second, ""]


def test_presses_are_counted_and_repeats_are_not():
    hands, counted = press(press(Hands(), "left"), "hard_drop"), []
    for _ in range(6):
        chord, hands = next_chord(HOW, hands)
        counted.append(chord.presses)
    assert counted == [2, 0, 0, 0, 0, 0]


def test_a_soft_drop_lasts_as_long_as_its_key_is_down():
    chords, hands = play(press(Hands(), "soft_drop"), 3)
    assert chords == ["soft_drop"] * 3
    assert play(release(hands, "soft_drop"), 2)[0] == ["", ""]


def test_taps_move_once_each_and_drop_softly_for_a_while():
    hands = tap(HOW, tap(HOW, Hands(), "left"), "left")  # the keyboard's repeats are taps
    assert play(hands, 4)[0] == ["left", "left", "", ""]
    chords, hands = play(tap(HOW, Hands(), "soft_drop"), 2)
    assert chords == ["soft_drop", "soft_drop"]
    # One of three ticks is left; the next tap makes it three again.
    assert play(tap(HOW, hands, "soft_drop"), 4)[0] == ["soft_drop", "soft_drop", "soft_drop", ""]
