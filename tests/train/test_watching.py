"""The watched game: what is told of it is what was played, and what is trained does not change by it."""

from __future__ import annotations

import dataclasses
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import RIGHT, Chain
from tests.train.test_loop import Listener
from tests.train.test_resume import assert_same_run
from tests.train.toy import toy_config, use_quick_games
from tetrax.agents import ppo
from tetrax.agents.agent import WORTHS
from tetrax.env import record
from tetrax.env.tetris import make
from tetrax.fields.errors import UserError
from tetrax.train import alerts, presets, watching
from tetrax.train.config import EvalConfig
from tetrax.train.folder import log, mailbox
from tetrax.train.folder.policy_io import LoadedPolicy
from tetrax.train.loop import train
from tetrax.train.report.thoughts import think
from tetrax.train.report.watched_game import STEPS, WatchedGame
from tetrax.train.watch_config import WatchConfig
from tetrax.view.page import show

MINI = make("mini", actions="drop", time_limit=20)


@pytest.fixture(scope="module")
def loaded() -> LoadedPolicy:
    """Return an untrained PPO."""
    agent = ppo.make(ppo.PPOConfig(num_envs=2, num_steps=2, num_minibatches=1), MINI)
    policy = agent.policy(jax.jit(agent.init)(jax.random.key(0)))
    return LoadedPolicy(MINI, presets.find("ppo", "tiny", "drop"), policy, agent)


