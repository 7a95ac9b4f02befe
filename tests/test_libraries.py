"""The libraries that are admitted compute rightly, and the versions in our files agree."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tetrax.system import libraries

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
JAX = next(Requirement(line) for line in PROJECT["dependencies"] if Requirement(line).name == "jax").specifier


def test_sums_of_products_are_right_on_the_last_of_many_rows():
    """Jax 0.10.2 gives 1065369600 or another number (jax issue 39103)."""
    rows = jnp.stack([jnp.arange(32769.0), jnp.zeros(32769), jnp.zeros(32769)], axis=1)
    squares = jax.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))(rows)
    # The sum of squares of [i, 0, 0] is i * i; of the last row 32768 * 32768 = 1073741824, which float32 holds.
    assert squares[-1] == 1073741824
    np.testing.assert_array_equal(squares[:4096], np.arange(4096.0) ** 2)


def test_tables_written_into_a_program_are_read_right():
    """Jax 0.8.1 reads [1, 3, 5, 1, 3, 5] (jax issue 33479)."""
    table = jnp.asarray([[0, 1, 2, 3, 4, 5]] * 2)
    read = jax.jit(lambda: jax.vmap(lambda row: row[jnp.arange(6)])(table) + 1)()
    np.testing.assert_array_equal(read, [[1, 2, 3, 4, 5, 6]] * 2)


def test_shifts_are_right_where_the_shape_changes_after():
    """The way that CONTRIBUTING.md asks for; `x.at[1:].set(x[:-1])` reads its own output here (XLA issue 49176)."""
    numbers = np.arange(128, dtype=np.int32).reshape(8, 16)

    def shift(given):
        more = given + 1
        return jnp.concatenate([more[:1], more[:-1]]).reshape(1, 8, 16)

    expected = [row + 1 for row in (numbers[0], *numbers[:-1])]
    np.testing.assert_array_equal(jax.jit(shift)(numbers)[0], expected)


def test_versions_that_fail_are_not_admitted_and_are_named(monkeypatch):
    assert [version for version in libraries.FAULTS if version in JAX] == []
    left_out = {one.version for one in JAX if one.operator == "!="}
    assert left_out <= {*libraries.FAULTS}
    assert jax.__version__ in JAX
    assert libraries.faults() == ()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.10.2")
    (line,) = libraries.faults()
    assert re.search(r"jax 0\.10\.2 .*39103", line)


def test_plugins_that_do_not_fit_are_named(monkeypatch, tmp_path):
    versions = {"jax": jax.__version__, "jaxlib": "0.9.2", "jax-cuda12-plugin": "0.9.1"}

    def find(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", find)
    (line,) = libraries.faults()
    assert "jax-cuda12-plugin 0.9.1 does not fit jaxlib 0.9.2" in line and "pip install -e '.[cuda]'" in line
    versions["jax-cuda12-plugin"] = "0.9.2.post1"  # letters do not count, as JAX has it
    assert libraries.faults() == ()
    del versions["jax-cuda12-plugin"]
    monkeypatch.setattr(libraries, "GPU", tmp_path)  # there is one
    assert libraries.faults() == ()  # JAX_PLATFORMS is set
    monkeypatch.delenv("JAX_PLATFORMS")
    (line,) = libraries.faults()
    assert "does not use this machine's NVIDIA GPU" in line
    monkeypatch.setattr(libraries, "GPU", tmp_path / "nowhere")
    assert libraries.faults() == ()


def test_constraints_are_admitted():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(re.fullmatch(r"([\w.-]+)==(\S+)", line).groups() for line in lines)
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, asked):
        assert pinned[canonicalize_name(requirement.name)] in SpecifierSet(str(requirement.specifier))
