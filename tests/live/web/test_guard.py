"""Who may talk to a page, and what every answer says to the browser."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from tetrax.fields.errors import UserError
from tetrax.live.web import serving
from tetrax.live.web.guard import LARGEST_BODY, Rights

HERE = "http://127.0.0.1:8817"
OPEN = Rights(serving.LOOPBACK_NAMES)
CLOSED = Rights(frozenset({"lab"}), any_address=True, token="the-right-one", cookie="tetrax_8817")


async def echo(request: Request) -> JSONResponse:
    asked = await serving.read_object(request, {"word": str, "at": (int, type(None))})
    return JSONResponse([asked["word"], asked["at"]])


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


def client(rights: Rights, base: str = HERE) -> TestClient:
    routes = [serving.page("/", "ground.css"), Route("/echo", echo, methods=["POST"])]
    app = serving.make_app([*routes, WebSocketRoute("/talk", talk)], rights)
    return TestClient(app, base_url=base, follow_redirects=False)


@pytest.mark.parametrize(
    "host", ["localhost:8817", "127.0.0.1", "127.0.0.1:9000", "[::1]:8817", "LocalHost."]
)
def test_names_of_this_machine_are_let_in(host):
    assert client(OPEN).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil",
        "",
        "a b",
        "[::1",
        "127.0.0.1:80:80",
        "x" * 300,
    ],
)
def test_another_host_is_refused(host):
    answer = client(OPEN).get("/", headers={"host": host})
    assert answer.status_code in (400, 403)
    assert answer.text.startswith("Host: given") and "allowed" in answer.text


def test_numbers_are_names_only_where_all_addresses_are_served():
    assert client(OPEN).get("/", headers={"host": "192.168.1.7:8817"}).status_code == 403
    cookie = {"host": "192.168.1.7:8817", "cookie": "tetrax_8817=the-right-one"}
    assert client(CLOSED).get("/", headers=cookie).status_code == 200


def test_every_answer_says_what_a_browser_may_do():
    for path, status in (
        ("/", 200),
        ("/pages/board.js", 200),
        ("/nothing", 404),
        ("/pages/../serving.py", 404),
    ):
        answer = client(OPEN).get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy and "unsafe" not in policy and "*" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1", "ftp://127.0.0.1:8817"]
)
def test_commands_of_other_pages_are_refused(origin):
    headers = {} if origin is None else {"origin": origin}
    answer = client(OPEN).post("/echo", json={"word": "a"}, headers=headers)
    assert answer.status_code == 403 and answer.text.startswith("Origin")


def test_another_page_may_not_even_look():
    assert client(OPEN).get("/", headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("site", "mode", "to", "status"),
    [
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),  # the address was typed
        ("cross-site", "navigate", "document", 200),  # a link was followed
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "no-cors", "image", 403),  # tells no origin
        ("same-site", "no-cors", "script", 403),  # another port of this machine
    ],
)
def test_another_page_may_not_even_fetch_a_picture(site, mode, to, status):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": to}
    answer = client(OPEN).get("/", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.text.startswith("Sec-Fetch-Site: given") and "allowed" in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"word": "a"}', "application/json", 200),
        (b'{"word": "a", "at": 3}', "application/json; charset=utf-8", 200),
        (b'{"word": "a"}', "text/plain", 415),
        (b'{"word": "a"}', "application/x-www-form-urlencoded", 415),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'["word"]', "application/json", 400),
        (b'{"word": 3}', "application/json", 400),
        (b'{"word": "a", "at": true}', "application/json", 400),
        (b'{"word": "a", "more": 1}', "application/json", 400),
        (b"{}", "application/json", 400),
        (b'"' + b"a" * LARGEST_BODY + b'"', "application/json", 413),
    ],
)
def test_a_command_is_a_json_object_of_known_names(content, kind, status):
    answer = client(OPEN).post("/echo", content=content, headers={"origin": HERE, "content-type": kind})
    assert answer.status_code == status
    if status != 200:
        assert "allowed" in answer.text


def test_a_body_that_tells_no_length_is_cut_off():
    pieces = (b"a" * 1_000 for _ in range(100))
    answer = client(OPEN).post(
        "/echo", content=pieces, headers={"origin": HERE, "content-type": "application/json"}
    )
    assert answer.status_code == 413 and "allowed" in answer.json()["error"]


def test_the_token_is_asked_for_once_and_kept_as_a_cookie():
    browser = client(CLOSED, "http://lab:8817")
    assert browser.get("/").status_code == 403
    assert browser.get("/?token=wrong").status_code == 403
    assert browser.get("/?token=the-right-one&token=wrong").status_code == 403
    answer = browser.get("/?run=a%20b&token=the-right-one")
    assert answer.status_code == 303 and answer.headers["location"] == "/?run=a+b"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert browser.get("/").status_code == 200
    assert browser.post("/echo", json={"word": "a"}, headers={"origin": "http://lab:8817"}).status_code == 200


def test_a_token_in_the_address_leads_to_no_other_machine():
    answer = client(CLOSED, "http://lab:8817").get("http://lab:8817//evil.example/?token=the-right-one")
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    "cookie", ["", "tetrax_8817=", "tetrax_8817=the-wrong-one", "tetrax=the-right-one", "=;;="]
)
def test_a_wrong_cookie_is_no_token(cookie):
    answer = client(CLOSED, "http://lab:8817").get("/", headers={"cookie": cookie})
    assert answer.status_code == 403 and answer.text.startswith("token")


@pytest.mark.parametrize(
    ("rights", "headers", "let_in"),
    [
        (OPEN, {"origin": HERE}, True),
        (OPEN, {}, False),
        (OPEN, {"origin": "http://evil.example"}, False),
        (OPEN, {"origin": "http://evil.example", "host": "evil.example"}, False),
        (CLOSED, {"origin": "http://lab", "host": "lab"}, False),
        (CLOSED, {"origin": "http://lab", "host": "lab", "cookie": "tetrax_8817=the-right-one"}, True),
    ],
)
def test_websockets_pass_the_same_checks(rights, headers, let_in):
    host = headers.pop("host", "127.0.0.1:8817")
    browser = client(rights, f"http://{host}")
    try:
        with browser.websocket_connect("/talk", headers={**headers, "host": host}) as talking:
            assert let_in and talking.receive_text() == "hello"
    except WebSocketDisconnect as error:
        assert not let_in and error.code == 1008


@pytest.mark.parametrize(
    ("port", "host"), [(-1, "127.0.0.1"), (65_536, "127.0.0.1"), (0, "no.such.name.invalid")]
)
def test_an_address_that_cannot_be_had_is_one_line(port, host):
    with pytest.raises(UserError, match=r"^--(port|host)"):
        serving.listen(host, port)


def test_a_port_that_is_taken_is_one_line():
    with serving.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: .*allowed"):
            serving.listen("127.0.0.1", port)


def test_only_loopback_needs_no_token():
    assert serving.rights_for("localhost", "127.0.0.1", 1).token is None
    assert serving.rights_for("::1", "::1", 1).token is None
    everywhere = serving.rights_for("0.0.0.0", "0.0.0.0", 1)
    assert everywhere.token is not None and len(everywhere.token) >= 32 and everywhere.any_address
    assert not serving.rights_for("10.0.0.2", "10.0.0.2", 1).any_address
