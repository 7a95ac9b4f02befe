"""What the dashboard's server answers: curves, comparisons, files, commands; to garbage a line, and it goes on."""

import json
import os
import random
import time

import pytest
from starlette.testclient import TestClient

from tests.live.web.made_runs import PIXEL, add_evaluation, add_row, make_run, make_sweep
from tetrax.live.shelf import Shelf
from tetrax.live.web import dashboard_events, serving
from tetrax.live.web.dashboard_events import Looking
from tetrax.live.web.dashboard_routes import Dashboard
from tetrax.live.web.guard import Rights
from tetrax.train.folder import mailbox

HERE = "http://127.0.0.1:8817"


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """Return a client of a dashboard of runs/, where a, b and the sweep are."""
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "a")
    make_run(tmp_path / "runs" / "b", seed=1)
    make_sweep(tmp_path / "runs" / "sweep")
    dashboard = Dashboard([tmp_path.relative_to(tmp_path) / "runs"])
    app = serving.make_app(dashboard.routes(), Rights(serving.LOOPBACK_NAMES))
    return TestClient(app, base_url=HERE, raise_server_exceptions=True)


def curves(browser, **asked):
    return browser.get("/api/curves", params={"run": ["runs/a", "runs/b"], "metric": "lines", **asked})


def test_the_page_and_all_that_it_loads_are_there(browser):
    page = browser.get("/")
    assert page.status_code == 200 and "://" not in page.text.replace("http://www.w3.org/", "")
    for file in sorted(serving.PAGES.iterdir()):
        assert browser.get(f"/pages/{file.name}").content == file.read_bytes()


def test_curves_of_seeds_together_and_apart(browser):
    together = curves(browser, together="yes").json()
    assert [group["runs"] for group in together["groups"]] == [["runs/a", "runs/b"]]
    (curve,) = together["curves"]["lines"]
    assert (curve["x"], curve["y"], curve["seeds"]) == ([1000, 2000, 3000, 4000], [0, 1, 2, 3], 2)
    assert together["pending"] == [] and "eval/lines" in together["metrics"]
    apart = curves(browser, together="no", metric="eval/lines", x="minutes").json()
    assert [curve["x"] for curve in apart["curves"]["eval/lines"]] == [[0.333333, 0.666667]] * 2
    assert [curve["y"] for curve in apart["curves"]["eval/lines"]] == [[4000, 8000]] * 2


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"x": "weeks"}, "x"),
        ({"smooth": "0"}, "smooth"),
        ({"smooth": "1e9"}, "smooth"),
        ({"smooth": "٣"}, "smooth"),
        ({"points": "-1"}, "points"),
        ({"points": "9" * 5_000}, "points"),
    ],
)
def test_a_wrong_question_is_answered_in_one_line(browser, asked, name):
    answer = curves(browser, **asked)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}: given ") and "allowed: " in answer.json()["error"]


def test_runs_that_are_not_there_have_no_curves(browser):
    answer = curves(browser, run=["runs/a", "runs/gone", "../a", "/etc"]).json()
    assert [group["runs"] for group in answer["groups"]] == [["runs/a"]]


def test_comparing_and_describing(browser, tmp_path):
    add_evaluation(tmp_path / "runs" / "b", 7.0)
    told = browser.get("/api/compare", params={"run": ["runs/a", "runs/b"]}).json()
    assert told["settings"] == [{"name": "seed", "values": ["0", "1"]}]
    assert told["evaluations"][1]["measures"]["lines"]["mean"] == 7.0
    assert browser.get("/api/compare").json()["runs"] == []
    assert browser.get("/api/run", params={"run": "runs/b"}).json()["evaluation"]["how"]["episodes"] == 64
    assert len(browser.get("/api/run", params={"run": "runs/sweep"}).json()["sweep"]["rows"]) == 2


@pytest.mark.parametrize("name", ["runs/none", "..", "/", "", "runs/a/../a", "/etc", "runs/a\0", "runs/./a"])
def test_only_listed_runs_are_opened(browser, name):
    for path in ("/api/run", "/picture", "/recording"):
        answer = browser.get(path, params={"run": name, "name": "x.png"})
        assert answer.status_code == 404 and answer.json()["error"].startswith("run: given")


