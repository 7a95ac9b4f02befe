"""The tables of the documentation say what the code does, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs import specification
from tests.adapters.boards import stand_in_for_moviepy
from tetrax.env.game import scoring
from tetrax.env.game.rules import RANDOMIZERS, TOP_OUTS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def table(page: str, first_head: str) -> list[list[str]]:
    """Return the body of the table whose first column is headed so."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_head} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def numbers(cells: list[str]) -> list[int]:
    return [int(cell) for cell in cells if cell]


def test_scores():
    rows = {row[0]: numbers(row[1:]) for row in table("environment.md", "lines cleared")}
    assert rows["plain"] == scoring.CLEAR_POINTS[scoring.NO_SPIN].tolist()
    assert rows["mini T-spin"] == scoring.CLEAR_POINTS[scoring.MINI_SPIN].tolist()[:3]
    assert rows["T-spin"] == scoring.CLEAR_POINTS[scoring.FULL_SPIN].tolist()[:4]
    assert rows["perfect clear, added"] == scoring.PERFECT_CLEAR_POINTS.tolist()[1:]


def test_attack():
    rows = {row[0]: numbers(row[1:]) for row in table("environment.md", "rows sent by lines cleared")}
    assert rows["plain"] == scoring.ATTACK_ROWS[scoring.NO_SPIN].tolist()[1:]
    assert rows["mini T-spin"] == scoring.ATTACK_ROWS[scoring.MINI_SPIN].tolist()[1:4]
    assert rows["T-spin"] == scoring.ATTACK_ROWS[scoring.FULL_SPIN].tolist()[1:4]
    page = " ".join((ROOT / "docs" / "environment.md").read_text().split())
    for combo in scoring.COMBO_ROWS.values():
        assert f"{', '.join(map(str, combo.tolist()))} for the first," in page


@pytest.mark.slow
def test_the_specification_is_what_the_code_says():
    assert specification.updated(specification.PAGE.read_text()) == specification.PAGE.read_text(), (
        "run: python docs/specification.py"
    )


def test_the_specification_follows_the_code(monkeypatch):
    monkeypatch.setattr(specification, "ENV_VERSION", 10**6)
    assert specification.updated(specification.PAGE.read_text()) != specification.PAGE.read_text()


def test_every_way_to_lose_and_to_draw_is_documented():
    assert [row[0] for row in table("environment.md", "`top_out`")] == list(TOP_OUTS)
    assert [row[0] for row in table("environment.md", "`randomizer`")] == list(RANDOMIZERS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "number"), [("adapters.md", 12), ("games.md", 1), ("game_log.md", 3), ("versus.md", 2)]
)
def test_the_examples_run(page, number, capsys, monkeypatch, tmp_path):
    stand_in_for_moviepy(monkeypatch)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / page).read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, f"docs/{page}", "exec"), names)
    assert len(examples) >= number
    assert capsys.readouterr().out.strip()


def test_the_map_shows_every_file_of_the_house():
    drawn = (ROOT / "docs" / "design.md").read_text().split("```")[1]
    modules = {path.stem for path in (ROOT / "tetrax").rglob("*.py")} - {"__init__", "__main__"}
    big = {path.name for path in (ROOT / "tetrax").iterdir() if (path / "__init__.py").exists()}
    of_small_rooms = {  # rooms whose one line says what is in them
        path.stem
        for room in ("ops", "networks", "adapters", "games", "env/actions", "agents")
        for path in (ROOT / "tetrax" / room).glob("*.py")
    }
    of_training = {path.stem for path in (ROOT / "tetrax" / "train").glob("*/*.py")}
    missing = [
        name
        for name in sorted(modules - of_small_rooms - of_training)
        if not re.search(rf"\b{name}\b", drawn)
    ]
    assert missing == []
    assert [room for room in sorted(big) if f"{room}/" not in drawn] == []


def test_where_things_are_is_true():
    page = (ROOT / "docs" / "design.md").read_text()
    rows = re.findall(r"^\| (?!where|---)(.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert len(rows) >= 12
    for what, where in rows:
        named = re.findall(r"`([\w/]+(?:\.py|/))`", where)
        assert named or "dataclass" in where, what
        for path in named:
            found = [*(ROOT / "tetrax").rglob(path.rstrip("/"))] or [ROOT / "tetrax" / path]
            assert found[0].exists(), (what, path)
        text = "".join(
            path.read_text()
            for place in named
            for path in (ROOT / "tetrax").rglob(f"{place}*.py" if place.endswith("/") else place)
        )
        for name in re.findall(r"`([A-Z][A-Za-z]+|[A-Z]{4,})`", where):
            assert not named or name in text, (what, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        to = page.parent / path if path else page
        assert to.exists(), target
        headings = re.findall(r"^#+ (.+)$", to.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor.replace("-", " ") in [line.lower() for line in headings], target


def test_extras_are_installed_from_the_checkout():
    """The package is on no index: `pip install tetrax` would bring somebody else's, or nothing."""
    for path in [*PAGES, *ROOT.glob("*/**/README.md"), *(ROOT / "tetrax").rglob("*.py")]:
        assert not re.search(r"pip install (-\S+ )*['\"]?tetrax", path.read_text()), path
