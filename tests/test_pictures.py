"""The README's pictures show what the terminal showed."""

from typing import NamedTuple

import numpy as np
import pytest

from docs import pictures


class Character(NamedTuple):
    data: str
    fg: str = "31c7ef"
    bg: str = "default"
    bold: bool = False
    reverse: bool = False
    blink: bool = False


def draw(*characters):
    """Return the pixels of the first characters of a screen, each [height, width, 3]."""
    row = [*characters, *[Character(" ")] * (pictures.COLUMNS - len(characters))]
    screen = [row, *[[Character(" ")] * pictures.COLUMNS] * (pictures.ROWS - 1)]
    pixels = np.asarray(pictures.draw_screen(screen))
    width, height = pictures.CELL
    top, left = pictures.TITLE_BAR, pictures.MARGIN
    return [
        pixels[top : top + height, left + i * width : left + (i + 1) * width] for i in range(len(characters))
    ]


INK, PAPER, RED = (0x31, 0xC7, 0xEF), (0x16, 0x18, 0x1D), (255, 0, 0)


def test_blocks_fill_their_share_of_a_cell():
    upper, lowest, full = draw(Character("▀", bg="ff0000"), Character("▁"), Character("█"))
    half = pictures.CELL[1] // 2
    assert (upper[:half] == INK).all() and (upper[half:] == RED).all()
    inked = [(cell == INK).all(axis=2).all(axis=1).sum() for cell in (lowest, full)]
    assert inked == [3, 24]  # rows: an eighth of 24, of a cell of 27 whose uppermost 3 stay free


def test_lines_meet_those_of_the_next_cell():
    side, corner, bar = draw(Character("│"), Character("╭"), Character("━"))
    ink = [(cell == INK).all(axis=2) for cell in (side, corner, bar)]
    assert ink[0].any(axis=1).all() and ink[0].any(axis=0).sum() == pictures.THIN
    edges = [ink[1][0].any(), ink[1][-1].any(), ink[1][:, 0].any(), ink[1][:, -1].any()]
    assert edges == [False, True, False, True]  # down and to the right
    assert ink[2].any(axis=0).all() and ink[2].any(axis=1).sum() == pictures.THICK


def test_faint_and_reversed_characters():
    faint, reverse = draw(Character("█", blink=True), Character(" ", fg="ff0000", reverse=True))
    between = [0x31 // 2 + 0x16 // 2, 0xC7 // 2 + 0x18 // 2, 0xEF // 2 + 0x1D // 2]
    assert faint[-1, 0].tolist() == between
    assert (reverse == RED).all()


@pytest.mark.parametrize("cut", range(8))
def test_characters_that_arrive_in_parts_are_put_together(cut):
    data = "a▀é█".encode()
    first, rest = pictures.split_characters(data[:cut])
    second, left = pictures.split_characters(rest + data[cut:])
    assert (first + second, left) == ("a▀é█", b"")
