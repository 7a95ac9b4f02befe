"""What a page shows of a run and of several: settings, evaluations, pictures, sweeps, and what cannot be read."""

import json

import pytest

from tests.live.web.made_runs import PIXEL, add_evaluation, make_run, make_sweep
from tetrax.live import run_report
from tetrax.live.shelf import find


def entry(run):
    (found,) = find([run])
    return found


def test_a_run_tells_its_settings_and_which_of_them_may_change(tmp_path):
    told = run_report.describe(entry(make_run(tmp_path / "a")))
    settings = {one["name"]: one for one in told["config"]}
    assert settings["agent.learning_rate"] == {
        "name": "agent.learning_rate",
        "value": "0.001",
        "may_change": True,
    }
    assert settings["env.preset"]["value"] == "guideline"
    assert {name for name, one in settings.items() if one["may_change"]} == {
        "agent.learning_rate", "agent.clip", "total_steps",
    }  # fmt: skip
    assert told["faults"] == [] and told["evaluation"] is None and told["saved_step"] is None


def test_settings_that_the_page_cannot_set_are_not_offered(tmp_path):
    run = make_run(tmp_path / "a")
    config = json.loads((run / "config.json").read_text())
    watch = {"steps": False, "alert_command": None}
    (run / "config.json").write_text(
        json.dumps(config | {"wandb": None, "tensorboard": False, "watch": watch})
    )
    offered = {one["name"] for one in run_report.describe(entry(run))["config"] if one["may_change"]}
    assert offered & {"wandb", "tensorboard", "watch.steps", "watch.alert_command"} == {"watch.steps"}


def test_pictures_recordings_alerts_and_history(tmp_path):
    run = make_run(tmp_path / "a")
    for folder, name in (
        ("plots", "dream.png"),
        ("plots", ".tmp-x.png"),
        ("plots", "x.txt"),
        ("recordings", "best.json"),
    ):
        (run / folder).mkdir(exist_ok=True)
        (run / folder / name).write_bytes(PIXEL)
    (run / "alerts.jsonl").write_text(
        '{"step": 5, "wall_time": 1.0, "rule": "r", "said": "<b>"}\nnonsense\n[]\n'
    )
    change = {
        "time": "t",
        "step": 7,
        "changes": {"agent.clip": {"from": 0.2, "to": 0.1}},
        "control": "set agent.clip 0.1",
    }
    (run / "config_history.jsonl").write_text(json.dumps(change) + "\n")
    told = run_report.describe(entry(run))
    assert [one["name"] for one in told["pictures"]] == ["dream.png"]
    assert [one["name"] for one in told["recordings"]] == ["best.json"]
    assert told["alerts"] == [{"step": 5, "rule": "r", "said": "<b>"}]
    assert told["history"][0]["how"] == "set agent.clip 0.1"
    assert told["history"][0]["changes"] == [{"name": "agent.clip", "from": "0.2", "to": "0.1"}]
    assert run_report.find_file(entry(run), "pictures", "dream.png") == run / "plots" / "dream.png"
    for name in ("x.txt", "../config.json", "../recordings/best.json", "/etc/passwd", "", "."):
        assert run_report.find_file(entry(run), "pictures", name) is None


def test_what_differs_between_runs(tmp_path):
    first = make_run(tmp_path / "a")
    second = make_run(
        tmp_path / "b", agent={"learning_rate": 0.1, "clip": 0.2}, env={"preset": "mini", "hold": False}
    )
    add_evaluation(second, 5.0)
    told = run_report.compare([entry(first), entry(second)])
    assert told["settings"] == [
        {"name": "agent.learning_rate", "values": ["0.001", "0.1"]},
        {"name": "env.hold", "values": [None, "false"]},
        {"name": "env.preset", "values": ["guideline", "mini"]},
    ]
    assert told["evaluations"][0] is None
    assert told["evaluations"][1]["measures"]["lines"]["mean"] == 5.0
    assert told["evaluations"][1]["how"]["episodes"] == 64


def test_a_sweep_is_a_table_best_first(tmp_path):
    told = run_report.describe(entry(make_sweep(tmp_path / "s")))["sweep"]
    assert (told["columns"], told["tuned"], told["status"]) == (["agent.clip", "lines"], 1, "finished")
    assert [row["cells"] for row in told["rows"]] == [
        [0.2, {"mean": 9.0, "std": 1.0}],
        [0.1, {"mean": 3.0, "std": None}],
    ]


def test_a_sweep_that_goes_on_tells_its_members(tmp_path):
    sweep = make_sweep(tmp_path / "s")
    (sweep / "sweep.json").unlink()
    told = run_report.describe(entry(sweep))["sweep"]
    assert told["status"] == "goes on" and told["columns"] == ["lines"]
    assert [(row["label"], row["cells"], row["diverged"]) for row in told["rows"]][2:] == [
        ("member 2", [3.0], 0),
        ("member 3", [None], 1),
    ]


GARBAGE = (
    b"",
    b"\xff",
    b"[]",
    b"{}",
    b'{"lines": 3, "points": 7}',
    b'{"lines": {"mean": "x", "ci95": {}}}',
    b'{"points": [7, {"values": 3, "lines": {"mean": [1]}}]}',
    b'{"step": NaN, "lines": {"mean": Infinity}}',
)


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_in_any_file_is_told_or_left_out(tmp_path, content):
    for made in (make_run(tmp_path / "a"), make_sweep(tmp_path / "s")):
        for name in ("eval.json", "alerts.jsonl", "config_history.jsonl", "sweep.json", "sweep.jsonl"):
            if name.startswith("sweep") <= (made.name == "s"):
                (made / name).write_bytes(content + b"\n")
        json.dumps(run_report.describe(entry(made)), allow_nan=False)
        json.dumps(run_report.compare([entry(made)]), allow_nan=False)
