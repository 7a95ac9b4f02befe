"""Write the README's table of results, the page about speed and the ablation's table from benchmarks/results.

    python -m benchmarks.tables            rewrite each between its markers, and draw their charts
    python -m benchmarks.tables --check    only say whether they are up to date (exit code 1 if not)

Each file in benchmarks/results is one measurement, a JSON object with every field of `records.Measurement`;
those in benchmarks/results/performance hold all that one of the programs here found besides, those in
benchmarks/results/ablation one variant each.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # so that `python benchmarks/tables.py` works as well

from benchmarks import ablation_page, ablation_results, charts, performance_page, records  # noqa: E402
from benchmarks.records import Measurement, read  # noqa: E402
from tetrax.fields.errors import USER_ERROR_EXIT_CODE, UserError  # noqa: E402

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "performance.md"
AGENTS = ROOT / "docs" / "agents.md"
START, END = "<!-- results: made by benchmarks/tables.py -->", "<!-- end of results -->"
IN_README = re.compile(r"-(peers|env-.*)$")  # of the names in results/performance; the page shows all


def section(measurements: list[Measurement]) -> str:
    """Return the section between the markers: nothing without measurements."""
    if not measurements:
        return ""
    lines = ["## Results", "", "| what | result | machine | command |", "|---|---|---|---|"]
    for one in measurements:
        interval = (
            "" if one.interval is None else f" ({number(one.interval[0])} to {number(one.interval[1])})"
        )
        measured = f"{number(one.value)}{interval} {one.unit}"
        when = f"{one.machine}; {one.date}, {one.commit[:7]}"
        lines.append(f"| {one.what} | {measured} | {when} | `{one.command}` |")
    lines += ["", "In brackets: 95% interval of the mean.", ""]
    return "\n".join(lines)


def number(value: float) -> str:
    """Write a number with four digits, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_section(text: str, content: str) -> str:
    """Replace what stands between the markers."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{content}{END}{after}"


def make_texts() -> dict[Path, str]:
    """Return what the README and the pages should say."""
    found = records.read_performance(records.PERFORMANCE)
    headlines = [one.measurement for one in found if IN_README.search(one.name)]
    return {
        README: with_section(README.read_text(), section([*read(records.RESULTS), *headlines])),
        PAGE: with_section(PAGE.read_text(), performance_page.content(found)),
        AGENTS: with_section(AGENTS.read_text(), ablation_page.content(ablation_results.read())),
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
