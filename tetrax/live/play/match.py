"""What goes on between a person and, if there is one, an agent: who plays, who helps, and when it is over."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np

from tetrax.live.play import handling as fingers
from tetrax.live.play import key_bindings as meant
from tetrax.live.play.handling import Hands
from tetrax.live.play.modes import MODES, Result, ended_by
from tetrax.live.play.pilot import Pilot, cells_of, kind_of
from tetrax.live.play.seats import Seat, Setting, forget_hint, settle, sound_of, submit
from tetrax.live.play.session import Session
from tetrax.search.lines import Lines
from tetrax.train.report.decisions import line_steps
from tetrax.view.planned import follow_line, line_data
from tetrax.view.player_data import line_text

READY, RUNNING, PAUSED, OVER = "ready", "running", "paused", "over"
MOST_OWED = 6  # ticks that an agent which thinks for long catches up with
TICKS_TO_WARM_UP = 300  # at most, until an agent has placed a piece
NOBODY = "there is no agent here (--policy)"


class Match:
    """A game of a person (the first seat) and perhaps one of an agent beside it, with the same pieces."""

    def __init__(
        self, setting: Setting, on_end: Callable[[Seat, Result], object] = lambda seat, result: None
    ) -> None:
        self.setting, self.mode, self.on_end = setting, MODES[setting.mode], on_end
        self.seed = secrets.randbits(31) if setting.seed is None else setting.seed
        self.changes = 0  # grows with whatever there is to see
        self.phase = READY
        self._begin()

    @property
    def person(self) -> Seat:
        """Return the seat of the person."""
        return self.seats[0]

    @property
    def wants_keys(self) -> bool:
        """Tell whether a key of the game would be played in the next tick."""
        return self.phase == RUNNING and not self.person.agent_plays

    def press(self, meaning: str) -> None:
        """Do what a key that goes down is for."""
        self._obey(meaning, lambda hands: fingers.press(hands, meaning))

    def tap(self, meaning: str) -> None:
        """Do the same for a key whose release nobody will report."""
        self._obey(meaning, lambda hands: fingers.tap(self.setting.handling, hands, meaning))

    def release(self, meaning: str) -> None:
        """Note that a key has come up."""
        self.person.hands = fingers.release(self.person.hands, meaning)

    def pause(self) -> None:
        """Let time stand still, if it goes on."""
        if self.phase == RUNNING:
            self.phase = PAUSED
            self.person.hands = Hands()
            self.changes += 1

    def advance(self) -> None:
        """Play one tick of every game that goes on."""
        if self.phase != RUNNING:
            return
        for seat in self.seats:
            if seat.agent_plays:
                self._advance_agent(seat)
            elif not seat.ended_by:
                chord, seat.hands = fingers.next_chord(self.setting.handling, seat.hands)
                self._play(seat, chord.keys, chord.presses)
        self._read_hint()
        if self.person.ended_by:
            self._end()

    def result(self, seat: Seat) -> Result:
        """Return what a game has come to."""
        session, moment = seat.session, seat.session.played.moment
        seconds = session.ticks / self.setting.board.rules.ticks_per_second
        return Result(seat.ended_by, seconds, moment.lines, moment.score, moment.pieces, session.keys)

    def refresh(self) -> None:
        """Look whether an answer has come, while no tick does."""
        self._read_hint()

    def let_go(self) -> None:
        """Note that no key is down any more: the player looks elsewhere."""
        self.person.hands = Hands()

    def end(self) -> None:
        """Leave the game as it is, for good."""
        if self.phase != OVER:
            self._end()

    def _begin(self) -> None:
        setting = self.setting
        key_data = np.array([0, self.seed], np.uint32)  # what jax.random.key makes of the seed

        def sit(agent_plays: bool) -> Seat:
            pilot = None
            if setting.guest is not None:
                pilot = Pilot(setting.guest, setting.board.rules.ticks_per_second, setting.keys_per_second)
            return Seat(Session(setting.board, key_data, can_undo=self.mode.undo), pilot, agent_plays)

        has_guest = setting.guest is not None
        self.seats = [sit(has_guest and setting.part == "plays")]
        if has_guest and setting.part == "beside":
            self.seats.append(sit(agent_plays=True))
        self.phase = RUNNING if self.person.agent_plays else READY
        self.changes += 1

    def _obey(self, meaning: str, move: Callable[[Hands], Hands]) -> None:
        if meaning in meant.GAME_KEYS:
            if self.phase == READY:
                self.phase = RUNNING
            if self.wants_keys:
                self.person.hands = move(self.person.hands)
            return
        self.changes += 1
        if meaning == meant.PAUSE:
            self._toggle_pause()
        elif meaning == meant.RESTART:
            self.end()
            self.seed = secrets.randbits(31)
            self._begin()
        elif self.phase == OVER:
            return
        elif meaning == meant.UNDO:
            self._undo()
        elif meaning == meant.TAKE_OVER:
            self._hand_over()
        elif meaning == meant.SUGGEST:
            self._ask()

    def _toggle_pause(self) -> None:
        if self.phase == PAUSED:
            self.phase = RUNNING
        else:
            self.pause()

    def _undo(self) -> None:
        seat = self.person
        if not self.mode.undo:
            seat.said = "pieces are taken back in practice only (--mode practice)"
            return
        settle(seat)
        seat.said = "" if seat.session.undo() else "there is no piece to take back"
        forget_hint(seat)
        seat.hands = Hands()
        if seat.pilot is not None:
            seat.pilot.begin()

    def _hand_over(self) -> None:
        """Let the agent play in the person's place, or the other way round."""
        seat = self.person
        if seat.pilot is None:
            seat.said = NOBODY
            return
        settle(seat)
        seat.agent_plays = not seat.agent_plays
        seat.said = "the agent plays" if seat.agent_plays else "you play"
        forget_hint(seat)
        seat.hands, seat.owed = Hands(), 0
        seat.pilot.begin()
        if self.phase == READY:
            self.phase = RUNNING

    def _ask(self) -> None:
        """Ask the agent what it would do with the person's piece."""
        seat, worker = self.person, self.setting.worker
        if seat.pilot is None:
            seat.said = NOBODY
        elif seat.agent_plays:
            seat.said = "the agent plays already"
        elif seat.asked is None:
            moment = seat.session.played.moment
            seat.hint_piece, seat.hint_kinds = moment.pieces, (moment.piece,)
            seat.asked = submit(worker, seat.pilot.suggest, seat.session.played)
            self._read_hint()

    def _read_hint(self) -> None:
        seat = self.person
        moment = seat.session.played.moment
        is_old = moment.pieces != seat.hint_piece or moment.piece not in seat.hint_kinds
        if seat.hint and is_old:
            forget_hint(seat)
        if seat.asked is None or not seat.asked.done():
            return
        choice, seat.asked = seat.asked.result(), None
        if is_old:
            return
        self.changes += 1
        if choice.placement is None:
            seat.said = f"the agent would press {', '.join(sorted(choice.keys)) or 'nothing'}"
        else:
            if choice.placement.use_hold:
                seat.hint_kinds += (kind_of(seat.session, choice.placement),)
            seat.hint = cells_of(seat.session, choice.placement)
            seat.said = "the agent would hold first" if choice.placement.use_hold else ""
            if choice.lines is not None:
                self._tell_line(seat, choice.lines)

    def _tell_line(self, seat: Seat, lines: Lines) -> None:
        """Show what a planner would place after the piece that it was asked about."""
        rules, moment = self.setting.board.rules, seat.session.played.moment
        planned = follow_line(rules, moment, line_steps(lines, 0))
        seat.line = planned[1:]
        line = line_data(rules, planned, float(lines.worth[0]), int(lines.visits[0]))
        seat.said = f"the agent's line, (hold) in brackets: {line_text(line)}"

    def _advance_agent(self, seat: Seat) -> None:
        """Let an agent play what it owes, where it thinks."""
        seat.owed = min(MOST_OWED, seat.owed + 1)
        if seat.thinking is not None and not seat.thinking.done():
            return
        settle(seat)
        if seat.ended_by:
            return
        ticks, seat.owed = seat.owed, 0
        seat.thinking = submit(self.setting.worker, self._play_agent, seat, ticks)
        if self.setting.worker is None:
            settle(seat)

    def _play_agent(self, seat: Seat, ticks: int) -> None:
        assert seat.pilot is not None
        for _ in range(ticks):
            if not seat.ended_by:
                self._play(seat, *seat.pilot.next_keys(seat.session))

    def _play(self, seat: Seat, keys: frozenset[str], presses: int) -> None:
        """Play a tick of one game."""
        session = seat.session
        before = session.played.moment
        said = session.play(keys, presses)
        seat.ticks_by[seat.agent_plays] += 1
        after = session.played.moment
        if said:
            seat.said = said
        if sound := sound_of(before, session.played):
            seat.sounds.append(sound)
        if said or after != before:
            self.changes += 1
        rules = self.setting.board.rules
        seat.ended_by = ended_by(self.mode, after.lines, session.ticks, rules.ticks_per_second, session.lost)

    def _end(self) -> None:
        self.phase = OVER
        self.changes += 1
        for seat in self.seats:
            settle(seat)
            self.on_end(seat, self.result(seat))


def warm_up(setting: Setting) -> None:
    """Compile all that a game needs, so that none of it is compiled while somebody plays."""
    match = Match(setting)
    seat = match.person
    seat.session.play(frozenset({fingers.HARD_DROP}))
    if seat.pilot is not None:
        seat.pilot.suggest(seat.session.played)
        for _ in range(TICKS_TO_WARM_UP):
            if seat.session.played.moment.pieces < 2 and not seat.session.lost:
                seat.session.play(*seat.pilot.next_keys(seat.session))
