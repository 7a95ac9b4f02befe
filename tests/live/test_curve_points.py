"""Curves against numbers worked by hand: smoothing, the seeds' spread, thinning, and which runs are one curve."""

import numpy as np

from tetrax.live.curve_points import curve, group
from tetrax.live.metric_columns import Logged


def log(steps, per_seed=None, **values) -> Logged:
    steps = np.array(steps, np.int64)
    columns = {name: np.array(column, np.float32) for name, column in values.items()}
    seeds = {name: np.array(rows, np.float32) for name, rows in (per_seed or {}).items()}
    return Logged(steps, steps * 30.0, columns, seeds)


def test_one_run_is_its_numbers():
    drawn = curve([log([1, 2, 3], lines=[1, np.nan, 3])], "lines")
    assert drawn == {"x": [1, 3], "y": [1, 3], "seeds": 1, "last": 3}
    assert curve([log([1, 2, 3], lines=[1, np.nan, 3])], "score") is None


def test_minutes_are_an_axis_too():
    assert curve([log([2, 4], lines=[1, 3])], "lines", x="minutes")["x"] == [1, 2]  # 60 and 120 seconds


def test_smoothing_is_the_mean_of_neighbours_and_keeps_what_was_measured():
    drawn = curve([log([1, 2, 3, 4], lines=[0, 3, 6, 3])], "lines", smooth=3)
    assert drawn["y"] == [1.5, 3, 4, 4.5]  # (0+3)/2, (0+3+6)/3, (3+6+3)/3, (6+3)/2
    assert drawn["raw"] == [0, 3, 6, 3]


def test_seeds_of_one_run_have_a_spread():
    drawn = curve([log([1, 2], {"lines": [[1, 2], [3, 8]]}, lines=[2, 5])], "lines")
    assert (drawn["y"], drawn["low"], drawn["high"], drawn["seeds"]) == ([2, 5], [1, 2], [3, 8], 2)


def test_runs_that_measured_at_other_steps_meet_between_them():
    """The second run is at 2 and 4; at 3 it is between 4 and 8. At 1 and 5 the first is alone."""
    first, second = log([1, 3, 5], lines=[0, 2, 4]), log([2, 4], lines=[4, 8])
    drawn = curve([first, second], "lines")
    assert drawn["x"] == [1, 2, 3, 4, 5]
    assert drawn["y"] == [0, 2.5, 4, 5.5, 4]
    assert drawn["low"] == [0, 1, 2, 3, 4]
    assert drawn["high"] == [0, 4, 6, 8, 4]


def test_steps_that_do_not_grow_are_put_in_order():
    assert curve([log([3, 1, 2], lines=[3, 1, 2])], "lines")["y"] == [1, 2, 3]


def test_a_long_curve_is_thinned_to_means_and_ends_where_it_ended():
    drawn = curve([log(range(9), lines=[0, 2, 4, 6, 8, 10, 12, 14, 99])], "lines", points=5)
    assert drawn["y"] == [1, 5, 9, 13, 99]  # of 0 2, 4 6, 8 10, 12 14, and the last
    assert drawn["x"] == [0.5, 2.5, 4.5, 6.5, 8]


def test_numbers_have_as_many_digits_as_are_drawn():
    drawn = curve([log([1, 2, 3], lines=[1 / 3, 1e-20 / 3, 0])], "lines")
    assert drawn["y"] == [0.333333, 3.33333e-21, 0]


def config(seed, rate, **more):
    return {"seed": seed, "total_steps": seed * 100, "agent": {"learning_rate": rate, "clip": 0.1}, **more}


def test_runs_that_differ_in_their_seed_are_one_curve():
    configs = {"a": config(0, 0.1), "b": config(1, 0.1), "c": config(0, 0.2), "d": {}}
    found = group(configs, seeds_together=True)
    assert [one.runs for one in found] == [("a", "b"), ("c",), ("d",)]
    named = group({name: configs[name] for name in "abc"}, seeds_together=True)
    assert [one.label for one in named] == ["agent.learning_rate 0.1", "agent.learning_rate 0.2"]
    alone = group(configs, seeds_together=False)
    assert [(one.key, one.label, one.runs) for one in alone] == [(name, name, (name,)) for name in "abcd"]


def test_runs_that_differ_in_much_are_called_by_their_names():
    configs = {"a": config(0, 0.1), "b": config(0, 0.2, game="x", env=1, preset="y")}
    assert [one.label for one in group(configs, seeds_together=True)] == ["a", "b"]
