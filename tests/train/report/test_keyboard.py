"""Keys of the live view become commands; a real terminal is read without being spoilt."""

from __future__ import annotations

import os
import pty
import sys
import termios
import threading
from typing import Any

import pytest

from tetrax.train.report import keyboard
from tetrax.train.report.keyboard import HINT, Keyboard


class Pressed:
    """A keyboard, what it sent and what it refused."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, ...]] = []
        self.refused: list[str] = []
        self.paused = False
        self.keys = Keyboard(
            lambda name, arguments: self.sent.append((name, *arguments)),
            self.refused.append,
            lambda: self.paused,
        )


def test_keys_are_commands() -> None:
    pressed = Pressed()
    pressed.keys.press("sexq")
    assert pressed.sent == [("save",), ("eval",), ("stop",)]
    pressed.keys.press("p")
    pressed.paused = True
    pressed.keys.press("p")
    assert pressed.sent[-2:] == [("pause",), ("resume",)]


def test_keys_of_several_letters_are_none() -> None:
    pressed = Pressed()
    for key in ("\x1b[A", "\x1bOP", "\x1b", "x", "\t", "é"):
        pressed.keys.press(key)
    assert pressed.sent == [] and pressed.refused == []


def test_a_command_is_typed_after_a_colon() -> None:
    pressed = Pressed()
    assert pressed.keys.line == HINT
    pressed.keys.press(":set agent.clip 0.33\x7f")
    assert pressed.keys.line.startswith(":set agent.clip 0.3▏")
    pressed.keys.press("\r")
    assert pressed.sent == [("set", "agent.clip", "0.3")] and pressed.keys.line == HINT


def test_the_key_of_a_branch_begins_a_command_that_wants_a_folder() -> None:
    pressed = Pressed()
    assert "b branch" in HINT
    pressed.keys.press("b")
    assert pressed.keys.line.startswith(":branch ▏")
    pressed.keys.press("runs/second\n")
    pressed.keys.press(":branch runs/third\n")
    assert pressed.sent == [("branch", "runs/second"), ("branch", "runs/third")] and pressed.refused == []
    pressed.keys.press("b\n:branch a b\n")
    pressed.keys.press("b")
    pressed.keys.press("\x1b")
    assert len(pressed.sent) == 2 and pressed.keys.line == HINT
    assert pressed.refused == [
        "branch: given 0 arguments; allowed: NEW_DIR",
        "branch: given 2 arguments; allowed: NEW_DIR",
    ]


def test_what_is_no_command_is_refused_and_nothing_is_sent() -> None:
    pressed = Pressed()
    pressed.keys.press(":sat agent.clip 0.3\n:set clip\n:\n: \n")
    assert pressed.sent == [] and len(pressed.refused) == 2
    assert "sat" in pressed.refused[0] and "NAME and VALUE" in pressed.refused[1]


def test_typing_can_be_left_and_begun_again() -> None:
    pressed = Pressed()
    pressed.keys.press(":sa")
    pressed.keys.press("\x1b")
    pressed.keys.press(":st\x15save\n:\x7fs")
    pressed.keys.press(":" + "x" * 999)
    assert len(pressed.keys.line) < 300
    assert pressed.sent == [("save",), ("save",)]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A terminal as standard input: its other end, and its own descriptor."""
    outside, inside = pty.openpty()
    with os.fdopen(inside, "r") as file, os.fdopen(outside, "wb", buffering=0) as keys:
        monkeypatch.setattr(sys, "stdin", file)
        monkeypatch.setattr(keyboard, "_is_in_front", lambda descriptor: True)
        yield keys, file.fileno()


def test_a_terminal_is_read_key_by_key_and_left_as_it_was(terminal: Any) -> None:
    keys, descriptor = terminal
    before = termios.tcgetattr(descriptor)
    read, came = [], threading.Event()

    def press(text: str) -> None:
        read.append(text)
        came.set()

    with keyboard.reading(press) as restore:
        assert restore is not None
        assert not termios.tcgetattr(descriptor)[3] & (termios.ICANON | termios.ECHO)
        assert termios.tcgetattr(descriptor)[3] & termios.ISIG  # Ctrl-C is still one
        keys.write(b"p")
        assert came.wait(10)
    assert read == ["p"]
    assert termios.tcgetattr(descriptor) == before


def test_what_is_no_terminal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with keyboard.reading(lambda text: None) as restore:
            assert restore is None
    monkeypatch.setattr(sys, "stdin", None)
    with keyboard.reading(lambda text: None) as restore:
        assert restore is None


def test_a_job_in_the_background_leaves_the_terminal_alone(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyboard, "_is_in_front", lambda descriptor: False)
    with keyboard.reading(lambda text: None) as restore:
        assert restore is None
