"""What a run leaves for people: evaluations, the learning curve, the best game."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from tetrax.agents.agent import Actor
from tetrax.env.contract import Spec
from tetrax.env.record import Replay
from tetrax.games import recordings
from tetrax.train.config import whole_chunks
from tetrax.train.folder import checkpoint, files, log
from tetrax.train.folder.log import Row
from tetrax.train.report import account, attention_plot, dream_plot, plots, rows
from tetrax.train.report.display import Summary
from tetrax.train.report.evaluation import EvalResult, evaluate, pool, replay_of
from tetrax.train.report.metric_labels import Measures
from tetrax.train.report.plots import FinalEvaluation
from tetrax.train.run import DIVERGED, STOPPED, Progress, Run
from tetrax.view import render
from tetrax.world_model.dreams import Plan

Attend = Callable[[Any], Any]  # (what is seen, [1, ...]) -> AttentionWeights
PICTURES = (".txt", ".gif", ".html")  # what the best game is shown as, besides its recording
SEED = 0  # of every evaluation: the default of `python -m tetrax.evaluate`, which gives the same games


def evaluate_seeds(
    run: Run, state: Any, *, episodes: int, max_pieces: int, record: bool, record_all: bool = False
) -> list[EvalResult]:
    """Let the greedy policy of every seed play the same games."""
    agent, num_seeds, length = run.program.agent, run.program.num_seeds, run.env.spec.length
    results = []
    for index in range(num_seeds):
        which = f" seed {run.config.seed + index}" if num_seeds > 1 else ""

        def show(over: int, pieces: int, which: str = which) -> None:
            run.display.phase(f"evaluating{which}: {over} of {episodes} games over, {pieces:,} {length}")

        actor = Actor(run.program.policy(state, index), agent.initial_memory, agent.act)
        results.append(
            evaluate(
                run.env,
                actor,
                episodes=episodes,
                seed=SEED,
                max_pieces=max_pieces,
                record=record,
                record_all=record_all,
                on_progress=show,
            )
        )
    return results


def leading_seed(results: list[EvalResult]) -> int:
    """Return the index of the seed whose games come to most, the first of equals."""
    return int(np.argmax([result.mean for result in results]))


def finish(run: Run, state: Any, progress: Progress) -> dict[str, Any] | None:
    """Evaluate the final policy if that is wanted, draw the learning curve, and mark the run as finished, last.

    Returns the content of eval.json, None where no evaluation is wanted.
    """
    step = progress.chunks * run.program.steps_per_chunk
    document = None
    if run.config.evaluation.final_episodes:
        document = evaluate_at_end(run, state, step)
        look_into_model(run, state, progress)
    draw_learning_curve(run)
    files.write_json(run.folder.finished, {"step": step})
    return document


def evaluate_at_end(run: Run, state: Any, step: int) -> dict[str, Any]:
    """Evaluate the final policy, record its best game and write eval.json, whose content is returned."""
    settings = run.config.evaluation
    with run.phase("evaluating"):
        results = evaluate_seeds(
            run,
            state,
            episodes=settings.final_episodes,
            max_pieces=settings.final_max_pieces,
            record=recordings.has_recordings(run.env),
        )
    if recordings.has_recordings(run.env):
        with run.phase("recording the best game"):
            record_best(run, results)
    document = {"step": step, "seed": SEED, **pool(results).summary()}
    if len(results) > 1:
        document["per_seed"] = [result.summary() for result in results]
    files.write_json(run.folder.evaluation, document)
    return document


def is_recorded(run: Run, progress: Progress) -> bool:
    """Return whether games of the evaluation that is due now are kept as recordings."""
    settings = run.config.evaluation
    if not (settings.every and settings.record_every and recordings.has_recordings(run.env)):
        return False
    number = progress.chunks // whole_chunks(settings.every, run.program.steps_per_chunk)
    return number % settings.record_every == 0


def attention_of(run: Run, state: Any, progress: Progress) -> Attend | None:
    """Return what tells what the policy of the leading seed attends to; None where there is no attention."""
    agent = run.program.agent
    if agent.attend is None:
        return None
    return functools.partial(agent.attend, run.program.policy(state, progress.leading_seed))


def record_some(run: Run, result: EvalResult, step: int, attend: Attend | None = None) -> None:
    """Write the best, the median and the worst game of an evaluation as recordings, named by the step.

    Of the best one, halfway, what is attended to is drawn. What fails is said, and does not end the run.
    """
    ranking, folder = result.ranking, run.folder.recordings
    chosen = {"best": ranking[0], "median": ranking[len(ranking) // 2], "worst": ranking[-1]}
    try:
        with run.phase("recording games"):
            folder.mkdir(exist_ok=True)
            for name, number in chosen.items():
                replayed = replay_of(run.env, result, number)
                recordings.save(replayed.recording, folder / f"step-{step}-{name}.json")
                if name == "best" and attend is not None and isinstance(replayed, Replay):
                    _draw_attention(run, replayed, attend)
    except Exception as error:  # they are for people to look at: a full disk, memory
        why = " ".join(f"{type(error).__name__}: {error}".split())
        run.display.note(f"{folder}: games of step {step:,} are not recorded ({why})")


def _draw_attention(run: Run, replayed: Replay, attend: Attend) -> None:
    """Draw where the policy looks halfway through a game."""
    halfway = len(replayed.recording.actions) // 2
    state = jax.tree.map(lambda leaf: leaf[halfway], replayed.states)
    env = run.env
    seen = jax.jit(env.observe)(state, env.default_params)
    weights = jax.jit(attend)(jax.tree.map(lambda leaf: leaf[None], seen))
    one = jax.tree.map(lambda leaf: leaf[0], weights)
    settings = run.config.agent.network.attention
    attention_plot.attention_picture(seen, one, settings, env.rules, run.folder.attention)


def look_into_model(run: Run, state: Any, progress: Progress) -> Row:
    """Draw what the world model of the leading seed foresees beside the truth; return how near it comes, as metrics.

    Nothing for agents without such a model. What fails is said, and does not end the run.
    """
    agent = run.program.agent
    if agent.dream is None:
        return {}
    step, row = progress.chunks * run.program.steps_per_chunk, Row()
    try:
        with run.phase("looking into the model"):
            policy = run.program.policy(state, progress.leading_seed)
            dream, comparison = agent.dream(policy, jax.random.key(SEED, impl="threefry2x32"), Plan())
            row = rows.dream_metrics(comparison)
            title = f"{run.config.title}, step {step:,}"
            dream_plot.dream_picture(dream, comparison, run.env.spec, title, run.folder.dream)
    except Exception as error:  # it is for people to look at: a full disk, a font that is missing, memory
        why = " ".join(f"{type(error).__name__}: {error}".split())
        run.display.note(f"{run.folder.dream}: not drawn ({why})")
    return row


def draw_learning_curve(run: Run) -> None:
    """Draw what metrics.jsonl holds so far, and the evaluation at the end, once there is one."""
    with run.phase("drawing the learning curve"):
        logged = log.read(run.folder.metrics)
        final = _final(run)
        measures = Measures.of(run.env.spec)
        plots.learning_curve(logged, run.folder.learning_curve, run.config.title, measures, final)


def _final(run: Run) -> FinalEvaluation | None:
    """Return the evaluation at the end as it is drawn; None where there is none that can be read."""
    document, spec = run.folder.final_evaluation(), run.env.spec
    try:
        return None if document is None else FinalEvaluation.of(document, spec.measures, spec.length)
    except (KeyError, TypeError):  # of an earlier version, or somebody's own
        return None


def summarise(
    run: Run, status: str, headline: str, progress: Progress, evaluation: dict[str, Any] | None
) -> Summary:
    """Say what a run came to, where its results are and what to do with them."""
    folder, facts, commands = run.folder, {}, {}
    where = shlex.quote(str(folder.root))
    if evaluation is not None:
        facts["final evaluation"] = _in_words(run.env.spec, evaluation)
    if progress.best is not None:
        best = f"{progress.best:,.1f} {run.env.spec.headline} per game{_stopped(run, progress)}"
        facts["best while training"] = f"{best} at step {progress.best_step:,}"
    shown = {
        "learning curve": folder.learning_curve,
        "best game": folder.recordings / "best.html",
        "its recording": folder.recordings / "best.json",
        "what the model foresees": folder.dream,
        "where it looks": folder.attention,
    }
    facts |= {label: str(path) for label, path in shown.items() if path.exists()}
    facts |= account.time_spent(run.stopwatch)
    if status == STOPPED:
        commands["resume with"] = f"python -m tetrax.train --resume {where}"
    if status == DIVERGED:
        saved = checkpoint.steps(folder.checkpoints)
        facts["last good checkpoint"] = f"step {saved[-1]:,}" if saved else "none was saved before"
        if run.folder.diverged.is_dir():
            facts["the state before it"] = f"{run.folder.diverged} (tetrax.load_diverged reads it)"
        if saved:
            commands["go on from there with"] = (
                f"python -m tetrax.train --resume {where} --agent.learning-rate …"
            )
    if folder.policy.exists():
        commands["evaluate with"] = f"python -m tetrax.evaluate {where} --episodes 256"
    return Summary(headline, facts, commands)


def _stopped(run: Run, progress: Progress) -> str:
    """Say where the games of the best evaluation while training were stopped."""
    within = progress.best_within
    stop = Measures.of(run.env.spec).stop(run.config.evaluation.max_pieces if within is None else within)
    return f", evaluated {stop}," if stop else ""


def _in_words(spec: Spec, evaluation: dict[str, Any]) -> str:
    came_to, cap = evaluation[spec.headline], evaluation[f"max_{spec.length}"]
    low, high = came_to["ci95"]
    ended = f"{evaluation['capped']} not lost by {spec.length.removesuffix('s')} {cap:,}"
    if not spec.is_endless:
        ended = f"{evaluation['capped']} reached their limit of steps"
    return (
        f"{_number(came_to['mean'])} {spec.headline} per game (95% interval {_number(low)} to {_number(high)}) over "
        f"{evaluation['episodes']} games, from {_number(came_to['min'])} to {_number(came_to['max'])}; {ended}"
    )


def _number(value: float) -> str:
    """Write a number with one decimal, or with three digits where it is small; zero has no sign."""
    if value == round(value):
        return f"{value + 0.0:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def record_best(run: Run, results: list[EvalResult]) -> None:
    """Write the best game as a recording, as text, as an animated picture and as a player."""
    result = max(results, key=lambda result: [values[result.best] for values in result.totals.values()])
    replayed = replay_of(run.env, result, result.best)
    folder = run.folder.recordings
    folder.mkdir(exist_ok=True)
    recordings.save(replayed.recording, folder / "best.json")
    for suffix in PICTURES:
        render.save(replayed, folder / f"best{suffix}")
