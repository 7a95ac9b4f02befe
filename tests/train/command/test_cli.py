"""The training command line: what words come to, and that a wrong one is one line and touches nothing."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tetrax.env.tetris import ENV_PRESETS
from tetrax.train import __main__, presets
from tetrax.train.command import cli, flags
from tetrax.train.config import TrainConfig, to_json

REPOSITORY = Path(__file__).parents[3]
TINY = presets.find("ppo", "tiny")


def parsed(*argv: str) -> TrainConfig:
    request = cli.parse(argv)
    assert request is not None and not request.resume
    return request.config


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run, as far as the command line looks at one."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(to_json(TINY)))
    return folder


def test_ppo_is_meant_when_nothing_is_said() -> None:
    assert parsed() == parsed("ppo") == parsed("--algorithm", "ppo") == presets.find("ppo", "small")


def test_the_default_preset_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    request = cli.parse([])
    assert request is not None and request.notices[0].startswith("preset: small (the default on cpu")
    monkeypatch.setattr(cli.jax, "default_backend", lambda: "gpu")
    request = cli.parse([])
    assert request is not None and request.notices[0].startswith("preset: large (the default on gpu")
    assert request.config == presets.find("ppo", "large")
    assert parsed("--preset", "tiny") == TINY


def test_processes_are_joined_before_the_device_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(cli.processes, "join", lambda: order.append("join"))
    monkeypatch.setattr(cli.jax, "default_backend", lambda: order.append("device") or "cpu")
    assert parsed("--distributed") == parsed()
    assert order == ["join", "device", "device"]
    cli.parse(["--distributed", "--help"])
    assert order.count("join") == 1


def test_flags_go_over_the_preset() -> None:
    config = parsed(
        *[
            "ppo",
            "--preset",
            "tiny",
            "--seed",
            "3",
            "--num-seeds=2",
            "--total-steps",
            "1_000",
            "--tensorboard",
        ],
        *["--agent.num-envs", "4", "--agent.network.hidden", "8", "9", "--agent.learning_rate", "1e-4"],
        *["--env.rules.width", "8", "--env.rules.no-hold", "--checkpoint-seconds", "2.5"],
        *["--evaluation.every", "0"],
    )
    env = dataclasses.replace(TINY.env, rules=dataclasses.replace(TINY.env.rules, width=8, hold=False))
    network = dataclasses.replace(TINY.agent.network, hidden=(8, 9))
    agent = dataclasses.replace(TINY.agent, num_envs=4, network=network, learning_rate=1e-4)
    assert config == dataclasses.replace(
        TINY,
        seed=3,
        num_seeds=2,
        total_steps=1000,
        tensorboard=True,
        env=env,
        agent=agent,
        checkpoint_seconds=2.5,
        evaluation=dataclasses.replace(TINY.evaluation, every=0),
    )


def test_other_actions_bring_their_own_settings() -> None:
    direct = parsed("--preset", "small", "--env.actions", "direct")
    assert direct == presets.find("ppo", "small", "direct")
    assert direct.agent != parsed("--preset", "small").agent
    assert direct.env.view == "planes"
    boards = parsed("--preset", "small", "--env.observation", "afterstate_boards")
    assert boards == presets.find("ppo", "small", "drop", "afterstate_boards")
    over = parsed("--preset", "small", "--env.actions", "direct", "--agent.entropy", "0.5")
    assert over.agent == dataclasses.replace(direct.agent, entropy=0.5)


def test_env_preset_names_rules_alone() -> None:
    config = parsed("--preset", "tiny", "--env.preset", "mini", "--env.rules.height", "7")
    rules = dataclasses.replace(ENV_PRESETS["mini"].rules, height=7)
    assert config == dataclasses.replace(TINY, env=dataclasses.replace(TINY.env, preset="mini", rules=rules))
    assert len(parsed("--preset", "tiny", "--env.rules.pieces", "dominoes").env.rules.pieces) == 1


def test_a_config_file_gives_the_defaults(run: Path) -> None:
    file = str(run / "config.json")
    assert parsed("--config", file) == TINY
    assert parsed(f"--config={file}", "--seed", "9") == dataclasses.replace(TINY, seed=9)


def test_the_run_folder_is_the_one_named_or_a_new_one(tmp_path: Path) -> None:
    request = cli.parse(["--preset", "tiny", "--run-dir", str(tmp_path / "a" / "b")])
    assert request is not None and request.run_dir == tmp_path / "a" / "b"
    assert not (tmp_path / "a").exists()
    request = cli.parse(["--preset", "tiny", "--seed", "4"])
    assert request is not None
    assert str(request.run_dir).startswith("runs/ppo-guideline-drop-tiny-seed4-")


def test_rounding_up_to_whole_chunks_is_said() -> None:
    chunk = TINY.steps_per_chunk()
    request = cli.parse(["--preset", "tiny", "--total-steps", str(chunk + 1)])
    assert request is not None and request.config.total_steps == chunk + 1
    assert request.notices[1] == (
        f"total steps: {2 * chunk:,} ({chunk + 1:,} rounded up to whole chunks of {chunk:,})"
    )
    request = cli.parse(["--preset", "tiny", "--total-steps", str(2 * chunk)])
    assert request is not None and len(request.notices) == 1


def test_a_run_is_resumed_by_its_own_configuration(run: Path) -> None:
    request = cli.parse(["--resume", str(run)])
    assert request is not None and request.resume
    assert (request.config, request.run_dir) == (TINY, run)
    same = cli.parse(["ppo", "--resume", str(run), "--preset", "tiny", "--seed", "0"])
    assert same is not None and same.config == TINY
    request = cli.parse(
        [
            f"--resume={run}",
            "--total-steps",
            "9999",
            "--agent.learning-rate",
            "0.01",
            "--evaluation.every",
            "7",
        ]
    )
    assert request is not None
    assert request.config == dataclasses.replace(
        TINY,
        total_steps=9999,
        agent=dataclasses.replace(TINY.agent, learning_rate=0.01),
        evaluation=dataclasses.replace(TINY.evaluation, every=7),
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--agent.num-envs", "9"], ["--agent.num-envs", "given 9", "allowed: 8", "--agent.learning-rate"]),
        (["--seed", "1"], ["--seed", "given 1", "allowed: 0"]),
        (["--preset", "small"], ["--preset", "'small'", "'tiny'"]),
        (["--env.preset", "mini"], ["--env.preset", "'mini'", "'guideline'"]),
        (["--env.actions", "direct", "--env.observation", "auto"], ["--env.actions", "'direct'", "'drop'"]),
        (["--config", "RUN/config.json"], ["--config", "--resume"]),
        (["--run-dir", "elsewhere"], ["--run-dir", "elsewhere", "--resume"]),
        (["--total-steps", "-1"], ["--total-steps", "-1", "1 or more"]),
    ],
)
def test_resuming_refuses_what_would_be_another_run(
    argv: list[str], said: list[str], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("RUN", str(run)) for word in argv]
    refused(["--resume", str(run), *words], said, capsys)


def refused(argv: list[str], said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Check that the command answers with exit code 2 and one line that says all of `said`."""
    assert __main__.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    for words in said:
        assert words in captured.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--agent.num-env", "3"], ["--agent.num-env;", "did you mean --agent.num-envs?"]),
        (["--num-envs", "3"], ["--num-envs", "did you mean --agent.num-envs?"]),
        (["--learning-rate=3"], ["--learning-rate", "did you mean --agent.learning-rate?"]),
        (["--agent.lr", "3"], ["--agent.lr", "did you mean --agent.learning-rate?"]),
        (["-s", "3"], ["-s", "--help"]),
        (["ppa"], ["algorithm", "'ppa'", "did you mean 'ppo'"]),
        (["--algorithm", "sarsa"], ["algorithm", "'sarsa'", "allowed: "]),
        (["--seed", "3", "ppo"], ["'ppo'", "first word"]),
        (["--preset", "smal"], ["--preset", "'smal'", "tiny", "did you mean 'small'"]),
        (["--env.preset", "guidelines"], ["--env.preset", "'guidelines'", "did you mean 'guideline'"]),
        (
            ["--env.actions", "dorp"],
            ["--env.actions", "'dorp'", "chords, direct, drop", "did you mean 'drop'"],
        ),
        (["--env.rules.kicks", "SRS"], ["--env.rules.kicks", "'SRS'", "did you mean 'srs'"]),
        (["--env.rules.pieces", "domino"], ["--env.rules.pieces", "'domino'", "did you mean 'dominoes'"]),
        (["--agent.num-envs", "-5"], ["--agent.num-envs", "-5", "1 or more"]),
        (["--agent.num-envs", "0"], ["--agent.num-envs", "0", "1 or more"]),
        (["--agent.num-envs", "ten"], ["--agent.num-envs", "'ten'", "whole number"]),
        (["--agent.num-minibatches", "7"], ["--agent.num-minibatches", "7", "divisor"]),
        (["--agent.network.hidden", "8", "x"], ["--agent.network.hidden", "'x'", "whole number"]),
        (["--agent.network.hidden"], ["--agent.network.hidden", "no value"]),
        (["--agent.learning-rate", "nan"], ["--agent.learning-rate", "'nan'", "finite"]),
        (["--agent.discount", "1.5"], ["--agent.discount", "1.5", "0 to 1"]),
        (["--total-steps", "1e6"], ["--total-steps", "'1e6'", "did you mean 1000000?"]),
        (["--total-steps"], ["--total-steps", "no value"]),
        (["--seed", "-1"], ["--seed", "-1", "0 or more"]),
        (["--num-seeds", "0"], ["--num-seeds", "0", "1 or more"]),
        (["--tensorboard=yes"], ["--tensorboard", "'yes'", "switch"]),
        (["--tensorboard", "yes"], ["'yes'"]),
        (["--env.rules.width", "3"], ["--env.rules.width", "3", "4 or more", "'I'"]),
        (["--env.rules.height", "99"], ["--env.rules.height", "99", "2 to 28"]),
        (["--env.rules.preview", "7"], ["--env.rules.preview", "7", "0 to 6"]),
        (
            ["--env.actions", "direct", "--env.observation", "afterstate_boards"],
            ["--env.observation", "'afterstate_boards'", "planes"],
        ),
        (["--resume", "no/such/folder"], ["--resume", "no/such/folder", "does not exist"]),
        (["--resume", "folder"], ["--resume", "folder", "config.json"]),
        (["--resume", "notes.txt"], ["--resume", "notes.txt"]),
        (["--resume"], ["--resume", "no value"]),
        (["--config", "no/such/file.json"], ["no/such/file.json", "does not exist"]),
        (["--config", "notes.txt"], ["notes.txt", "not JSON"]),
        (["--config", "folder"], ["folder", "a folder"]),
        (["--run-dir", "notes.txt"], ["--run-dir", "notes.txt", "folder"]),
        (["--run-dir", "notes.txt/run"], ["--run-dir", "notes.txt/run", "is a file"]),
    ],
)
def test_a_wrong_word_is_one_line(
    argv: list[str],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    has_source = {"--preset", "--config", "--resume"} & set(argv)
    refused(argv if has_source else [*argv, "--preset", "tiny"], said, capsys)
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["folder", "notes.txt"]


def test_a_folder_with_a_run_is_not_overwritten(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "config.json").read_bytes()
    assert __main__.main(["--preset", "tiny", "--run-dir", str(run)]) == 2
    assert f"--resume {run}" in capsys.readouterr().err
    assert [entry.name for entry in run.iterdir()] == ["config.json"]
    assert (run / "config.json").read_bytes() == before


def test_a_config_with_another_field_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = to_json(TINY)
    document["agent"]["momentum"] = 0.9
    (run / "config.json").write_text(json.dumps(document))
    refused(["--config", str(run / "config.json")], ["agent.momentum", "unknown"], capsys)
    refused(["--resume", str(run)], ["agent.momentum", "unknown"], capsys)
    del document["agent"]["momentum"], document["agent"]["clip"]
    (run / "config.json").write_text(json.dumps(document))
    refused(["--config", str(run / "config.json")], ["agent.clip", "missing"], capsys)


def test_help_shows_every_field_with_its_meaning_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["ppo", "--help", "--preset", "tiny"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for path, kind in flags.field_types(TINY).items():
        assert f" {flags.flag_name(path)}" in shown
        if kind is bool:
            assert f" {flags.switch_off_name(path)}" in shown
    # And --run-dir, --resume, --config and --distributed:
    assert shown.count("(default: ") == len(flags.field_types(TINY)) + 4
    assert "Games played side by side. (default: 8)" in shown
    for word in ("--resume", "--config", "--run-dir", "tiny, small, large", "classic-10x10, attack-50, mini"):
        assert word in shown


def command(*argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, "-m", *argv]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("tetrax.train", "--agent.num-envz", "3"), "did you mean --agent.num-envs?"),
        (("tetrax.train", "ppo", "--env.rules.width", "2"), "--env.rules.width: given 2; allowed: 4 or more"),
        (("tetrax.evaluate", "absent"), "absent: given a folder that does not exist"),
    ],
)
def test_the_real_command_answers_in_one_line(argv: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = command(*argv, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_real_help(tmp_path: Path) -> None:
    done = command("tetrax.train", "--help", folder=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "--agent.num-envs" in done.stdout and "preset small" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--run-dir", ""], ["--run-dir: given ''; allowed: a name"]),  # not the working folder
        (["--resume="], ["--resume: given ''; allowed: a name"]),
        (["--config", ""], ["--config: given ''; allowed: a name"]),
        (
            ["sweep", "sweep", "--grid", "agent.clip=1"],
            ["'sweep'; allowed: ppo, dqn, dreamer, cross-entropy, alphazero, mappo, beam, beam-value (sweep is"],
        ),
        (["--env.actions", "chords", "--env.chords", "left", "left"], ["--env.chords[0]: given ('left', 'left')"]),
    ],
)  # fmt: skip
def test_words_that_name_nothing(
    argv: list[str],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(argv, said, capsys)
    assert list(tmp_path.iterdir()) == []
