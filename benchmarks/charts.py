"""The charts of docs/performance.md, speed by batch and beside others', and the README's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.records import Record

FOLDER = Path(__file__).parent.parent / "docs" / "charts"
OURS, OTHERS = "#2a6fdb", "#9a9a9a"
INKS = {"speed": "#1f2328", "speed-dark": "#e6edf3"}  # of the README's chart, on light and dark pages
ON_README = {  # contestants, and what they are called there
    "tetrax direct": "tetrax, keys",
    "tetrax drop": "tetrax, placements",
    "tetris-gymnasium": "Tetris Gymnasium (JAX), keys",
    "jumanji": "Jumanji (JAX), placements",
    "gym-simpletetris": "gym-simpletetris, keys",
    "tetris-gymnasium-class": "Tetris Gymnasium, keys",
}
COLOURS = {"direct": "#2a6fdb", "drop": "#d9822b", "locked_position": "#3a9d5d"}


def kind(record: Record) -> str:
    """Return which program a record is of: env, peers, train, dreamer or startup."""
    return record.name.split("-")[1]


def name(record: Record) -> str:
    """Return the name of the chart that a record is drawn in: one for all sweeps of a platform."""
    platform = record.name.split("-")[0]
    return f"{platform}-batch" if kind(record) == "env" else f"{platform}-{kind(record)}"


def draw(found: Sequence[Record], folder: Path) -> list[Path]:
    """Draw every chart of the records; return the files."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "tetrax"  # the same data, the same file
    by_chart: dict[str, list[Record]] = {}
    for record in found:
        if kind(record) in ("env", "peers"):
            by_chart.setdefault(name(record), []).append(record)
    if by_chart:
        folder.mkdir(parents=True, exist_ok=True)
    files = []
    for chart, drawn in by_chart.items():
        figure = _sweeps(drawn) if kind(drawn[0]) == "env" else _peers(drawn[0])
        files.append(folder / f"{chart}.svg")
        figure.savefig(files[-1], metadata={"Date": None})
        _close(figure)
        if chart == "cpu-peers":
            files += [_draw_for_readme(drawn[0], folder / f"{name}.svg", ink) for name, ink in INKS.items()]
    return files


def _close(figure: Any) -> None:
    import matplotlib.pyplot as plt

    plt.close(figure)


def _sweeps(found: Sequence[Record]) -> Any:
    """Draw speed over the number of boards, a line for each record."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.2))
    which = found[0].data["best_by"]
    for record in found:
        data = record.data
        points = sorted((point["batch"], point[which]) for point in data["points"])
        features = " + features" if data["board_features"] else ""
        label = f"{data['actions']}, {data['preset']}, {data['observation']}{features}"
        colour = COLOURS.get(data["actions"], OTHERS)
        axis.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colour, label=label)
        axis.annotate(
            f"{data[which]:,.0f}", (data["batch"], data[which]), fontsize=8, ha="center", va="bottom"
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlabel("boards side by side")
    axis.set_ylabel(which.replace("_", " ").replace("cpu", "CPU"))
    axis.set_title(found[0].measurement.machine, loc="left", fontsize=8)
    _finish(figure, axis)
    axis.legend(frameon=False, fontsize=8)
    return figure


def _peers(record: Record) -> Any:
    """Draw steps (of placing ones: pieces) per CPU second as bars, on a logarithmic scale."""
    import matplotlib.pyplot as plt

    contestants = record.data["contestants"]
    names = list(reversed(contestants))
    on_cpu = record.data["device"]["platform"] == "cpu"
    which = "steps_per_cpu_second" if on_cpu else "steps_per_second"
    values = [contestants[one]["rates"][which] for one in names]
    labels = [f"{one}\n({'placements' if contestants[one]['places'] else 'keys'})" for one in names]
    figure, axis = plt.subplots(figsize=(7, 0.55 * len(names) + 1.2))
    colours = [OURS if one.startswith("tetrax") else OTHERS for one in names]
    bars = axis.barh(labels, values, color=colours)
    axis.bar_label(bars, labels=[f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.margins(x=0.2)
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlabel(which.replace("_", " ").replace("cpu", "CPU"))
    axis.set_title(record.measurement.machine, loc="left", fontsize=8)
    _finish(figure, axis)
    return figure


def _draw_for_readme(record: Record, path: Path, ink: str) -> Path:
    """Draw steps per CPU second of a few on a linear scale, large enough for a phone, without a background."""
    import matplotlib.pyplot as plt

    contestants = record.data["contestants"]
    rates = {
        label: contestants[name]["rates"]["steps_per_cpu_second"]
        for name, label in ON_README.items()
        if name in contestants
    }
    labels = list(reversed(rates))
    figure, axis = plt.subplots(figsize=(3.6, 0.3 * len(labels) + 0.4))
    colours = [OURS if label.startswith("tetrax") else OTHERS for label in labels]
    bars = axis.barh(labels, [rates[label] for label in labels], color=colours)
    numbers = axis.bar_label(
        bars, labels=[f"{rates[label]:,.0f}" for label in labels], padding=4, fontsize=10
    )
    title = figure.suptitle("Steps per second on one core, random play", x=0, ha="left", fontsize=11)
    for text in (*numbers, title, *axis.get_yticklabels()):
        text.set_color(ink)
    axis.tick_params(axis="y", labelsize=10, length=0)
    axis.xaxis.set_visible(False)
    axis.spines[:].set_visible(False)
    axis.margins(x=0.05, y=0.01)
    figure.savefig(path, metadata={"Date": None}, transparent=True, bbox_inches="tight", pad_inches=0.05)
    _close(figure)
    return path


def _finish(figure: Any, axis: Any) -> None:
    axis.grid(alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
