"""The metrics of a run at Weights & Biases, where they are wanted; with WANDB_MODE=offline they stay in its folder."""

from __future__ import annotations

import secrets
from typing import Any

from tetrax.fields.errors import UserError, install, wrong
from tetrax.system import disk
from tetrax.train.config import TrainConfig, to_json
from tetrax.train.folder.log import Row
from tetrax.train.folder.run_folder import RunFolder

ID_FILE = "tetrax_id"  # a run that is resumed goes on under the same name


def check() -> None:
    """Raise UserError if Weights & Biases is wanted and not installed."""
    try:
        import wandb  # noqa: F401
    except ImportError:
        raise UserError(
            f"--wandb: given a project, but wandb is not installed; allowed: after {install('wandb')}"
        ) from None


class WandbLog:
    """A run at Weights & Biases, or its copy in the run's folder.

    Rows are drawn over their step. One that is logged again after a resume is there twice, with the same numbers: what
    was sent cannot be taken back.
    """

    def __init__(self, config: TrainConfig, folder: RunFolder, step: int) -> None:
        """Begin, or go on; UserError where the library refuses, for want of a key or a network."""
        check()
        import wandb

        del step  # what comes after it may have been sent already
        assert config.wandb is not None
        folder.wandb.mkdir(exist_ok=True)
        try:
            self._run: Any = wandb.init(
                project=config.wandb,
                dir=str(folder.root),
                id=_id(folder),
                name=folder.root.name,
                resume="allow",
                config=to_json(config),
                settings=wandb.Settings(console="off", silent=True, init_timeout=60),
            )
        except (wandb.Error, ValueError) as error:
            why = " ".join(str(error).split())[:200]
            allowed = f"after `wandb login`, or with WANDB_MODE=offline ({why})"
            raise wrong("--wandb", config.wandb, allowed) from None
        self._run.define_metric("*", step_metric="step")

    def write(self, row: Row) -> None:
        """Add the numbers of a row."""
        self._run.log({name: value for name, value in row.items() if isinstance(value, int | float)})

    def flush(self) -> None:
        """Nothing to wait for: the library writes in a process of its own."""

    def close(self) -> None:
        """Wait until all is written."""
        self._run.finish()


def _id(folder: RunFolder) -> str:
    """Return the run's name there, made once."""
    file = folder.wandb / ID_FILE
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        made = secrets.token_hex(8)
        disk.write_whole(file, made.encode())
        return made
