"""SVG: what is drawn is the scene, in a file that any reader of SVG takes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import jax.numpy as jnp
import pytest

from tests.env.games import played_by_placements
from tetrax.env.ascii import state_from_ascii
from tetrax.env.game.pieces import DOMINOES, Piece
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.view import svg
from tetrax.view.cells import EMPTY
from tetrax.view.colours import GARBAGE, UNKNOWN, colour_of
from tetrax.view.frames import scene_at, scenes
from tetrax.view.layout import CELL, SMALL, lay_out
from tetrax.view.render import render_step, render_svg
from tetrax.view.scene import Scene, numbers, scene

RULES = Rules(width=6, height=7, buffer=4, preview=2)
BOARD = """
    #.....
    ##..##
    #.####
"""
NAMESPACE = "{http://www.w3.org/2000/svg}"


def state() -> State:
    return state_from_ascii(RULES, BOARD, piece="T", hold="I", queue="LO")


def kind(name: str) -> int:
    return [piece.name for piece in RULES.pieces].index(name)


def parsed(image: str) -> ElementTree.Element:
    """Read an image, which must be whole and need nothing else."""
    root = ElementTree.fromstring(image)
    assert root.tag == f"{NAMESPACE}svg"
    assert root.get("role") == "img"
    assert not re.search(r"href|src=|url\(|<style|<script|@import", image)
    assert re.findall(r"\w+://[^\"]*", image) == ["http://www.w3.org/2000/svg"]
    return root


def cells(rules: Rules, path: str, inset: int = 1) -> set[tuple[int, int]]:
    """The cells of the board that a path's squares fill; squares beside the board are left out."""
    place, found = lay_out(rules), set()
    for x, y, side in re.findall(r"M(\d+) (\d+)h(\d+)", path):
        if int(side) == CELL - 2 * inset + 1:
            column, left = divmod(int(x) - place.left - inset, CELL)
            row, above = divmod(place.floor - int(y) + inset - 1, CELL)
            assert (left, above) == (0, 0)
            found.add((column, row - 1))
    return found


def num_beside(path: str) -> int:
    """Squares of held and coming pieces."""
    return len(re.findall(rf"h{SMALL - 1}v{SMALL - 1}h", path))


def assert_drawn(shown: Scene) -> None:
    """Compare every layer of the board with the scene."""
    rules, layers = shown.rules, svg.layers(shown)
    rows = range(rules.height + 2)
    wanted = {
        (x, y): int(shown.cells[y, x]) for y in rows for x in range(rules.width) if shown.cells[y, x] != EMPTY
    } | dict.fromkeys([cell for cell in shown.active if cell[1] in rows], shown.piece)
    drawn = {
        cell: number
        for number in range(rules.num_pieces + 2)
        for cell in cells(rules, layers.get(f"block-{number}", ""))
    }
    assert drawn == wanted
    ghost = cells(rules, layers.get(f"ghost-{shown.piece}", ""), inset=2)
    assert ghost == {cell for cell in shown.ghost if cell[1] in rows}
    assert cells(rules, layers.get("placed", "")) == {cell for cell in shown.placed if cell[1] in rows}
    full = {(x, y) for y in shown.full_rows for x in range(rules.width)}
    assert cells(rules, layers.get("flash", "")) == full
    beside = Counter([*shown.queue, shown.hold] if shown.hold >= 0 else shown.queue)
    for number, count in beside.items():
        assert num_beside(layers[f"block-{number}"]) == 4 * count
    assert num_beside(layers.get("dim", "")) == (4 if shown.hold >= 0 and shown.hold_used else 0)


def test_a_state_is_drawn_cell_by_cell() -> None:
    shown = scene(RULES, state())
    assert_drawn(shown)
    assert_drawn(replace(shown, hold_used=True))
    root = parsed(render_svg(RULES, state()))
    by_layer = {path.get("data-layer"): path for path in root.iter(f"{NAMESPACE}path")}
    purple = "#" + bytes(colour_of(RULES, kind("T"))).hex()
    assert by_layer[f"block-{kind('T')}"].get("fill") == purple
    assert by_layer[f"block-{RULES.num_pieces}"].get("fill") == "#" + bytes(UNKNOWN).hex()
    assert "dim" not in by_layer


