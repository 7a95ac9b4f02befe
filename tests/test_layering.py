"""Imports run one way through the house; read from the source, so that lazy imports count as well."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TETRAX = Path(__file__).parent.parent / "tetrax"

# From the ground up: a room may import from those before it. A module belongs to the longest name that fits;
# what belongs to "tetrax" alone is the face of the package and its entries.
ORDER = (
    "tetrax.fields",
    "tetrax.system",
    "tetrax.env.game",
    "tetrax.env.game.reach",
    "tetrax.env",
    "tetrax.games",
    "tetrax.view",
    "tetrax.adapters",
    "tetrax.ops",
    "tetrax.networks",
    "tetrax.world_model",
    "tetrax.search",
    "tetrax.agents",
    "tetrax.train",
    "tetrax.live",
    "tetrax",
)
ROOMS = {room: set(ORDER[:index]) for index, room in enumerate(ORDER)}
# `ops` knows no game; the game, and what the settings are written with, know nothing else.
GAMES = {
    "tetrax.env.game",
    "tetrax.env.game.reach",
    "tetrax.env",
    "tetrax.games",
    "tetrax.view",
    "tetrax.adapters",
}
ROOMS["tetrax.ops"] -= GAMES
ROOMS["tetrax.env.game"] -= {"tetrax.fields", "tetrax.system"}
ROOMS["tetrax.env.game.reach"] -= {"tetrax.fields", "tetrax.system"}

# The game knows nothing of learning.
GAME_LIBRARIES = {"jax", "numpy", "chex", "jaxtyping", "flax.struct"}
# The core dependencies; any other library is an extra and is imported where it is used, inside a function.
CORE_LIBRARIES = {
    "jax", "flax", "optax", "mctx", "chex", "orbax", "numpy", "jaxtyping", "tyro", "rich", "matplotlib", "PIL",
}  # fmt: skip
# An adapter's module is imported by those who have the library it adapts to, and the web's by those who have a server.
ADAPTERS = ("tetrax.adapters", "tetrax.games.from_", "tetrax.live.web")
ADAPTED = {"gymnax", "gymnasium", "pettingzoo", "starlette", "uvicorn"}
# What agents share; every other module or package in tetrax/agents is one algorithm.
SHARED_BY_AGENTS = {
    "tetrax.agents",
    "tetrax.agents.agent",
    "tetrax.agents.episodes",
    "tetrax.agents.kept_games",
    "tetrax.agents.checks",
    "tetrax.agents.sizes",
}


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    if module.endswith(".__main__"):  # an entry, wherever its command has its name from
        return "tetrax"
    fitting = [room for room in ROOMS if module == room or module.startswith(room + ".")]
    return max(fitting, key=len)


def imports(path: Path, root: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield every imported module by its whole name, its line, and whether it is imported with the file."""
    tree = ast.parse(path.read_text())
    name = module_name(path, root)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
            # `from a import b` may name a module or something in one: the longer name says more.
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield target, node.lineno, id(node) not in inner


def real_module(target: str, root: Path) -> str:
    """Drop the last word of `tetrax.a.b` when b is a thing inside a and not a module."""
    path = root.parent.joinpath(*target.split("."))
    is_module = path.is_dir() or path.with_suffix(".py").is_file()
    return target if is_module else target.rpartition(".")[0]


def wrong(module: str, target: str, at_load: bool, root: Path) -> str | None:
    """Say what is wrong with an import, if anything."""
    library = target.split(".")[0]
    if library != "tetrax":
        if library in sys.stdlib_module_names:
            return None
        if room_of(module) in ("tetrax.env.game", "tetrax.env.game.reach"):
            known = any(target == name or target.startswith(name + ".") for name in GAME_LIBRARIES)
            return None if known else f"the game does not use {target}"
        known = CORE_LIBRARIES | (ADAPTED if module.startswith(ADAPTERS) else set())
        return f"{library} is no core dependency" if at_load and library not in known else None
    target = real_module(target, root)
    if at_load and target.startswith(ADAPTERS) and not module.startswith(ADAPTERS):
        return "adapters are imported lazily"
    here, there = room_of(module), room_of(target)
    if here != there and there not in ROOMS[here]:
        return f"{here} does not look at {target}"
    is_agent = module.startswith("tetrax.agents.") and target.startswith("tetrax.agents.")
    if is_agent and module.split(".")[2] != target.split(".")[2] and target not in SHARED_BY_AGENTS:
        return f"no agent looks at another, here {target}"
    return None


def violations(root: Path) -> list[str]:
    found = []
    for path in sorted(root.rglob("*.py")):
        module = module_name(path, root)
        for target, line, at_load in imports(path, root):
            fault = wrong(module, target, at_load, root)
            if fault:
                found.append(f"{path.relative_to(root.parent)}:{line}: {fault}")
    return found


def test_imports_run_one_way():
    assert violations(TETRAX) == []


