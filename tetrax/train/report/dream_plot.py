"""What a world model foresees, as a picture: one game beside the truth, and how near the model comes in all of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from tetrax.env.contract import Shown, Spec
from tetrax.system import disk
from tetrax.train.report.attention_plot import ACTIVE, LOCKED
from tetrax.train.report.plots import GREEDY, STYLE, TRAINING
from tetrax.world_model import readings
from tetrax.world_model.dreams import Comparison, Dream, as_boards

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

INVENTED, MISSED, GHOST = GREEDY, "#8e5bd0", "#d5e2f8"  # cells; the last is where the piece would land
GREEN, GREY = "#17a673", "#888888"
MOST_SEEN, MOST_FORESEEN = 3, 16  # columns of boards
MOST_NUMBERS = 8  # panels, where there are no boards
WIDTH = 12.0  # inches
CURVES = 3.1  # inches, of the panels below


def dream_picture(dream: Dream, comparison: Comparison, spec: Spec, title: str, path: Path) -> None:
    """Draw a dream and its comparison with the truth, and write a PNG.

    Above is one game: its last moments that were seen and those that were foreseen, as boards, or as curves of the
    numbers that the game shows. Below is the whole of the games: what is right, step by step; whether games go on as
    often as the model says; the rewards and lines that it expects, and those that came.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    game = choose_game(dream)
    has_boards = comparison.cells is not None
    columns = choose_columns(dream)
    height = _boards_height(spec.shows, len(columns)) if has_boards else 3.6
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height + CURVES), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        halves: Any = figure.subfigures(2, 1, height_ratios=(height, CURVES))
        above, below = halves
        above.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        if has_boards:
            _draw_boards(above, dream, spec, game, columns)
        else:
            _draw_numbers(above, dream, game)
        sums = comparison.by_game()
        panels = below.subplots(1, 2 + len(sums), width_ratios=(1.6, *[1] * (1 + len(sums))))
        _draw_accuracy(panels[0], comparison)
        _draw_calibration(panels[1], comparison)
        for panel, (what, (told, real)) in zip(panels[2:], sums.items(), strict=True):
            _draw_sums(panel, told, real, what)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A command may draw the same picture as the run whose folder it is in.
        with disk.replacing(path, mark=str(os.getpid())) as temporary:
            figure.savefig(temporary, format="png")


def choose_game(dream: Dream) -> int:
    """Return the game to show: of those that last longest that in which most is gained, right or wrong."""
    counted = np.asarray(dream.counted)
    gained = np.where(counted, np.asarray(dream.played.gained)[dream.context :], 0.0).sum(axis=0)
    return int(np.lexsort((-np.arange(counted.shape[1]), gained, counted.sum(axis=0)))[-1])


def choose_columns(dream: Dream) -> list[int]:
    """Return the moments to show: the last ones that were seen, and foreseen ones, all or some at even distances."""
    num_moments, context = dream.goes_on.shape[0], dream.context
    horizon = num_moments - context
    shown = np.linspace(0, horizon - 1, min(horizon, MOST_FORESEEN)).round().astype(int)
    return [*range(max(0, context - MOST_SEEN), context), *(context + shown).tolist()]


def _boards_height(shown: Shown, columns: int) -> float:
    """Return the inches that three rows of boards take."""
    of_one = WIDTH / (columns + 2) * (shown.height + 2) / shown.width
    return min(3 * of_one, 8.0) + 0.9


