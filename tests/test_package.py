"""The wheel holds the package and nothing else, and runs where there is no checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import tetrax

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new environment's python; it has the wheel, and sees our dependencies but not our checkout."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    # A path file inside this folder would not be read from there, so an editable install stays behind.
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(paths)))
    return python


def test_wheel_holds_the_package_and_its_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "tetrax").rglob("*.py")}
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "tetrax" / "live" / "web" / "pages").iterdir()}
    assert sources | pages | {"tetrax/py.typed"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"tetrax", f"tetrax-{tetrax.__version__}.dist-info"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_cuda_is_an_extra(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    requirements = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist")
    cuda = [line for line in requirements if "cuda" in line]
    assert cuda
    assert all("extra == 'cuda'" in line.replace('"', "'") for line in cuda)


@pytest.mark.slow
def test_installed_package_plays(installed, tmp_path):
    program = (
        "import jax, tetrax; env = tetrax.make(actions='drop'); "
        "state, _ = env.reset(jax.random.key(0)); state, _ = env.step(state, 0); "
        "print(tetrax.__file__, state.pieces)"
    )
    file, pieces = run(installed, "-c", program, cwd=tmp_path).split()
    assert Path(file).is_relative_to(installed.parent.parent)
    assert pieces == "1"


@pytest.mark.parametrize("entry", ["tetrax.train", "tetrax.evaluate"])
def test_installed_entries_run(installed, tmp_path, entry):
    assert "--seed" in run(installed, "-m", entry, "--help", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