@pytest.fixture(scope="module")
def told(loaded: LoadedPolicy) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is told of 96 of its steps."""
    game = WatchedGame(MINI, loaded.agent, loaded.policy)
    steps = [step for number in range(3) for step in game.play(loaded.policy, 100 * number)]
    return game.header(), json.loads(json.dumps(steps, allow_nan=False))


def blocks(scene: dict[str, Any]) -> int:
    return sum(cell not in ".?" for row in scene["cells"] for cell in row)


def test_steps_are_told_in_order_and_games_are_counted(told: Any) -> None:
    _, steps = told
    assert len(steps) == 3 * STEPS
    assert [step["step"] for step in steps] == [0] * STEPS + [100] * STEPS + [200] * STEPS
    assert steps[0]["game"] == 0 and steps[0]["move"] == 1
    for before, after in pairwise(steps):
        if before["over"]:
            assert (after["game"], after["move"]) == (before["game"] + 1, 1)
        else:
            assert (after["game"], after["move"]) == (before["game"], before["move"] + 1)
    assert steps[-1]["game"] >= 2  # the limit ends each by its twentieth piece
    assert all(step["move"] <= 20 for step in steps)


def test_cells_are_those_of_the_pieces_that_locked(told: Any) -> None:
    """A domino has two cells and a line four: what stands is what locked without what was cleared."""
    header, steps = told
    cells = 0
    for step in steps:
        cells = 2 * (step["locked"] is not None) - 4 * step["lines"] + (0 if step["move"] == 1 else cells)
        assert blocks(step["scene"]) == cells
        assert step["locked"] in {None, *(piece["name"] for piece in header["rules"]["pieces"])}


def test_decisions_are_told_with_the_highest_probabilities_first(told: Any) -> None:
    header, steps = told
    assert len(header["actions"]) == MINI.num_actions
    for step in steps:
        assert step["decider"] == "sampled" and step["kind"] == "probabilities"
        assert step["did"] == header["actions"][step["action"]]
        values = [value for _, value in step["scores"]]
        assert values == sorted(values, reverse=True) and len(values) == min(8, step["legal"])
        assert sum(values) <= 1.0 + 1e-3
        assert np.isclose(sum((step["terms"] or {}).values()), step["reward"], atol=1e-4)
    chosen = [dict(map(tuple, step["scores"])).get(step["action"]) for step in steps]
    logs = [step["log_prob"] for step in steps]
    both = [(value, low) for value, low in zip(chosen, logs, strict=True) if value is not None]
    np.testing.assert_allclose(*zip(*[(value, np.exp(low)) for value, low in both], strict=True), rtol=1e-3)


def test_errors_of_steps_are_those_worked_by_hand() -> None:
    """Each moment is held to be worth a number of its cell, what is done there, a step to the right, one less."""
    worth = np.array([1.0, 3.0, 8.0, 6.0, 0.0], np.float32)

    def act(policy: Any, sight: Any, memory: Any, key: Any, greedy: bool) -> Any:
        of_cell = sight.observation.flat @ policy  # [1]
        told = {"value": of_cell + 1, WORTHS: jnp.stack([of_cell + 1, of_cell], axis=-1)}
        return jnp.full(1, RIGHT, jnp.int32), memory, told

    game = Chain(wage=0.25, time_limit=3)
    agent = ppo.make(ppo.PPOConfig(num_envs=1, num_steps=1, num_minibatches=1), game)._replace(act=act)
    watched = WatchedGame(game, agent, worth, jnp.float32(0.5))
    steps = [step for number in range(2) for step in watched.play(worth, number, jnp.float32(0.5))]
    # 0: 0.25 + 0.5 * 4 - 1 = 1.25        1: 0.25 + 0.5 * 9 - 3 = 1.75
    # 2: 0.25 + 0.5 * 7 - 8 = -4.25, also where the limit stops the game there and another cell comes next
    # 3: 1.25 - 6 = -4.75, with the prize, and nothing follows
    by_hand = {2.0: 1.25, 4.0: 1.75, 9.0: -4.25, 7.0: -4.75}  # by the value that is told
    assert {step["value"] for step in steps} == by_hand.keys()
    assert [step["td_error"] for step in steps] == [by_hand[step["value"]] for step in steps]
    assert any(step["over"] and step["value"] == 9.0 for step in steps)
    others = WatchedGame(game, agent, worth).play(worth, 0)
    assert all("td_error" not in step for step in others)


@pytest.mark.slow
def test_watching_changes_nothing_of_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)
    plain = toy_config()
    watched = dataclasses.replace(plain, watch=WatchConfig(steps=True, alerts=("lines below 1e9",)))
    train(plain, run_dir=tmp_path / "plain")
    train(watched, run_dir=tmp_path / "watched")
    assert_same_run(tmp_path / "plain", tmp_path / "watched", plain)
    assert [alert["rule"] for alert in alerts.read(tmp_path / "watched" / "alerts.jsonl")] == [
        "lines below 1e9"
    ]
    assert not (tmp_path / "plain" / "alerts.jsonl").exists()
    assert not (tmp_path / "plain" / "watched.jsonl").exists()


def test_a_run_is_watched_while_somebody_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page touches a file; the run then begins a file of steps, each line of which is whole."""
    use_quick_games(monkeypatch.setattr)
    monkeypatch.setattr(watching, "SHARE", 1.0)
    run = tmp_path / "run"

    class Asking(Listener):
        def row(self, row: log.Row, scene: Any) -> None:
            mailbox.watch(run)
            if row["step"] == 64:
                time.sleep(0.1)
                while not all(game.is_ready for game in games):
                    time.sleep(0.05)

    games: list[WatchedGame] = []

    def made(*given: Any) -> WatchedGame:
        games.append(WatchedGame(*given))
        return games[-1]

    monkeypatch.setattr(watching, "WatchedGame", made)
    result = train(toy_config(), run_dir=run, display=Asking())
    lines = [json.loads(line) for line in (run / "watched.jsonl").read_text().splitlines()]
    assert result.num_traces == 1 and len(games) == 1
    assert set(lines[0]) == {"rules", "actions", "game"}
    assert len(lines) % STEPS == 1 and all(line["scene"]["cells"] for line in lines[1:])
    assert all("td_error" not in line for line in lines)  # it learns no values
    assert [line["step"] for line in lines[1:]] == sorted(line["step"] for line in lines[1:])