def _draw_boards(figure: SubFigure, dream: Dream, spec: Spec, game: int, columns: list[int]) -> None:
    """Draw the truth, what the model says and what is wrong, a column for each moment."""
    truth = np.asarray(as_boards(spec.shows, dream.played.reading.cells[:, game]))  # [T, planes, R, W]
    told = np.asarray(jax.nn.sigmoid(as_boards(spec.shows, dream.told.cells[:, game])))
    counted, gained = np.asarray(dream.counted[:, game]), np.asarray(dream.played.gained[:, game])
    over = np.asarray(dream.played.terminated[:, game])
    axes = figure.subplots(3, len(columns), gridspec_kw={"wspace": 0.08, "hspace": 0.06}, squeeze=False)
    for place, moment in enumerate(columns):
        step = moment - dream.context + 1
        is_seen = step <= 0
        rows = (
            _paint(truth[moment]),
            _paint(told[moment]),
            _paint_errors(truth[moment] > 0, told[moment] > 0.5),
        )
        is_gone = not is_seen and not counted[step - 1]
        for panel, pixels in zip(axes[:, place], rows, strict=True):
            _frame(panel, GREY if is_seen else "#333333")
            panel.imshow(np.full_like(pixels, 0.9) if is_gone else pixels, origin="lower")
        axes[0, place].set_title(
            "seen" if is_seen else f"{step}", loc="center", fontsize=8, fontweight="normal"
        )
        axes[0, place].title.set_color(GREY if is_seen else "black")
        marks = [f"+{gained[moment]:g}"] if gained[moment] > 0 else []
        marks += ["over"] if over[moment] else []
        if marks and not is_gone:
            axes[0, place].set_xlabel(" ".join(marks), fontsize=7.5, color=GREEN, labelpad=1.5)
    for panel, name in zip(axes[:, 0], ("truth", "model", "wrong"), strict=True):
        panel.set_ylabel(name, fontsize=10)
    _explain_colours(figure, spec)


