"""The tables of the documentation say what the code does, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from tetrax.env.game import scoring
from tetrax.env.reward import REWARDS

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


def test_rewards():
    rows = {name: cells for name, *cells in table("environment.md", "name")}
    assert rows.keys() == REWARDS.keys()
    for name, (lines, level, piece, lost, board) in rows.items():
        rule = REWARDS[name]
        assert [float(value) for value in lines.split(",")] == list(rule.line_values[1:])
        assert level == ("yes" if rule.by_level else "no")
        assert float(piece) == rule.weights.get("piece", 0.0)
        assert float(lost) == rule.weights.get("game_over", 0.0)
        for term in ("aggregate_height", "holes", "bumpiness"):
            assert float(board.split()[0]) == rule.weights.get(term, 0.0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("#"):
            heading = target[1:].replace("-", " ")
            headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
            assert heading in [line.lower() for line in headings], target
        elif "://" not in target:
            assert (page.parent / target).exists(), target
