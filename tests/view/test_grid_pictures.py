"""Pictures of the grid world."""

import xml.etree.ElementTree as ElementTree

import jax
import jax.numpy as jnp
import pytest

from tests.games import walks
from tetrax import games
from tetrax.games.grid_config import GridWorldConfig
from tetrax.view.grid_pictures import COLOURS, STAR
from tetrax.view.render import render, render_svg

TOGETHER = games.make("gridworld", GridWorldConfig(width=4, height=3))
VERSUS = games.make("gridworld", GridWorldConfig(width=4, height=3, rewards="competitive"))


def test_text_has_agents_and_the_targets_that_are_left():
    state = walks.read(TOGETHER, "..1. A..B ...2")
    assert render(TOGETHER, state) == ". . * .\nA . . B\n. . . *\nstep 0 of 100, 0 found"
    state, _ = jax.jit(TOGETHER.step)(state, jnp.asarray([0, 2], jnp.int32))
    assert render(TOGETHER, state) == ". . * .\nA . . .\n. . . B\nstep 1 of 100, 1 found"
    both = state.replace(agents=jnp.asarray([[1, 1], [1, 1]], jnp.int32))
    assert render(TOGETHER, both).split("\n")[1] == ".  AB .  ."
    own = games.make("gridworld", GridWorldConfig(width=4, height=3, own_targets=True))
    assert render(own, walks.read(own, "..1. A..B ...2")).startswith(". . a .\nA . . B\n. . . b\n")


def test_the_end_is_told():
    state = walks.read(VERSUS, "A12. .... ...B")
    assert render(VERSUS, state).endswith("step 0 of 100, A 0, B 0")
    step = jax.jit(VERSUS.step)
    for _ in range(2):
        state, _ = step(state, jnp.asarray([4, 0], jnp.int32))
    assert render(VERSUS, state).endswith("2 steps, A 2, B 0: A wins")
    assert render(VERSUS, state.replace(scores=jnp.ones(2, jnp.int32))).endswith("A 1, B 1: a draw")
    done = state.replace(scores=jnp.ones(2, jnp.int32))
    assert render(TOGETHER, done).endswith("2 steps, all found")


def test_svg_shows_everything_in_its_place():
    image = render_svg(TOGETHER, walks.read(TOGETHER, "..1. A..B ...2"))
    parts = list(ElementTree.fromstring(image).iter())
    agents = {each.get("fill"): each for each in parts if each.tag.endswith("circle")}
    targets = [each for each in parts if each.get("fill") == STAR]
    assert set(agents) == set(COLOURS[:2]) and len(targets) == 2
    first, second = (agents[colour] for colour in COLOURS[:2])
    assert float(second.get("cx")) - float(first.get("cx")) == 3 * 36 and first.get("cy") == second.get("cy")
    above, below = (float(each.get("y")) for each in targets)
    assert below - above == 2 * 36
    assert "step 0 of 100, 0 found" in image and image._repr_svg_() == image


def test_other_states_are_refused():
    with pytest.raises(TypeError, match=r"state: given .*; allowed: a GridState"):
        render(TOGETHER, None)
    one = walks.read(TOGETHER, "..1. A..B ...2")
    many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), one)
    with pytest.raises(
        ValueError, match=r"state.agents: given shape \(3, 2, 2\); allowed: \(2, 2\), one game"
    ):
        render_svg(TOGETHER, many)
