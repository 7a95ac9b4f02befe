"""The page about speed, its charts and the saved records: what was measured, whole, and nothing else."""

import json

import pytest

from benchmarks import charts, measure, performance_page, records, results_page

DEVICE = {"platform": "cpu", "kind": "cpu", "count": 1, "cpu_cores": 2, "cpu": "two cores"}
POINT = {
    "steps_per_second": 3e6, "steps_per_cpu_second": 1.5e6, "pieces_per_second": 2e5, "batch": 512,
    "compile_seconds": 7.25, "state_bytes_per_board": 278.0,
}  # fmt: skip
ENV = {
    **POINT, "actions": "direct", "preset": "guideline", "observation": "compact", "board_features": False,
    "best_by": "steps_per_cpu_second", "device": DEVICE,
    "points": [{**POINT, "batch": 256, "steps_per_cpu_second": 1e6}, POINT],
}  # fmt: skip


def contestant(steps: float, places: bool) -> dict:
    rates = {"steps_per_second": steps, "steps_per_cpu_second": steps / 2, "pieces_per_cpu_second": steps / 4}
    return {
        "versions": {"jax": "0.5.3"}, "plays": "a key", "observation": "compact", "batch": 8, "rates": rates,
        "places": places,
    }  # fmt: skip


RATIO = {
    "ours": "tetrax direct", "peer": "jumanji", "counted": "steps", "per_cpu_second": 9.5, "per_second": 8.25
}  # fmt: skip
PEERS = {
    "contestants": {"tetrax direct": contestant(8e6, False), "jumanji": contestant(5e5, True)},
    "ratios": [RATIO],
    "absent": {"gym-simpletetris": "no network"},
    "device": DEVICE,
}
AGENT = {
    "algorithm": "ppo", "preset": "small", "actions": "drop", "compute_dtype": "float32", "num_envs": 256,
    "parameters": 2722, "steps_per_second": 12345.0, "model_flops_per_second": 2e9,
    "profile": {"environment": 0.1, "acting": 0.2, "learning": 0.6, "rest": 0.1},
    "memory_bytes": {"state": 2**20, "temporary": 2**20, "total": 3 * 2**20},
}  # fmt: skip
STARTUP = {
    "command": "python -m tetrax.train",
    "cold": {"seconds": 22.25, "cpu_seconds": 30.0, "whole_seconds": 101.2},
    "warm": {"seconds": 9.7, "cpu_seconds": 8.0},
}
FILES = {
    "cpu-env-direct-guideline-compact": ENV,
    "cpu-peers": PEERS,
    "cpu-startup-default-default": STARTUP,
    "cpu-train-ppo-small-drop": {"agents": [AGENT], "device": DEVICE},
}


@pytest.fixture
def found(tmp_path):
    measurement = records.Measurement(
        what="speed", value=1.0, unit="steps", interval=None, machine="two cores", command="python -m this",
        commit="0123456789", date="2000-01-02",
    )  # fmt: skip
    for name, data in FILES.items():
        records.write(tmp_path / f"{name}.json", measurement, data)
    return records.read_performance(tmp_path)


def test_the_page_shows_what_was_measured(found):
    page = performance_page.content(found)
    for row in (
        "| `direct` | guideline; compact | 512 | 3,000,000 | 1,500,000 | 200,000 | 7.2 | 278 |",
        "| tetrax direct | jumanji | steps | 9.5 | 8.25 |",
        "| jumanji | jax 0.5.3 | a key | compact | 8 | 500,000 | 250,000 | 125,000 |",
        "| gym-simpletetris | absent: no network | | | |",
        "| ppo small, `drop`, float32 | cpu | 256 | 2,722 | 12,345 | 10% | 20% | 60% | 10% | 2 | 3 |",
        "| `python -m tetrax.train` | 22.2 | 30.0 | 9.7 | 8.0 | 101 | ? |",
        "- `python -m this`: two cores; 2000-01-02, commit 0123456",
        "![cpu batch](charts/cpu-batch.svg)",
        "![cpu peers](charts/cpu-peers.svg)",
    ):
        assert row in page.splitlines(), row


def test_every_chart_of_the_page_is_drawn_and_the_same_each_time(found, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    names = {path.name for path in charts.draw(found, first)}
    of_readme = {"speed.svg", "speed-dark.svg"}
    assert names == {"cpu-batch.svg", "cpu-peers.svg"} | of_readme
    charts.draw(found, second)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert name in of_readme or f"charts/{name}" in performance_page.content(found)


def test_without_measurements_the_page_says_so_and_nothing_is_drawn(tmp_path):
    assert performance_page.content([]) == performance_page.NOTHING
    assert charts.draw([], tmp_path / "charts") == []
    assert not (tmp_path / "charts").exists()


def test_a_saved_result_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "PERFORMANCE", tmp_path)
    words = ["--actions", "direct", "--save", "--json", "--batch", "8"]
    data = {"points": [1, 2]}
    measure.save("env-x", what="w", value=2.0, unit="u", module="env_throughput", argv=words, data=data)
    (record,) = records.read_performance(tmp_path)
    assert record.name == "cpu-env-x"
    assert record.data == data
    assert record.measurement.command == "python -m benchmarks.env_throughput --actions direct --batch 8"
    assert record.measurement.value == 2.0
    assert results_page.SHOWN.search(record.name)


def test_a_record_without_data_is_refused(tmp_path):
    (tmp_path / "cpu-peers.json").write_text(json.dumps({"what": "speed"}))
    with pytest.raises(ValueError, match="given no data"):
        records.read_performance(tmp_path)
