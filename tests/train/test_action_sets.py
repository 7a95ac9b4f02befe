"""Every action set that is offered has settings, and the two that are rarely met learn with them on a small board."""

from __future__ import annotations

import dataclasses

import pytest

from tetrax.env.actions import ACTION_SETS
from tetrax.fields.errors import UserError
from tetrax.train import presets, start
from tetrax.train.command import cli


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
@pytest.mark.parametrize("name", ["tiny", "small", "large"])
def test_ppo_and_dqn_learn_every_action_set(algorithm: str, name: str) -> None:
    assert presets.action_sets(algorithm, name) == set(ACTION_SETS)
    placed = presets.find(algorithm, name, "locked_position")
    # Guideline rules with hold: 4 orientations on 10 x 20 cells, twice; each is judged by the board that it leaves.
    assert placed.make_env().num_actions == 1600 and placed.make_env().spec.shows.by_action
    chords = presets.find(algorithm, name, "chords")
    assert chords.make_env().num_actions == 2**7 and chords.env.reward == "stacking"


@pytest.mark.parametrize("actions", ["locked_position", "chords"])
def test_the_command_line_takes_them(actions: str) -> None:
    request = cli.parse(["ppo", "--preset", "small", "--env.actions", actions])
    assert request is not None and request.config == presets.find("ppo", "small", actions)


@pytest.mark.parametrize(
    ("algorithm", "name", "actions", "allowed"),
    [
        ("cross-entropy", "small", "chords", "drop"),
        ("cross-entropy", "tiny", "locked_position", "drop"),
        ("beam", "small", "drop", "locked_position"),
        ("dqn", "rainbow", "locked_position", "direct, drop"),
        ("dqn", "recurrent", "chords", "direct"),
    ],
)
def test_what_has_no_settings_names_what_has(algorithm: str, name: str, actions: str, allowed: str) -> None:
    said = f"--env.actions with preset {name}: given '{actions}'; allowed: {allowed}$"
    with pytest.raises(UserError, match=said):
        cli.parse([algorithm, "--preset", name, "--env.actions", actions])


def test_help_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    cli.parse(["cross-entropy", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "tiny: drop; small: drop; large: drop; classic-10x10: drop" in shown
    cli.parse(["dqn", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "small: chords, direct, drop, locked_position;" in shown and "recurrent: direct." in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "actions", "chunks", "at_first", "at_last"),
    [
        ("ppo", "locked_position", 7, 6, 15),  # random places clear about 4 lines a game
        ("ppo", "chords", 11, 2, 15),  # random keys clear about 1
    ],
)
def test_they_learn(algorithm: str, actions: str, chunks: int, at_first: float, at_last: float) -> None:
    config = presets.find(algorithm, "small", actions)
    config = dataclasses.replace(config, env=presets.with_rules(config.env, "mini"))
    _, program = start.make_program(
        dataclasses.replace(config, total_steps=chunks * config.steps_per_chunk())
    )
    program.compile()
    state, lines = program.initial_state(), []
    for _ in range(chunks):
        state, outcome = program.run_chunk(state)
        totals = outcome.metrics.totals
        ended = float(totals["games"])
        # Where no game ended they are good: then those that run are asked.
        lines.append(float(totals["lines"]) / ended if ended else float(outcome.so_far["lines"]))
    assert lines[0] < at_first and lines[-1] > at_last