def test_every_scene_of_a_game_is_drawn_cell_by_cell() -> None:
    for shown in scenes(played_by_placements(seed=2, pieces=90)[0]):
        assert_drawn(shown)


def test_words_and_numbers_are_there_for_people_and_machines() -> None:
    image = render_svg(RULES, state().replace(score=jnp.int32(12345)), start_level=3)
    root = parsed(image)
    said = [text.text for text in root.iter(f"{NAMESPACE}text")]
    assert said == ["HOLD", "NEXT", "SCORE", "12,345", "LINES", "0", "LEVEL", "3", "PIECES", "0"]
    assert root.findtext(f"{NAMESPACE}title") == "A game of Tetris"
    assert root.findtext(f"{NAMESPACE}desc") == (
        "score 12,345; lines 0; level 3; pieces 0; active piece T at column 2; hold I; next L O; "
        "column heights 3 2 1 1 2 2"
    )


def test_the_end_is_written_across_the_board() -> None:
    over = render_svg(RULES, state().replace(game_over=jnp.bool_(True)))
    assert [text.text for text in parsed(over).iter(f"{NAMESPACE}text")][-2:] == ["GAME", "OVER"]
    assert parsed(over).findtext(f"{NAMESPACE}desc", "").endswith("; game over")
    assert "GAME" not in render_svg(RULES, state())


def test_a_notebook_shows_the_picture() -> None:
    image = render_svg(RULES, state())
    assert image._repr_svg_() == image
    assert type(image._repr_svg_()) is str


def test_a_step_of_a_recording_has_colours_and_says_where_it_is() -> None:
    recording, _ = played_by_placements(seed=2, pieces=90)
    image = render_step(recording, 60)
    assert parsed(image).findtext(f"{NAMESPACE}title", "").endswith(" points · step 60")
    shown = scene_at(recording, 60)
    for layer, path in svg.layers(shown).items():
        assert f'data-layer="{layer}" ' in image
        assert f' d="{path}"/>' in image
    assert f">{dict(numbers(shown))['SCORE']}<" in image
    assert parsed(render_step(recording)).findtext(f"{NAMESPACE}title", "").endswith("step 90")
    with pytest.raises(ValueError, match="step: given 91; allowed: -91 to 90"):
        render_step(recording, 91)


def test_names_are_escaped() -> None:
    pieces = (Piece("<&\"'>", ("#.", "##")),)
    rules = replace(RULES, pieces=pieces)
    image = render_svg(rules, state_from_ascii(rules, ""))
    assert "active piece <&\"'> at column" in parsed(image).findtext(f"{NAMESPACE}desc", "")


@pytest.mark.parametrize(("width", "height", "preview"), [(1, 2, 6), (2, 28, 0), (22, 2, 1), (22, 28, 6)])
def test_every_shape_of_rules_can_be_drawn(width: int, height: int, preview: int) -> None:
    """Nothing lies outside the picture."""
    pieces = tuple(Piece(name, ("#",)) for name in "abcdefghijklmnop")
    rules = Rules(width=width, height=height, preview=preview, hold=width > 2, pieces=pieces, lives=2)
    shown = scene(rules, state_from_ascii(rules, ""))
    for over in (shown, replace(shown, game_over=True)):
        root, place = parsed(svg.draw(over)), lay_out(rules)
        assert (root.get("width"), root.get("height")) == (str(place.width), str(place.height))
        for x, y, side in re.findall(r"M(\d+) (\d+)h(\d+)", svg.draw(over)):
            assert int(x) + int(side) <= place.width
            assert int(y) <= place.height
    assert "LIVES" in svg.draw(shown)


def test_sixteen_kinds_unknown_and_garbage_have_colours_of_their_own() -> None:
    for names in ("abcdefghijklmnop", "IJLOSTZabcdefghi"):
        rules = replace(RULES, pieces=tuple(replace(DOMINOES[0], name=name) for name in names))
        colours = {colour_of(rules, number) for number in range(18)}
        assert len(colours) == 18
        assert {UNKNOWN, GARBAGE} <= colours
