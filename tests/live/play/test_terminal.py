"""A terminal that is played in: its bytes, what is drawn, and that it is put back; on a pseudo terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.live.play.boards import dellacherie, setting
from tetrax.env import record
from tetrax.live.play import keeping, terminal_play, terminal_view
from tetrax.live.play.key_bindings import DEFAULT_BINDINGS
from tetrax.live.play.match import Match
from tetrax.live.play.seats import Seat
from tetrax.live.play.terminal_keys import ASK, BEGIN, END, KeyEvent, read_keys
from tetrax.live.play.terminal_screen import ENTER, LEAVE

# What is written begins and ends with these; a frame is drawn from the first line.
PATIENCE = 20.0  # seconds


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"a", ["a"]),
        (b"A \r\t\x7f", ["a", "space", "enter", "tab", "backspace"]),
        (b"\x1b[D\x1b[C\x1bOA\x1bOB", ["left", "right", "up", "down"]),
        (b"\x1b", ["esc"]),
        (b"\x1b[Dx", ["left", "x"]),
        (b"\x03\x1a", ["ctrl-c", "ctrl-z"]),
        (b"\x1b[15~\x1b[<0;1;1Mx", ["x"]),  # F5, and a mouse that nobody asked for
        ("é".encode(), []),
    ],
)
def test_plain_bytes_are_taps(data, keys):
    events, rest = read_keys(data, with_releases=False)
    assert [event.key for event in events] == keys
    assert {event.kind for event in events} <= {"tap"}
    assert rest == b""


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"\x1b[97u", KeyEvent("a", "press")),
        (b"\x1b[97;1:1u", KeyEvent("a", "press")),
        (b"\x1b[97;1:2u", KeyEvent("a", "repeat")),
        (b"\x1b[97;1:3u", KeyEvent("a", "release")),
        (b"\x1b[97:65;2:1u", KeyEvent("a", "press")),  # with shift
        (b"\x1b[D", KeyEvent("left", "press")),
        (b"\x1b[1;1:3D", KeyEvent("left", "release")),
        (b"\x1b[32;1:1u", KeyEvent("space", "press")),
        (b"\x1b[27;1:1u", KeyEvent("esc", "press")),
        (b"\x1b[99;5:1u", KeyEvent("ctrl-c", "press")),
    ],
)
def test_the_kitty_protocol_tells_of_releases(data, event):
    assert read_keys(data, with_releases=True) == ([event], b"")


def test_a_key_cut_in_two_waits_for_its_end():
    events, rest = read_keys(b"x\x1b[1;1:", with_releases=True, all_came=False)
    assert (events, rest) == ([KeyEvent("x", "tap")], b"\x1b[1;1:")
    assert read_keys(rest + b"3D", with_releases=True) == ([KeyEvent("left", "release")], b"")


def drawn(match: Match, size: tuple[int, int]) -> list[str]:
    """Return what stands in the lines, the panel at its column."""
    lines = terminal_view.draw(match, DEFAULT_BINDINGS, size, colour=False, with_releases=True)
    shown = []
    for line in lines:
        text = ""
        for part in re.split(r"(\x1b\[\d+G)", line):
            column = re.fullmatch(r"\x1b\[(\d+)G", part)
            text = text.ljust(int(column[1]) - 1) if column else text + part
        shown.append(text.rstrip())
    return shown


def test_it_draws_boards_and_a_panel_that_fit():
    match = Match(setting("sprint", guest=dellacherie(), part="beside"))
    for columns in (70, 80, 120):
        lines = drawn(match, (columns, 24))
        assert max(map(len, lines)) <= columns
        text = "\n".join(lines)
        assert "40 lines to go" in text and "key begins" in text
    assert sum("HOLD" in part for line in drawn(match, (120, 24)) for part in line.split("  ")) == 2
    panel = "\n".join(drawn(Match(setting("sprint")), (120, 40)))
    assert "hold" in panel and "turn around" not in panel  # keys that these rules have
    [said] = drawn(match, (40, 24))
    assert said.endswith("characters are needed, here are 40 x 24.")


class Terminal:
    """The other side of a pseudo terminal: what is typed, and what is shown."""

    def __init__(self, master: int, answer: bytes) -> None:
        self.master, self.answer = master, answer
        self.shown = b""
        self.asked = False

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.shown += os.read(self.master, 65536)
        if not self.asked and ASK.encode() in self.shown:
            self.asked = True
            os.write(self.master, self.answer)

    def wait(self, pattern: str) -> None:
        """Read until something is shown, since the last wait."""
        until = time.monotonic() + PATIENCE
        while not (found := re.search(pattern.encode(), self.shown)):
            if time.monotonic() > until:
                raise TimeoutError(pattern)
            self.read(0.1)
        self.everything += self.shown[: found.end()]
        self.shown = self.shown[found.end() :]

    everything = b""

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)


@pytest.fixture
def pseudo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], tuple[Terminal, int]]]:
    opened: list[Any] = []

    def open_terminal(answer: bytes) -> tuple[Terminal, int]:
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (30, 90))
        monkeypatch.setenv("COLUMNS", "90")
        monkeypatch.setenv("LINES", "30")
        monkeypatch.setattr(sys, "stdin", os.fdopen(os.dup(slave), "r"))
        monkeypatch.setattr(sys, "stdout", os.fdopen(os.dup(slave), "w"))
        opened.extend([sys.stdin, sys.stdout, master, slave])
        return Terminal(master, answer), slave

    yield open_terminal
    for each in opened:
        os.close(each) if isinstance(each, int) else each.close()


def play(terminal: Terminal, script: Callable[[Terminal], None], mode: str = "practice") -> list[Seat]:
    """Play in this thread, and type in another; return the seats of the games that ended."""
    ended: list[Seat] = []
    faults: list[BaseException] = []

    def type_all() -> None:
        try:
            script(terminal)
        except BaseException as error:
            faults.append(error)
            terminal.type(b"q")
        until = time.monotonic() + PATIENCE
        while LEAVE.encode() not in terminal.everything + terminal.shown and time.monotonic() < until:
            terminal.read(0.1)

    typist = threading.Thread(target=type_all)
    typist.start()
    try:
        terminal_play.play(
            setting(mode), DEFAULT_BINDINGS, lambda seat, result: ended.append(seat), colour=True
        )
    finally:
        typist.join()
    if faults:
        raise faults[0]
    return ended


def test_a_game_by_taps(pseudo, tmp_path):
    terminal, slave = pseudo(b"\x1b[?62c")  # a terminal without the protocol
    before = termios.tcgetattr(slave)

    def script(terminal: Terminal) -> None:
        terminal.wait("key begins")
        terminal.type(b"\x1b[D")
        terminal.wait("pieces a second")
        terminal.type(b" ")
        terminal.wait("locked by hard drop")
        terminal.type(b"\x1b[C ")
        terminal.wait("locked by hard drop")
        terminal.type(b"u")
        terminal.type(b"p")
        terminal.wait("paused")
        terminal.type(b"q")

    [seat] = play(terminal, script)
    session = seat.session
    assert session.played.moment.pieces == 1
    pressed = [action for action in session.actions if action]
    bits = session.board.key_bits
    assert pressed == [bits["left"], bits["hard_drop"]]
    path = keeping.keep_game(tmp_path, "practice", seat)
    assert path is not None
    record.verify(record.load(path))
    written = terminal.everything + terminal.shown
    assert written.startswith(ENTER.encode()) and LEAVE.encode() in written
    assert BEGIN.encode() not in written
    assert termios.tcgetattr(slave) == before


def test_a_game_that_has_no_room_pauses(pseudo, monkeypatch):
    terminal, _ = pseudo(b"\x1b[?62c")

    def script(terminal: Terminal) -> None:
        terminal.wait("key begins")
        terminal.type(b" ")
        terminal.wait("locked by hard drop")
        monkeypatch.setenv("COLUMNS", "40")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGWINCH)
        terminal.wait("characters are needed")
        monkeypatch.setenv("COLUMNS", "90")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGWINCH)
        terminal.wait("paused")
        terminal.type(b"q")

    [seat] = play(terminal, script)
    assert seat.session.played.moment.pieces == 1


def test_a_game_with_releases(pseudo):
    terminal, _ = pseudo(b"\x1b[?0u\x1b[?62c")  # a terminal that has the protocol

    def script(terminal: Terminal) -> None:
        terminal.wait("key begins")
        terminal.type(
            b"\x1b[1;1:1C\x1b[1;1:2C\x1b[1;1:2C\x1b[1;1:3C"
        )  # one press: the keyboard's repeats are none
        terminal.type(b"\x1b[32;1:1u\x1b[32;1:3u")
        terminal.wait("locked by hard drop")
        terminal.type(b"\x1b[99;5:1u")  # Ctrl-C

    [seat] = play(terminal, script)
    bits = seat.session.board.key_bits
    played = [action for action in seat.session.actions if action]
    assert played in ([bits["right"], bits["hard_drop"]], [bits["right"] | bits["hard_drop"]])
    written = terminal.everything + terminal.shown
    assert BEGIN.encode() in written
    assert END.encode() + LEAVE.encode() in written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_game_and_puts_the_terminal_back(pseudo, number):
    terminal, slave = pseudo(b"\x1b[?62c")
    before = termios.tcgetattr(slave)
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)]

    def script(terminal: Terminal) -> None:
        terminal.wait("key begins")
        terminal.type(b" ")
        terminal.wait("locked by hard drop")
        signal.pthread_kill(threading.main_thread().ident or 0, number)

    [seat] = play(terminal, script)
    assert seat.session.played.moment.pieces == 1
    assert termios.tcgetattr(slave) == before
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)] == handlers


def test_a_second_signal_does_not_lose_the_game(pseudo):
    terminal, _ = pseudo(b"\x1b[?62c")
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    ended: list[Seat] = []
    late: list[int] = []

    def keep(seat: Seat, result: object) -> None:
        for number in numbers:  # a terminal that is closed tells of it twice: itself, and by its shell
            signal.raise_signal(number)
        ended.append(seat)

    def type_all() -> None:
        terminal.wait("key begins")
        terminal.type(b" ")
        terminal.wait("locked by hard drop")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGHUP)
        while LEAVE.encode() not in terminal.everything + terminal.shown:
            terminal.read(0.1)

    before = {number: signal.signal(number, lambda number, frame: late.append(number)) for number in numbers}
    typist = threading.Thread(target=type_all, daemon=True)
    typist.start()
    try:
        terminal_play.play(setting("practice"), DEFAULT_BINDINGS, keep, colour=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        typist.join(PATIENCE)
    assert [seat.session.played.moment.pieces for seat in ended] == [1]
    assert not late


def test_a_fault_puts_the_terminal_back_too(pseudo, monkeypatch):
    terminal, slave = pseudo(b"\x1b[?62c")
    before = termios.tcgetattr(slave)

    def fail(*given: object, **named: object) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(terminal_view, "draw", fail)
    with pytest.raises(ZeroDivisionError):
        play(terminal, lambda terminal: None)
    assert termios.tcgetattr(slave) == before
