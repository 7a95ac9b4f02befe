"""The page that plays a recording: its data give the very scenes, and it needs nothing but itself."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tetrax
from tests.env.games import played_by_keys, played_by_placements, played_with_garbage
from tetrax.env import record
from tetrax.env.record import Recording
from tetrax.env.tetris import Tetris
from tetrax.view import svg
from tetrax.view.cells import EMPTY
from tetrax.view.frames import Frame, frames
from tetrax.view.render import render_html, save
from tetrax.view.scene import numbers

NODE = shutil.which("node")
VOID = {"meta", "input", "br", "link", "img"}  # elements that have no end


def keys_game() -> Recording:
    return played_by_keys(seed=1, ticks=1200)[0]


def drop_game() -> Recording:
    return played_by_placements(seed=2, pieces=90)[0]


def garbage_game() -> Recording:
    return played_with_garbage("direct")


GAMES = pytest.mark.parametrize("game", [keys_game, drop_game, garbage_game])


@functools.cache
def shown(recording: Recording) -> list[Frame]:
    return list(frames(recording))


@functools.cache
def page(recording: Recording) -> str:
    return render_html(recording)


class Reader(HTMLParser):
    """Reads a page, which must be balanced; keeps elements, their attributes and the text in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def data(self) -> Any:
        """What the page carries for its program."""
        index = [attributes.get("type") for tag, attributes in self.elements if tag == "script"]
        scripts = [text for tag, text in self.texts if tag == "script"]
        return json.loads(scripts[index.index("application/json")])


def assert_same(data: Any, recording: Recording) -> None:
    """Decode the data frame by frame, by what `encode_frames` says of it, and compare with the scenes."""
    cells = np.full((data["all_rows"], data["columns"]), EMPTY)
    lasting: dict[str, Any] = {}
    texts, step = [""] * len(data["labels"]), -1
    assert len(data["frames"]) == len(shown(recording))
    for coded, frame in zip(data["frames"], shown(recording), strict=True):
        scene = frame.scene
        cells = np.delete(cells, coded.get("cut", []), axis=0)
        cells = np.concatenate([np.full((coded.get("rise", 0), data["columns"]), EMPTY), cells])
        missing = max(0, data["all_rows"] - len(cells))
        cells = np.concatenate([cells, np.full((missing, data["columns"]), EMPTY)])[: data["all_rows"]]
        changed = [cell for _, *where in coded.get("set", []) for cell in where]
        for kind, *where in coded.get("set", []):
            cells.flat[where] = kind
        assert (cells == scene.cells).all()
        placed = {divmod(cell, data["columns"])[::-1] for cell in changed} if coded.get("placed") else set()
        assert placed == set(scene.placed)
        assert tuple(coded.get("full", ())) == scene.full_rows
        lasting |= {name: coded[name] for name in ("active", "hold", "used", "next", "over") if name in coded}
        assert (lasting["hold"], lasting["used"], lasting["over"]) == (
            scene.hold,
            scene.hold_used,
            scene.game_over,
        )
        assert tuple(lasting["next"]) == scene.queue
        kind, shape, left, bottom, fall = lasting["active"] or (-1, -1, 0, 0, 0)
        active = {(left + x, bottom + y) for x, y in data["shapes"][shape]} if kind >= 0 else set()
        assert (kind, active) == (scene.piece, set(scene.active))
        assert {(x, y - fall) for x, y in active if fall} - active == set(scene.ghost)
        for place, text in coded.get("numbers", {}).items():
            texts[int(place)] = text
        assert list(zip(data["labels"], texts, strict=True)) == numbers(scene)
        step = coded.get("step", step + 1)
        said = data["strings"][coded["say"]] if "say" in coded else ""
        assert (step, said, coded.get("mark", False)) == (frame.step, frame.caption, frame.highlight)


@GAMES
def test_the_data_of_a_page_are_the_scenes(game: Any) -> None:
    assert_same(Reader(page(game())).data(), game())


