"""Attention as a picture: where each layer and each piece looks on the board, and which piece looks at which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tetrax.env.contract import Observation
from tetrax.env.game.rules import Rules
from tetrax.env.observe import CELLS
from tetrax.networks.attention import LOOKING, AttentionWeights, over_cells
from tetrax.networks.network_config import AttentionConfig
from tetrax.train.folder import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOCKED, ACTIVE = "#444444", "#2a6fdb"
PANEL_HEIGHT = 3.6  # inches


def attention_picture(
    seen: Observation, weights: AttentionWeights, config: AttentionConfig, rules: Rules, path: Path
) -> None:
    """Draw the attention of one decision over its board, the mean of all heads, and write a PNG.

    `seen` is one observation of the board (planes, bitboards or compact) and `weights` what
    `tetrax.networks.attention.attention_weights` told of it, both without leading axes. A panel for each layer shows
    what the tokens of the board look at on average, one for each looking piece what it looks at; the last one which
    piece looks at which. Locked cells have a grey dot, those of the active piece a blue frame. ValueError for an
    observation that does not show the board.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    locked, active = _cells(seen, rules.width)
    panels = {
        f"layer {number + 1}": np.asarray(layer).mean(axis=(0, 1))
        for number, layer in enumerate(weights.board)
    }
    kinds = [*(piece.name for piece in rules.pieces), "none"]
    named = [kinds[kind] for kind in np.asarray(seen.pieces)]
    if weights.looks is not None:
        looks = np.asarray(weights.looks).mean(axis=0)  # [2, tokens]
        panels |= {
            f"{who}: {named[i]}": looks[i] for i, who in enumerate(LOOKING) if who == "active" or rules.hold
        }
    width = PANEL_HEIGHT * (rules.width / len(locked) + 0.25)
    widths = [width] * len(panels) + ([PANEL_HEIGHT] if weights.pieces is not None else [])
    with matplotlib.rc_context({"font.size": 9, "axes.titlelocation": "left", "axes.titleweight": "bold"}):
        figure = Figure(figsize=(sum(widths), PANEL_HEIGHT), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        all_axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        for axes, (title, tokens) in zip(all_axes, panels.items(), strict=False):
            axes.set_title(title)
            _draw_board(axes, np.asarray(over_cells(tokens, config, *locked.shape)), locked, active)
        if weights.pieces is not None:
            _draw_pieces(all_axes[-1], np.asarray(weights.pieces).mean(axis=0), named)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def _cells(seen: Observation, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the locked cells and the active piece's: bool[rows, W] each."""
    if seen.planes is not None:
        planes = np.asarray(seen.planes) > 0
        return planes[..., 0], planes[..., 1]
    if seen.cells is not None:
        cells = np.asarray(seen.cells)
        return cells == CELLS.index("locked"), cells == CELLS.index("active")
    if seen.bitboards is not None:
        locked, active = (np.asarray(seen.bitboards)[..., None] >> np.arange(width, dtype=np.uint32)) & 1 > 0
        return locked, active
    raise ValueError("seen: given an observation without a board; allowed: planes, bitboards or compact")


def _draw_board(axes: Axes, attention: np.ndarray, locked: np.ndarray, active: np.ndarray) -> None:
    """Draw where attention goes, from none (white) to the most (red), and mark what stands there."""
    from matplotlib.patches import Rectangle

    axes.imshow(attention, origin="lower", cmap="Reds", vmin=0, vmax=attention.max())
    for y, x in zip(*np.nonzero(locked), strict=True):
        axes.add_patch(Rectangle((x - 0.15, y - 0.15), 0.3, 0.3, color=LOCKED))
    for y, x in zip(*np.nonzero(active), strict=True):
        axes.add_patch(Rectangle((x - 0.4, y - 0.4), 0.8, 0.8, fill=False, edgecolor=ACTIVE, linewidth=2))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"darkest: {attention.max():.1%} a cell")


def _draw_pieces(axes: Axes, attention: np.ndarray, named: list[str]) -> None:
    """Draw which piece (a row) looks at which (a column)."""
    axes.set_title("pieces")
    axes.imshow(attention, cmap="Reds", vmin=0, vmax=attention.max())
    labels = [*LOOKING, *(f"next {i + 1}" for i in range(len(named) - len(LOOKING)))]
    axes.set_xticks(range(len(named)), named)
    axes.set_yticks(
        range(len(named)), [f"{label}: {name}" for label, name in zip(labels, named, strict=True)]
    )
    axes.set_xlabel(f"looks at (darkest: {attention.max():.0%})")
