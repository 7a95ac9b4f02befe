"""The variants of the ablation, and what each came to: a file of benchmarks/results/ablation."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import records
from tetrax.fields.errors import UserError

STEPS = 163_840  # environment steps of each variant and seed, besides the random ones before the first update
POINTS = 20  # of a curve: two make its last tenth
RESULTS = records.RESULTS / "ablation"
WHOLE, NONE = "all-parts", "no-parts"


def parts(steps: int) -> dict[str, dict[str, Any]]:
    """Return, for each part of the agent, the settings (fields of DQNConfig) that take it away.

    Without noise in the weights it explores by epsilon, which falls over the first fifth of the steps.
    """
    epsilon = {"epsilon_start": 1.0, "epsilon_final": 0.01, "epsilon_steps": float(steps // 5)}
    return {
        "double": {"double": False},
        "dueling": {"dueling": False},
        "prioritised-replay": {"prioritised": False},
        "n-step": {"n_step": 1},
        "distribution": {"distribution": "none"},
        "noise": {"noisy": False, **epsilon},
    }


def variants(steps: int) -> dict[str, dict[str, Any]]:
    """Return every variant, in the order they are trained in, and how its settings differ from the preset's."""
    taken_away = parts(steps)
    alone = {f"without-{part}": settings for part, settings in taken_away.items()}
    together = {name: value for settings in taken_away.values() for name, value in settings.items()}
    return {WHOLE: {}, **alone, NONE: together}


@dataclass(frozen=True)
class Result:
    """What one variant came to, and how anybody can get it again: a file of benchmarks/results/ablation."""

    name: str  # of the variant
    actions: str
    command: str
    machine: str
    date: str  # YYYY-MM-DD
    commit: str
    steps: int  # environment steps trained, of each seed
    warmup_steps: int  # random ones before these, of each seed
    seconds: float  # of training all seeds side by side, without compiling and evaluating
    seeds: list[
        dict[str, Any]
    ]  # each: "seed"; "points", [[step, lines, games], …]; "evaluation", of the greedy policy

    @property
    def file_name(self) -> str:
        """Return the name of its file."""
        return f"{self.actions}-{self.name}.json"


def to_text(kept: Result) -> str:
    """Return a result as the text of its file."""
    return json.dumps(dataclasses.asdict(kept), indent=1, allow_nan=False) + "\n"


def read(folder: Path = RESULTS) -> list[Result]:
    """Read what was kept: by action set, in the order of the variants."""
    order = list(variants(STEPS))
    found = [read_one(path) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: (one.actions, order.index(one.name)))


def read_one(path: Path) -> Result:
    """Read one file; UserError naming it where it is not what `run` wrote."""
    try:
        fields = json.loads(path.read_text())
        kept = Result(**fields)
        whole = [
            (seed["seed"], [(step, lines, games) for step, lines, games in seed["points"]],
             [seed["evaluation"][name] for name in ("games", "max_pieces", "capped", "lines")])
            for seed in kept.seeds
        ]  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: given no result ({error}); allowed: what benchmarks.ablation wrote"
        ) from None
    if not whole or kept.name not in variants(STEPS) or path.name != kept.file_name:
        raise UserError(
            f"{path}: given {kept.name!r} of {kept.actions!r} with {len(whole)} seeds; "
            f"allowed: ACTIONS-NAME.json with 1 seed or more, of {', '.join(variants(STEPS))}"
        )
    return kept
