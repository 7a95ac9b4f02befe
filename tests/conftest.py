"""Strictness for every test: CPU, no silent rank promotion, in env and ops no silent dtype promotion."""

import gc
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

# Set before jax is first imported, and in the environment, so that subprocesses are held to the same.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
# Tests and their subprocesses share compiled programs; most are small, hence the low threshold.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(TESTS.parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as the commands set it, where JAX would set 1 for them
# Tests compile much and compute little: programs that are optimised less compile in a third of the time. Set
# XLA_FLAGS to nothing to test what users run, as CI does where tests compute much.
QUICKLY_COMPILED = [
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_parallel_codegen_split_count=1",
]
if (
    int(version("jaxlib").split(".")[1]) < 11
):  # newer ones have no other way to make code, and die of the flag
    QUICKLY_COMPILED += ["--xla_cpu_use_fusion_emitters=false"]
os.environ.setdefault("XLA_FLAGS", " ".join(QUICKLY_COMPILED))

import hypothesis  # noqa: E402
import jax  # noqa: E402

# Compilation makes the first example slow; that says nothing about the code under test.
hypothesis.settings.register_profile("tetrax", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("tetrax")


# The files that take longest, with the slow tests or without them, are begun first, so that all test processes end at
# about the same time.
LONGEST_FIRST = (
    "test_notebooks.py",
    "test_readme.py",
    "env/test_actions_locked_position.py",
    "agents/test_ppo.py",
    "test_pretrained.py",
    "train/test_dreamer_runs.py",
    "train/machine/test_devices.py",
    "train/test_versus_runs.py",
    "train/report/test_artifacts.py",
    "live/web/test_killed_under_watch.py",
    "live/bot/test_bot_games.py",
    "test_docs.py",
    "test_python_page.py",
    "train/sweep/test_sweep.py",
    "train/test_dqn_runs.py",
    "test_dream_cli.py",
    "benchmarks/test_ablation.py",
    "agents/test_dqn_learning.py",
    "env/game/test_against_reference.py",
    "env/game/test_future.py",
    "env/test_tetris.py",
    "train/test_other_games.py",
    "train/report/test_evaluate.py",
    "env/test_version.py",
    "env/test_wrappers.py",
    "env/game/test_tetrio_rounds.py",
    "env/game/test_game_properties.py",
    "train/folder/test_disk_full.py",
    "adapters/test_gymnasium_wrappers.py",
    "agents/test_cross_entropy.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files; the order within each of them stays."""
    order = {TESTS / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among what was imported: tracing makes much that lives on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True)
def strict_dtypes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Forbid implicit dtype promotion where the maths is ours alone."""
    folder = request.path.relative_to(TESTS).parts[0]
    if folder not in ("env", "view", "games", "adapters", "ops"):
        yield
        return
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def lenient() -> Iterator[None]:
    """Let other people's code promote types and ranks as jax does by itself."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
