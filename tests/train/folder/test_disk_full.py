"""What the disk refuses ends a command in one line that names the file; nothing saved is lost, and it goes on later."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_disk import small_files
from tests.train.test_loop import Listener
from tests.train.test_resume import assert_same_run
from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.system import compilation_cache
from tetrax.train import __main__
from tetrax.train.folder import checkpoint, log, run_folder
from tetrax.train.loop import train
from tetrax.train.report import plots
from tetrax.train.report.metric_labels import Measures

TINY = ["ppo", "--preset", "tiny"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("n" * 300, "File name too long"),
        ("a/" + "n" * 300, "File name too long"),
        ("/proc/x", "No such file or directory"),
        ("file", "is a file"),
        ("file/run", "file is a file"),
        ("nowhere/run", "nowhere is a file"),  # a link to what is not there
    ],
)
def test_a_run_folder_that_cannot_be_made_is_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("nowhere").symlink_to("missing")
    assert __main__.main([*TINY, "--run-dir", given]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"error: --run-dir: given {given}") and reason in said.err
    with pytest.raises(UserError, match=reason):
        train(toy_config(), run_dir=given)
    assert names(tmp_path) == ["file", "nowhere"]


@pytest.mark.parametrize(
    "argv",
    [TINY, [*TINY, "--run-dir", "new/run"], ["sweep", *TINY, "--grid", "agent.learning_rate=1e-4,1e-3"]],
)
@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_working_folder_that_cannot_be_written_is_said_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    number: int,
) -> None:
    def refuse(path: Any, *_: Any) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "mkdir", refuse)
    assert __main__.main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --run-dir: given ") and os.strerror(number) in said
    assert said.count("\n") == 1 and names(tmp_path) == []


def test_a_full_disk_is_found_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tetrax.train.start.prepare", pytest.fail)
    with small_files(), pytest.raises(UserError, match=r"--run-dir: given .*File too large"):
        train(toy_config(), run_dir=tmp_path / "a" / "run")
    assert names(tmp_path) == []


def stop_early(folder: Path) -> None:
    """Train the first three chunks of the run."""
    train(toy_config(total_steps=96), run_dir=folder)
    for file in ("eval.json", "finished.json"):
        (folder / file).unlink(missing_ok=True)


@pytest.mark.parametrize(
    "place",
    [
        "metrics.jsonl",
        *(
            pytest.param(place, marks=pytest.mark.slow)
            for place in (".", "checkpoints", "plots", "config.json")
        ),
    ],
)
@pytest.mark.slow
def test_resuming_what_cannot_be_written_is_one_line_and_changes_nothing(
    tmp_path: Path, straight: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / "run"
    stop_early(folder)
    before = names(folder), (folder / "config.json").read_bytes(), (folder / "metrics.jsonl").read_bytes()
    monkeypatch.setattr("tetrax.train.start.prepare", pytest.fail)
    _open = Path.open

    def refuse(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        stands_for = {".": folder, "checkpoints": folder / place, "plots": folder / place}
        within = (
            path.parent == stands_for[place] if place in stands_for else path.name.startswith(f".tmp-{place}")
        )
        if "w" in mode and within:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return _open(path, mode, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(UserError) as error:
            train(toy_config(), run_dir=folder, resume=True)
    assert str(error.value).startswith(
        f"{folder / place}: Read-only file system (the newest checkpoint is of step 96"
    )
    assert f"--resume {folder})" in str(error.value)
    assert before == (
        names(folder),
        (folder / "config.json").read_bytes(),
        (folder / "metrics.jsonl").read_bytes(),
    )
    monkeypatch.undo()
    use_quick_games(monkeypatch.setattr)
    train(toy_config(), run_dir=folder, resume=True)
    assert_same_run(straight, folder, toy_config())


def fail(target: str, argument: int, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Let a function meet a full disk once it is called for the file of this name (0: the first argument)."""
    module, _, function = target.rpartition(".")

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        import importlib

        home = importlib.import_module(module)
        original = getattr(home, function)

        def full(*args: Any, **kwargs: Any) -> Any:
            if name in str(args[argument]):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*args, **kwargs)

        monkeypatch.setattr(home, function, full)

    return patch


