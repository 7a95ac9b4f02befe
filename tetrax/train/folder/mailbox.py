"""Commands to a run: files in its folder, each written whole, taken in order and answered one by one.

control/inbox/ID.json     a command that waits: {"command": "set", "arguments": ["agent.clip", "0.1"], "at": null}
control/taken/ID.json     one that is being carried out
control/replies/ID.json   what came of it: {"done": true, "said": "…", "step": 4096}
control/state.json        what the run does, who runs it
control/watching          touched now and then by whoever looks at the watched game: see `watch`

An ID begins with the time, so that names sort as commands were sent. The folder is its owner's alone; what somebody
else has put there, and whatever is no command, is refused and does no harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import stat
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import hint
from tetrax.system import disk

# Command -> what it takes.
COMMANDS: dict[str, tuple[str, ...]] = {
    "pause": (),
    "resume": (),
    "set": ("NAME", "VALUE"),
    "reload": (),
    "save": (),
    "eval": (),
    "stop": (),
    "branch": ("NEW_DIR",),
}
ID = re.compile(r"\d{19,20}-\d+-[0-9a-f]{8}")
LARGEST_FILE = 65_536  # bytes
LONGEST_WORD = 4_096  # letters of an argument
MOST_AT_ONCE = 1_000  # files that are looked at between two chunks
LAST_STEP = 2**62
WATCHED_SECONDS = 15.0  # after which a run that nobody has asked for again is watched no more
RUNNING, PAUSED, ENDED = "running", "paused", "ended"


@dataclass(frozen=True)
class Command:
    """A command that waits."""

    id: str
    name: str  # one of COMMANDS
    arguments: tuple[str, ...]
    at: int | None  # the environment step from which on it is due; None: at once

    @property
    def words(self) -> str:
        """Return the command as it was given."""
        return " ".join([self.name, *self.arguments])


@dataclass(frozen=True)
class Reply:
    """What came of a command."""

    done: bool
    said: str
    step: int  # environment steps trained then


@dataclass(frozen=True)
class RunState:
    """What a run does."""

    state: str  # RUNNING, PAUSED or ENDED
    step: int  # environment steps trained, of one seed
    total_steps: int
    pid: int
    process_start: str  # when the process began, as the system counts; "" where it does not tell
    host: str


@dataclass(frozen=True)
class Places:
    """The paths of a run's mailbox."""

    run: Path

    @property
    def root(self) -> Path:
        return self.run / "control"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def taken(self) -> Path:
        return self.root / "taken"

    @property
    def replies(self) -> Path:
        return self.root / "replies"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def watching(self) -> Path:
        return self.root / "watching"


def send(run: Path, name: str, arguments: tuple[str, ...] = (), at: int | None = None) -> str:
    """Put a command into a run's mailbox; return its ID. Raises OSError where there is none, or another user's."""
    command_id = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
    document = {"command": name, "arguments": list(arguments), "at": at}
    disk.write_whole(Places(run).inbox / f"{command_id}.json", json.dumps(document).encode())
    return command_id


def watch(run: Path) -> None:
    """Ask a run to play its watched game for some more seconds; nothing where it takes no commands."""
    path = Places(run).watching
    with contextlib.suppress(OSError):
        descriptor = os.open(
            path,
            os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
            0o600,
        )
        with open(descriptor, "wb"):
            os.utime(descriptor)


def is_watched(run: Path) -> bool:
    """Return whether somebody has asked for the watched game of a run within WATCHED_SECONDS."""
    try:
        asked = Places(run).watching.lstat().st_mtime
    except OSError:
        return False
    return abs(time.time() - asked) < WATCHED_SECONDS


