"""How far off a value is: by hand, where it is known, and what is refused."""

import json

import numpy as np
import pytest

from benchmarks import value_error


def test_error_and_luck_by_hand():
    """The value says one row too much of both boards; luck takes or gives two rows."""
    found = value_error.estimate(np.array([5.0, 9.0]), np.array([6.0, 10.0]), np.array([2.0, 6.0]))
    # Differences of -1 and 3 twice: products of -3. Outcomes differ by 4: luck is 8.
    assert (found["error"], found["luck"], found["bias"]) == (-3.0, 8.0, 1.0)
    assert found["ci95"] == [-3.0, -3.0]


def test_luck_is_no_error():
    """Of outcomes around the truth the error is that of the value alone."""
    rng = np.random.default_rng(0)
    truth = rng.normal(20.0, 5.0, 200_000)
    one, other = (truth + rng.normal(0.0, 2.0, truth.shape) for _ in range(2))
    told = truth + rng.normal(0.0, 0.5, truth.shape)
    found = value_error.estimate(told, one, other)
    low, high = found["ci95"]
    assert low < 0.25 < high and high - low < 0.1
    assert found["luck"] == pytest.approx(4.0, abs=0.05) and abs(found["bias"]) < 0.02


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--boards", "0"], "--boards"),
        (["--width", "129"], "--width: given 129; allowed: 1 or more, up to 128"),
        (["--policies", "pretrained/classic-10x10"], "policies of beam-value (this one is of cross-entropy)"),
    ],
)
def test_a_mistake_is_one_line(capsys, words, said):
    assert value_error.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err


@pytest.mark.slow
def test_the_shipped_value_is_less_off_than_luck_decides(capsys):
    twice = ["pretrained/attack-50", "pretrained/attack-50"]
    assert value_error.main(["--boards", "256", "--width", "2", "--policies", *twice]) == 0
    found, again = map(json.loads, capsys.readouterr().out.splitlines())
    assert found == again and found["boards"] == 256
    assert found["error"] < found["luck"]
