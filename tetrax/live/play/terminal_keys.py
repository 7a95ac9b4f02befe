"""The bytes that a terminal sends, as keys: with the kitty keyboard protocol presses and releases, otherwise taps."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

# What is written to a terminal to ask whether it has the protocol (every terminal answers the second question), to
# begin it (1: keys are unambiguous, 2: repeats and releases are told, 8: letters too), and to end it.
ASK, BEGIN, END = "\x1b[?u\x1b[c", "\x1b[>11u", "\x1b[<u"
HAS_PROTOCOL = re.compile(rb"\x1b\[\?\d+u")
ANSWERED = re.compile(rb"\x1b\[\?[\d;]*c")
SEQUENCE = re.compile(rb"\x1b(?:\[([\d:;<=>?]*)([A-Za-z~])|O([A-Z]))")
UNFINISHED = re.compile(rb"\x1b(?:\[[\d:;<=>?]*|O)?$")
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
CODES = {9: "tab", 13: "enter", 10: "enter", 27: "esc", 32: "space", 127: "backspace", 8: "backspace"}
CONTROL = 4  # the bit of its key among the modifiers
INTERRUPT, SUSPEND = "ctrl-c", "ctrl-z"
KINDS: dict[str, Literal["press", "repeat", "release"]] = {"1": "press", "2": "repeat", "3": "release"}


class KeyEvent(NamedTuple):
    """A key that moved; "tap" where nobody will tell of its release."""

    key: str
    kind: Literal["press", "repeat", "release", "tap"]


def read_keys(data: bytes, *, with_releases: bool, all_came: bool = True) -> tuple[list[KeyEvent], bytes]:
    """Return the keys in what a terminal sent, and the bytes at its end that may be the beginning of one.

    With `all_came` nothing more follows soon, and an escape alone is the key of that name.
    """
    events: list[KeyEvent] = []
    while data:
        match = SEQUENCE.match(data)
        if match is not None:
            events += _read_sequence(match, with_releases)
            data = data[match.end() :]
            continue
        if data[:1] == b"\x1b" and UNFINISHED.match(data) and not (all_came and len(data) == 1):
            return events, b"" if all_came else data
        key = _name(data[0])
        if key:
            events.append(KeyEvent(key, "tap"))
        data = data[1:]
    return events, b""


def _read_sequence(match: re.Match[bytes], with_releases: bool) -> list[KeyEvent]:
    """Return the key of an escape sequence; none where it is of another kind."""
    final = (match[2] or match[3]).decode()
    fields = [field.split(":") for field in (match[1] or b"").decode().split(";")]
    if final in ARROWS:
        key = ARROWS[final]
    elif final == "u" and fields[0][0].isdigit():
        key = _name(int(fields[0][0]))
    else:
        return []
    modifiers = fields[1] if len(fields) > 1 else []
    if key and modifiers and modifiers[0].isdigit() and (int(modifiers[0]) - 1) & CONTROL:
        key = f"ctrl-{key}"
    if not key:
        return []
    if not with_releases:
        return [KeyEvent(key, "tap")]
    return [KeyEvent(key, KINDS.get(modifiers[1], "press") if len(modifiers) > 1 else "press")]


def _name(code: int) -> str:
    """Return the name of the key that a code stands for, "" for one without a use."""
    if code in CODES:
        return CODES[code]
    if code in (3, 26):
        return {3: INTERRUPT, 26: SUSPEND}[code]
    return chr(code).lower() if 32 < code < 127 else ""
