"""How much memory there is and what a training needs of it, by hand; what does not fit is refused before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.agents.chain import Chain
from tests.train.toy import toy_config
from tetrax.agents import dqn, ppo
from tetrax.fields.errors import UserError
from tetrax.networks.network_config import NetworkConfig
from tetrax.train import presets
from tetrax.train.config import TrainConfig
from tetrax.train.loop import train
from tetrax.train.machine import memory
from tetrax.train.machine.memory import Need
from tetrax.train.program import Program
from tetrax.train.report.display import SilentDisplay
from tetrax.train.sweep import sweep
from tetrax.train.sweep.sweep_members import Sweep

TINY = presets.find("ppo", "tiny", "direct")
NETWORK = NetworkConfig(hidden=(16,))


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_what_a_seed_needs(num_seeds: int) -> None:
    """The toy's state: three matrices of 3 x 4 floats, 8 contexts of 3 floats, 1 + 8 keys of 8 bytes, 3 numbers.

    144 + 96 + 72 + 12 = 324 bytes, all of which a checkpoint holds; a gradient like its policy (two of the matrices, 96
    bytes) comes to it. It tells of nothing else that it works with.
    """
    agent = toy_config().make_agent()
    program = Program(agent, chunk_iterations=1, num_seeds=num_seeds)
    need = memory.find_need(agent, program.template, num_seeds)
    assert (need.saved, need.total, need.replay) == (324, 420, 0)


def test_what_an_iteration_works_with() -> None:
    """Of each of the chain's games is seen: 5 floats and 2 legal moves, 22 bytes; hidden layers make 64 of it."""
    settings = ppo.PPOConfig(num_envs=8, num_steps=16, num_minibatches=2, network=NETWORK)
    # A rollout of 128 steps, and the minibatch of 64 that is learned from.
    assert ppo.make(settings, Chain()).find_working_bytes() == 128 * 22 + 64 * (22 + 64)
    rollouts = dqn.DQNConfig(num_envs=8, num_steps=16, num_minibatches=2, network=NETWORK)
    assert dqn.make(rollouts, Chain()).find_working_bytes() == 8 * (22 + 64) + 128 * 22
    kept = dataclasses.replace(rollouts, replay_capacity=1024, warmup_steps=256, batch_size=32)
    assert dqn.make(kept, Chain()).find_working_bytes() == 2 * 32 * (
        22 + 64
    )  # first and last step of a window


ROOM = 10 * 10**9  # of which nine tenths may be taken


@pytest.mark.parametrize(
    ("need", "num_seeds", "said"),
    [
        (Need(network=10**6, replay=0, games=2 * 10**10, saved=0), 1, "--agent.num-steps: given 16"),
        (Need(network=2 * 10**10, replay=0, games=1, saved=0), 1, r"--agent.network.hidden: given \[16\]"),
        (Need(network=10**6, replay=0, games=10**9, saved=0), 10, "--num-seeds: given 10"),
        # With the copy that a checkpoint is written from it is too much.
        (Need(network=10**6, replay=0, games=6 * 10**9, saved=5 * 10**9), 1, "--agent.num-steps: given 16"),
    ],
)
def test_a_refusal_names_what_there_is_and_what_to_lower(
    need: Need, num_seeds: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: ROOM)
    with pytest.raises(UserError, match=said) as error:
        memory.check(TINY, need, num_seeds)
    assert "9.0 GB, 90% of the free memory of the machine" in str(error.value)
    memory.check(TINY, need._replace(network=10**6, games=10**6, saved=10**6), num_seeds)


def test_what_is_not_saved_is_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: ROOM)
    need = Need(network=0, replay=6 * 10**9, games=0, saved=6 * 10**9)
    memory.check(TINY, need, 1, saves=False)
    with pytest.raises(UserError, match=r"needs about 12.0 GB at once \(replay 6.0 GB\)"):
        memory.check(TINY, need, 1)


def too_large() -> dict[str, TrainConfig]:
    """Return configurations that are in range and fit into no 10 GB."""
    wide = dataclasses.replace(TINY.agent, network=NetworkConfig(hidden=(65_536, 65_536)))
    some = dataclasses.replace(TINY.agent, num_envs=512)
    many = dataclasses.replace(TINY.agent, num_envs=2**24)
    found = {
        "--agent.network.hidden": dataclasses.replace(TINY, agent=wide),
        "--agent.num-envs": dataclasses.replace(TINY, agent=many),
        "--num-seeds": dataclasses.replace(TINY, agent=some, num_seeds=10_000),
        "--agent.num-candidates": presets.find("cross-entropy", "tiny"),
    }
    population = dataclasses.replace(found["--agent.num-candidates"].agent, num_candidates=2**22)
    found["--agent.num-candidates"] = dataclasses.replace(found["--agent.num-candidates"], agent=population)
    return {
        name: dataclasses.replace(config, env=presets.with_rules(config.env, "mini"))
        for name, config in found.items()
    }


