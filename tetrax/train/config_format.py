"""The formats that `config.json` has had: what each had not yet, and what was meant where it says nothing."""

from __future__ import annotations

from typing import Any

VERSION = 6
# format -> the fields that it had not yet, with what was meant; those of a game are that game's alone
ADDED_SINCE: dict[int, dict[str, Any]] = {
    1: {"game": "tetris", "start_from": None, "evaluation.enough": None, "env.params": []},
    2: {"start_from": None, "evaluation.enough": None, "env.params": []},
    3: {},
    4: {},
    5: {},
}
# What formats up to 3 lack; of their runs nothing is recorded while they train.
SINCE_3: dict[str, Any] = {
    "wandb": None,
    "evaluation.record_every": 0,
    "watch": {"steps": False, "alerts": [], "alert_command": None},
}
# format -> what it and older ones lack of the settings of an algorithm: path -> what was meant
AGENT_SINCE: dict[int, dict[str, dict[str, Any]]] = {
    3: {"dreamer": {"planned_simulations": 0}},
    4: {
        "alphazero": {
            "form": "actions",
            "temperature": 0.1,
            "search.value_scale": 0.1,
            "search.rescale_values": True,
        },
        "beam-value": {"warmup_boards": 0},
        "dreamer": {"mirrored": False},
    },
    5: {"beam-value": {"candidates": 0, "candidate_boards": 12}},
}


def with_added(content: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the content of an older format with the fields that were added since."""
    grown = dict(content)
    added = {**ADDED_SINCE.get(version, {}), **(SINCE_3 if version <= 3 else {})}
    for path, value in added.items():
        owner, _, name = path.rpartition(".")
        is_of_game = owner == "env" and grown.get("game") != "tetris"
        if not owner:
            grown.setdefault(name, value)
        elif isinstance(grown.get(owner), dict) and not is_of_game:
            grown[owner] = {name: value, **grown[owner]}
    algorithm = grown.get("algorithm")
    if isinstance(algorithm, str) and isinstance(grown.get("agent"), dict):
        for since, settings in AGENT_SINCE.items():
            if version <= since:
                for path, value in settings.get(algorithm, {}).items():
                    grown["agent"] = _with_setting(grown["agent"], path.split("."), value)
    return grown


def _with_setting(content: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return settings with one that they lack; parts that are no settings stay as they are, to be refused by name."""
    first, *rest = path
    if not rest:
        return {first: value, **content}
    part = content.get(first)
    return {**content, first: _with_setting(part, rest, value)} if isinstance(part, dict) else content