def _explain_colours(figure: SubFigure, spec: Spec) -> None:
    from matplotlib.patches import Patch

    named = {
        "locked": LOCKED,
        "falling piece": ACTIVE,
        "foreseen, not there": INVENTED,
        "there, not foreseen": MISSED,
        f"+n: {spec.headline} gained": GREEN,
    }
    handles = [Patch(color=colour, label=label) for label, colour in named.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _frame(axes: Axes, colour: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(colour)


def _paint(planes: np.ndarray) -> np.ndarray:
    """Return a board as colours, float[R, W, 3], paler where it is less certain."""
    pixels = np.ones((*planes.shape[1:], 3))
    for plane, colour in ((planes[2:].sum(axis=0), GHOST), (planes[0], LOCKED), (planes[1], ACTIVE)):
        pixels += plane[..., None] * (_rgb(colour) - pixels)
    return pixels


def _paint_errors(truth: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Return what is wrong of a board as colours, over a pale picture of the truth."""
    pixels = 1 - 0.18 * (1 - _paint(truth.astype(float)))
    pixels[(truth & ~told).any(axis=0)] = _rgb(MISSED)
    pixels[(told & ~truth).any(axis=0)] = _rgb(INVENTED)
    return pixels


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _draw_numbers(figure: SubFigure, dream: Dream, game: int) -> None:
    """Draw the numbers that a game shows over time, as they were and as the model says."""
    truth = np.array(readings.in_units(dream.played.reading.numbers[:, game]))
    told = np.array(readings.in_units(dream.told.numbers[:, game]))
    truth[dream.context :][~np.asarray(dream.counted[:, game])] = np.nan
    first = np.flatnonzero(np.asarray(dream.played.is_first[: dream.context, game]))
    begin = int(first[-1]) if len(first) else 0  # of the game that is seen last
    steps = np.arange(len(truth)) - dream.context + 1
    number = min(truth.shape[1], MOST_NUMBERS)
    across = min(number, 4)
    panels = figure.subplots(-(-number // across), across, squeeze=False, sharex=True).ravel()
    for panel in panels[number:]:
        panel.set_visible(False)
    for index, panel in enumerate(panels[:number]):
        panel.axvspan(steps[begin], 0.5, color="#f2f2f2", zorder=0)
        panel.plot(steps[begin:], truth[begin:, index], color=TRAINING, label="truth")
        told[dream.context :][~np.asarray(dream.counted[:, game])] = np.nan
        panel.plot(steps[begin:], told[begin:, index], color=GREEDY, linestyle="--", label="model")
        panel.set_title(f"number {index + 1}", fontsize=9)
        panel.set_xlabel("steps; grey: seen")
    panels[0].legend()


def _draw_accuracy(axes: Axes, comparison: Comparison) -> None:
    """Draw what is right of what is foreseen, over the steps."""
    steps = np.arange(1, len(comparison.number) + 1)
    axes.set_xlabel("steps with closed eyes")
    axes.locator_params("x", integer=True)
    if comparison.cells is None:
        axes.set_title("what is foreseen")
        axes.plot(steps, np.asarray(comparison.numbers), color=TRAINING, marker="o", markersize=3)
        axes.set_ylabel("error of numbers (symlog)")
        axes.set_ylim(bottom=0)
        return
    axes.set_title("right of what is foreseen")
    curves: tuple[tuple[Any, dict[str, Any]], ...] = (
        (comparison.cells, {"color": TRAINING, "label": "cells"}),
        (comparison.unmoved, {"color": TRAINING, "linestyle": ":", "label": "cells, if nothing moved"}),
        (comparison.boards, {"color": GREEDY, "label": "whole boards"}),
    )
    for shares, look in curves:
        axes.plot(steps, 100 * np.asarray(shares), marker="o", markersize=3, **look)
    after = np.asarray(comparison.number_after)
    if after.any():
        axes.scatter(
            steps,
            100 * np.asarray(comparison.boards_after),
            s=np.where(after > 0, 8 + 60 * after / after.max(), 0),
            color=GREEN,
            alpha=0.6,
            edgecolors="none",
            label="whole boards just after a gain",
            zorder=3,
        )
    axes.set_ylim(-3, 103)
    axes.set_ylabel("%")
    axes.legend(loc="best", fontsize=8)


def _draw_calibration(axes: Axes, comparison: Comparison) -> None:
    """Draw how often games went on against how probable the model said that was; larger marks are of more moments."""
    calibration = comparison.calibration
    number = np.asarray(calibration.number)
    axes.set_title("does the game go on?")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    size = 20 + 160 * number / max(number.max(), 1)
    told, real = np.asarray(calibration.told), np.asarray(calibration.real)
    axes.scatter(told, real, s=np.where(number > 0, size, 0), color=TRAINING, alpha=0.8, zorder=3)
    for x, y, count in zip(told, real, number, strict=True):
        if count:
            below = y > 0.5
            axes.annotate(
                f"{count:,}",
                (x, y),
                xytext=(0, -9 if below else 9),
                textcoords="offset points",
                ha="right" if x > 0.5 else "left",
                va="top" if below else "bottom",
                fontsize=8,
            )
    axes.set_xlim(-0.04, 1.06)
    axes.set_ylim(-0.04, 1.06)
    axes.set_xlabel("probability that the model says")
    axes.set_ylabel("share that went on")


def _draw_sums(axes: Axes, told: Any, real: Any, what: str) -> None:
    """Draw what the model expects of the foreseen steps of each game against what came; larger marks are more games."""
    pairs = np.stack([np.asarray(real), np.asarray(told)], axis=1)
    points, number = np.unique(pairs.round(6), axis=0, return_counts=True)
    axes.set_title(f"{what} in these steps")
    low, high = min(0.0, pairs.min()), max(1.0, pairs.max())
    axes.plot([low, high], [low, high], color=GREY, linestyle=":", linewidth=1)
    size = 20 + 300 * number / len(pairs)
    axes.scatter(points[:, 0], points[:, 1], s=size, color=GREEDY, alpha=0.6, edgecolors="none", zorder=3)
    real_mean, told_mean = pairs.mean(axis=0)
    axes.set_xlabel(f"real (mean {real_mean:.3g})")
    axes.set_ylabel(f"foreseen (mean {told_mean:.3g})")
