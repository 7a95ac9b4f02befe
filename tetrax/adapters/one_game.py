"""A game of several players that is played from Python, one compiled program a step; it can be pickled and copied."""

from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from tetrax.adapters.forks import GENERAL_ADVICE, check_not_forked
from tetrax.adapters.pickling import from_numpy, to_numpy
from tetrax.adapters.several import Players, Position, players_programs
from tetrax.view.render import render, render_rgb

NO_RESET = "step(), observe() and render() need reset() first"


class OneGame:
    """A game, and as NumPy arrays what is told of it: nothing before it is begun."""

    def __init__(self, players: Players) -> None:
        self.players = players
        self._programs = players_programs(players)
        self._position: Position | None = None
        self._told: Position | None = None
        self._random: np.random.Generator | None = (
            None  # before the first game, so that copies play other games
        )

    def begin(self, seed: int | None) -> None:
        """Start a game; its key is drawn from a generator, which `seed` starts anew."""
        check_not_forked(GENERAL_ADVICE)
        if seed is not None or self._random is None:
            self._random = np.random.default_rng(seed)
        self._take(self._programs.reset(self._random.integers(0, 2**32, size=2, dtype=np.uint32)))

    def play(self, action: ArrayLike) -> None:
        """Play one step: int32[], or int32[P] where all act together."""
        self._told_or_fail()
        assert self._position is not None
        self._take(self._programs.step(self._position, action))

    def observation(self, seat: int) -> Any:
        """Return what a player sees: an array, with `action_mask` beside it where legal actions vary."""
        told = self._told_or_fail()
        shown = np.array(told.shown[seat])
        if not self.players.game.spec.legal_varies:
            return shown
        return {"observation": shown, "action_mask": np.array(told.action_mask[seat])}

    def reward(self, seat: int) -> float:
        """Return what the last step paid a player."""
        return float(self._told_or_fail().rewards[seat])

    @property
    def has_begun(self) -> bool:
        """Tell whether there has been a game at all."""
        return self._told is not None

    @property
    def terminated(self) -> bool:
        """Tell whether the last step ended the game."""
        return bool(self._told_or_fail().terminated)

    @property
    def truncated(self) -> bool:
        """Tell whether it reached the limit of steps."""
        return bool(self._told_or_fail().truncated)

    @property
    def to_move(self) -> int:
        """Return the seat of who moves next, where players take turns."""
        player = self._told_or_fail().player
        assert player is not None  # they take turns
        return int(player)

    def measures(self) -> dict[str, Any]:
        """Return what the game comes to so far."""
        return {name: int(value) for name, value in self._told_or_fail().measures.items()}

    def draw(self, render_mode: str) -> Any:
        """Draw the game: text ("ansi"), or uint8[height, width, 3] ("rgb_array")."""
        self._told_or_fail()
        assert self._position is not None
        drawn = render if render_mode == "ansi" else render_rgb
        return drawn(self.players.game, self._position.state)

    def __getstate__(self) -> dict[str, Any]:
        packed = {name: each for name, each in vars(self).items() if name not in ("_programs", "_told")}
        return {**packed, "_position": to_numpy(self._position)}

    def __setstate__(self, packed: dict[str, Any]) -> None:
        check_not_forked(GENERAL_ADVICE)
        vars(self).update(packed, _programs=players_programs(packed["players"]), _told=None)
        if packed["_position"] is not None:
            self._take(from_numpy(packed["_position"]))

    def _take(self, position: Position) -> None:
        self._position = position
        self._told = jax.device_get(position.replace(state=None))

    def _told_or_fail(self) -> Position:
        if self._told is None:
            raise RuntimeError(NO_RESET)
        return self._told
