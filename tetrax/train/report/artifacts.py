"""What a run leaves for people: evaluations, the learning curve, the best game."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from tetrax.agents.agent import Actor
from tetrax.env.record import save
from tetrax.train.folder import checkpoint, files, log
from tetrax.train.report import account, plots
from tetrax.train.report.display import Summary
from tetrax.train.report.evaluation import EvalResult, evaluate, recording_of_best
from tetrax.train.run import DIVERGED, STOPPED, Progress, Run
from tetrax.view import render

PICTURES = (".txt", ".gif", ".html")  # what the best game is shown as, besides its recording
SEED = 0  # of every evaluation: the default of `python -m tetrax.evaluate`, which gives the same games


def evaluate_seeds(run: Run, state: Any, *, episodes: int, max_pieces: int, record: bool) -> list[EvalResult]:
    """Let the greedy policy of every seed play the same games."""
    agent, num_seeds = run.program.agent, run.program.num_seeds
    results = []
    for index in range(num_seeds):
        which = f" seed {run.config.seed + index}" if num_seeds > 1 else ""

        def show(over: int, pieces: int, which: str = which) -> None:
            run.display.phase(f"evaluating{which}: {over} of {episodes} games over, {pieces:,} pieces")

        actor = Actor(run.program.policy(state, index), agent.initial_memory, agent.act)
        results.append(
            evaluate(
                run.env,
                actor,
                episodes=episodes,
                seed=SEED,
                max_pieces=max_pieces,
                record=record,
                on_progress=show,
            )
        )
    return results


def leading_seed(results: list[EvalResult]) -> int:
    """Return the index of the seed with the most lines per game, the first of equals."""
    return int(np.argmax([result.lines.mean() for result in results]))


def finish(run: Run, state: Any, progress: Progress) -> dict[str, Any] | None:
    """Draw the learning curve, evaluate the final policy, record its best game and write eval.json, last."""
    draw_learning_curve(run)
    settings = run.config.evaluation
    if settings.final_episodes == 0:
        return None
    with run.phase("evaluating"):
        results = evaluate_seeds(
            run,
            state,
            episodes=settings.final_episodes,
            max_pieces=settings.final_max_pieces,
            record=True,
        )
    with run.phase("recording the best game"):
        record_best(run, results)
    step = progress.chunks * run.program.steps_per_chunk
    document = {"step": step, "seed": SEED, **_pooled(results).summary()}
    if len(results) > 1:
        document["per_seed"] = [result.summary() for result in results]
    files.write_json(run.folder.evaluation, document)
    return document


def draw_learning_curve(run: Run) -> None:
    """Draw what metrics.jsonl holds so far."""
    with run.phase("drawing the learning curve"):
        title = account.title(run.config)
        plots.learning_curve(log.read(run.folder.metrics), run.folder.learning_curve, title)


def summarise(
    run: Run, status: str, headline: str, progress: Progress, evaluation: dict[str, Any] | None
) -> Summary:
    """Say what a run came to, where its results are and what to do with them."""
    folder, facts, commands = run.folder, {}, {}
    where = shlex.quote(str(folder.root))
    if evaluation is not None:
        facts["final evaluation"] = _in_words(evaluation)
    if progress.best_lines is not None:
        facts["best while training"] = (
            f"{progress.best_lines:,.1f} lines per game at step {progress.best_step:,}"
        )
    shown = {
        "learning curve": folder.learning_curve,
        "best game": folder.recordings / "best.html",
        "its recording": folder.recordings / "best.json",
    }
    facts |= {label: str(path) for label, path in shown.items() if path.exists()}
    facts["time"] = account.time_spent(run.stopwatch)
    if status == STOPPED:
        commands["resume with"] = f"python -m tetrax.train --resume {where}"
    if status == DIVERGED:
        saved = checkpoint.steps(folder.checkpoints)
        facts["last good checkpoint"] = f"step {saved[-1]:,}" if saved else "none was saved before"
        commands["go on from there with"] = f"python -m tetrax.train --resume {where} --agent.learning-rate …"
    if folder.policy.exists():
        commands["evaluate with"] = f"python -m tetrax.evaluate {where} --episodes 256"
    return Summary(headline, facts, commands)


def _in_words(evaluation: dict[str, Any]) -> str:
    lines = evaluation["lines"]
    low, high = lines["ci95"]
    return (
        f"{lines['mean']:,.1f} lines per game (95% interval {low:,.1f} to {high:,.1f}) over "
        f"{evaluation['episodes']} games, from {lines['min']:,.0f} to {lines['max']:,.0f}; "
        f"{evaluation['capped']} not lost by piece {evaluation['max_pieces']:,}"
    )


def record_best(run: Run, results: list[EvalResult]) -> None:
    """Write the game with the most lines as a recording, as text, as an animated picture and as a player."""
    result = max(results, key=lambda result: (result.lines.max(), result.score[result.best]))
    recording = recording_of_best(run.env, result)
    folder = run.folder.recordings
    folder.mkdir(exist_ok=True)
    save(recording, folder / "best.json")
    for suffix in PICTURES:
        with files.replacing(folder / f"best{suffix}") as temporary:
            render.save(recording, temporary)


def _pooled(results: list[EvalResult]) -> EvalResult:
    """Put the games of all seeds together."""
    return EvalResult(
        seed=results[0].seed,
        max_pieces=results[0].max_pieces,
        lines=np.concatenate([result.lines for result in results]),
        score=np.concatenate([result.score for result in results]),
        pieces=np.concatenate([result.pieces for result in results]),
        returns=np.concatenate([result.returns for result in results]),
        steps=np.concatenate([result.steps for result in results]),
        capped=np.concatenate([result.capped for result in results]),
        best_actions=None,
    )
