"""The pages say what the data says, all of it, and the README a few of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import records, results_page, tables

ROOT = Path(__file__).parent.parent.parent
MEASUREMENT = {
    "what": "lines per game",
    "value": 1234.5,
    "unit": "lines",
    "interval": [1200, 1250.25],
    "machine": "two cores (of one kind)",
    "command": "python -m this",
    "commit": "0123456789",
    "date": "2000-01-02",
}


@pytest.fixture
def measured(tmp_path):
    def write(**names):
        """Write measurements by their files' names; return all as they are read."""
        for name, changes in names.items():
            (tmp_path / f"{name.replace('_', '-')}.json").write_text(json.dumps({**MEASUREMENT, **changes}))
        return tables.read(tmp_path)

    return write


def test_the_pages_are_up_to_date():
    script = ROOT / "benchmarks" / "tables.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_measured_is_lost():
    page = tables.RESULTS_PAGE.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    speed = [one for one in records.read_performance(records.PERFORMANCE) if "-train-" not in one.name]
    for record in [*records.read(records.RESULTS), *speed]:
        one = record.measurement
        wanted = (
            f"| {one.what} | {results_page.number(one.value)}",
            f"`{one.command}`",
            one.commit[:7],
            one.date,
        )
        assert len([row for row in rows if all(part in row for part in wanted)]) == 1, record.name
        assert f": {one.machine}\n" in page


def test_a_measurement_is_a_row_of_its_group_between_the_markers(measured):
    found = measured(
        **{"01_dt10": {"what": "a player"}, "02_new": {"what": "new"}, "03_perft_7": {"machine": "one core"}}
    )
    text = f"before\n{tables.START}\nold\n{tables.END}\nafter\n"
    written = tables.with_section(text, results_page.content(found))
    head = "| what | result | command | measured |\n|---|---|---|---|\n"
    row = "1,234 (1,200 to 1,250) lines | `python -m this` | 2000-01-02, 0123456"
    assert written.startswith(f"before\n{tables.START}\n## Agents\n\n{head}| new | {row}, a |\n")
    assert f"## Controllers\n\n{head}| a player | {row}, a |\n" in written
    assert f"## Speed\n\n{head}| lines per game | {row}, b |\n" in written
    assert "- a: two cores (of one kind)\n- b: one core\n" in written
    assert written.endswith(f"\n{tables.END}\nafter\n")
    assert "old" not in written


def test_the_readme_shows_few_and_compares(measured):
    found = measured(**{"01_default": {}, "02_classic_10x10": {"value": 5552.0}, "03_perft_7": {}})
    assert results_page.headlines(found).splitlines()[2:] == [
        "| PPO, by default: lines in a game of 2,000 pieces (800 are possible) | 1,234 |"
    ]
    found = measured(**{"04_baselines_3_dt10": {"value": 5186.0}})
    assert results_page.headlines(found).splitlines()[3].endswith("| 5,552 (the literature's DT-10: 5,186) |")
    assert results_page.headlines([]) == ""


def test_the_readme_says_how_long_its_command_takes(measured, tmp_path):
    assert results_page.durations(measured(**{"01_first_metric_cold": {"value": 22.3}})) == ""
    found = measured(**{"02_first_metric_warm": {"value": 9.7}})
    assert results_page.durations(found) == (
        "On two cores the first numbers come after 22 seconds (after 10 where its programs were compiled before).\n"
    )
    data = {
        "cold": {"seconds": 20.0, "whole_seconds": 130.0},
        "warm": {"seconds": 8.0, "whole_seconds": 90.0},
    }
    measurement = records.Measurement(**{**MEASUREMENT, "machine": "2 CPU cores"})
    start = records.Record("cpu-startup-default-default", measurement, data)
    assert results_page.durations([*found, start]) == (
        "On 2 CPU cores the first numbers come after 20 seconds (after 8 where its programs were compiled before), "
        "the end after 130 (90).\n"
    )


def test_without_data_there_are_no_tables(measured):
    assert results_page.content(measured()) == results_page.NOTHING


@pytest.mark.parametrize(
    ("value", "written"), [(797.25, "797.2"), (0.01234, "0.01234"), (1234567, "1,234,567")]
)
def test_numbers_are_readable(value, written):
    assert results_page.number(value) == written


def test_a_measurement_without_its_command_is_refused(tmp_path):
    lacking = {name: value for name, value in MEASUREMENT.items() if name != "command"}
    (tmp_path / "one.json").write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match="given fields"):
        tables.read(tmp_path)
