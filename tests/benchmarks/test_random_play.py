"""Random legal play: actions are legal and all alike, and what is seen is added up whole."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import env_throughput
from benchmarks.random_play import num_bytes
from benchmarks.workers import jax_loop
from benchmarks.workers.jax_loop import Loop, Step, add_up, below, random_legal


@pytest.mark.parametrize("num_actions", [5, 32, 70])
def test_each_legal_action_gets_an_equal_share_of_the_words(num_actions):
    """Of n legal actions, the r-th owns the words from ceil(r 2^32 / n) to the next one's first, less one."""
    generator = np.random.default_rng(num_actions)
    masks = generator.random((40, num_actions)) < generator.random((40, 1))
    masks[0] = True  # every action
    masks[1] = np.arange(num_actions) == num_actions - 1  # the last one alone
    rows, words, expected = [], [], []
    for mask in masks:
        legal = np.flatnonzero(mask)
        for rank, action in enumerate(legal):
            first = -(-(rank << 32) // len(legal))
            last = -(-((rank + 1) << 32) // len(legal)) - 1
            rows += [mask, mask]
            words += [first, last]
            expected += [action, action]
    chosen = random_legal(jnp.array(words, jnp.uint32), jnp.array(rows))
    assert chosen.tolist() == expected


def test_a_board_without_a_legal_action_gets_the_first():
    assert random_legal(jnp.full(2, 2**32 - 1, jnp.uint32), jnp.zeros((2, 7), bool)).tolist() == [0, 0]


def test_below_is_the_high_half_of_the_product():
    words = np.random.default_rng(0).integers(0, 2**32, 200, dtype=np.uint32)
    words = np.concatenate([words, np.array([0, 2**16 - 1, 2**16, 2**32 - 1], np.uint32)])
    for limit in (1, 7, 8, 800, 1600, 65535):
        wanted = [int(word) * limit >> 32 for word in words]
        assert below(jnp.array(words), jnp.uint32(limit)).tolist() == wanted


def test_the_checksum_adds_every_number_of_each_board():
    seen = {
        "cells": jnp.array([[[1, 2], [3, 4]], [[-1, 0], [0, 0]]], jnp.int8),
        "mask": jnp.array([[True, False, True], [False, False, False]]),
        "reward": jnp.array([0.0, 1.0]),  # the bits of 1.0 are 0x3f800000
    }
    sums = add_up(jnp.array([100, 100], jnp.uint32), seen)
    assert sums.tolist() == [100 + 10 + 2, 99 + 0x3F800000]


def test_the_loop_plays_whole_calls_and_counts():
    """A counting game: one piece a step, over every fourth step; its state must be what the loop hands on."""

    def step(count, bits):
        assert bits.shape == (8,)
        return Step(count + 1, count, jnp.ones(8, bool), (count + 1) % 4 == 0)

    loop = Loop(lambda key: jnp.zeros(8, jnp.int32), step, batch=8)
    loop.compile()
    played = loop.run(seconds=0.001)
    steps = played.steps // 8
    assert steps % loop.length == 0
    assert steps >= loop.length
    assert loop.carry.tolist() == [steps] * 8
    assert played.pieces == 8 * steps
    assert played.games == 8 * steps // 4
    again = loop.run(seconds=0.0)
    assert again.steps == 8 * loop.length
    rates = again._replace(seconds=2.0, cpu_seconds=4.0).rates()
    assert rates["steps_per_second"] == again.steps / 2
    assert rates["pieces_per_cpu_second"] == again.pieces / 4


@pytest.mark.parametrize(("batch", "length"), [(1, 1024), (16, 1024), (100, 128), (1024, 16), (2**20, 16)])
def test_a_call_is_long_enough_and_not_too_long(batch, length):
    assert jax_loop.loop_length(batch) == length


def test_bytes_count_keys_as_their_words():
    assert num_bytes({"key": jax.random.key(0), "rows": jnp.zeros(3, jnp.uint32), "flag": jnp.bool_(0)}) == 21


@pytest.mark.slow
def test_a_measured_batch_ends_with_its_json_object(capsys):
    words = ["--preset", "mini", "--seconds", "0.2", "--batch", "8", "--json"]
    assert env_throughput.main(words) == 0
    *_, last = capsys.readouterr().out.strip().splitlines()
    found = json.loads(last)
    assert found["steps_per_second"] > 0
    assert found["steps_per_cpu_second"] > 0
    assert found["games"] > 0
    assert found["pieces"] > found["games"]
    assert found["batch"] == 8
    assert found["observation"] == "bitboards"
    assert found["compile_seconds"] > 0
    assert 50 < found["state_bytes_per_board"] < 1000
    assert found["device"]["platform"] == "cpu"
    assert set(found["versions"]) == {"python", "jax", "jaxlib", "tetrax"}
    assert [point["batch"] for point in found["points"]] == [8]


@pytest.mark.slow
@pytest.mark.parametrize("actions", ["drop", "locked_position"])
def test_placements_lock_a_piece_a_step(actions, capsys):
    words = ["--actions", actions, "--preset", "mini", "--seconds", "0.2", "--batch", "8", "--json"]
    assert env_throughput.main(words) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found["steps"] - found["games"] <= found["pieces"] <= found["steps"]


def test_the_sweep_is_powers_of_two():
    options = env_throughput.Options(smallest=3, largest=40)
    assert env_throughput.batches(options) == [4, 8, 16, 32]
    assert env_throughput.batches(env_throughput.Options(batch=3)) == [3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--actions", "dirct"], "--actions: given 'dirct'; allowed: direct, drop, locked_position"),
        (["--batch", "0"], "--batch: given 0; allowed: a whole number, 1 or more"),
        (["--seconds", "-1"], "--seconds: given -1.0; allowed: a number above 0"),
        (["--preset", "nes"], "--preset: given 'nes'; allowed: attack-50, classic-10x10"),
        (["--observation", "plane"], "did you mean 'planes'?"),
        (["--observation", "afterstate_boards"], "--observation: given 'afterstate_boards' with actions 'direct'"),
        (["--reward", "line"], "--reward: given 'line'; allowed: "),
        (["--smallest", "64", "--largest", "8"], "--smallest: given 64; allowed: at most --largest, 8"),
        (["--vector-width", "3"], "--vector-width: given 3; allowed: 128, 256 or 512"),
        (["faster"], "unexpected word: given 'faster'"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert env_throughput.main(words) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""