def import_graph(root: Path) -> dict[str, set[str]]:
    """Return which of our modules each one imports, lazily too."""
    ours = f"{root.name}."
    graph: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        module = module_name(path, root)
        targets = {
            real_module(target, root) for target, _, _ in imports(path, root) if target.startswith(ours)
        }
        graph[module] = targets - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that import each other, by repeatedly dropping what imports or is imported by none."""
    left = {module: {target for target in targets if target in graph} for module, targets in graph.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        free = {module for module, targets in left.items() if not targets or module not in imported}
        if not free:
            return [sorted(left)] if left else []
        left = {module: targets - free for module, targets in left.items() if module not in free}


@pytest.mark.parametrize("root", [TETRAX, TETRAX.parent / "benchmarks"], ids=lambda root: root.name)
def test_no_files_import_each_other_in_a_circle(root):
    graph = import_graph(root)
    assert len(graph) > 15 and any(graph.values())
    assert circles(graph) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_a_name_stands_once_in_the_house():
    names = [path.stem for path in TETRAX.rglob("*.py") if not path.stem.startswith("__")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_learners_ask_no_game_which_it_is():
    """No `isinstance(env, Tetris)` and no measure by name: what a game comes to is in its spec."""
    found = []
    for room in ("networks", "agents", "train"):
        for path in sorted((TETRAX / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                asks = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
                if asks and "Tetris" in ast.unparse(node):
                    found.append(f"{path}:{node.lineno}")
                names = isinstance(node, ast.Constant) and node.value in ("lines", "eval/lines")
                if names or (isinstance(node, ast.Attribute) and node.attr == "lines"):
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_every_folder_is_a_room():
    folders = {f"tetrax.{path.parent.name}" for path in TETRAX.glob("*/__init__.py")}
    assert folders <= ROOMS.keys()
    assert "tetrax.env" in folders


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "tetrax"


HOUSE = {
    "tetrax/__init__.py": "",
    "tetrax/env/__init__.py": "",
    "tetrax/env/tetris.py": "from tetrax.env.game.engine import tick\nfrom .game import engine",
    "tetrax/adapters/gymnax.py": "import gymnax\nfrom tetrax.env import tetris",
    "tetrax/env/game/__init__.py": "",
    "tetrax/env/game/engine.py": "import jax.numpy as jnp\nfrom flax import struct\nimport dataclasses",
    "tetrax/ops/__init__.py": "",
    "tetrax/ops/returns.py": "from tetrax.ops import distributions",
    "tetrax/ops/distributions.py": "",
    "tetrax/agents/__init__.py": "from tetrax.agents import ppo",
    "tetrax/agents/agent.py": "",
    "tetrax/agents/ppo.py": "from tetrax.agents.agent import Agent\nfrom tetrax.ops.returns import gae",
    "tetrax/agents/dqn/__init__.py": "from tetrax.agents.dqn.dqn_config import DQNConfig",
    "tetrax/agents/dqn/config.py": "from tetrax.agents.agent import Agent",
    "tetrax/train/__init__.py": "",
    "tetrax/train/loop.py": "from tetrax.agents import ppo\ndef f():\n    import tensorboardX",
    "tetrax/evaluate.py": "from tetrax.train import loop",
}


def test_a_house_in_order_has_no_violations(tmp_path):
    assert violations(plant(tmp_path, HOUSE)) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("env/game/engine.py", "from tetrax.env.tetris import Tetris", "does not look at tetrax.env.tetris"),
        ("env/game/engine.py", "from ..tetris import Tetris", "does not look at tetrax.env.tetris"),
        ("env/game/engine.py", "from .. import tetris", "does not look at tetrax.env.tetris"),
        ("env/game/engine.py", "import optax", "the game does not use optax"),
        ("env/game/engine.py", "import flax.linen as nn", "the game does not use flax.linen"),
        ("env/tetris.py", "import tetrax.ops.returns", "tetrax.env does not look at tetrax.ops.returns"),
        ("ops/returns.py", "from tetrax.env import tetris", "tetrax.ops does not look at tetrax.env.tetris"),
        (
            "ops/returns.py",
            "def f():\n    from tetrax.train import loop",
            "does not look at tetrax.train.loop",
        ),
        ("agents/ppo.py", "from tetrax.train.loop import train", "does not look at tetrax.train.loop"),
        ("agents/ppo.py", "from tetrax.agents import dqn", "no agent looks at another"),
        ("agents/ppo.py", "from tetrax.agents.dqn import DQNConfig", "no agent looks at another"),
        ("agents/ppo.py", "from tetrax.agents.dqn.dqn_config import DQNConfig", "no agent looks at another"),
        ("agents/dqn/config.py", "from tetrax.agents import ppo", "no agent looks at another"),
        (
            "train/loop.py",
            "from tetrax.evaluate import main",
            "tetrax.train does not look at tetrax.evaluate",
        ),
        ("train/loop.py", "import tensorboardX", "tensorboardX is no core dependency"),
        ("env/tetris.py", "import gymnasium", "gymnasium is no core dependency"),
        ("adapters/gymnax.py", "import evosax", "evosax is no core dependency"),
        ("train/loop.py", "from tetrax.adapters import gymnax", "adapters are imported lazily"),
    ],
)
def test_a_planted_violation_is_found(tmp_path, file, text, said):
    found = violations(plant(tmp_path, {**HOUSE, f"tetrax/{file}": text}))
    assert len(found) == 1
    assert found[0].startswith(f"tetrax/{file}:")
    assert said in found[0]
