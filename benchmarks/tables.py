"""Write the README's table of results from the data in benchmarks/results.

    python benchmarks/tables.py            rewrite the section between the README's markers
    python benchmarks/tables.py --check    only say whether it is up to date (exit code 1 if not)

Each file in benchmarks/results is one measurement, a JSON object with every field of `Measurement`.
"""

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- results: made by benchmarks/tables.py -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Measurement:
    """One number, and how anybody can get it again."""

    what: str  # what was measured, in words
    value: float
    unit: str
    interval: tuple[float, float] | None  # 95%, where there is one
    machine: str
    command: str
    commit: str  # the commit it was measured on
    date: str  # YYYY-MM-DD


def read(folder: Path) -> list[Measurement]:
    """Read every measurement, in the order of the file names."""
    names = {field.name for field in dataclasses.fields(Measurement)}
    found = []
    for path in sorted(folder.glob("*.json")):
        fields = json.loads(path.read_text())
        if fields.keys() != names:
            raise ValueError(f"{path}: given fields {sorted(fields)}; allowed: {sorted(names)}")
        found.append(Measurement(**fields))
    return found


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the README is out of date"
    )
    arguments = parser.parse_args()
    readme = ROOT / "README.md"
    text = readme.read_text()
    wanted = with_section(text, section(read(ROOT / "benchmarks" / "results")))
    if text == wanted:
        return 0
    if arguments.check:
        print("README.md: the results are out of date; run python benchmarks/tables.py", file=sys.stderr)
        return 1
    readme.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