@pytest.mark.slow
def test_errors_of_steps_are_told_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is the reward and the discounted value of what came, less the value that was told."""
    monkeypatch.setattr(watching, "SHARE", 1.0)
    monkeypatch.setattr(WatchedGame, "is_ready", True)  # wait for it
    config = presets.find("ppo", "tiny", game="gymnax")  # CartPole
    nothing = EvalConfig(every=0, final_episodes=0)
    config = dataclasses.replace(config, num_seeds=2, evaluation=nothing, watch=WatchConfig(steps=True))
    assert train(config, run_dir=tmp_path / "run").status == "finished"
    lines = [json.loads(line) for line in (tmp_path / "run" / "watched.jsonl").read_text().splitlines()][1:]
    # Values come to 10 here, and five digits are told.
    assert any(line["over"] for line in lines)
    for now, after in pairwise(lines):
        if now["step"] == after["step"]:  # by the same parameters
            comes = (
                0.0 if now["over"] else config.agent.discount * after["value"]
            )  # it falls before any limit
            assert now["td_error"] == pytest.approx(now["reward"] + comes - now["value"], abs=2e-3)


def test_what_fails_in_watching_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)

    def failing(*given: Any) -> WatchedGame:
        raise MemoryError("no room")

    monkeypatch.setattr(watching, "WatchedGame", failing)
    shown = Listener()
    config = dataclasses.replace(toy_config(), watch=WatchConfig(steps=True))
    assert train(config, run_dir=tmp_path / "run", display=shown).status == "finished"
    assert [note for note in shown.notes if "no room" in note] == [
        f"{tmp_path / 'run' / 'watched.jsonl'}: written no more (MemoryError: no room)"
    ]


def test_an_alert_that_fails_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)

    def failing(*given: Any, **how: Any) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(alerts.subprocess, "Popen", failing)
    shown = Listener()
    watch = WatchConfig(
        alerts=("steps_per_second above 0", "steps_per_second above -1"), alert_command="true"
    )
    config = dataclasses.replace(toy_config(), watch=watch)
    assert train(config, run_dir=tmp_path / "run", display=shown).status == "finished"
    lost = [note for note in shown.notes if "no more processes" in note]
    assert len(lost) == 1 and lost[0].startswith(
        f"{tmp_path / 'run' / 'alerts.jsonl'}: an alert has reached nobody"
    )


@pytest.mark.slow
def test_thoughts_of_a_game_are_those_it_was_played_by(loaded: LoadedPolicy) -> None:
    game = record.replay(loaded.play(seed=3, max_pieces=18))
    thoughts = think(loaded, game)
    actions = game.recording.actions.tolist()
    assert [thought["action"] for thought in thoughts] == actions and len(actions) > 5
    assert all(thought["played"] and thought["kind"] == "probabilities" for thought in thoughts)
    for thought in thoughts:  # greedy: the most probable one
        assert thought["scores"][0][1] == max(score for _, score in thought["scores"])
        assert dict(map(tuple, thought["scores"]))[thought["action"]] == thought["scores"][0][1]
    discount = loaded.config.agent.discount
    for index, (thought, after) in enumerate(pairwise(thoughts)):
        error = float(game.events.lines[index]) + discount * after["value"] - thought["value"]
        assert thought["td_error"] == pytest.approx(error, abs=1e-4)
    page = show(game, thoughts=thoughts).html
    data = json.loads(
        page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    )
    assert [each["error"] for each in data["thoughts"]] == [each["td_error"] for each in thoughts]
    assert [each["did"] for each in data["thoughts"]] == [MINI.action_names[action] for action in actions]


@pytest.mark.slow
def test_thoughts_of_what_somebody_else_played_say_so(loaded: LoadedPolicy) -> None:
    others = [MINI.action_names.index("drop_0_2"), MINI.action_names.index("drop_0_0")]
    game = record.play(MINI.config, MINI.default_params, jax.random.key(5), others * 3)
    thoughts = think(loaded, game)
    assert [thought["played"] for thought in thoughts] == [
        thought["action"] == action for thought, action in zip(thoughts, others * 3, strict=True)
    ]
    assert len(thoughts) == 6


@pytest.mark.slow
def test_a_policy_of_another_game_is_refused(loaded: LoadedPolicy) -> None:
    wide = make("mini", width=6, actions="drop")
    game = record.play(wide.config, wide.default_params, jax.random.key(5), [0])
    with pytest.raises(UserError, match=r"--policy: .*rules\.width differs"):
        think(loaded, game)
    keys = make("mini", actions="direct")
    with pytest.raises(UserError, match=r"--policy: .*actions differs"):
        think(loaded, record.play(keys.config, keys.default_params, jax.random.key(5), [0]))
