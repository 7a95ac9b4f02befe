"""Where compiled programs are kept, and that a user's own settings of JAX's cache are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tetrax.adapters.views import make_view
from tetrax.system import compilation_cache
from tetrax.system.compilation_cache import FOLDER, ONLY_SLOW, SECONDS


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Leave JAX's settings as they are by themselves."""
    before = {name: getattr(jax.config, name) for name in (FOLDER, SECONDS)}
    try:
        for name in before:
            monkeypatch.delenv(name.upper(), raising=False)
        jax.config.update(FOLDER, None)
        jax.config.update(SECONDS, ONLY_SLOW)
        yield monkeypatch
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def settings() -> tuple[str | None, float]:
    return getattr(jax.config, FOLDER), getattr(jax.config, SECONDS)


def test_commands_keep_all_and_libraries_what_is_slow(unset: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unset.setenv("TETRAX_CACHE_DIR", str(tmp_path / "cache"))
    compilation_cache.enable_for_slow_programs()
    assert settings() == (str(tmp_path / "cache"), ONLY_SLOW)
    compilation_cache.enable()
    assert settings() == (str(tmp_path / "cache"), 0.0)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_adapter_does_it(unset: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unset.delenv("TETRAX_CACHE_DIR", raising=False)
    unset.setenv("XDG_CACHE_HOME", str(tmp_path))
    make_view("mini", "flat", {})
    assert settings() == (str(tmp_path / "tetrax" / "xla"), ONLY_SLOW)


def test_what_the_user_has_set_stays(unset: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unset.setenv("TETRAX_CACHE_DIR", str(tmp_path / "ours"))
    jax.config.update(FOLDER, str(tmp_path / "theirs"))
    jax.config.update(SECONDS, 7.0)
    compilation_cache.enable()
    assert settings() == (str(tmp_path / "theirs"), 7.0)
    jax.config.update(FOLDER, None)
    jax.config.update(SECONDS, ONLY_SLOW)
    unset.setenv(FOLDER.upper(), "")  # none, said in the environment
    unset.setenv(SECONDS.upper(), str(ONLY_SLOW))
    compilation_cache.enable()
    assert settings() == (None, ONLY_SLOW)
    assert list(tmp_path.rglob("*")) == [tmp_path / "theirs"]


def test_no_folder_is_no_cache_and_no_complaint(unset: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    unset.setenv("TETRAX_CACHE_DIR", "")
    assert compilation_cache.enable() is None  # as it was asked for
    for folder in ("", str(tmp_path / "file" / "cache"), str(tmp_path / ("x" * 300))):
        unset.setenv("TETRAX_CACHE_DIR", folder)
        compilation_cache.enable_for_slow_programs()
        assert getattr(jax.config, FOLDER) is None


def test_importing_and_making_environments_starts_no_backend(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    script = """
import gymnasium, jax, tetrax
before = jax.config.jax_compilation_cache_dir
gymnasium.make("tetrax/Tetris-v1", preset="mini")
from jax._src import xla_bridge
print(before, jax.config.jax_compilation_cache_dir, xla_bridge.backends_are_initialized())
"""
    variables = {name: value for name, value in os.environ.items() if name != FOLDER.upper()}
    variables["TETRAX_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split() == ["None", str(tmp_path), "False"], done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(unset: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours, whose place is a file; ours, without a home; and one that JAX was told of."""
    (tmp_path / "file").write_text("")
    below, said = str(tmp_path / "file" / "cache"), "compiled programs cannot be kept"
    unset.setenv("TETRAX_CACHE_DIR", below)
    notice = compilation_cache.enable()
    assert notice is not None and notice.startswith(said) and f"({below}: Not a directory)" in notice
    unset.delenv("TETRAX_CACHE_DIR")
    unset.setattr(compilation_cache, "_default_folder", Path("~nobody-here/cache").expanduser)
    notice = compilation_cache.enable()
    assert notice is not None and notice.startswith(said)
    jax.config.update(FOLDER, below)
    notice = compilation_cache.enable()
    assert notice is not None and f"({below}: Not a directory)" in notice


@pytest.mark.slow
def test_a_command_says_once_that_programs_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    variables = {**os.environ, FOLDER.upper(): str(tmp_path / "file" / "cache")}
    words = [sys.executable, "-m", "tetrax.perft", "I"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert done.stderr.startswith("compiled programs cannot be kept") and done.stderr.count("\n") == 1
