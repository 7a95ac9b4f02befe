"""What happened, in words."""

from __future__ import annotations

from typing import Any

import pytest

from tetrax.env.game.rules import Rules
from tetrax.view.captions import Happening, is_highlight, tell

RULES = Rules()
I, T = 0, 5  # noqa: E741
UNKNOWN = RULES.num_pieces
NOTHING = Happening(
    locked=False,
    lock_reason=0,
    lines=0,
    spin=0,
    combo=-1,
    back_to_back=False,
    perfect_clear=False,
    score=0,
    attack=[0, 0],
    garbage_received=0,
    hold_refused=False,
    life_lost=False,
    game_over=0,
)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (-1, {}, ""),
        (-1, {"hold_refused": True}, "hold refused"),
        (T, {"locked": True, "lock_reason": 1, "score": 36}, "T locked by hard drop · +36"),
        (T, {"locked": True, "lock_reason": 3}, "T locked by lock delay"),
        (T, {"locked": True, "lock_reason": 4, "score": 1234}, "T placed · +1,234"),
        (UNKNOWN, {"locked": True, "lock_reason": 2}, "piece locked by soft drop"),
        (I, {"locked": True, "lines": 1, "combo": 0, "score": 100}, "1 line · +100"),
        (
            I,
            {"locked": True, "lines": 4, "combo": 2, "back_to_back": True, "score": 1300, "attack": [5, 0]},
            "4 lines · back-to-back · combo 2 · +1,300 · attack 5",
        ),
        (T, {"locked": True, "lines": 2, "spin": 2, "combo": 0, "score": 1200}, "T-spin double · +1,200"),
        (T, {"locked": True, "spin": 1, "score": 100}, "T-spin mini · +100"),
        (
            T,
            {"locked": True, "lines": 1, "spin": 1, "combo": 0, "perfect_clear": True, "attack": [0, 10]},
            "T-spin mini single · perfect clear · attack 10",
        ),
        (
            T,
            {"locked": True, "lock_reason": 1, "garbage_received": 1},
            "T locked by hard drop · 1 garbage row entered",
        ),
        (
            T,
            {"locked": True, "lock_reason": 1, "garbage_received": 3, "life_lost": True, "game_over": 3},
            "T locked by hard drop · 3 garbage rows entered · life lost: garbage-out",
        ),
    ],
)
def test_words(kind: int, fields: dict[str, Any], words: str) -> None:
    assert tell(RULES, NOTHING._replace(**fields), kind, over=False) == words


def test_the_last_life_is_the_game() -> None:
    lost = NOTHING._replace(life_lost=True, game_over=1)
    assert tell(RULES, lost, -1, over=True) == "game over: block-out"
    assert tell(RULES, lost, -1, over=False) == "life lost: block-out"


def test_highlights_are_rare() -> None:
    lock = NOTHING._replace(locked=True, lines=3)
    assert not is_highlight(lock)
    assert not is_highlight(lock._replace(lines=0, spin=2))
    for fields in ({"lines": 4}, {"spin": 1}, {"perfect_clear": True}, {"life_lost": True}):
        assert is_highlight(lock._replace(**fields)), fields
