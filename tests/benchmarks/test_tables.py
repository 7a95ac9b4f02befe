"""The README's results are what the data says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import tables

ROOT = Path(__file__).parent.parent.parent
MEASUREMENT = {
    "what": "lines per game",
    "value": 1234.5,
    "unit": "lines",
    "interval": [1200, 1250.25],
    "machine": "two cores",
    "command": "python -m this",
    "commit": "0123456789",
    "date": "2000-01-02",
}


def test_the_readme_is_up_to_date():
    script = ROOT / "benchmarks" / "tables.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_measurement_is_a_row_between_the_markers(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(MEASUREMENT))
    text = f"before\n{tables.START}\nold\n{tables.END}\nafter\n"
    written = tables.with_section(text, tables.section(tables.read(tmp_path)))
    row = "| lines per game | 1,234 (1,200 to 1,250) lines | two cores; 2000-01-02, 0123456 | `python -m this` |"
    assert row in written
    assert written.startswith(f"before\n{tables.START}\n## Results\n")
    assert written.endswith(f"\n{tables.END}\nafter\n")
    assert "old" not in written


def test_without_data_there_is_no_section(tmp_path):
    assert tables.section(tables.read(tmp_path)) == ""


@pytest.mark.parametrize(
    ("value", "written"), [(797.25, "797.2"), (0.01234, "0.01234"), (1234567, "1,234,567")]
)
def test_numbers_are_readable(value, written):
    assert tables.number(value) == written


def test_a_measurement_without_its_command_is_refused(tmp_path):
    lacking = {name: value for name, value in MEASUREMENT.items() if name != "command"}
    (tmp_path / "one.json").write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match="given fields"):
        tables.read(tmp_path)
