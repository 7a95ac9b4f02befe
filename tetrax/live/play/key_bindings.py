"""Which key of a keyboard does what; the names of keys are the same in a terminal and in a browser."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping

from tetrax.fields.errors import UserError, hint

UNDO, SUGGEST, TAKE_OVER, PAUSE, RESTART, QUIT = "undo", "suggest", "take_over", "pause", "restart", "quit"
# What a key may be for: the keys of the game, and what the player wants of the program.
GAME_KEYS = (
    "left", "right", "soft_drop", "hard_drop", "rotate_cw", "rotate_ccw", "rotate_180", "hold",
)  # fmt: skip
COMMANDS = (UNDO, SUGGEST, TAKE_OVER, PAUSE, RESTART, QUIT)
MEANINGS = (*GAME_KEYS, *COMMANDS)
DOES = {  # in words
    "left": "move left",
    "right": "move right",
    "soft_drop": "drop softly",
    "hard_drop": "drop",
    "rotate_cw": "turn right",
    "rotate_ccw": "turn left",
    "rotate_180": "turn around",
    "hold": "hold",
    UNDO: "take a piece back",
    SUGGEST: "ask the agent",
    TAKE_OVER: "take over or hand over",
    PAUSE: "pause",
    RESTART: "start anew",
    QUIT: "end",
}
# Names of keys that are no letter: those that browsers give, in small letters, and shorter.
NAMED_KEYS = ("left", "right", "up", "down", "space", "enter", "tab", "backspace", "esc")
KEYS = (*NAMED_KEYS, *string.ascii_lowercase, *string.digits, *",./;'[]\\-=`")
FORM = "MEANING=KEY"
DEFAULT_BINDINGS: dict[str, str] = {  # key -> what it is for
    "left": "left",
    "right": "right",
    "down": "soft_drop",
    "space": "hard_drop",
    "up": "rotate_cw",
    "x": "rotate_cw",
    "z": "rotate_ccw",
    "a": "rotate_180",
    "c": "hold",
    "u": UNDO,
    "h": SUGGEST,
    "t": TAKE_OVER,
    "p": PAUSE,
    "esc": PAUSE,
    "r": RESTART,
    "q": QUIT,
}


def bind(words: Iterable[str]) -> dict[str, str]:
    """Return what each key is for, after words MEANING=KEY; those that are given keys lose the ones they had.

    UserError for another word, and where a key is given twice.
    """
    given: dict[str, str] = {}
    for word in words:
        meaning, _, key = word.partition("=")
        if meaning not in MEANINGS or not key:
            raise UserError(
                f"--keys: given {word!r}; allowed: {FORM}, of {', '.join(MEANINGS)}{hint(meaning, MEANINGS)}"
            )
        if key not in KEYS:
            listed = f"{', '.join(NAMED_KEYS)}, a letter, a digit or a sign"
            raise UserError(f"--keys: {meaning}: given {key!r}; allowed: {listed}{hint(key, NAMED_KEYS)}")
        if given.get(key, meaning) != meaning:
            raise UserError(f"--keys: given {key} for {given[key]} and {meaning}; allowed: each key once")
        given[key] = meaning
    kept = {key: meaning for key, meaning in DEFAULT_BINDINGS.items() if meaning not in given.values()}
    return kept | given


def in_words(bindings: Mapping[str, str], meanings: Iterable[str]) -> str:
    """Say which keys do what: "left: move left, up x: turn right, …"."""
    said = []
    for meaning in meanings:
        keys = " ".join(key for key, known in bindings.items() if known == meaning)
        if keys:  # they may have been given something else to do
            said.append(f"{keys}: {DOES[meaning]}")
    return ", ".join(said)
