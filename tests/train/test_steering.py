"""A run that is steered from outside: it obeys between chunks, and ends as if all had been given in advance."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.folder.test_checkpoint import assert_same_bits
from tests.train.test_loop import Listener
from tests.train.test_resume import final_state, without_times
from tests.train.toy import quick_games, toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.live import sending
from tetrax.train import steering
from tetrax.train.config import EvalConfig, load_config, to_json
from tetrax.train.folder import log, mailbox
from tetrax.train.folder.mailbox import Reply
from tetrax.train.loop import train
from tetrax.train.report import artifacts

CHUNK = 32  # steps
SETS = {
    64: ("agent.learning_rate", "0.25"),
    96: ("agent.learning_rate", "x0.5"),
    128: ("evaluation.episodes", "2"),
    160: ("agent.learning_rate", "1"),
    224: ("agent.learning-rate", "x0.1"),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


class Sender(Listener):
    """Sends commands when the rows of some steps are shown, in the chunk's own boundary."""

    def __init__(self, run: Path, at: dict[int, Callable[[], Any]]) -> None:
        super().__init__()
        self.run, self.at, self.sent = run, at, dict[str, str]()

    def row(self, row: log.Row, scene: Any) -> None:
        if row["step"] in self.at:
            self.at[row["step"]]()

    def send(self, name: str, *arguments: str, at: int | None = None) -> None:
        self.sent[" ".join([name, *arguments])] = mailbox.send(self.run, name, arguments, at)

    def replies(self) -> dict[str, Reply | None]:
        return {words: mailbox.reply_to(self.run, sent) for words, sent in self.sent.items()}


def sender(run: Path, **at: Callable[[Sender], Any]) -> Sender:
    made = Sender(run, {})
    made.at = {int(step.removeprefix("at_")): lambda act=act: act(made) for step, act in at.items()}
    return made


