"""Several devices and several processes give what one gives, and boards never leave their device."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.train.machine.devices import collectives, differences
from tests.train.toy import toy_config
from tetrax.env import batch
from tetrax.fields.errors import UserError
from tetrax.train import start
from tetrax.train.config import load_config
from tetrax.train.folder import checkpoint, log
from tetrax.train.machine import processes

ROOT = Path(__file__).parents[3]
ROUNDING = 1e-4  # relative to 1 + |x|: what sums in another order come to after a few of Adam's steps


def environment(num_devices: int, **variables: str) -> dict[str, str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={num_devices}"
    return {**os.environ, "XLA_FLAGS": flags, **variables}


def on_four_devices(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.train.machine.devices", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(4), capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_four_devices_train_as_one_does() -> None:
    found = on_four_devices("compare", "1")
    assert (found["devices"], found["boards_per_device"], found["devices_of_policy"]) == (4, 4, 1)
    assert found["unequal"] == []  # games, keys, counters
    assert found["farthest"] < ROUNDING
    assert found["leaves"] > 40
    # Sums over all boards, of gradients and metrics, are all that the devices exchange.
    assert found["collectives"] == ["all-reduce"]


@pytest.mark.slow
def test_four_devices_dream_as_one_does() -> None:
    found = on_four_devices("dream", "1")
    assert (found["devices"], found["boards_per_device"]) == (4, 4)
    assert found["unequal"] == []  # games, actions, keys; and states to the last bit that is kept of them
    assert found["farthest"] < ROUNDING
    # Beside sums, the imagined returns are exchanged: their percentiles are those of all.
    assert found["collectives"] == ["all-gather", "all-reduce"]


@pytest.mark.slow
def test_four_devices_play_versus_and_a_league_as_one_does() -> None:
    found = on_four_devices("versus", "1")
    assert (found["devices"], found["boards_per_device"], found["devices_of_policy"]) == (4, 4, 1)
    assert found["unequal"] == []  # games, who plays at which table, keys, counters
    assert found["farthest"] < ROUNDING
    # Beside sums, what is seen in games against past selves is exchanged: each plays whole tables.
    assert found["collectives"] == ["all-gather", "all-reduce"]


def test_the_comparison_can_fail() -> None:
    one = {"number": jnp.arange(3), "weights": jnp.ones(3)}
    other = {"number": jnp.arange(3).at[1].set(7), "weights": jnp.ones(3).at[0].set(1.1)}
    found = differences(one, other)
    assert found["unequal"] == ["number"]
    assert found["farthest"] == pytest.approx(0.1 / 2.1)
    kept = jnp.uint16([0x3F80, 0x4040])  # 1 and 3 as words of bfloat16; the next number is the next word
    assert differences({"kept": kept}, {"kept": kept.at[0].set(0x3F81)})["unequal"] == []
    assert differences({"kept": kept}, {"kept": kept.at[0].set(0x3F82)})["unequal"] == ["kept"]
    mesh = Mesh(np.asarray(jax.devices()), (batch.DEVICES,))
    everywhere, spread = NamedSharding(mesh, P()), NamedSharding(mesh, P(batch.DEVICES))
    gather = jax.jit(lambda x: x, in_shardings=spread, out_shardings=everywhere)
    text = "%x = f32[8]{0} all-gather(%y), dimensions={0}"
    assert collectives(gather.lower(jnp.ones(8)).compile()) == []  # there is one device here
    assert collectives(type("Compiled", (), {"as_text": lambda self: text})()) == ["all-gather"]


def test_groups_that_cannot_be_shared_out_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "devices", lambda: [None] * 3)
    with pytest.raises(UserError, match=r"--agent\.num-groups: given 1; allowed: a multiple of .* 3 devices"):
        start.make_program(toy_config())


def test_a_process_on_its_own_agrees_with_itself() -> None:
    assert (processes.has_others(), processes.leads()) == (False, True)
    assert processes.agree(save=True, stop=False) == (True, False)
    with processes.leading() as tell:
        tell(3)
    with pytest.raises(ZeroDivisionError), processes.leading():
        raise ZeroDivisionError


def test_processes_that_cannot_be_joined_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (processes.COORDINATOR, processes.COUNT, processes.INDEX):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=r"--distributed: given .*; allowed: .*JAX_COORDINATOR_ADDRESS"):
        processes.join()
    monkeypatch.setenv(processes.COUNT, "two")
    with pytest.raises(UserError, match="JAX_NUM_PROCESSES: given 'two'; allowed: a whole number"):
        processes.join()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


FLAGS = [
    *("--preset", "tiny", "--env.preset", "mini", "--agent.num-groups", "2", "--checkpoint-seconds", "0"),
    *("--evaluation.every", "1", "--evaluation.episodes", "2", "--evaluation.final-episodes", "2"),
    *("--total-steps", "1536"),
]


def together(folder: Path, *flags: str) -> list[subprocess.Popen[str]]:
    """Start two processes that train with one device each."""
    address, started = f"localhost:{free_port()}", []
    for index in range(2):
        variables = {
            processes.COORDINATOR: address,
            processes.COUNT: "2",
            processes.INDEX: str(index),
        }
        own = [str(folder / "together"), str(folder / f"parameters-{index}.npz"), "--distributed", *flags]
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.train.machine.devices", "train", *own],
                cwd=ROOT,
                env=environment(1, **variables),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return started


def ended(started: list[subprocess.Popen[str]]) -> tuple[list[int], list[str]]:
    said = [process.communicate(timeout=500)[0] for process in started]
    return [process.returncode for process in started], said


def final_state(run: Path) -> Any:
    newest = checkpoint.newest(run / "checkpoints", lambda text: None)
    assert newest is not None and newest.step == 1536
    return checkpoint.restore(newest, start.make_program(load_config(run / "config.json"))[1].template)


@pytest.mark.slow
def test_two_processes_stop_go_on_and_end_as_one(tmp_path: Path) -> None:
    run = tmp_path / "together"
    started = together(tmp_path, *FLAGS, "--run-dir", str(run))
    while len(log.read(run / "metrics.jsonl")) < 1 and started[0].poll() is None:
        time.sleep(0.05)
    started[1].send_signal(signal.SIGINT)  # the one that does not write asks both to stop
    codes, said = ended(started)
    assert codes == [130, 130], said
    assert "everything is saved" in said[0] and "saved" not in said[1]
    step = log.read(run / "metrics.jsonl")[-1]["step"]
    assert 0 < step < 1536
    assert checkpoint.steps(run / "checkpoints")[-1] == step

    codes, said = ended(together(tmp_path, "--resume", str(run)))
    assert codes == [0, 0], said
    where = [str(tmp_path / "alone"), str(tmp_path / "alone.npz")]
    command = [
        sys.executable,
        "-m",
        "tests.train.machine.devices",
        "train",
        *where,
        *FLAGS,
        "--run-dir",
        where[0],
    ]
    subprocess.run(command, cwd=ROOT, env=environment(1), check=True, stdout=subprocess.DEVNULL)
    found = differences(final_state(run), final_state(tmp_path / "alone"))
    assert found["unequal"] == []
    assert found["farthest"] < ROUNDING
    assert [row["step"] for row in log.read(run / "metrics.jsonl")] == list(range(256, 1537, 256))

    by_hand = [dict(np.load(tmp_path / f"{name}.npz")) for name in ("parameters-0", "parameters-1", "alone")]
    for name, values in by_hand[0].items():
        np.testing.assert_array_equal(values, by_hand[1][name])  # the processes hold the same bits
        np.testing.assert_allclose(values, by_hand[2][name], rtol=1e-3, atol=ROUNDING)

    codes, said = ended(together(tmp_path, *FLAGS, "--run-dir", str(run)))  # it holds a run already
    assert codes == [2, 2], said
    assert "holds a run already" in said[0] and "process 0" in said[1]
