"""What the machine or a library says against going on is a line that tells what to do, wherever it comes up."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from tetrax.fields.errors import exit_code
from tetrax.fields.machine_errors import in_one_line
from tetrax.train import __main__ as train

ROOT = Path(__file__).parent.parent.parent


def ask_for_more_than_there_is(words):
    """Ask for four petabytes, which XLA refuses on a CPU as on a GPU."""
    jnp.zeros(2**50).block_until_ready()


def test_what_xla_says_of_memory_is_one_line(capsys):
    assert exit_code(ask_for_more_than_there_is, [], when_stopped="") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: out of memory (4503599627370496 bytes were asked for at once): lower ")
    assert "--agent.num-envs" in error and "--resume" in error and error.count("\n") == 1


def test_a_training_that_runs_out_of_memory_ends_in_one_line(monkeypatch, capsys, tmp_path):
    def fail(*args, **kwargs):
        raise RuntimeError(
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1.50GiB.\nBufferAssignment OOM Debugging.\n"
        )

    monkeypatch.setattr("tetrax.train.loop.train", fail)
    assert train.main(["--preset", "tiny", "--run-dir", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert (
        error.startswith("error: out of memory (1.50GiB were asked for at once)") and error.count("\n") == 1
    )


def test_python_and_numpy_run_out_of_memory_too():
    said = in_one_line(MemoryError("Unable to allocate 8.00 PiB for an array with shape (1,)"))
    assert said is not None and said.startswith("out of memory (8.00 PiB were asked for at once)")
    assert (in_one_line(MemoryError()) or "").startswith("out of memory: lower")


@pytest.mark.parametrize(
    "error", [RuntimeError("Internal"), AssertionError("a < b"), ValueError("RESOURCE_EXHAUSTED")]
)
def test_faults_of_ours_keep_their_traceback(error):
    assert in_one_line(error) is None
    with pytest.raises(type(error)):
        exit_code(lambda words: (_ for _ in ()).throw(error), [], when_stopped="")


@pytest.mark.parametrize(
    ("wanted", "says", "advises"),
    [
        ("nonsense", "(Backend 'nonsense' is not in the list of known backends: ['cpu'])", False),
        ("cuda,cpu", "(no such thing)", True),
    ],
)
def test_a_device_that_is_not_there(monkeypatch, wanted, says, advises):
    monkeypatch.setenv("JAX_PLATFORMS", wanted)
    name = wanted.split(",")[0]
    error = RuntimeError(
        f"Unable to initialize backend '{name}': {says.strip('()')}. (set JAX_PLATFORMS='' to automatically choose)"
    )
    said = in_one_line(error)
    assert said is not None
    assert said.startswith(
        f"JAX_PLATFORMS: given '{wanted}', but JAX finds no such device {says}; allowed: cpu, or"
    )
    assert ("pip install -e '.[cuda]'" in said) == advises


def command(program, **environment):
    return subprocess.run(
        [sys.executable, "-m", program, *("--preset", "tiny", "--run-dir", "nowhere/at/all")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is an NVIDIA GPU")
def test_a_gpu_that_is_asked_for_and_not_there():
    done = command("tetrax.train", JAX_PLATFORMS="cuda")
    assert done.returncode == 2
    assert done.stderr.startswith("error: JAX_PLATFORMS: given 'cuda', but JAX finds no such device")
    assert "pip install -e '.[cuda]'" in done.stderr and done.stderr.count("\n") == 1


def test_a_jaxlib_of_another_time_is_named_where_jax_is_imported(tmp_path):
    (tmp_path / "jaxlib").mkdir()
    (tmp_path / "jaxlib" / "__init__.py").touch()
    (tmp_path / "jaxlib" / "version.py").write_text('__version__ = "0.1.0"\n')
    done = command("tetrax.train", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: jax: jaxlib is version 0.1.0, but this version of jax requires")
    assert "brings those that fit" in done.stderr and done.stderr.count("\n") == 1
