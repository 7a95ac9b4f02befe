"""Who is compared with tetrax, the virtual environments they live in, and their processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.workers import protocol
from benchmarks.workers.stopwatch import Learned, Played

OLD_JAX = "0.5.3"  # both JAX peers run on it; Tetris Gymnasium refuses 0.6 and later
INSTALL_SECONDS = 900  # after which an installation is given up


@dataclass(frozen=True)
class Installation:
    """A virtual environment: what is in it, by name and version."""

    name: str
    packages: tuple[tuple[str, str], ...]  # name, version
    uses_jax: bool
    jax: str = OLD_JAX  # version of it, where it is used

    def requirements(self, on_gpu: bool) -> list[str]:
        """Return what pip is asked for."""
        wanted = [f"{name}=={version}" for name, version in self.packages]
        if self.uses_jax:
            wanted.append(f"jax[cuda12]=={self.jax}" if on_gpu else f"jax=={self.jax}")
        return wanted

    def folder(self, environments: Path, on_gpu: bool) -> Path:
        """Return where the environment is kept."""
        jax = f"-jax-{self.jax}{'-cuda12' if on_gpu else ''}" if self.uses_jax else ""
        return environments / f"{self.name}-{self.packages[0][1]}{jax}"


JUMANJI = Installation("jumanji", (("jumanji", "1.1.2"),), True)
TETRIS_GYMNASIUM = Installation("tetris-gymnasium", (("tetris-gymnasium", "0.3.1"),), True)
# gym is not maintained any more and works with NumPy 1 only.
SIMPLE_TETRIS = Installation(
    "gym-simpletetris", (("gym-simpletetris", "0.4.0"), ("gym", "0.26.2"), ("numpy", "1.26.4")), False
)
# What the published DreamerV3 imports when it learns; its own code is a checkout. With the version of JAX that it asks
# for, 0.4.33, it took 1.15 times the CPU time.
OFFICIAL_DREAMER = Installation(
    "dreamerv3",
    (
        ("elements", "3.22.4"),
        ("ninjax", "3.6.3"),
        ("portal", "3.8.3"),
        ("granular", "0.24.2"),
        ("scope", "0.8.1"),
        ("einops", "0.8.2"),
        ("chex", "0.1.92"),
        ("optax", "0.2.8"),
        ("jaxtyping", "0.3.11"),
        ("ruamel.yaml", "0.19.1"),
        ("colored_traceback", "0.4.2"),
        ("tqdm", "4.70.1"),
        ("psutil", "7.2.2"),
    ),
    True,
    jax="0.9.2",
)


@dataclass(frozen=True)
class Peer:
    """Somebody to compare with."""

    installation: Installation
    module: str  # of benchmarks.workers
    words: tuple[str, ...]  # after the batch, where there is one
    batch: int | None  # boards side by side on a CPU; None = one game in plain Python
    places: bool  # whether a step places a whole piece
    plays: str  # what a step is, for the tables


PEERS: dict[str, Peer] = {
    "jumanji": Peer(JUMANJI, "jumanji_worker", (), 1024, True, "a placement, straight down"),
    "jumanji-gumbel": Peer(
        JUMANJI, "jumanji_worker", ("gumbel",), 1024, True, "the same, actions drawn by Gumbel noise"
    ),
    "tetris-gymnasium": Peer(
        TETRIS_GYMNASIUM, "tetris_gymnasium_worker", (), 4096, False, "a key, then gravity"
    ),
    "tetris-gymnasium-class": Peer(
        TETRIS_GYMNASIUM,
        "python_worker",
        ("tetris-gymnasium-class",),
        None,
        False,
        "a key, then gravity; plain Python",
    ),
    "gym-simpletetris": Peer(
        SIMPLE_TETRIS,
        "python_worker",
        ("gym-simpletetris",),
        None,
        False,
        "a key, then gravity; plain Python",
    ),
}
# Batches tried for the peers that run on JAX where there is an accelerator: the best one counts.
ACCELERATOR_BATCHES = (4096, 65_536, 262_144)


class Absent(Exception):
    """A contestant that cannot take part; the text is the reason, in one line."""


def default_environments() -> Path:
    """Return the folder of the virtual environments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tetrax" / "peers"


def environment(installation: Installation, environments: Path, on_gpu: bool) -> Path:
    """Return the Python of a peer's virtual environment, made now if it is not there; Absent if it cannot be."""
    folder = installation.folder(environments, on_gpu)
    python = folder / "bin" / "python"
    if _has(python, installation):
        return python
    print(f"installing {', '.join(installation.requirements(on_gpu))} into {folder}", flush=True)
    _do([sys.executable, "-m", "venv", str(folder)])
    wanted = installation.requirements(on_gpu)
    _do([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
    return python


def _has(python: Path, installation: Installation) -> bool:
    """Tell whether the packages are installed in the versions that are meant."""
    packages = list(installation.packages) + ([("jax", installation.jax)] if installation.uses_jax else [])
    checks = ", ".join(f"metadata.version({name!r}) == {version!r}" for name, version in packages)
    program = f"import sys; from importlib import metadata; sys.exit(not all([{checks}]))"
    if not python.exists():
        return False
    return subprocess.run([python, "-c", program], capture_output=True, check=False).returncode == 0


def _do(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(_last_line(str(error))) from None
    if done.returncode:
        raise Absent(_last_line(done.stderr or done.stdout))


def _last_line(text: str) -> str:
    """Return the line that tells most: pip's last error, or the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "error:"))]
    return (errors or lines or ["no reason was given"])[-1]


class Contestant:
    """A process that plays when it is asked to, and waits in between."""

    def __init__(self, name: str, python: Path, words: list[str]) -> None:
        """Start the process; `ready` waits until it has compiled its loop."""
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [str(python), "-m", *words],
            cwd=ROOT,
            env=_without_pythonpath(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        """Return what the process says of itself once it can play; Absent where it cannot."""
        return self._answer()

    def play(self, seconds: float) -> Played:
        """Let it play for some seconds."""
        return Played(**self._ask(seconds))

    def learn(self, seconds: float) -> Learned:
        """Let it learn for some seconds."""
        return Learned(**self._ask(seconds))

    def _ask(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are in the answer
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            document = protocol.read(line)
            if document is not None:
                return document
        self._process.wait()
        self._errors.seek(0)
        raise Absent(_last_line(self._errors.read()))


def _without_pythonpath(variables: Mapping[str, str]) -> dict[str, str]:
    """Keep the packages of this environment out of the others; the checkout is the working folder."""
    return {name: value for name, value in variables.items() if name != "PYTHONPATH"}