def test_pictures(browser, tmp_path):
    plots = tmp_path / "runs" / "a" / "plots"
    plots.mkdir()
    (plots / "dream.png").write_bytes(PIXEL)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (plots / "link.png").symlink_to(tmp_path / "secret.png")
    answer = browser.get("/picture", params={"run": "runs/a", "name": "dream.png"})
    assert (answer.content, answer.headers["content-type"]) == (PIXEL, "image/png")
    for name in (
        "../config.json",
        "none.png",
        "../../../secret.png",
        "%2e%2e/config.json",
        "link.png",
        "x\0.png",
    ):
        answer = browser.get("/picture", params={"run": "runs/a", "name": name})
        assert answer.status_code in (400, 404) and "secret" not in answer.text.replace("secret.png", "")


def test_a_recordings_page_can_do_nothing_but_play(browser, tmp_path):
    recordings = tmp_path / "runs" / "a" / "recordings"
    recordings.mkdir()
    (recordings / "best.json").write_text("{}")
    refused = browser.get("/recording", params={"run": "runs/a", "name": "best.json"})
    assert refused.status_code == 400 and "best.json" in refused.text
    (recordings / "best.html").write_text("<script>play()</script>")
    played = browser.get("/recording", params={"run": "runs/a", "name": "best.json"})
    assert played.text == "<script>play()</script>"
    for answer in (refused, played):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "sandbox allow-scripts" in policy
        assert "allow-same-origin" not in policy and "connect-src" not in policy


def command(browser, name, *arguments, run="runs/a", at=None, **more):
    body = {"run": run, "command": name, "arguments": list(arguments), "at": at, **more}
    headers = {"origin": HERE, "content-type": "application/json"}
    return browser.post("/api/control", content=json.dumps(body), headers=headers)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("pause",), "not running"),
        (("dance",), "command: given 'dance'; allowed"),
        (("set", "agent.learning_rate"), "set: given 1 arguments"),
        (("branch", "b"), "holds a run already"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_answered_in_one_line(browser, asked, said):
    answer = command(browser, *asked).json()
    assert answer["done"] is False and said in answer["said"] and "allowed: " in answer["said"]


@pytest.mark.parametrize(
    "name", ["../elsewhere", "..", "", "/tmp/x", "a/b", "a\\b", "x" * 300, "a\0b", "\ud800", "a\nb"]
)
def test_a_branch_is_a_new_folder_beside_the_run(browser, name, tmp_path):
    assert command(browser, "branch", name).status_code == 400
    assert command(browser, "branch", "new", at=3).status_code == 400
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b", "sweep"]


def test_commands_are_objects_of_the_right_types(browser):
    assert command(browser, "pause", run="runs/none").status_code == 404
    assert command(browser, "pause", 3).status_code == 400
    assert command(browser, "pause", at=1.5).status_code == 400
    assert command(browser, "pause", more=1).status_code == 400
    assert browser.get("/api/control").status_code == 405
    assert browser.post("/api/control", json={}, headers={"origin": "http://evil"}).status_code == 403


@pytest.mark.parametrize("name", ["watch.alert_command", "--watch.alert-command"])
def test_the_page_sets_no_command_line(browser, name):
    answer = command(browser, "set", name, "rm -r .")
    assert answer.status_code == 400 and "allowed: with python -m tetrax.control" in answer.json()["error"]


def test_a_command_needs_no_step_and_no_text_that_is_text(browser):
    body = b'{"run": "runs/a", "command": "\\ud800", "arguments": []}'
    headers = {"origin": HERE, "content-type": "application/json"}
    answer = browser.post("/api/control", content=body, headers=headers)
    assert answer.status_code == 200 and answer.json()["said"].startswith("command: given")


def test_what_is_no_text_in_files_and_their_names_is_shown(browser, tmp_path):
    run = tmp_path / "runs" / "a"
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"preset": "\ud800"}))
    (run / "metrics.jsonl").write_text('{"step": 1, "\\ud800": 2}\n')
    (run / "recordings").mkdir()
    (run / "recordings" / os.fsdecode(b"\xff.json")).write_text("{}")
    told = browser.get("/api/run", params={"run": "runs/a"}).json()
    assert [one["name"] for one in told["recordings"]] == ["\udcff.json"]
    assert browser.get("/api/compare", params={"run": ["runs/a", "runs/b"]}).status_code == 200
    assert "\ud800" in curves(browser).json()["metrics"]


def test_a_run_without_a_configuration_takes_no_commands(browser, tmp_path):
    (tmp_path / "runs" / "a" / "config.json").unlink()
    (tmp_path / "runs" / "a" / "config.json").symlink_to("/dev/zero")
    answer = command(browser, "pause")
    assert answer.status_code == 400 and "cannot be steered" in answer.json()["error"]