@pytest.mark.parametrize("flag", too_large())
def test_what_does_not_fit_is_never_begun(flag: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: ROOM)
    monkeypatch.setattr(Program, "lower", lambda self: pytest.fail("it was about to be compiled"))
    with pytest.raises(UserError, match=f"{flag}: given .* needs about .* [GT]B at once .* 9.0 GB, 90%"):
        train(too_large()[flag], run_dir=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


class Notes(SilentDisplay):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_sweep_takes_as_many_members_as_the_container_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A member of the toy's needs 420 bytes: of 2,000 that the container has left, nine tenths hold four."""
    sizes: list[int] = []

    def compile_nothing(self: Program) -> None:
        sizes.append(self.num_seeds)
        raise UserError("enough is known")

    config = toy_config(num_seeds=2)
    points = tuple({"agent.learning_rate": rate} for rate in (0.1, 0.2, 0.3, 0.4))
    limited(monkeypatch, tmp_path, limit=3_000, used=1_000)
    monkeypatch.setattr(Program, "compile", compile_nothing)
    shown = Notes()
    with pytest.raises(UserError, match="enough is known"):
        sweep.run(Sweep(config, points, "lines"), run_dir=tmp_path / "run", display=shown)
    assert sizes == [4]
    assert shown.notes == ["8 members need 3.4 kB, there are 1.8 kB: at most 4 at once"]
    with pytest.raises(
        UserError, match=r"--members-at-once: given 6, which need about 2.5 kB; allowed: up to 4,"
    ):
        sweep.run(Sweep(config, points, "lines", members_at_once=6), run_dir=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(
        UserError, match="--num-seeds: given 4 points with 5000 seeds each; allowed: up to 10000"
    ):
        Sweep(dataclasses.replace(config, num_seeds=5_000), points, "lines")


def limited(monkeypatch: pytest.MonkeyPatch, root: Path, *, limit: int, used: int) -> Path:
    """Let this process be in a control group of version 2 with such a limit; return the group's folder."""
    groups, own, meminfo = root / "groups", root / "own", root / "meminfo"
    (groups / "job" / "step").mkdir(parents=True)
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    own.write_text("4:memory:/elsewhere\n0::/job/step\n")
    (groups / "job" / "memory.max").write_text(f"{limit}\n")
    (groups / "job" / "memory.current").write_text(f"{used}\n")
    (groups / "job" / "step" / "memory.max").write_text("max\n")
    for name, path in (("GROUPS", groups), ("OWN_GROUPS", own), ("MEMINFO", meminfo)):
        monkeypatch.setattr(memory, name, path)
    return groups


def test_the_limit_of_a_control_group_counts_without_what_it_uses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    groups = limited(monkeypatch, tmp_path, limit=3_000_000, used=1_000_000)
    assert memory.machine_bytes() == 2_000_000  # of the group around ours, which has no limit of its own
    assert memory.program_bytes() == 1_800_000  # a CPU has no memory of its own
    # Files that have been read count as used, and are forgotten when memory is short.
    (groups / "job" / "memory.stat").write_text("anon 500000\ninactive_file 400000\n")
    assert memory.machine_bytes() == 2_400_000
    # Version 1, as seen from inside a container: its path is that outside, its files lie at the root.
    (groups / "memory").mkdir()
    (groups / "memory" / "memory.limit_in_bytes").write_text("1500000\n")
    (groups / "memory" / "memory.usage_in_bytes").write_text("900000\n")
    assert memory.machine_bytes() == 600_000
    for limit in groups.rglob("memory.*"):
        limit.unlink()
    assert memory.machine_bytes() == 4000 * 1024


def test_a_device_with_memory_of_its_own_is_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        platform = "gpu"

        def __init__(self, limit: int) -> None:
            self._limit = limit

        def memory_stats(self) -> dict[str, int]:
            return {"bytes_limit": self._limit, "bytes_in_use": 1_000}

    monkeypatch.setattr(memory.jax, "local_devices", lambda: [Device(11_000), Device(21_000)])
    monkeypatch.setattr(memory.jax, "device_count", lambda: 2)
    assert memory.program_bytes() == 9_000  # nine tenths of what is free on the first
    assert memory.device_bytes() == 30_000
    need = Need(network=0, replay=0, games=27_000, saved=0)
    memory.check(TINY, need, 1)
    with pytest.raises(UserError, match=r"27\.0 kB, 90% of the free memory of the devices"):
        memory.check(TINY, need._replace(games=27_001), 1)


def test_memory_is_readable_and_found() -> None:
    assert [memory.readable(size) for size in (999, 72_940_000, 3 * 10**9)] == [
        "999 bytes",
        "72.9 MB",
        "3.0 GB",
    ]
    found = memory.machine_bytes()
    assert found is None or 10**8 < found < 10**14
