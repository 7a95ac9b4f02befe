"""The page of people who play, by its websocket: what it is sent, and what it may send."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.live.play.boards import dellacherie, setting
from tetrax.env import record
from tetrax.live.play.key_bindings import DEFAULT_BINDINGS
from tetrax.live.web import play_page, serving
from tetrax.live.web.guard import Rights
from tetrax.live.web.play_page import House, routes

HERE, PLACE = "http://127.0.0.1:8777", "ws://127.0.0.1:8777/play"
FROM_HERE = {"origin": HERE}


def client(folder: Path, **changes: object) -> TestClient:
    house = House(setting(**changes), DEFAULT_BINDINGS, 167.0, 33.0, folder)  # type: ignore[arg-type]
    return TestClient(serving.make_app(routes(house), Rights(serving.LOOPBACK_NAMES)), base_url=HERE)


def until(websocket: Any, condition: Any) -> dict[str, Any]:
    """Return the first match that fulfils a condition."""
    for _ in range(2_000):
        match = json.loads(websocket.receive_text())
        if "seats" in match and condition(match):
            return dict(match)
    raise AssertionError("it never came")


def say(websocket: Any, **message: object) -> None:
    websocket.send_text(json.dumps(message))


def test_a_game_by_keys(tmp_path):
    with client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket:
        first = until(websocket, lambda match: True)
        assert (first["phase"], first["key"]) == ("ready", 0)
        before = first["seats"][0]["scene"]["active"]
        say(websocket, press="left", key=1)
        moved = until(websocket, lambda match: match["key"] == 1)
        assert moved["seats"][0]["scene"]["active"] == [[x - 1, y] for x, y in before]
        assert "move" in moved["sounds"]
        say(websocket, release="left")
        say(websocket, press="hard_drop", key=2)
        dropped = until(websocket, lambda match: match["key"] == 2)
        assert "locked by hard drop" in dropped["seats"][0]["said"]
        say(websocket, release="hard_drop")
        say(websocket, pause=True)
        assert until(websocket, lambda match: match["phase"] == "paused")["state"] == "paused"
        say(websocket, press="restart", key=3)
        kept = until(websocket, lambda match: "kept" in match)["kept"]
    assert [Path(path) for path in kept] == list(tmp_path.iterdir())
    recording = record.verify(record.load(kept[0])).recording
    assert recording.outcome.pieces == 1


def test_a_page_that_goes_leaves_its_game_saved(tmp_path):
    with client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket:
        say(websocket, press="hard_drop", key=1)
        until(websocket, lambda match: match["key"] == 1)
    [path] = tmp_path.iterdir()
    record.verify(record.load(path))


def test_a_page_chooses_the_game(tmp_path):
    with client(tmp_path, guest=dellacherie(), part="helps").websocket_connect(
        PLACE, headers=FROM_HERE
    ) as websocket:
        say(websocket, begin={"mode": "sprint", "part": "beside", "das": 100, "arr": 0})
        match = until(websocket, lambda match: len(match["seats"]) == 2)
        assert [seat["name"] for seat in match["seats"]] == ["you", "the agent"]
        assert "40 lines to go" in match["clock"]
        say(websocket, press="suggest", key=1)
        hint = until(websocket, lambda match: match["seats"][0]["scene"]["hint"])["seats"][0]["scene"]["hint"]
        assert len(hint) == 4
        say(websocket, press="take_over", key=2)
        assert until(websocket, lambda match: match["agent_plays"])["seats"][0]["name"].startswith(
            "the agent"
        )


@pytest.mark.parametrize(
    "message",
    [
        "no JSON", "[1]", "{}", '{"jump": 1}', '{"press": "jump"}', '{"press": ["left"]}', '{"press": "quit"}',
        '{"begin": 3}', '{"begin": {"mode": "x"}}', '{"begin": {"das": -1}}', '{"begin": {"arr": "1"}}',
        '{"begin": {"das": NaN}}', '{"begin": {"mode": []}}', '{"begin": {"das": 1' + "0" * 400 + "}}",
        '{"' + "\N{SLOT MACHINE}" * 40 + '": 1}',
    ],
)  # fmt: skip
def test_what_no_page_sends_ends_it(tmp_path, message):
    with (
        client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket,
        pytest.raises(WebSocketDisconnect) as ended,
    ):
        websocket.send_text(message)
        while True:
            websocket.receive_text()
    assert ended.value.code == 1003
    assert "given" in ended.value.reason
    assert len(ended.value.reason.encode()) <= 123  # more is no websocket's


def test_bytes_are_refused(tmp_path):
    with (
        client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket,
        pytest.raises(WebSocketDisconnect) as ended,
    ):
        websocket.send_bytes(b"\0")
        while True:
            websocket.receive_text()
    assert ended.value.reason == "given no JSON object"


def test_the_seed_is_of_the_first_game_alone(tmp_path):
    def pieces(match: dict[str, Any]) -> list[Any]:
        return [match["seats"][0]["scene"][name] for name in ("piece", "queue")]

    with client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket:
        first = pieces(until(websocket, lambda match: True))
        say(websocket, begin={"mode": "ultra"})  # of another kind, but nobody has played yet
        assert pieces(until(websocket, lambda match: match["state"].startswith("ultra"))) == first
        later = []
        for number in range(1, 5):
            say(websocket, press="left", key=number)
            until(websocket, lambda match: match["phase"] == "running")
            say(websocket, begin={})
            later.append(pieces(until(websocket, lambda match: match["phase"] == "ready")))
    assert any(each != first for each in later)


def test_a_game_that_cannot_be_saved_is_told_of(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("")
    with client(folder).websocket_connect(PLACE, headers=FROM_HERE) as websocket:
        say(websocket, press="hard_drop", key=1)
        until(websocket, lambda match: match["key"] == 1)
        say(websocket, press="restart")
        match = until(websocket, lambda match: match["phase"] == "ready" and "not_kept" in match)
    assert str(folder) in match["not_kept"] and "File exists" in match["not_kept"]
    assert "kept" not in match


def test_a_full_house_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(play_page, "MOST_PLAYERS", 0)
    with (
        client(tmp_path).websocket_connect(PLACE, headers=FROM_HERE) as websocket,
        pytest.raises(WebSocketDisconnect) as ended,
    ):
        websocket.receive_text()
    assert "people play already" in ended.value.reason


def test_a_terminal_that_is_closed_ends_it_as_sigterm_does(tmp_path, monkeypatch):
    """Which saves the games; SIGHUP alone would end this process at once."""
    came: list[int] = []
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: came.append(number)),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    monkeypatch.setattr(serving, "serve", lambda *given, **named: signal.raise_signal(signal.SIGHUP))
    try:
        play_page.serve(House(setting(), DEFAULT_BINDINGS, 167.0, 33.0, tmp_path), "127.0.0.1", 0, print)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert came == [signal.SIGTERM]


def test_other_sites_may_not_play(tmp_path):
    with (
        pytest.raises(WebSocketDisconnect),
        client(tmp_path).websocket_connect(PLACE, headers={"origin": "http://evil.example"}),
    ):
        pass


def test_the_page_and_what_it_needs_to_know(tmp_path):
    page = client(tmp_path).get("/")
    assert page.status_code == 200 and "/pages/play.js" in page.text
    about = client(tmp_path).get("/about").json()
    assert about["agent"] is None and about["parts"] == {}
    assert about["bindings"]["space"] == "hard_drop"
    assert "hold" in about["keys"] and "rotate_180" not in about["keys"]
    assert set(about["modes"]) == {"sprint", "ultra", "endless", "practice"}
    assert about["rules"]["columns"] == 6
    assert client(tmp_path, guest=dellacherie()).get("/about").json()["agent"] == "dellacherie"