def test_a_command_for_a_later_step_waits_with_the_run(browser, tmp_path):
    run = tmp_path / "runs" / "a"
    mailbox.Mailbox(run).tell(mailbox.RUNNING, 100, 4000, now=True)
    assert command(browser, "stop", at=3000).json() == {
        "done": None,
        "step": 3000,
        "said": "waits for step 3,000",
    }
    told = browser.get("/api/run", params={"run": "runs/a"}).json()
    assert told["waiting"] == [{"command": "stop", "at": 3000}]


@pytest.mark.slow
def test_a_thousand_malformed_requests_are_refused_and_the_page_goes_on(browser):
    chance = random.Random(0)
    paths = [
        "/",
        "/api/run",
        "/api/curves",
        "/api/control",
        "/picture",
        "/recording",
        "/pages/",
        "/pages/../guard.py",
    ]
    for number in range(1_000):
        content = chance.choice(
            [chance.randbytes(chance.randrange(300)), b"{" * 2_000, b"a" * 100_000, b'{"run": 3}']
        )
        headers = chance.choice([
            {}, {"origin": HERE}, {"origin": "null"}, {"host": "evil.example"}, {"cookie": b"\x80=;;"},
            {"origin": HERE, "content-type": "application/json"}, {"content-length": "99999999999"},
        ])  # fmt: skip
        name = "".join(chance.choices("./\\%00ab\x7fé ?#&=", k=chance.randrange(40)))
        path = chance.choice(paths)
        method = chance.choice(["POST", "PUT", "DELETE", "PATCH", "BREW"])
        answer = browser.request(
            method, path, params={"run": name, "name": name}, content=content, headers=headers
        )
        assert 400 <= answer.status_code < 500, (number, answer.text)
        if path not in ("/", "/api/curves", "/api/control"):
            assert browser.get(path, params={"run": name, "name": name}).status_code in (400, 404)
    assert curves(browser).status_code == 200


@pytest.fixture
def clock(monkeypatch):
    """Return what moves the time of whoever looks again and again."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def look(looking, clock, seconds=0.3):
    clock[0] += seconds
    return looking.look()


def test_a_client_is_told_all_at_first_and_then_what_changes(tmp_path, clock):
    run = make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    name = str(run)
    looking = Looking(Shelf([tmp_path]), [name], None)
    ((kind, told),) = look(looking, clock)
    assert kind == "runs" and len(told["changed"]) == 2 and told["gone"] == []
    assert look(looking, clock) == []
    add_row(run, 5000, lines=9.0)
    changed, (kind, told) = look(looking, clock)
    assert changed == ("changed", {"run": name, "parts": ["metrics"]})
    assert kind == "runs" and [one["step"] for one in told["changed"]] == [5000]
    add_evaluation(run, 3.0)
    assert look(looking, clock) == [("changed", {"run": name, "parts": ["evaluation"]})]
    add_row(tmp_path / "b", 5000, lines=9.0)  # nobody looks at it: it is told with the list
    assert look(looking, clock) == []
    make_run(tmp_path / "c")
    (run / "config.json").unlink()
    (run / "metrics.jsonl").unlink()
    ((kind, told),) = look(looking, clock, 3.0)
    assert kind == "runs" and told["gone"] == [name]
    assert sorted(one["name"].rpartition("/")[2] for one in told["changed"]) == ["b", "c"]


def test_looking_at_a_game_asks_the_run_to_play_it(tmp_path, clock):
    run = make_run(tmp_path / "a")
    mailbox.Mailbox(run)
    looking = Looking(Shelf([tmp_path]), [], str(run))
    assert not mailbox.is_watched(run)
    look(looking, clock)
    assert mailbox.is_watched(run)
    (run / "watched.jsonl").write_text('{"rules": {}}\n{"move": 1}\n')
    lines = [{"rules": {}}, {"move": 1}]
    assert look(looking, clock) == [("watched", {"run": str(run), "fresh": True, "lines": lines})]
    (run / "watched.jsonl").unlink()
    (run / "watched.jsonl").mkdir()
    ((kind, told),) = look(looking, clock)
    assert kind == "fault" and "watched.jsonl" in told["said"]
    assert look(looking, clock) == []  # it is said once


def test_events_are_server_sent_events():
    assert serving.event("runs", {"a": "b\nc"}) == b'event: runs\ndata: {"a":"b\\nc"}\n\n'
    assert set(dashboard_events.PARTS) >= {"config", "metrics", "evaluation", "pictures", "recordings"}
    with pytest.raises(ValueError):
        serving.event("runs", json.loads("NaN"))
