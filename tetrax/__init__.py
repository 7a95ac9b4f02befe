"""Tetris as one compiled program over thousands of boards, and agents trained on the same device.

>>> import jax, tetrax
>>> env = tetrax.make()
>>> state, timestep = env.reset(jax.random.key(0))
>>> state, timestep = env.step(state, 6)  # hard drop
>>> config = tetrax.configure("ppo", env=tetrax.make(actions="drop"))
>>> result = tetrax.train_agent(config, "runs/first")
>>> tetrax.show(tetrax.load("runs/first").play())
"""

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tetrax.agents.agent import Sight
    from tetrax.env.ascii import state_from_ascii
    from tetrax.env.contract import TimeStep
    from tetrax.env.tetris import EnvConfig, Tetris, make
    from tetrax.train.divergence import load_diverged
    from tetrax.train.folder.policy_io import load
    from tetrax.train.in_python import (
        configure,
        evaluate_policy,
        resume_agent,
        sweep_agents,
        train_agent,
        train_in_stages,
    )
    from tetrax.view.page import show

__all__ = [
    "EnvConfig",
    "Sight",
    "Tetris",
    "TimeStep",
    "__version__",
    "configure",
    "evaluate_policy",
    "load",
    "load_diverged",
    "make",
    "resume_agent",
    "show",
    "state_from_ascii",
    "sweep_agents",
    "train_agent",
    "train_in_stages",
]

# Imported at first use, so that `import tetrax` costs nothing that is not needed.
_HOME = {
    "make": "tetrax.env.tetris",
    "EnvConfig": "tetrax.env.tetris",
    "Tetris": "tetrax.env.tetris",
    "TimeStep": "tetrax.env.contract",
    "state_from_ascii": "tetrax.env.ascii",
    "load": "tetrax.train.folder.policy_io",
    "load_diverged": "tetrax.train.divergence",
    "configure": "tetrax.train.in_python",
    "train_agent": "tetrax.train.in_python",
    "train_in_stages": "tetrax.train.in_python",
    "resume_agent": "tetrax.train.in_python",
    "sweep_agents": "tetrax.train.in_python",
    "evaluate_policy": "tetrax.train.in_python",
    "Sight": "tetrax.agents.agent",
    "show": "tetrax.view.page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tetrax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _register() -> None:
    """Enter our environment among gymnasium's, where that is installed: it looks for no plugins itself."""
    if importlib.util.find_spec("gymnasium") is not None:
        from tetrax.adapters.registration import register

        register()


if sys.argv[:1] == ["-m"]:  # Python is looking for the command that `python -m tetrax.…` names
    from tetrax.fields import errors
    from tetrax.system import compiler_messages, streams

    errors.stop_in_one_line()
    streams.fill_closed()
    compiler_messages.hide()
_register()
