"""`python -m tetrax.dashboard`: its words, a server that survives what is sent to it, and its end."""

import builtins
import json
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live.web.made_runs import add_row, make_run
from tetrax import dashboard

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "RUN_DIR: given 'nowhere'; allowed: the folder of a run, or a folder of runs"),
        ([""], "RUN_DIR: given ''"),
        (["--port", "70000"], "--port: given 70000; allowed: 0 (any that is free) to 65,535"),
        (["--port", "many"], "--port: given 'many'"),
        (["--host", "no.such.name.invalid"], "--host: given 'no.such.name.invalid'"),
        (["--prot", "1"], "--port"),
    ],
)
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert dashboard.main(words) == 2
    printed, errors = capsys.readouterr()
    assert said in errors and errors.count("\n") == 1 and not printed


def test_help_says_what_it_is(capsys):
    assert dashboard.main(["--help"]) == 0
    assert "--host" in capsys.readouterr().out


def test_a_missing_library_is_named_with_what_brings_it(monkeypatch, capsys):
    known = builtins.__import__

    def import_what_is_there(name, *arguments, **more):
        if name.partition(".")[0] in ("uvicorn", "starlette"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return known(name, *arguments, **more)

    for name in [name for name in sys.modules if name.startswith("tetrax.live.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", import_what_is_there)
    assert dashboard.main([]) == 2
    assert "is not installed; it comes with: pip install -e '.[dashboard]'" in capsys.readouterr().err


def send(address: str, content: bytes) -> bytes:
    """Send bytes to the server; return the beginning of its answer, nothing where it only closes."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=10) as talking, suppress(OSError):
        talking.sendall(content)
        talking.shutdown(socket.SHUT_WR)
        return talking.recv(4_096)
    return b""


def test_a_server_goes_on_whatever_it_is_sent_and_ends_when_it_is_told_to(tmp_path):
    """Events reach a client while others send garbage; Ctrl-C ends it, though the client goes on listening."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("Ctrl-C is ignored here, and so by what is started")
    run = make_run(tmp_path / "a")
    process = subprocess.Popen(
        [sys.executable, "-m", "tetrax.dashboard", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().split()[-1]
        chance = random.Random(0)
        with httpx.stream("GET", f"{address}api/events", params={"run": str(run)}, timeout=60) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: runs"
            for _ in range(200):
                begin = chance.choice(
                    [b"", b"GET / HTTP/1.1\r\n", b"POST /api/control HTTP/1.1\r\nHost: x\r\n"]
                )
                refused = send(address, begin + chance.randbytes(chance.randrange(1, 200)))
                assert not refused or refused.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), refused
            add_row(run, 9000, lines=1.0)
            told = [
                json.loads(line[6:]) for line in (next(lines) for _ in range(6)) if line.startswith("data: ")
            ]
            while not any("run" in one for one in told):
                line = next(lines)
                told += [json.loads(line[6:])] if line.startswith("data: ") else []
            assert {"run": str(run), "parts": ["metrics"]} in told
            assert httpx.get(address).status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
        assert process.stderr.read() == "stopped; the runs go on\n"
    finally:
        process.kill()
        process.communicate()
