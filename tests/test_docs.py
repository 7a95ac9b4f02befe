"""The tables of the documentation say what the code does, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs import specification
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
        assert f"adds {', '.join(map(str, combo[1:].tolist()))}" in page


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
def test_the_examples_of_the_adapters_run(capsys):
    page = (ROOT / "docs" / "adapters.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/adapters.md", "exec"), names)
    assert len(examples) >= 4
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("#"):
            heading = target[1:].replace("-", " ")
            headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
            assert heading in [line.lower() for line in headings], target
        elif "://" not in target:
            assert (page.parent / target).exists(), target
