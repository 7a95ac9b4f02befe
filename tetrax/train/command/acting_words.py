"""Flags that decide how a policy acts: `--agent.NAME` of one that was learned, `--policy.NAME` of a baseline."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tetrax.fields.errors import UserError, hint, wrong
from tetrax.train.command import flags

if TYPE_CHECKING:
    from tetrax.agents.agent import Actor
    from tetrax.train.folder.policy_io import LoadedPolicy

AGENT = "agent."  # what the paths of an agent's settings begin with
POLICY = "policy."  # and those of a baseline's
ENDS = "placements"  # the setting by which an agent knows how long a game is


def types(argv: Sequence[str]) -> dict[str, Any]:
    """Return the types of the settings that only decide how a policy acts, if one is given.

    UserError for other settings of an agent: what is learned is learned.
    """
    flag_starts = (f"--{AGENT}", f"--{POLICY}")
    given = [word.partition("=")[0].replace("_", "-") for word in argv if word.startswith(flag_starts)]
    if not given:
        return {}
    from tetrax.agents import AGENTS
    from tetrax.agents.baselines import SETTINGS

    types: dict[str, Any] = {}
    for settings in SETTINGS.values():
        types |= {POLICY + name: hint for name, hint in typing.get_type_hints(settings).items()}
    for spec in AGENTS.values():
        hints = typing.get_type_hints(spec.config)
        types |= {AGENT + name: hints[name] for name in spec.acting}
    names = [flags.flag_name(path) for path in types]
    for flag in given:
        if flag not in names:
            alike = [name for name in names if name.split(".")[0] == flag.split(".")[0]]
            allowed = f"{', '.join(alike)}: a policy is as it was learned, but for how it acts"
            raise UserError(f"{flag}: given for a policy; allowed: {allowed}{hint(flag, alike)}")
    return types


def among(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values of flags that decide how a policy acts."""
    return {path: value for path, value in values.items() if path.startswith((AGENT, POLICY))}


def check(policy: str | None, acting: Mapping[str, Any]) -> None:
    """Raise a UserError for settings that the baseline does not have, or, without one, for those of baselines."""
    if not acting:
        return
    from tetrax.agents.baselines import SETTINGS

    own = () if policy not in SETTINGS else typing.get_type_hints(SETTINGS[policy])
    for path, value in acting.items():
        if policy is None and path.startswith(POLICY):
            named = [f"--policy {name}" for name in SETTINGS]
            raise wrong(flags.flag_name(path), value, f"nothing, without {' or '.join(named)}")
        if policy is not None and path.removeprefix(POLICY) not in own:
            raise wrong(flags.flag_name(path), value, f"nothing, with --policy {policy}")


def baseline(name: str, env: Any, acting: Mapping[str, Any]) -> Actor:
    """Return a baseline that acts as asked."""
    from tetrax.agents import baselines

    if name not in baselines.SETTINGS:
        return baselines.BASELINES[name](env)
    try:
        settings = baselines.SETTINGS[name](
            **{path.removeprefix(POLICY): value for path, value in acting.items()}
        )
    except ValueError as error:
        field, _, said = str(error).partition(": ")
        raise UserError(f"{flags.flag_name(POLICY + field)}: {said}") from None
    try:
        return baselines.BASELINES[name](env, settings)
    except ValueError as error:  # it plays other games
        raise UserError(f"--{error}") from None


def load(folder: str, acting: Mapping[str, Any]) -> LoadedPolicy:
    """Load the policy of a run or of an export that acts as asked."""
    from tetrax.train.folder import policy_io

    settings = {path.removeprefix(AGENT): value for path, value in acting.items()}
    try:
        return policy_io.load(folder, acting=settings)
    except UserError as error:
        path, _, said = str(error).partition(": ")
        if path not in acting:
            raise
        raise UserError(f"{flags.flag_name(path)}: {said}") from None


def load_endless(folder: str, acting: Mapping[str, Any]) -> LoadedPolicy:
    """Load a policy for games that nobody ends for its sake: one that knows of an end plays as if there were none."""
    from tetrax.agents import AGENTS

    loaded, ends = load(folder, acting), AGENT + ENDS
    if ends in acting or ENDS not in AGENTS[loaded.config.algorithm].acting:
        return loaded
    return load(folder, {**acting, ends: 0})
