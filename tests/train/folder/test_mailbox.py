"""The mailbox of a run: commands come whole and in order, and whatever is none is refused and does no harm."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from tetrax.train.folder import mailbox
from tetrax.train.folder.mailbox import COMMANDS, Mailbox, Reply


def put(run: Path, name: str, content: bytes) -> None:
    (run / "control" / "inbox" / f"{name}.json").write_bytes(content)


def fresh_id(number: int) -> str:
    return f"{number:020d}-1-00000000"


def document(command: object = "save", arguments: object = (), at: object = None) -> bytes:
    given = list(arguments) if isinstance(arguments, tuple) else arguments
    return json.dumps({"command": command, "arguments": given, "at": at}).encode()


def test_commands_come_in_order_and_when_they_are_due(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    first = mailbox.send(tmp_path, "pause")
    later = mailbox.send(tmp_path, "set", ("agent.clip", "0.1"), at=64)
    second = mailbox.send(tmp_path, "resume")
    assert [command.id for command in box.waiting(32)] == [first, second]
    assert [command.name for command in box.waiting(64)] == ["pause", "set", "resume"]
    pause, setting, _ = box.waiting(64)
    assert (setting.arguments, setting.at, setting.words) == (("agent.clip", "0.1"), 64, "set agent.clip 0.1")
    assert mailbox.reply_to(tmp_path, first) is None
    box.answer(pause, Reply(True, "paused", 32))
    assert mailbox.reply_to(tmp_path, first) == Reply(True, "paused", 32)
    assert [command.id for command in box.waiting(64)] == [later, second]
    assert mailbox.withdraw(tmp_path, second)
    assert not mailbox.withdraw(tmp_path, second)
    assert not mailbox.withdraw(tmp_path, first)  # it was taken
    assert [command.id for command in box.waiting(64)] == [later]


def test_what_waited_for_a_process_that_has_ended_is_answered_and_what_is_due_later_stays(
    tmp_path: Path,
) -> None:
    Mailbox(tmp_path)
    old, planned = mailbox.send(tmp_path, "stop"), mailbox.send(tmp_path, "save", at=96)
    box = Mailbox(tmp_path)
    reply = mailbox.reply_to(tmp_path, old)
    assert reply is not None
    assert not reply.done
    assert [command.id for command in box.waiting(96)] == [planned]


def test_what_was_taken_is_done_or_waits_again(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    done, lost, gone = (mailbox.send(tmp_path, "save", at=step) for step in (32, 64, 96))
    for command in box.waiting(96)[:2]:
        assert box.take(command)
    assert mailbox.withdraw(tmp_path, gone)
    assert not mailbox.withdraw(tmp_path, done)  # too late
    assert box.waiting(96) == []
    box = Mailbox(tmp_path, [done])  # of the process after it was killed
    assert mailbox.reply_to(tmp_path, done) == Reply(True, "carried out", 0)
    assert [command.id for command in box.waiting(96)] == [lost]
    assert [command.id for command in mailbox.waiting(tmp_path)] == [lost]


def test_a_command_that_was_withdrawn_is_not_carried_out(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    sent = mailbox.send(tmp_path, "stop")
    (command,) = box.waiting(0)
    assert mailbox.withdraw(tmp_path, sent)
    assert not box.take(command)


def test_many_commands_for_later_hide_none(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    for number in range(mailbox.MOST_AT_ONCE):
        put(tmp_path, fresh_id(number), document(at=10_000))
    sent = mailbox.send(tmp_path, "stop")
    assert box.waiting(0) == []
    assert [command.id for command in box.waiting(0)] == [sent]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 30_000, "no JSON"),
        (b"{" + b" " * 70_000 + b"}", "70,002 bytes; allowed: up to 65,536"),
        (b"[1, 2]", "no object with command"),
        (b'{"command": "save"}', "no object with command"),
        (b'{"command": "save", "arguments": [], "at": null, "more": 1}', "and nothing else"),
        (
            document("sav"),
            "given 'sav'; allowed: pause, resume, set, reload, save, eval, stop, branch; did you mean 'save'?",
        ),
        (document(["save"]), "command: given ['save']"),
        (document("save", ("x",)), "save: given 1 arguments; allowed: nothing more"),
        (document("set", ("agent.clip",)), "set: given 1 arguments; allowed: NAME and VALUE"),
        (document("set", ("agent.clip", 3)), "set: given 3; allowed: words"),
        (document("set", ("agent.clip", "x" * 5_000)), "allowed: words of up to 4,096 letters"),
        (document("set", "ab"), "set: given 'ab' arguments"),
        (document(at=-1), "at: given -1; allowed: an environment step"),
        (document(at=True), "at: given True"),
        (document(at=1e9), "at: given 1000000000.0"),
        (document(at=2**70), "at: given 11"),
    ],
)
def test_what_is_no_command_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    box = Mailbox(tmp_path)
    put(tmp_path, fresh_id(1), content)
    good = mailbox.send(tmp_path, "save")
    assert [command.id for command in box.waiting(0)] == [good]
    reply = mailbox.reply_to(tmp_path, fresh_id(1))
    assert reply is not None
    assert not reply.done
    assert reply.said.startswith("refused: ")
    assert said in reply.said
    assert not (tmp_path / "control" / "inbox" / f"{fresh_id(1)}.json").exists()


def test_what_is_no_file_of_our_own_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    inbox, secret = tmp_path / "control" / "inbox", tmp_path / "secret"
    secret.write_bytes(document("stop"))
    (inbox / f"{fresh_id(1)}.json").symlink_to(secret)
    (inbox / f"{fresh_id(2)}.json").mkdir()
    os.mkfifo(inbox / f"{fresh_id(3)}.json")  # reading it would never end
    (inbox / "notes.txt").write_text("mine")
    (inbox / "stop.json").write_bytes(document("stop"))  # no name of a command
    for _ in range(2):
        assert box.waiting(0) == []
    for number in (1, 2, 3):
        reply = mailbox.reply_to(tmp_path, fresh_id(number))
        assert reply is not None
        assert not reply.done
    assert secret.exists()
    assert (inbox / "notes.txt").exists()


def test_a_mailbox_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "control").symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(OSError, match="not a folder of this user's own"):
        Mailbox(tmp_path)
    assert list(elsewhere.iterdir()) == []


def test_a_thousand_malformed_commands_are_each_refused(tmp_path: Path) -> None:
    box, chance = Mailbox(tmp_path), random.Random(0)
    words: list[object] = [*COMMANDS, "", "../../x", "\0", None, 3, 1e400, [], {}, True, "set", "x" * 9_000]

    def malformed() -> bytes:
        kind = chance.randrange(3)
        if kind == 0:
            return chance.randbytes(chance.randrange(200))
        whole = document(chance.choice(words), [chance.choice(words) for _ in range(3)], chance.choice(words))
        return whole[: chance.randrange(len(whole))] if kind == 1 else whole  # three arguments are too many

    for number in range(1_000):
        put(tmp_path, fresh_id(number), malformed())
    for _ in range(3):
        assert box.waiting(0) == []
    replies = [mailbox.reply_to(tmp_path, fresh_id(number)) for number in range(1_000)]
    assert all(reply is not None and not reply.done for reply in replies)
    assert list((tmp_path / "control" / "inbox").iterdir()) == []


def test_a_run_says_what_it_does(tmp_path: Path) -> None:
    assert mailbox.read_state(tmp_path) is None
    box = Mailbox(tmp_path)
    box.tell(mailbox.RUNNING, 32, 320, now=True)
    box.tell(mailbox.PAUSED, 64, 320)  # within the same second
    state = mailbox.read_state(tmp_path)
    assert state is not None
    assert (state.state, state.step, state.total_steps, state.pid) == ("running", 32, 320, os.getpid())
    assert mailbox.is_alive(state)
    # A process number may have been given to another process since.
    assert not mailbox.is_alive(mailbox.RunState("running", 32, 320, os.getpid(), "1", state.host))
    assert not mailbox.is_alive(mailbox.RunState("running", 32, 320, 2**22 - 1, "1", state.host))
    assert mailbox.is_alive(mailbox.RunState("running", 32, 320, 1, "1", "another machine")) is None
    box.tell(mailbox.ENDED, 96, 320, now=True)
    ended = mailbox.read_state(tmp_path)
    assert ended is not None
    assert not mailbox.is_alive(ended)
    (tmp_path / "control" / "state.json").write_text("{")
    assert mailbox.read_state(tmp_path) is None


def test_a_run_is_watched_for_some_seconds(tmp_path: Path) -> None:
    mailbox.watch(tmp_path)  # takes no commands
    assert not mailbox.is_watched(tmp_path)
    (tmp_path / "control").mkdir()
    mailbox.watch(tmp_path)
    assert mailbox.is_watched(tmp_path)
    asked = time.time() - mailbox.WATCHED_SECONDS - 1
    os.utime(tmp_path / "control" / "watching", (asked, asked))
    assert not mailbox.is_watched(tmp_path)
    mailbox.watch(tmp_path)
    assert mailbox.is_watched(tmp_path)


def test_nobody_is_led_elsewhere_by_watching(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    precious = tmp_path / "precious"
    precious.write_text("kept")
    os.utime(precious, (1.0, 1.0))
    (tmp_path / "control" / "watching").symlink_to(precious)
    mailbox.watch(tmp_path)
    assert precious.read_text() == "kept" and precious.stat().st_mtime == 1.0