@GAMES
@pytest.mark.skipif(NODE is None, reason="the page's program needs a JavaScript engine: node")
def test_the_program_of_a_page_draws_what_svg_draws(game: Any, tmp_path: Path) -> None:
    """All frames in order, and a walk back and forth past the reader's copies."""
    recording = game()
    data = tmp_path / "data.json"
    data.write_text(json.dumps(Reader(page(recording)).data()))
    program = resources.files("tetrax.view") / "player" / "player.js"
    last = len(shown(recording)) - 1
    walk = [*range(last + 1), 3, last, 0, last // 2, last // 2 - 1, min(64, last), 63, min(65, last)]
    command = [str(NODE), str(Path(__file__).parent / "player.cjs"), str(program), str(data), *map(str, walk)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for index, line in zip(walk, lines, strict=True):
        drawn, frame = json.loads(line), shown(recording)[index]
        assert drawn["layers"] == svg.layers(frame.scene), index
        assert drawn["numbers"] == [value for _, value in numbers(frame.scene)]
        assert (drawn["step"], drawn["say"]) == (frame.step, frame.caption)
        assert (drawn["over"], drawn["mark"]) == (frame.scene.game_over, frame.highlight)


@GAMES
def test_a_page_needs_nothing_but_itself(game: Any) -> None:
    text = page(game())
    reader = Reader(text)
    assert set(re.findall(r"\w+://[^\"'\s<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in reader.elements}
    assert not any({"src", "href", "action", "srcset"} & set(attributes) for _, attributes in reader.elements)
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttpRequest|import\(", text)
    policy = [named["content"] for tag, named in reader.elements if named.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]
    assert "{{" not in text


def test_a_page_has_what_a_player_has() -> None:
    reader = Reader(page(keys_game()))
    elements = {
        attributes["id"]: (tag, attributes) for tag, attributes in reader.elements if "id" in attributes
    }
    for name in ("first", "back", "play", "forward", "last"):
        tag, attributes = elements[name]
        assert tag == "button"
        assert attributes["aria-label"]
    assert elements["scrubber"][1]["type"] == "range"
    assert elements["speed"][0] == "select"
    outcome = keys_game().outcome
    said = [text for tag, text in reader.texts if tag == "dd"]
    assert {"guideline, actions direct", f"{outcome.lines:,}", f"{outcome.score:,}", outcome.boards} <= set(
        said
    )
    program = (resources.files("tetrax.view") / "player" / "player.js").read_text()
    assert set(re.findall(r'find\("([\w-]+)"\)', program)) <= set(elements)
    layers = {attributes.get("data-layer") for _, attributes in reader.elements} - {None}
    assert layers >= {name for frame in shown(keys_game()) for name in svg.layers(frame.scene)}


def test_a_step_shows_its_action() -> None:
    data, recording = Reader(page(keys_game())).data(), keys_game()
    names = Tetris(recording.config).action_names
    for coded, frame in zip(data["frames"][1:], shown(recording)[1:], strict=True):
        assert data["strings"][coded["did"]] == names[recording.actions[frame.step - 1]]


def test_titles_and_names_cannot_break_out() -> None:
    bad = "</title></script><script>alert(1)</script>{{data}}"
    recording = drop_game()
    pieces = tuple(
        replace(piece, name=f"</script>{piece.name}" if piece.name == "T" else piece.name)
        for piece in recording.config.rules.pieces
    )
    config = replace(recording.config, rules=replace(recording.config.rules, pieces=pieces))
    reader = Reader(render_html(replace(recording, config=config), title=bad))
    assert [tag for tag, _ in reader.elements].count("script") == 2  # the data and the program
    heading = "".join(text for tag, text in reader.texts if tag == "h1")
    assert heading == bad
    assert any("</script>T placed" in text for text in reader.data()["strings"])


@pytest.mark.parametrize(("game", "most"), [(keys_game, 120), (drop_game, 300)])
def test_a_game_of_two_thousand_steps_is_below_a_megabyte(game: Any, most: int) -> None:
    """A frame costs so few bytes, and everything else so few, that 2,000 steps stay far below."""
    recording = game()
    data = json.dumps(Reader(page(recording)).data()["frames"], separators=(",", ":"))
    assert len(data) / len(recording.actions) < most
    assert len(page(recording)) - len(data) < 40_000


def test_a_notebook_shows_the_player_of_a_recording() -> None:
    player = tetrax.show(keys_game())
    assert player.html == page(keys_game())
    assert repr(player) == f"Page(title={player.title!r})"
    assert Reader(tetrax.show(keys_game(), title="<Mine>")._repr_html_()).elements[0][1]["title"] == "<Mine>"
    ((tag, attributes),) = Reader(player._repr_html_()).elements
    assert (tag, attributes["srcdoc"], attributes["sandbox"]) == (
        "iframe",
        page(keys_game()),
        "allow-scripts",
    )


def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parent.parent.parent / "docs" / "environment.md"
    example = docs.read_text().split("## Pictures")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    Path("runs/mine/recordings").mkdir(parents=True)
    record.save(drop_game(), "runs/mine/recordings/best.json")
    exec(compile(example, "docs/environment.md", "exec"), {})
    assert Path("game.html").read_text() == page(drop_game())
    assert Path("game.gif").stat().st_size > 1000


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".gif", b"GIF89a"), (".html", b"<!DOCTYPE html>"), (".svg", b"<svg "), (".txt", b"HOLD")],
)
def test_a_recording_is_saved_as_its_suffix_says(suffix: str, start: bytes, tmp_path: Path) -> None:
    save(drop_game(), tmp_path / f"game{suffix}")
    assert (tmp_path / f"game{suffix}").read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [f"game{suffix}"]  # nothing half-written is left


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        save(drop_game(), tmp_path / "game.avi")
    allowed = "a name that ends in .gif, .mp4, .html, .svg, .txt"
    assert str(caught.value) == f"path: given '{tmp_path / 'game.avi'}'; allowed: {allowed}"
    assert not list(tmp_path.iterdir())