@pytest.mark.slow
def test_a_run_that_is_driven_equals_the_same_schedule_given_in_advance(tmp_path: Path) -> None:
    """Paused, set five times, saved, stopped and resumed, against one whose settings were sent at its first chunk."""
    config, driven, planned = toy_config(), tmp_path / "driven", tmp_path / "planned"

    def drive(sender: Sender) -> None:
        sender.send("pause")
        sender.send("set", *SETS[64])
        sender.send("save")
        sender.send("resume")

    def give(step: int) -> Callable[[Sender], None]:
        return lambda sender: sender.send("set", *SETS[step])

    hand = sender(driven, at_64=drive, at_96=give(96), at_128=give(128), at_160=lambda s: s.send("stop"))
    stopped = train(config, run_dir=driven, display=hand)
    assert (stopped.status, stopped.exit_code, stopped.step) == ("stopped", 143, 160)
    assert all(reply is not None and reply.done for reply in hand.replies().values())
    # What was set is in the run's own configuration, which the command line resumes by.
    kept = load_config(driven / "config.json")
    assert kept.agent.learning_rate == 0.125
    changed = dataclasses.replace(kept, agent=dataclasses.replace(kept.agent, learning_rate=1.0))
    hand = sender(driven, at_224=give(224))
    assert train(changed, run_dir=driven, resume=True, display=hand).status == "finished"

    def plan(sender: Sender) -> None:
        for step, words in SETS.items():
            sender.send("set", *words, at=step)

    advance = sender(planned, at_32=plan)
    assert train(config, run_dir=planned, display=advance).status == "finished"
    last = to_json(load_config(planned / "config.json"))
    assert last["agent"]["learning_rate"] == 0.1
    assert last["evaluation"]["episodes"] == 2
    assert last == to_json(load_config(driven / "config.json"))
    assert without_times(driven) == without_times(planned)
    assert_same_bits(final_state(driven, load_config(driven / "config.json")), final_state(planned, config))
    assert (driven / "eval.json").read_text() == (planned / "eval.json").read_text()
    straight = tmp_path / "straight"
    train(config, run_dir=straight)
    assert without_times(straight) != without_times(planned)  # it made a difference
    history = [json.loads(line) for line in (planned / "config_history.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry.get("control")) for entry in history[1:]] == [
        (step, f"set {name} {value}") for step, (name, value) in SETS.items()
    ]


def test_a_paused_run_waits_and_is_saved(tmp_path: Path) -> None:
    run, seen = tmp_path / "run", []

    def look() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            state = mailbox.read_state(run)
            if state is not None and state.state == mailbox.PAUSED:
                seen.append((state.step, sending.status(run)["state"], sending.status(run)["saved_step"]))
                break
            time.sleep(0.01)
        seen.append(sending.tell(run, "eval", (), at=10_000, timeout=60))
        seen.append(sending.tell(run, "set", ("agent.learning_rate", "0.1"), at=None, timeout=60))
        seen.append(sending.tell(run, "resume", (), at=None, timeout=60))

    thread = threading.Thread(target=look)
    hand = sender(run, at_96=lambda s: s.send("pause"))
    thread.start()
    result = train(toy_config(checkpoint_seconds=1e6), run_dir=run, display=hand)
    thread.join()
    assert result.status == "finished"
    assert result.seconds["paused"] > 0
    assert seen == [
        (96, "paused", 96),
        None,  # it waits for its step
        Reply(True, "agent.learning_rate: 0.5 → 0.1", 96),
        Reply(True, "the run goes on", 96),
    ]
    assert sending.status(run)["state"] == "not running"


@pytest.mark.slow
def test_a_branch_begins_where_the_run_is_and_a_wrong_one_stops_nothing(tmp_path: Path) -> None:
    """Two of one boundary, the second where the first is; then a file, a folder in it, and one of the user's."""
    run, new, file, taken = (tmp_path / name for name in ("run", "new", "file", "taken"))
    file.write_text("")
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    wrong = {
        str(new): "holds a run already",
        str(file): "which is a file",
        str(file / "in"): "is a file",
        str(taken): "is not empty",
        "\0": "null",
    }

    def branch(sender: Sender) -> None:
        sender.sent["first"] = mailbox.send(run, "branch", (str(new),))
        for given in wrong:
            sender.send("branch", given)

    hand = sender(run, at_96=branch)
    result = train(toy_config(checkpoint_seconds=1e6), run_dir=run, display=hand)
    assert (result.status, result.step) == ("finished", 320)
    replies = hand.replies()
    assert replies.pop("first") == Reply(
        True, f"{new} begins at step 96; go on with: python -m tetrax.train --resume {new}", 96
    )
    for given, said in wrong.items():
        reply = replies[f"branch {given}"]
        assert reply is not None and not reply.done and said in reply.said and "\n" not in reply.said
    assert sending.status(new)["saved_step"] == 96 and load_config(new / "config.json") == toy_config(
        checkpoint_seconds=1e6
    )
    assert [row["step"] for row in log.read(new / "metrics.jsonl")] == [32, 64, 96]
    assert sorted(taken.iterdir()) == [taken / "thesis.txt"]


def test_what_cannot_be_set_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    refusals = {
        "set agent.num_envs 4": "given 'agent.num_envs', which cannot change in a run; allowed: agent.learning_rate",
        "set agent.momentum 0": "given 'agent.momentum', which cannot change",
        "set seed 3": "given 'seed', which cannot change",
        "set tensorboard True": "given 'tensorboard', which cannot change",
        "set agent.learning_rate nan": "given 'nan'",
        "set agent.learning_rate fast": "given 'fast'",
        "set agent.learning_rate xfast": "given 'xfast'; allowed: a value, or a finite factor such as x0.5",
        "set total_steps xinf": "given 'xinf'; allowed: a value, or a finite factor",
        "set total_steps x1e30": "--total-steps: given",
        "set evaluation.enough x2": "it is None",
        "set total_steps 0": "--total-steps: given 0; allowed: 1 or more",
        "set evaluation.episodes 1.5": "given '1.5'",
    }
    run = tmp_path / "run"
    hand = sender(run, at_64=lambda s: [s.send(*words.split()) for words in refusals])
    assert train(toy_config(), run_dir=run, display=hand).status == "finished"
    straight = tmp_path / "straight"
    train(toy_config(), run_dir=straight)
    assert without_times(run) == without_times(straight)
    for words, reply in hand.replies().items():
        assert reply is not None
        assert not reply.done
        assert refusals[words] in reply.said, words
    assert len((run / "config_history.jsonl").read_text().splitlines()) == 1


def test_the_steps_and_the_evaluation_may_change_and_an_evaluation_be_asked_for(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def steer(sender: Sender) -> None:
        sender.send("set", "total_steps", "128")
        sender.send("set", "evaluation.every", "0")

    hand = sender(run, at_64=lambda s: s.send("eval"), at_96=steer)
    result = train(
        toy_config(evaluation=EvalConfig(every=0, episodes=3, final_episodes=4)), run_dir=run, display=hand
    )
    assert (result.status, result.step) == ("finished", 128)
    evaluated = [row["step"] for row in log.read(run / "metrics.jsonl") if "eval/lines" in row]
    assert evaluated == [64]
    reply = hand.replies()["eval"]
    assert reply is not None
    assert reply.said.startswith("evaluated: ")


def test_the_configuration_is_read_again(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def edit(**agent: Any) -> None:
        document = json.loads((run / "config.json").read_text())
        document["agent"] |= agent
        (run / "config.json").write_text(json.dumps(document))

    def first(sender: Sender) -> None:
        edit(learning_rate=0.25)
        sender.send("reload")

    def second(sender: Sender) -> None:
        edit(num_envs=99)
        sender.sent["second"] = mailbox.send(run, "reload")

    def third(sender: Sender) -> None:
        (run / "config.json").write_text("{")
        sender.sent["third"] = mailbox.send(run, "reload")

    hand = sender(run, at_64=first, at_96=second, at_128=third)
    assert train(toy_config(), run_dir=run, display=hand).status == "finished"
    good, wrong, broken = hand.replies().values()
    assert good == Reply(True, "agent.learning_rate: 0.5 → 0.25", 64)
    assert wrong is not None
    assert "agent.num_envs: given 99; allowed: 8, which cannot change in a run" in wrong.said
    assert broken is not None
    assert "not JSON" in broken.said
    entry = json.loads((run / "config_history.jsonl").read_text().splitlines()[1])
    assert (entry["control"], entry["changes"]) == (
        "reload",
        {"agent.learning_rate": {"from": 0.5, "to": 0.25}},
    )


def test_a_folder_without_room_for_commands_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    listener = Listener()
    train(toy_config(total_steps=CHUNK), run_dir=run)
    for path in sorted((run / "control").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (run / "control").rmdir()
    (run / "control").write_text("")
    assert (
        train(toy_config(total_steps=2 * CHUNK), run_dir=run, resume=True, display=listener).step == 2 * CHUNK
    )
    assert any("the run takes no commands" in note for note in listener.notes)
    with pytest.raises(UserError, match="which is not running"):
        sending.tell(run, "save", (), None, 1.0)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_obeys_has_done_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the checkpoint, it has it still to do; killed after it, before config.json, it has done it."""
    config, straight = toy_config(), tmp_path / "straight"
    hand = sender(straight, at_64=lambda s: s.send("set", "agent.learning_rate", "x0.5"))
    train(config, run_dir=straight, display=hand)

    def stop_dead(*args: Any, **kwargs: Any) -> None:
        raise MemoryError("killed")

    for what in ("tetrax.train.steering.save", "tetrax.train.steering.files.write_json"):
        run = tmp_path / what
        with monkeypatch.context() as patch:
            hand = sender(
                run,
                at_32=lambda s: s.send("set", "agent.learning_rate", "x0.5", at=64),
                at_64=lambda s, what=what, patch=patch: patch.setattr(what, stop_dead),
            )
            with pytest.raises(MemoryError):
                train(config, run_dir=run, display=hand)
        assert load_config(run / "config.json").agent.learning_rate == 0.5
        resumed = train(load_config(run / "config.json"), run_dir=run, resume=True)
        assert resumed.status == "finished"
        assert load_config(run / "config.json").agent.learning_rate == 0.25
        (reply,) = hand.replies().values()
        assert reply is not None
        assert reply.done
        assert without_times(run) == without_times(straight)
        assert_same_bits(final_state(run, config), final_state(straight, config))


def test_one_policy_counts_once_for_what_is_enough(tmp_path: Path) -> None:
    """Asked for three evaluations in one chunk, a run with nearly nothing to reach does not end of it."""
    games = EvalConfig(every=320, episodes=3, final_episodes=4, enough=-1.0)
    run = tmp_path / "run"
    hand = sender(run, at_32=lambda s: [s.send("eval") for _ in range(3)], at_64=lambda s: s.send("eval"))
    assert train(toy_config(evaluation=games), run_dir=run, display=hand).step == 320


def test_evaluations_cut_off_elsewhere_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best one is among those whose games are as long as in the end, which clear a ninth of the lines."""

    def as_long_as_they_may(*args: Any, **settings: Any) -> Any:
        result = quick_games(*args, **settings)
        return dataclasses.replace(
            result, totals={**result.totals, "lines": result.totals["lines"] * settings["max_pieces"]}
        )

    monkeypatch.setattr(artifacts, "evaluate", as_long_as_they_may)
    games = EvalConfig(every=64, episodes=3, max_pieces=9, final_episodes=0)
    hand = sender(tmp_path / "run", at_224=lambda s: s.send("set", "evaluation.max_pieces", "1"))
    train(toy_config(evaluation=games), run_dir=tmp_path / "run", display=hand)
    best = hand.summary.facts["best while training"]
    assert re.search(r"^1\d\.\d lines per game, evaluated to 1 pieces, at step 256$", best), best


def test_what_is_asked_on_resuming_counts_more_than_what_was_set(tmp_path: Path) -> None:
    """Also where the newest checkpoint is the one that a set has saved, and the value asked for is the one before."""
    run = tmp_path / "run"

    def die(sender: Sender) -> None:
        raise MemoryError("killed")

    hand = sender(run, at_64=lambda s: s.send("set", "agent.learning_rate", "0.25"), at_96=die)
    with pytest.raises(MemoryError):
        train(toy_config(checkpoint_seconds=1e6), run_dir=run, display=hand)
    assert load_config(run / "config.json").agent.learning_rate == 0.25
    train(toy_config(), run_dir=run, resume=True)
    assert load_config(run / "config.json").agent.learning_rate == 0.5
    assert float(final_state(run, toy_config()).tunables["learning_rate"]) == 0.5


def test_a_stop_for_later_is_done_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    hand = sender(run, at_32=lambda s: s.send("stop", at=96))
    assert train(toy_config(), run_dir=run, display=hand).step == 96
    assert train(toy_config(), run_dir=run, resume=True).status == "finished"


def test_times_of_whole_numbers_are_rounded() -> None:
    config = toy_config(evaluation=EvalConfig(every=32, episodes=100))
    assert steering.changed(config, "evaluation.episodes", "x0.29").evaluation.episodes == 29
    with pytest.raises(UserError, match="a finite factor"):
        steering.changed(config, "agent.learning_rate", "x1e400")
    with pytest.raises(UserError, match="total-steps"):
        steering.changed(config, "total_steps", "x1e300")
