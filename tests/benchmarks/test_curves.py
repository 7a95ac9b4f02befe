"""Learning curves: the points of a run by hand, random steps counted, several algorithms in one panel."""

import json

import pytest

from benchmarks import curves


def run(root, rows, *, num_seeds=1, agent=None):
    """Write the two files of a run that a curve is made of."""
    root.mkdir()
    config = {
        "seed": 4,
        "num_seeds": num_seeds,
        "agent": agent or {"num_envs": 8, "num_steps": 4},
        "evaluation": {"max_pieces": 200},
    }
    (root / "config.json").write_text(json.dumps(config))
    (root / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def row(step, lines, games, **more):
    return {"step": step, "wall_time": step / 10, "lines": lines, "games": games, **more}


ROWS = [
    row(10, 2.0, 1.0), row(20, 5.0, 2.0), row(30, None, 0.0), row(40, None, 0.0), row(50, 8.0, 3.0), row(60, 0.0, 1.0)
]  # fmt: skip


def test_a_point_is_the_mean_over_the_games_of_its_share(tmp_path):
    # Shares of two rows: (2 * 1 + 5 * 2) / 3 = 4; no game; (8 * 3 + 0 * 1) / 4 = 6.
    (curve,) = curves.read_run(run(tmp_path / "run", ROWS), num_points=3)
    points = [[20, 2.0, 4.0, 3.0], [60, 6.0, 6.0, 4.0]]
    assert curve == {"seed": 4, "points": points, "evaluations": []}


@pytest.mark.parametrize(
    ("replay_capacity", "warmup_steps", "before"),
    [(256, 64, 64), (256, 65, 96), (0, 0, 0), (0, 64, 0)],  # rollouts of 8 boards times 4 steps are 32 each
)
def test_random_steps_before_the_first_update_count_where_there_is_a_replay(
    replay_capacity, warmup_steps, before, tmp_path
):
    agent = {
        "num_envs": 8, "num_steps": 4, "replay_capacity": replay_capacity, "warmup_steps": warmup_steps
    }  # fmt: skip
    rows = [row(10, 1.0, 1.0), row(20, 2.0, 1.0, **{"eval/lines": 7.5})]
    (curve,) = curves.read_run(run(tmp_path / "run", rows, agent=agent))
    assert [point[0] for point in curve["points"]] == [before + 10, before + 20]
    assert [point[2] for point in curve["points"]] == [1.0, 2.0]
    assert curve["evaluations"] == [[before + 20, 7.5]]


def test_every_seed_has_a_curve_of_its_own(tmp_path):
    per_seed = [
        {"lines": [1.0, None], "games": [3.0, 0.0]},
        {"lines": [2.0, 6.0], "games": [1.0, 2.0], "eval/lines": [9.0, 11.0]},
    ]
    rows = [
        row(10, 1.0, 1.5, per_seed=per_seed[0]),
        row(20, 4.0, 1.5, per_seed=per_seed[1], **{"eval/lines": 10.0}),
    ]
    first, second = curves.read_run(run(tmp_path / "run", rows, num_seeds=2))
    assert first == {
        "seed": 4, "points": [[10, 1.0, 1.0, 3.0], [20, 2.0, 2.0, 1.0]], "evaluations": [[20, 9.0]]
    }  # fmt: skip
    assert second == {"seed": 5, "points": [[20, 2.0, 6.0, 2.0]], "evaluations": [[20, 11.0]]}


def test_the_mean_is_taken_where_every_seed_has_a_point():
    first, second = [[10, 0.1, 1.0], [20, 0.2, 2.0], [30, 0.3, 4.0]], [[20, 0.2, 6.0], [30, 0.3, 5.0]]
    assert curves.mean_curve([first, second]) == [(20, 4.0), (30, 4.5)]
    assert curves.mean_curve([[], second]) == []


def test_over_time_seeds_are_compared_where_they_have_played_as_many_steps():
    first = [[10, 60.0, 1.0, 1], [20, 120.0, 2.0, 1]]
    second = [[20, 240.0, 4.0, 1], [30, 300.0, 9.0, 1]]
    assert curves.by_time([first, second]) == ([3.0], [3.0])  # at 20 steps: 2 and 4 minutes, 2 and 4 lines


def document(title, curve, **more):
    return {"title": title, "random_lines": 0.0, "curves": [{"seed": 0, **curve}], **more}


PPO = document("direct: PPO", {"points": [[1e6, 1.0, 1.0], [2e6, 2.0, 3.0]]}, panel="direct", label="PPO")
DQN = document(
    "direct: DQN",
    {"points": [[1e6, 1.0, 2.0, 9.0]], "evaluations": [[2e6, 5.0]]},
    panel="direct",
    label="DQN",
)
ALONE = document("drop", {"points": [[1e6, 1.0, 4.0]]})


def test_documents_of_one_panel_are_drawn_in_one():
    assert curves.panels([PPO, ALONE, DQN]) == {"direct": [PPO, DQN], "drop": [ALONE]}
    assert curves.panels([PPO, ALONE]) == {"direct: PPO": [PPO], "drop": [ALONE]}  # one alone keeps its title


def test_each_label_is_a_line_with_the_numbers_of_its_file(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "close", lambda figure: None)
    curves.draw([PPO, ALONE, DQN], tmp_path / "curves.png")
    left, right, below, _ = plt.gcf().axes
    lines = {line.get_label(): line for line in left.lines}
    assert (list(lines["PPO"].get_xdata()), list(lines["PPO"].get_ydata())) == ([1e3, 2e3], [1.0, 3.0])
    assert (list(lines["DQN"].get_xdata()), list(lines["DQN"].get_ydata())) == ([1e3], [2.0])
    assert list(lines["DQN, greedy games"].get_ydata()) == [5.0]
    assert lines["PPO"].get_color() != lines["DQN"].get_color() == lines["DQN, greedy games"].get_color()
    assert left.get_title(loc="left") == "direct"
    assert [line.get_label() for line in below.lines] == ["PPO", "DQN", "random play"]
    assert [line.get_label() for line in right.lines] == ["seed 0", "mean", "random play"]
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_a_label_says_where_greedy_games_were_stopped():
    from matplotlib.figure import Figure

    axis, points = Figure().subplots(), [[1, 0.0, 1.0, 1.0]]
    told = [
        document(f"of {cap}", {"points": points, "evaluations": [[1, 2.0]]}, max_pieces=cap)
        for cap in (0, 200)
    ]
    curves._draw_several(axis, told)
    labels = [line.get_label() for line in axis.lines]
    assert "of 0, greedy games" in labels and "of 200, greedy games to 200 pieces" in labels


def test_a_kept_file_says_where_it_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "CURVES", tmp_path)
    run(tmp_path / "run", ROWS)
    path = curves.keep("one", "title", "python -m this", 0.5, [tmp_path / "run"], panel="direct", label="DQN")
    kept = json.loads(path.read_text())
    assert (kept["panel"], kept["label"], kept["title"], kept["command"]) == (
        "direct", "DQN", "title", "python -m this"
    )  # fmt: skip
    assert kept["curves"] == curves.read_run(tmp_path / "run") and kept["max_pieces"] == 200
    assert "panel" not in json.loads(
        curves.keep("two", "title", "python -m this", 0.5, [tmp_path / "run"]).read_text()
    )


def test_the_files_that_are_kept_can_be_drawn(tmp_path):
    kept = {path.stem: json.loads(path.read_text()) for path in sorted(curves.CURVES.glob("*.json"))}
    assert {"panel": "direct", "label": "PPO"}.items() <= kept["direct"].items()
    curves.draw(list(kept.values()), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0
