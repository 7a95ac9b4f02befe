"""Dreamer and the published agent learn by turns, and a round's turns are compared with each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import dreamer_speed, dreamer_updates, performance_page, records
from benchmarks.workers import official_worker
from benchmarks.workers.stopwatch import Learned

OFFICIAL = dreamer_speed.OFFICIAL


def learned(updates: int) -> Learned:
    """Return a turn of two seconds, four of the CPU."""
    return Learned(updates, updates * 1024, 2.0, 4.0)


class Fake:
    """A contestant that notes when it is asked to learn."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name, self.order = name, order

    def learn(self, seconds: float) -> Learned:
        self.order.append(f"{self.name} {seconds:g}")
        return learned(3)


def test_everybody_warms_up_and_then_learns_by_turns():
    order: list[str] = []
    names = [OFFICIAL, "1m", "mini"]
    turns = dreamer_speed.learn_by_turns({name: Fake(name, order) for name in names}, 2, 10)
    assert order == [f"{name} 1" for name in names] + 2 * [f"{name} 10" for name in names]
    assert {name: len(found) for name, found in turns.items()} == dict.fromkeys(names, 2)


def test_ratios_are_medians_of_those_of_each_round():
    """Rounds of 2, 3 and 1 times as many."""
    turns = {OFFICIAL: [learned(n) for n in (10, 20, 5)], "1m": [learned(n) for n in (20, 60, 5)]}
    assert dreamer_speed.ratios(turns) == {"1m": {"per_second": 2.0, "per_cpu_second": 2.0}}
    assert dreamer_speed.ratios({"1m": turns["1m"]}) == {}
    assert dreamer_speed.medians(turns[OFFICIAL]) == {
        "updates_per_second": 5.0, "updates_per_cpu_second": 2.5, "moments_per_second": 5120.0
    }  # fmt: skip


def test_the_work_is_that_of_the_published_settings():
    assert dreamer_updates.example_sizes("1m") == (499, 80, 16, 64)
    _, config = dreamer_updates.ours("1m")
    assert (config.imagined_steps, config.imagined_starts, config.model.compute_dtype) == (15, 0, "float32")


def test_made_up_batches_have_the_shapes_of_a_replay():
    class Space:
        def __init__(self, dtype, *shape):
            self.dtype, self.shape = np.dtype(dtype), shape

    spaces = {
        "vector": Space(np.float32, 5), "reward": Space(np.float32), "is_first": Space(bool), "is_last": Space(bool),
        "is_terminal": Space(bool), "action": Space(np.int32), "dyn/deter": Space(np.float32, 8),
        "dyn/stoch": Space(np.float32, 3, 2), "consec": Space(np.int32), "stepid": Space(np.uint8, 20),
    }  # fmt: skip
    batch = official_worker.make_up(spaces, 4, (2, 7), np.random.default_rng(0))
    assert {name: (value.dtype, value.shape) for name, value in batch.items()} == {
        name: (space.dtype, (2, 7, *space.shape)) for name, space in spaces.items()
    }
    assert (batch["dyn/stoch"].sum(axis=-1) == 1).all()
    assert not batch["consec"].any()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ours", "smal"], "--ours: given 'smal'; allowed: "),
        (["--rounds", "0"], "--rounds: given 0; allowed: a whole number, 1 or more"),
        (["--checkout", "nowhere"], "--checkout: given 'nowhere'; allowed: a folder with dreamerv3/agent.py in it"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert dreamer_speed.main(words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def test_the_page_shows_what_was_measured(tmp_path: Path):
    shares = {"replaying": 0.1, "observing": 0.2, "rest": 0.7, "unnamed": 0.05}
    rates = {"updates_per_second": 1.5, "updates_per_cpu_second": 1.25, "moments_per_second": 1536.0}
    contestants = {
        OFFICIAL: {"parameters": 1234, "rates": rates, "compile_seconds": 3.0},
        "1m": {"parameters": 2345, "rates": rates, "compile_seconds": 3.0, "parts": shares},
    }
    data = {
        "contestants": contestants, "ratios": {"1m": {"per_second": 1.75, "per_cpu_second": 1.5}},
        "absent": {}, "device": {"platform": "cpu"}, "rounds": 5, "seconds": 8.0,
    }  # fmt: skip
    measurement = records.Measurement(
        what="speed", value=1.5, unit="times", interval=None, machine="two cores", command="python -m this",
        commit="0123456789", date="2000-01-02",
    )  # fmt: skip
    records.write(tmp_path / "cpu-dreamer.json", measurement, data)
    page = performance_page.content(records.read_performance(tmp_path)).splitlines()
    assert f"| {OFFICIAL} | 1,234 | 1.5 | 1.25 | 1,536 |  |  |" in page
    assert "| 1m | 2,345 | 1.5 | 1.25 | 1,536 | 1.75 | 1.5 |" in page
    assert "| share of an update | replaying | observing | rest |" in page
    assert "| 1m | 10% | 20% | 70% |" in page
    assert json.dumps(data)
