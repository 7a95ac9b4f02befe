"""What a bot says to a front end: a game is told, played on and asked about, a line of JSON at a time.

A line that cannot be meant is answered by an `error`, and the bot goes on listening. Where it was about the game, the
bot no longer knows how that stands, and waits for another `start`: it suggests nothing for a board that may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tetrax.live.bot import messages, position
from tetrax.live.bot.advisor import EMPTY, Advice, Advisor
from tetrax.live.bot.messages import Malformed
from tetrax.live.bot.position import ImpossibleMove, Position

LONGEST_LINE = 1 << 20  # bytes
MALFORMED, NOT_CALCULATING, IMPOSSIBLE = "malformed", "not_calculating", "impossible_move"
OF_THE_GAME = ("start", "play", "new_piece")  # the game is unknown where one of these is not understood

Message = dict[str, Any]


class Conversation:
    """One bot and one front end."""

    def __init__(self, advisor: Advisor, name: str, version: str) -> None:
        self.advisor = advisor
        self.name, self.version = name, version
        self.position: Position | None = None
        self.is_over = False
        self._answers: dict[str, Callable[[Message], Message | None]] = {
            "rules": self._get_ready,
            "start": self._start,
            "suggest": self._suggest,
            "play": self._play,
            "new_piece": self._add_piece,
            "stop": self._stop,
            "quit": self._quit,
        }

    def greet(self) -> Message:
        """Say who this is."""
        return {
            "type": "info",
            "name": self.name,
            "version": self.version,
            "author": "tetrax",
            "features": ["randomizer", "move_info"],
        }

    def answer(self, line: bytes) -> Message | None:
        """Answer one line, if there is anything to say to it."""
        if not line.strip():
            return None
        kind = None
        try:
            if len(line) > LONGEST_LINE:
                raise Malformed(f"a line: given more than {LONGEST_LINE:,} bytes; allowed: as many")
            message = messages.read(line)
            kind = message["type"]
            answers = self._answers.get(kind)  # the protocol lets bots ignore what they do not know
            return None if answers is None else answers(message)
        except Malformed as error:
            return self._refuse(kind, MALFORMED, error)
        except ImpossibleMove as error:
            return self._refuse(kind, IMPOSSIBLE, error)

    def _refuse(self, kind: str | None, reason: str, error: ValueError) -> Message:
        said = " ".join(str(error).split())
        if kind in OF_THE_GAME and (self.position is not None or kind == "start"):
            self.position = None
            said += "; the game must be told anew, by start"
        return {"type": "error", "reason": reason, "detail": said}

    def _get_ready(self, message: Message) -> Message:
        """Compile before the first game begins; what the rules say of the randomizer, `start` says again."""
        del message
        self.advisor.advise(EMPTY)
        return {"type": "ready"}

    def _start(self, message: Message) -> None:
        self.position = messages.read_start(message)

    def _suggest(self, message: Message) -> Message:
        del message
        if self.position is None:
            return _not_calculating("suggest")
        if not self.position.queue:
            return {"type": "error", "reason": NOT_CALCULATING, "detail": "suggest: given an empty queue"}
        return _suggestion(self.advisor, self.advisor.advise(self.position))

    def _play(self, message: Message) -> Message | None:
        move = messages.read_play(message)
        if self.position is None:
            return _not_calculating("play")
        self.position = position.play(self.position, move)
        return None

    def _add_piece(self, message: Message) -> Message | None:
        kind = messages.read_new_piece(message)
        if self.position is None:
            return _not_calculating("new_piece")
        self.position = position.add_piece(self.position, kind)
        return None

    def _stop(self, message: Message) -> None:
        del message
        self.position = None

    def _quit(self, message: Message) -> None:
        del message
        self.is_over = True


def converse(conversation: Conversation, lines: Iterator[bytes], say: Callable[[str], None]) -> None:
    """Answer line by line until the front end quits, or has no more to say."""
    say(messages.write(conversation.greet()))
    for line in lines:
        message = conversation.answer(line)
        if message is not None:
            say(messages.write(message))
        if conversation.is_over:
            return


def read_lines(stream: Any) -> Iterator[bytes]:
    """Read lines from a stream of bytes; of one that is too long only so much that its length is seen."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(LONGEST_LINE)
        yield line


def _not_calculating(kind: str) -> Message:
    detail = f"{kind}: given before a game; allowed: after start, until stop"
    return {"type": "error", "reason": NOT_CALCULATING, "detail": detail}


def _suggestion(advisor: Advisor, advice: Advice) -> Message:
    """Return the moves, and what the policy says beside."""
    told, info = advice.told, {}
    if "boards" in told:
        info = {"nodes": int(told["boards"]), "nps": round(told["boards"] / advice.seconds)}
    extra = ", ".join(f"{name} {value:.4g}" for name, value in told.items() if name != "boards")
    return {
        "type": "suggestion",
        "moves": [messages.move_data(move) for move in advice.moves],
        "move_info": {**info, **({"extra": extra} if extra else {})},
    }
