"""Training and evaluating from Python: what the command line does, in a few calls. `tetrax` offers them by name.

What cannot work is one UserError, in the words of the command line where it has a flag for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from tetrax import games
from tetrax.env.tetris import EnvConfig
from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.system.disk import as_path
from tetrax.train import loop, presets
from tetrax.train.config import TrainConfig, agent_config_type, from_json, load_config, to_json
from tetrax.train.curriculum import curriculum
from tetrax.train.curriculum.curriculum import CurriculumResult, Stage
from tetrax.train.folder.policy_io import LoadedPolicy, load
from tetrax.train.folder.run_folder import RunFolder, open_existing
from tetrax.train.report import evaluation
from tetrax.train.report.display import Display, SilentDisplay, make_display
from tetrax.train.report.evaluation import EvalResult
from tetrax.train.report.rows import EVALUATION
from tetrax.train.run import Result
from tetrax.train.sweep import sweep, sweep_members, sweep_points
from tetrax.train.sweep.sweep_members import Sweep
from tetrax.train.sweep.sweep_report import SweepResult

if TYPE_CHECKING:
    import flax.linen as nn

    from tetrax.agents.agent import Actor

DEFAULT_PRESET = {"cpu": presets.CPU_PRESET}  # by backend; elsewhere the one for accelerators


def configure(
    algorithm: str = "ppo",
    preset: str | None = None,
    *,
    env: Any = "tetris",
    network: nn.Module | None = None,
    **settings: Any,
) -> TrainConfig:
    """Return the configuration of a training: a preset with an environment, a network and settings put over it.

    `preset` is "tiny", "small", "large" or another of the algorithm's; when not given, the one for this machine.
    `env` is what `tetrax.make` gives, or a word that --game takes, such as "cartpole". `network` is a flax module
    of one's own, see `tetrax.agents.ppo.make` and `tetrax.agents.dqn.make`. `settings` are fields of `TrainConfig`;
    those of `agent` and `evaluation` are dicts: `configure("ppo", total_steps=100_000, agent={"clip": 0.1})`.
    """
    agent_config_type(algorithm)
    preset = preset or DEFAULT_PRESET.get(jax.default_backend(), presets.ACCELERATOR_PRESET)
    for name in ("algorithm", "preset", "game", "env", "network"):
        if name in settings:
            raise wrong(name, settings[name], "an argument of configure")
    config = _put(_find(algorithm, preset, env), settings)
    return _checked(dataclasses.replace(config, network=network))


def train_agent(
    config: TrainConfig, run_dir: str | Path, *, quiet: bool = False, display: Display | None = None
) -> Result:
    """Train as configured in a new run folder, as `python -m tetrax.train` does, and return how it ended.

    Progress is shown as there: live in a terminal, a line now and then in a notebook, nothing if `quiet`, or by a
    `display` of one's own. Ctrl-C (in a notebook: interrupting the kernel) saves and stops. `tetrax.load(run_dir)` is
    the policy, `Result.evaluation` the content of eval.json.
    """
    return loop.train(_checked(config), run_dir=run_dir, display=_display(quiet, display))


def resume_agent(
    run_dir: str | Path,
    *,
    network: nn.Module | None = None,
    quiet: bool = False,
    display: Display | None = None,
    **settings: Any,
) -> Result:
    """Go on with a run from its newest checkpoint, as --resume does.

    A run with a network of one's own needs it again. `settings` are what may change: `total_steps`, the tunables in
    `agent={…}`, saving and evaluation.
    """
    stored = load_config(open_existing(Path(run_dir)).config)
    try:
        stored = stored.with_network(network)
    except ValueError as error:
        raise UserError(str(error)) from None
    config = _checked(_put(stored, settings))
    return loop.train(config, run_dir=run_dir, resume=True, display=_display(quiet, display))


def sweep_agents(
    config: TrainConfig,
    run_dir: str | Path,
    *,
    grid: Mapping[str, Sequence[float]] | None = None,
    random: Mapping[str, tuple[Any, ...]] | None = None,
    samples: int = 8,
    metric: str | None = None,
    halving: bool = False,
    quiet: bool = False,
    display: Display | None = None,
) -> SweepResult:
    """Train `config.num_seeds` seeds of every point as one program, and compare them: `python -m tetrax.train sweep`.

    `grid` has values by name, `{"agent.learning_rate": [1e-3, 3e-3]}`; `random` has ranges, of each of which `samples`
    numbers are drawn: `{"agent.entropy": (1e-4, 1e-2, "log")}`. Points are ranked by `metric`, such as "lines" or
    "eval/lines"; when not given, by the evaluation at the end, or by training where there is none.
    """
    checked = _checked(config)
    sweep_members.check_beginning(checked)
    points = sweep_points.read(
        checked,
        [f"{name}={','.join(map(str, values))}" for name, values in (grid or {}).items()],
        [f"{name}={':'.join(map(str, bounds))}" for name, bounds in (random or {}).items()],
        samples,
        checked.seed,
    )
    measures = checked.make_env().spec.measures
    known = [*measures, *(EVALUATION + name for name in measures if checked.evaluation.final_episodes)]
    metric = metric or (EVALUATION + measures[0] if checked.evaluation.final_episodes else measures[0])
    if metric not in known:
        raise wrong_name("metric", metric, known)
    from_folder = (
        "--config",
        str(RunFolder(Path(run_dir)).config),
    )  # how the command line gets the configuration
    asked = Sweep(checked, points, metric, halving=halving, command=from_folder)
    return sweep.run(asked, run_dir=run_dir, display=_display(quiet, display))


def train_in_stages(
    configs: Sequence[TrainConfig], run_dir: str | Path, *, resume: bool = False, quiet: bool = False
) -> CurriculumResult:
    """Train one agent in several games, one after another: `python -m tetrax.train curriculum`.

    Each configuration is a run in a folder of its own in `run_dir`, which begins with the parameters of the one
    before, as far as they fit (with several seeds: those of the best in its newest evaluation while training), and ends
    by its `evaluation.enough` or its steps.
    `resume` goes on with the same stages where they were stopped.
    """
    root = as_path(run_dir, "run_dir")
    stages = [Stage(_checked(config).title, config) for config in configs]
    if not resume:
        curriculum.create(stages, root)
    elif [to_json(stage.config) for stage in curriculum.read(root)] != [to_json(each) for each in configs]:
        raise UserError(
            f"configs: given others than those that {root} began with; allowed: the same, with resume"
        )
    return curriculum.run(stages, root, lambda: _display(quiet, None))


def evaluate_policy(
    policy: LoadedPolicy | Actor | str | Path,
    env: Any = None,
    *,
    episodes: int = 256,
    seed: int = 0,
    max_pieces: int | None = None,
    greedy: bool = True,
    record: bool = False,
) -> EvalResult:
    """Play whole games, as `python -m tetrax.evaluate` does, and count what they come to.

    `policy` is a loaded one, or the folder of one, which plays the environment that it was trained in; or an `Actor`
    such as a baseline, with the `env` that it plays. Game i is the same whatever the number of games. `max_pieces`
    (in games without pieces: steps) is a cap, 0 none; when not given, 5,000 where games may go on for ever, else none.
    `record` keeps the best game for `tetrax.train.report.evaluation.recording_of_best`.
    """
    if isinstance(policy, str | Path):
        policy = load(policy)
    if isinstance(policy, LoadedPolicy):
        if env is not None:
            raise UserError(
                "env: given one with a trained policy; allowed: none, it plays the one it was trained in"
            )
        env, policy = policy.env, policy.actor
    elif env is None:
        raise UserError("env: given none with an Actor; allowed: the environment that it plays")
    return evaluation.evaluate(
        env,
        policy,
        episodes=episodes,
        seed=seed,
        max_pieces=evaluation.default_cap(env.spec) if max_pieces is None else max_pieces,
        greedy=greedy,
        record=record,
    )


def _find(algorithm: str, preset: str, env: Any) -> TrainConfig:
    """Find the preset for an environment, and put it in."""
    if isinstance(env, str):
        try:
            named = games.find(env)
        except ValueError as error:
            raise UserError(str(error)) from None
        return presets.find(algorithm, preset, game=named.game, env=named.config)
    config = env.config if hasattr(env, "config") else None
    if not isinstance(config, EnvConfig):
        allowed = (
            "what tetrax.make gives, or a word that --game takes; other games by the agent's own functions"
        )
        raise UserError(f"env: given {env!r}; allowed: {allowed}")
    found = presets.find(algorithm, preset, actions=config.actions, observation=config.view)
    return dataclasses.replace(found, env=config)


def _put(config: TrainConfig, settings: Mapping[str, Any]) -> TrainConfig:
    """Put settings over a configuration: what its JSON allows, and types as strictly."""
    env, network = config.env, config.network
    document = to_json(dataclasses.replace(config, env=games.GAMES[config.game].config(), network=None))
    _put_over(document, settings, "")
    try:
        changed = from_json(document, "settings")
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    return dataclasses.replace(changed, env=env, network=network)


def _put_over(document: dict[str, Any], settings: Mapping[str, Any], path: str) -> None:
    for name, value in settings.items():
        if name not in document or name == "format":
            raise wrong_name(
                f"{path or 'settings'}", name, [known for known in document if known != "format"]
            )
        if isinstance(value, Mapping) and isinstance(document[name], dict):
            _put_over(document[name], value, f"{path}.{name}" if path else name)
        else:
            document[name] = list(value) if isinstance(value, tuple) else value


def _checked(config: TrainConfig) -> TrainConfig:
    """Return the configuration; UserError unless it can be made, and be written to a run folder."""
    if not isinstance(config, TrainConfig):
        raise UserError(f"config: given {config!r}; allowed: a TrainConfig, as tetrax.configure makes")
    config.validate()
    try:
        to_json(config)
    except ValueError as error:
        raise UserError(str(error)) from None
    return config


def _display(quiet: bool, display: Display | None) -> Display:
    if quiet:
        return SilentDisplay()
    return make_display() if display is None else display