def withdraw(run: Path, command_id: str) -> bool:
    """Take a command back; return whether it was still waiting."""
    try:
        (Places(run).inbox / f"{command_id}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def reply_to(run: Path, command_id: str) -> Reply | None:
    """Return what came of a command, None as long as nothing has."""
    try:
        return Reply(**disk.read_json(Places(run).replies / f"{command_id}.json"))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def read_state(run: Path) -> RunState | None:
    """Return what a run does or did last, None where it does not say."""
    try:
        state = RunState(**disk.read_json(Places(run).state))
    except (OSError, ValueError, TypeError):
        return None
    kinds = {"state": str, "step": int, "total_steps": int, "pid": int, "process_start": str, "host": str}
    return state if all(type(getattr(state, name)) is kind for name, kind in kinds.items()) else None


def is_alive(state: RunState) -> bool | None:
    """Return whether the process of a run is there; None where that cannot be known: on another machine."""
    if state.state == ENDED:
        return False
    if state.host != socket.gethostname():
        return None
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's
        pass
    return state.process_start == _process_start(state.pid)


class Mailbox:
    """The run's side of its mailbox."""

    def __init__(self, run: Path, obeyed: Collection[str] = ()) -> None:
        """Make the folders, its owner's alone, and settle what a process of before has left.

        `obeyed` are the IDs of commands that were carried out, as far as the checkpoint knows that is gone on from.
        Raises OSError where there can be no mailbox.
        """
        self._places = Places(run)
        self._waiting: dict[str, Command] = {}  # by ID: read, and not carried out yet
        self._seen: set[str] = set()  # whatever could not be removed is not looked at again
        self._written = 0.0
        places = self._places
        for folder in (places.root, places.inbox, places.taken, places.replies):
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or not _is_ours(status):
                raise PermissionError(0, "not a folder of this user's own", str(folder))
        for command_id in _ids(places.taken):
            if command_id in obeyed:
                self._answer(command_id, Reply(True, "carried out", 0))
            else:  # it was killed meanwhile, and nothing of it is saved
                with contextlib.suppress(OSError):
                    os.replace(places.taken / f"{command_id}.json", places.inbox / f"{command_id}.json")
        for old in _ids(places.replies)[:-MOST_AT_ONCE]:
            (places.replies / f"{old}.json").unlink(missing_ok=True)
        for command in self.waiting(0):
            if command.at is None:
                self.answer(command, Reply(False, "it was sent to a process that has ended", 0))

    def waiting(self, step: int) -> list[Command]:
        """Return the commands that are due at a step, in the order they were sent; refuse what is none."""
        there = _ids(self._places.inbox)
        fresh = [each for each in there if each not in self._seen and each not in self._waiting]
        for command_id in fresh[:MOST_AT_ONCE]:
            try:
                self._waiting[command_id] = _read(self._places.inbox / f"{command_id}.json", command_id)
            except FileNotFoundError:
                continue  # it was withdrawn
            except (ValueError, OSError) as error:
                self._answer(command_id, Reply(False, f"refused: {error}", step))
        for gone in self._waiting.keys() - set(there):
            del self._waiting[gone]
        known = sorted(self._waiting.items())
        return [command for _, command in known if command.at is None or command.at <= step]

    def take(self, command: Command) -> bool:
        """Take a command to carry it out; return False where it was withdrawn meanwhile."""
        self._waiting.pop(command.id, None)
        name = f"{command.id}.json"
        try:
            os.replace(self._places.inbox / name, self._places.taken / name)
        except FileNotFoundError:
            return False
        except OSError:
            self._seen.add(command.id)
        return True

    def answer(self, command: Command, reply: Reply) -> None:
        """Say what came of a command, which waits no more."""
        self._answer(command.id, reply)

    def tell(self, state: str, step: int, total_steps: int, *, now: bool = False) -> None:
        """Let others know what the run does, once a second at most unless `now`."""
        if not now and time.monotonic() - self._written < 1.0:
            return
        self._written = time.monotonic()
        pid = os.getpid()
        told = RunState(state, step, total_steps, pid, _process_start(pid), socket.gethostname())
        temporary = self._places.root / f"{disk.TEMPORARY}state"
        with contextlib.suppress(OSError):  # it is for people to look at, and nothing depends on it
            temporary.write_text(json.dumps(asdict(told)))
            # No wait for the disk: after a crash it would be wrong anyway.
            os.replace(temporary, self._places.state)

    def _answer(self, command_id: str, reply: Reply) -> None:
        self._seen.add(command_id)
        self._waiting.pop(command_id, None)
        with contextlib.suppress(OSError):
            document = json.dumps(asdict(reply)).encode()
            disk.write_whole(self._places.replies / f"{command_id}.json", document)
        for folder in (self._places.inbox, self._places.taken):
            with contextlib.suppress(OSError):
                (folder / f"{command_id}.json").unlink(missing_ok=True)


def waiting(run: Path) -> list[Command]:
    """Return the commands that wait for a run, in the order they were sent; what is none is left out."""
    found = []
    for command_id in _ids(Places(run).inbox)[:MOST_AT_ONCE]:
        with contextlib.suppress(ValueError, OSError):
            found.append(_read(Places(run).inbox / f"{command_id}.json", command_id))
    return found


def _ids(folder: Path) -> list[str]:
    """Return the IDs of the commands in a folder, in order; none where there is no such folder any more."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(stem for stem in stems if ID.fullmatch(stem))


def check(name: Any, arguments: Any, at: Any) -> None:
    """Raise ValueError for what is no command."""
    if not isinstance(name, str) or name not in COMMANDS:
        raise ValueError(f"command: given {name!r:.80}; allowed: {', '.join(COMMANDS)}{hint(name, COMMANDS)}")
    takes = COMMANDS[name]
    if not isinstance(arguments, list | tuple) or len(arguments) != len(takes):
        given = len(arguments) if isinstance(arguments, list | tuple) else f"{arguments!r:.80}"
        allowed = " and ".join(takes) or "nothing more"
        raise ValueError(f"{name}: given {given} arguments; allowed: {allowed}")
    for word in arguments:
        if not isinstance(word, str) or not 0 < len(word) <= LONGEST_WORD:
            raise ValueError(f"{name}: given {word!r:.80}; allowed: words of up to {LONGEST_WORD:,} letters")
    if at is not None and (type(at) is not int or not 0 <= at <= LAST_STEP):
        raise ValueError(f"at: given {at!r:.80}; allowed: an environment step, 0 or more")


def _read(path: Path, command_id: str) -> Command:
    """Read a command; ValueError for what is none, OSError for what cannot be read."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("no regular file")
        if not _is_ours(status):
            raise ValueError("a file of another user")
        if status.st_size > LARGEST_FILE:
            raise ValueError(f"{status.st_size:,} bytes; allowed: up to {LARGEST_FILE:,}")
        text = file.read(LARGEST_FILE + 1)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(document, dict) or set(document) != {"command", "arguments", "at"}:
        raise ValueError("given no object with command, arguments and at, and nothing else")
    check(document["command"], document["arguments"], document["at"])
    return Command(command_id, document["command"], tuple(document["arguments"]), document["at"])


def _is_ours(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _process_start(pid: int) -> str:
    """Return when a process began, "" where the system does not tell: a number may be given to another one later."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
