"""The one way to a terminal, and what it can show: nothing that is written there is read as rich's markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def console(**options: Any) -> Console:
    """Open a terminal in which `[x]` and `:x:` are names like others; a Panel's title has to be a Text all the same."""
    return Console(markup=False, emoji=False, highlight=False, **options)


def is_live(console: Console) -> bool:
    """Tell whether what is written can be drawn over; FORCE_COLOR makes no terminal of a file."""
    return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal


def can_show(console: Console, letters: str) -> bool:
    """Tell whether a terminal's encoding has some letters."""
    try:
        letters.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def has_colours(console: Console) -> bool:
    """Tell whether a terminal shows colours; NO_COLOR asks for none."""
    return console.color_system is not None and not console.no_color
