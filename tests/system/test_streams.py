"""What is printed ends nothing: closed and full streams, none at all, encodings that lack the letters."""

from __future__ import annotations

import errno
import io
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import exit_code
from tetrax.system import disk, streams
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.loop import train
from tetrax.train.report.display import PlainDisplay

REPOSITORY = Path(__file__).parents[2]
LETTERS = "█ é → 😀"
HELPS = [
    pytest.param(command, marks=pytest.mark.slow)
    for command in ("evaluate", "train", "train sweep", "train dqn", "train cross-entropy")
]


def open_stream(descriptor: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    """Open a stream as Python opens its own: strict, and buffered by lines or more."""
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "wb")), encoding=encoding)


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@contextmanager
def standing_for(monkeypatch: pytest.MonkeyPatch, name: str, stream: io.TextIOWrapper) -> Iterator[None]:
    """Let a stream be Python's own; what it did not get rid of may not fail in closing."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        patch.setattr(sys, f"__{name}__", stream)
        yield
    stream.close()


@pytest.mark.parametrize(("make", "number"), [(closed_pipe, errno.EPIPE), (full, errno.ENOSPC)])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_cannot_be_written_is_dropped_and_remembered(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], int], number: int, name: str
) -> None:
    with standing_for(monkeypatch, name, open_stream(make())), streams.forgiving():
        for _ in range(3):
            print("x" * 10_000, file=getattr(sys, name), flush=True)
        if name == "stdout":
            with pytest.raises(OSError) as error:
                streams.deliver()
            assert (error.value.errno, error.value.filename) == (number, "standard output")
        else:
            streams.deliver()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", "? ? ? ?"), ("cp437", "█ é ? ?"), ("cp932", "? ? → ?"), ("utf-8", LETTERS)],
)
def test_letters_that_an_encoding_lacks_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str
) -> None:
    file = os.open(tmp_path / "said", os.O_WRONLY | os.O_CREAT)
    with standing_for(monkeypatch, "stdout", open_stream(file, encoding)), streams.forgiving():
        print(LETTERS)
        streams.deliver()
    assert (tmp_path / "said").read_text(encoding) == f"{expected}\n"


def test_a_slow_reader_of_a_pipe_that_is_non_blocking_gets_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some programs make the pipes that they share non-blocking; then a write may take nothing."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got: list[bytes] = []

    def read() -> None:
        with open(reader, "rb") as file:
            got.append(file.read())

    thread = threading.Thread(target=read)
    with standing_for(monkeypatch, "stdout", open_stream(writer)), streams.forgiving():
        threading.Timer(0.1, thread.start).start()
        print("x" * 1_000_000, end="")
        streams.deliver()
    thread.join()
    assert got == [b"x" * 1_000_000]


def test_streams_that_somebody_put_there_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with streams.forgiving():
        print("kept")
        streams.deliver()
    assert sys.stdout.getvalue() == "kept\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [closed_pipe, full])
def test_training_goes_on_without_its_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], int]
) -> None:
    use_quick_games(monkeypatch.setattr)
    with (
        standing_for(monkeypatch, "stdout", open_stream(make())),
        standing_for(monkeypatch, "stderr", open_stream(make())),
    ):
        result = train(toy_config(total_steps=64), run_dir=tmp_path / "run", display=PlainDisplay())
    assert (result.status, result.exit_code) == ("finished", 0)
    assert RunFolder(tmp_path / "run").finished.is_file()


def start(words: list[str], redirection: str, **variables: str) -> tuple[int, str, str]:
    """Run Python in a shell, as `python WORDS REDIRECTION`; return its own exit code and what both streams got."""
    command = f"{shlex.join([sys.executable, *words])} {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=120)
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


PERFT = ["-m", "tetrax.perft"]
OWN_CODE = "; exit ${PIPESTATUS[0]}"
FULL = "error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "redirection", "code", "said"),
    [
        (["--help"], "> /dev/full", 2, FULL),
        (["--help"], "2> /dev/full > /dev/full", 2, ""),
        (["--help"], f"| : {OWN_CODE}", 141, ""),
        (["--help"], ">&-", 0, ""),
        (["--help"], "<&- >&- 2>&-", 0, ""),
        (["é"], "2> /dev/full", 2, ""),
        (["é"], "2>&-", 2, ""),
    ],
)
def test_a_command_ends_with_the_right_code_and_no_traceback(
    words: list[str], redirection: str, code: int, said: str
) -> None:
    assert start([*PERFT, *words], redirection) == (code, "", said)


@pytest.mark.parametrize(
    ("encoding", "quoted"), [("ascii", "'\\xe9\\u2588\\U0001f600'"), ("cp437", "'é█\\U0001f600'")]
)
def test_an_error_quotes_what_it_can(encoding: str, quoted: str) -> None:
    code, out, said = start([*PERFT, "é█😀"], "", PYTHONIOENCODING=encoding)
    assert (code, out) == (2, "")
    assert said.startswith(f"error: QUEUE: given {quoted}; allowed: ")


def test_an_error_of_no_file_says_where_it_came_up(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(words: list[str]) -> int:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    assert exit_code(refuse, [], "stopped") == 2
    assert capsys.readouterr().err == "error: Connection refused (in tests.system.test_streams.refuse)\n"

    def fill(words: list[str]) -> int:
        with open("/dev/full", "wb", buffering=0) as file:
            disk.write_all(file, "x")
        return 0

    assert exit_code(fill, [], "stopped") == 2
    said = "error: No space left on device (in tetrax.system.disk.write_all)\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp932"])
@pytest.mark.parametrize("command", ["perft", *HELPS])
def test_help_is_spoken_in_every_encoding(encoding: str, command: str) -> None:
    words = shlex.split(command)
    code, out, said = start(["-m", f"tetrax.{words[0]}", *words[1:], "--help"], "", PYTHONIOENCODING=encoding)
    assert code == 0 and "--" in out and said == ""


@pytest.mark.slow
def test_a_count_that_nobody_reads_ends() -> None:
    """Four pieces are counted in a second or so; twelve would take hours."""
    assert start([*PERFT, "IOLJSZTIOLJS"], f"| : {OWN_CODE}") == (141, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["| head -1", "| :", "> /dev/full 2> /dev/full", ">&- 2>&-"])
def test_a_run_whose_streams_fail_finishes(tmp_path: Path, redirection: str) -> None:
    words = ["-m", "tests.train.toy", str(tmp_path / "run"), "new", "320"]
    code, _, said = start(words, f"{redirection} {OWN_CODE}")
    assert (code, said) == (0, "")
    assert RunFolder(tmp_path / "run").finished.is_file()
