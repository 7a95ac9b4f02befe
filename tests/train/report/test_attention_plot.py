"""The picture of attention: what it is drawn from, and that a cell twice as much looked at is twice as red."""

import jax
import numpy as np
import pytest
from PIL import Image

import tetrax
from tests.networks.seen import batch, made_up
from tetrax.networks.attention import AttentionWeights
from tetrax.networks.network_config import AttentionConfig
from tetrax.train.report.attention_plot import _cells, attention_picture

CONFIG = AttentionConfig(over="cells", layers=1, heads=2)
DARKEST = np.array([103, 0, 13])  # the end of matplotlib's "Reds"


def test_as_much_is_red_as_is_looked_at(tmp_path):
    env = tetrax.make("mini", observation="planes")  # 8 rows of 4 cells are seen
    seen = jax.tree.map(lambda leaf: leaf[0], made_up(env, (1,)))
    seen = seen.replace(planes=np.zeros_like(seen.planes))
    red = []
    for targets in ([5], [5, 22]):
        layer = np.zeros((2, 32, 32), np.float32)
        layer[..., targets] = 1 / len(targets)
        path = tmp_path / "pictures" / "attention.png"
        attention_picture(seen, AttentionWeights((layer,), None, None), CONFIG, env.rules, path)
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        red.append((np.abs(pixels - DARKEST).sum(axis=-1) < 12).sum())
    assert red[0] > 500
    assert red[1] == pytest.approx(2 * red[0], rel=0.1)


def test_pieces_have_panels_of_their_own(tmp_path):
    env = tetrax.make("mini", observation="planes", hold=True)
    seen = jax.tree.map(lambda leaf: leaf[0], made_up(env, (1,)))
    layer, pieces = np.full((2, 32, 32), 1 / 32), np.full((2, 3, 3), 1 / 3)
    looks = np.full((2, 2, 32), 1 / 32)
    widths = []
    for weights in (AttentionWeights((layer,), None, None), AttentionWeights((layer,), pieces, looks)):
        attention_picture(seen, weights, CONFIG, env.rules, tmp_path / "attention.png")
        with Image.open(tmp_path / "attention.png") as picture:
            widths.append(picture.width)
    assert widths[1] > 3 * widths[0]  # a board for each of active and held, and a larger table


def test_every_view_of_the_board_shows_the_same_cells():
    shown = {
        view: jax.tree.map(lambda leaf: leaf[0], seen)
        for view, seen in jax.jit(
            lambda: {
                view: batch(tetrax.make("mini", observation=view), 1)
                for view in ("planes", "compact", "bitboards")
            }
        )().items()
    }
    locked, active = _cells(shown["planes"], 4)
    assert active.sum() == 2 and not locked.any()  # a domino
    for view in ("compact", "bitboards"):
        for cells, expected in zip(_cells(shown[view], 4), (locked, active), strict=True):
            np.testing.assert_array_equal(cells, expected)
    with pytest.raises(ValueError, match="seen: given an observation without a board; allowed: planes"):
        _cells(shown["planes"].replace(planes=None), 4)
