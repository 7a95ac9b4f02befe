"""Values as the words of a command line: a text for each, and a list of texts for a tuple."""

from __future__ import annotations

import math
import types
from typing import Any

from tetrax.fields.annotations import Notation


def read_finite(given: str) -> float:
    """Read a finite number; ValueError for anything else."""
    number = float(given)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _read(kind: Any, given: str) -> Any:
    return read_finite(given) if kind is float else kind(given)


def _hint(kind: Any, given: str) -> str:
    """Name the whole number that is meant by 1e6 or 4.0."""
    try:
        whole = kind is int and read_finite(given).is_integer()
    except ValueError:
        return ""
    return f"; did you mean {int(float(given))}?" if whole else ""


WORDS = Notation(
    plain={int: "a whole number", float: "a finite number", str: "a word"},
    read_plain=_read,
    typed=False,
    spell=str,
    hint=_hint,
    names={bool: {"True": True, "False": False}, types.NoneType: {"None": None}},
)
