"""Write all results that pages show, the README's few rows too, from benchmarks/results.

    python -m benchmarks.tables            rewrite each between its markers, and draw their charts
    python -m benchmarks.tables --check    only say whether they are up to date (exit code 1 if not)

Each file in benchmarks/results is one measurement, a JSON object with every field of `records.Measurement`;
those in benchmarks/results/performance hold all that one of the programs here found besides, those in
benchmarks/results/ablation one variant each, in benchmarks/results/attack one policy each, in
benchmarks/results/ladder one match of two each, and in benchmarks/results/options several settings of one game.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # so that `python benchmarks/tables.py` works as well

from benchmarks import (  # noqa: E402
    ablation_page,
    ablation_results,
    attack_page,
    charts,
    ladder_page,
    options_page,
    performance_page,
    records,
    results_page,
)
from benchmarks.records import read  # noqa: E402
from tetrax.fields.errors import USER_ERROR_EXIT_CODE, UserError  # noqa: E402

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "performance.md"
RESULTS_PAGE = ROOT / "docs" / "results.md"
AGENTS = ROOT / "docs" / "agents.md"
LADDER = ROOT / "docs" / "ladder.md"
WORLD_MODEL = ROOT / "docs" / "world_model.md"
ATTACK = ROOT / "docs" / "attack.md"
START, END = "<!-- results: made by benchmarks/tables.py -->", "<!-- end of results -->"
OPTIONS = "<!-- options: made by benchmarks/tables.py -->", "<!-- end of options -->"
MATCHES = "<!-- ladder: made by benchmarks/tables.py -->", "<!-- end of ladder -->"
POLICIES = "<!-- policies: made by benchmarks/tables.py -->", "<!-- end of policies -->"
DURATIONS = "<!-- durations: made by benchmarks/tables.py -->", "<!-- end of durations -->"


def with_section(text: str, content: str, start: str = START, end: str = END) -> str:
    """Replace what stands between the markers."""
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{content}{end}{after}"


def make_texts() -> dict[Path, str]:
    """Return what the README and the pages should say."""
    found = records.read_performance(records.PERFORMANCE)
    shown = [*read(records.RESULTS), *(one for one in found if results_page.SHOWN.search(one.name))]
    readme = with_section(README.read_text(), results_page.headlines(shown))
    readme = with_section(readme, results_page.durations(shown), *DURATIONS)
    return {
        README: readme,
        RESULTS_PAGE: with_section(RESULTS_PAGE.read_text(), results_page.content(shown)),
        PAGE: with_section(PAGE.read_text(), performance_page.content(found)),
        AGENTS: with_section(AGENTS.read_text(), ablation_page.content(ablation_results.read())),
        LADDER: with_section(LADDER.read_text(), ladder_page.content(ladder_page.read()), *MATCHES),
        WORLD_MODEL: with_section(
            WORLD_MODEL.read_text(), options_page.content(options_page.read()), *OPTIONS
        ),
        ATTACK: with_section(ATTACK.read_text(), attack_page.content(attack_page.read()), *POLICIES),
    }


def update() -> None:
    """Write the README's table, the pages' tables and their charts."""
    for path, text in make_texts().items():
        path.write_text(text)
    charts.draw(records.read_performance(records.PERFORMANCE), charts.FOLDER)
    ablation_page.draw(ablation_results.read(), ablation_page.FOLDER)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    arguments = parser.parse_args()
    try:
        if not arguments.check:
            update()
            return 0
        stale = [path.name for path, text in make_texts().items() if path.read_text() != text]
    except (UserError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    for name in stale:
        print(f"{name}: the results are out of date; run python -m benchmarks.tables", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