@pytest.mark.parametrize(
    ("file", "patch"),
    [
        ("checkpoints/000000000160", fail("os.replace", 1, "000000000160")),
        pytest.param("policy", fail("os.replace", 1, "run/policy"), marks=pytest.mark.slow),
        pytest.param(
            "plots/learning_curve.png", fail("os.replace", 1, "learning_curve.png"), marks=pytest.mark.slow
        ),
        pytest.param("eval.json", fail("os.replace", 1, "eval.json"), marks=pytest.mark.slow),
        ("metrics.jsonl", fail("tetrax.system.disk.write_all", 1, '"step": 128,')),
    ],
    ids=["checkpoint", "policy", "curve", "evaluation", "metrics"],
)
def test_a_disk_that_is_full_in_the_middle_costs_only_time(
    tmp_path: Path,
    straight: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    patch: Callable[[pytest.MonkeyPatch], None],
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as within:
        patch(within)
        with pytest.raises(UserError) as error:
            train(toy_config(), run_dir=folder)
    assert f"{folder / file}: No space left on device (" in str(error.value)
    assert f"python -m tetrax.train --resume {folder}" in str(error.value)
    assert not list(folder.rglob(".tmp-*"))
    train(toy_config(), run_dir=folder, resume=True)
    assert_same_run(straight, folder, toy_config())


def test_orbax_on_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    import jax.numpy as jnp

    def save(step: int, size: int) -> None:
        checkpoint.save(tmp_path, step, {"a": jnp.arange(size) * 7919 % 104729}, config={}, host={})

    save(1, 10)
    with small_files(20_000), pytest.raises(OSError) as error:
        save(2, 100_000)
    assert str(error.value.filename).startswith(f"{tmp_path}/000000000002")
    assert "\n" not in str(error.value)
    assert checkpoint.steps(tmp_path) == [1] and names(tmp_path)[0] == "000000000001"
    save(2, 100_000)
    assert checkpoint.steps(tmp_path) == [1, 2]


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_log_on_a_full_disk_ends_in_an_error_and_no_wait(tmp_path: Path, tensorboard: bool) -> None:
    """TensorBoard's own writer would wait for ever for a thread that the first error ended."""
    path, events = tmp_path / "metrics.jsonl", tmp_path / "tensorboard"
    named = events if tensorboard else path
    with (
        small_files(2_000),
        pytest.raises(OSError, match=f"File too large: '{named}'"),
        log.MetricsLog(path, *([log.Events(events, 0)] if tensorboard else []), step=0) as metrics_log,
    ):
        for step in range(100):
            metrics_log.write({"step": step, "lines": 1.0, "return": 1.0})
            if tensorboard:
                metrics_log.sync()
    kept = len(log.read(path))
    assert 5 < kept < 100
    with log.MetricsLog(path, step=200) as metrics_log:
        metrics_log.write({"step": 200})
    assert len(log.read(path)) == kept + 1


def test_a_picture_on_a_full_disk_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "curve.png"
    plots.learning_curve([], path, "before", Measures("lines", "pieces"))
    before = path.read_bytes()
    with small_files(5_000), pytest.raises(OSError, match=f"File too large: '{path}'"):
        plots.learning_curve([], path, "after", Measures("lines", "pieces"))
    assert path.read_bytes() == before and names(tmp_path) == ["plots", "plots/curve.png"]


def test_a_history_that_was_cut_off_spoils_no_other_line(tmp_path: Path) -> None:
    folder = run_folder.RunFolder(tmp_path)
    run_folder.record_start(folder, 0, {})
    with folder.history.open("a") as file:
        file.write('{"time": "2026')
    run_folder.record_start(folder, 32, {})
    lines = folder.history.read_text().splitlines()
    assert len(lines) == 3 and lines[1] == '{"time": "2026' and '"step": 32' in lines[2]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks_trains_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(run_folder, "flock", flock)
    shown = Listener()
    assert train(toy_config(total_steps=32), run_dir=tmp_path / "run", display=shown).status == "finished"
    assert len(shown.notes) == 1 and "has no locks" in shown.notes[0]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_trains_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    shown = Listener()
    assert train(toy_config(total_steps=32), run_dir=tmp_path / "run", display=shown).status == "finished"
    assert len(shown.notes) == 1 and "fsync" in shown.notes[0]


def test_programs_that_cannot_be_kept_are_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation_cache, "_try", lambda folder: f"{folder}: Read-only file system")
    shown = Listener()
    ended = train(toy_config(total_steps=32), run_dir=tmp_path / "run", display=shown)
    assert ended.status == "finished"
    notes = [note for note in shown.notes if "compiled programs cannot be kept" in note]
    assert len(notes) == 1 and "Read-only file system" in notes[0]


def test_a_lock_that_fails_otherwise_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(run_folder, "flock", flock)
    with pytest.raises(
        UserError, match=r"run: Input/output error \(no checkpoint was saved yet; .* start again"
    ):
        train(toy_config(), run_dir=tmp_path / "run")


def test_without_fcntl_the_command_line_is_there(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from pathlib import Path\n"
        "from tetrax.train.__main__ import main\n"
        "from tetrax.train.folder import run_folder\n"
        "with run_folder.lock(run_folder.RunFolder(Path('.'))) as notices: print(notices)\n"
        "sys.exit(main(['ppo', '--seed', '-1']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert "has no locks" in done.stdout
    assert done.returncode == 2 and done.stderr.startswith("error: --seed"), done.stderr


def test_a_finished_run_that_cannot_be_written_says_so(
    tmp_path: Path, straight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has to be written there, so that nothing is tried."""
    folder = shutil.copytree(straight, tmp_path / "run")
    monkeypatch.setattr("tetrax.system.disk.try_writing", pytest.fail)
    monkeypatch.setattr(os, "replace", pytest.fail)
    assert train(toy_config(), run_dir=folder, resume=True).status == "finished"
