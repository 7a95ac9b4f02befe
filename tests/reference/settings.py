"""The settings of a reference game."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between two games, as plain values."""

    width: int = 10
    height: int = 20
    buffer: int = 20
    pieces: str = "IJLOSTZ"
    randomizer: str = "bag"
    sequence: tuple[str, ...] = ()
    kicks: str = "srs"
    hold: bool = True
    preview: int = 5
    gravity: str = "level"
    rows_per_second: float = 1.0
    ticks_per_second: int = 10
    lock: str = "extended"
    spawn_row: int = 0
    spawn_drop: bool = True
    spawn_rise: bool = False
    top_out: str = "guideline"
    spins: str = "guideline"
    lives: int = 1
    garbage: bool = False
    garbage_blocking: bool = True
    attack: str = "guideline"
    # numbers that need no new program
    start_level: int = 1
    fixed_gravity: int = 0
    soft_drop_factor: int = 20
    lock_delay: int = 5
    lock_resets: int = 15
    starting_garbage: int = 0
    garbage_interval: int = 0
    garbage_rows: int = 1
    garbage_delay: int = 3
    garbage_cap: int = 8
    garbage_multiplier: int = 256
