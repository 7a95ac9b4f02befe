"""The table of Dreamer's options: what the data says, and data that cannot be right."""

import json

import pytest

from benchmarks import options_page

DATA = {
    "title": "A small game",
    "command": "python -m this",
    "machine": "one core",
    "commit": "0123456789",
    "date": "2000-01-02",
    "seeds": [0, 1],
    "games": 64,
    "steps": [512, 1_024],
    "variants": [
        {"what": "as published", "flags": "", "lines": [[0, 3], [1, 5]], "seconds": [10, 20]},
        {"what": "more", "flags": "--agent.more", "lines": [[2, 14], [2, 14]], "seconds": [30, 30]},
    ],
    "planned": [
        {
            "what": "Looking ahead",
            "flags": "--agent.ahead 4",
            "commit": "9876543210",
            "after": 1_024,
            "seeds": [0, 1],
            "games": 256,
            "actor": [3, 4],
            "lines": [5, 8],
            "seconds": [[1, 9], [3, 9]],
        }
    ],
}


def read(folder, data):
    (folder / "one.json").write_text(json.dumps(data))
    return options_page.read(folder)


def test_the_table_by_hand(tmp_path):
    said = options_page.content(read(tmp_path, DATA))
    assert "|  | 512 steps | 1,024 steps | seconds |\n| --- | ---: | ---: | ---: |\n" in said
    assert "| as published | 0.5 (0.0 to 1.0) | 4.0 (3.0 to 5.0) | 15 (10 to 20) |\n" in said
    assert "| more: `--agent.more` | 2.0 (2.0 to 2.0) | 14.0 (14.0 to 14.0) | 30 (30 to 30) |\n" in said
    assert "6.5 (5.0 to 8.0) lines in 256 games, with seed 0, 1, against 3.5 (3.0 to 4.0) without" in said
    assert "9 (9 to 9) seconds, compiling included, against 2 (1 to 3) (commit 9876543)" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": [512]}, "one.json: as published: given other numbers of lines"),
        ({"seeds": [0, 1, 2]}, "one.json: as published: given other numbers of lines"),
        ({"more": 1}, "one.json: given other fields"),
    ],
)
def test_wrong_data_is_named(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        read(tmp_path, {**DATA, **wrong})
