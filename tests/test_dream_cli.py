"""`python -m tetrax.dream`: what a model foresees, as a table and a picture; a mistake is one line with exit code 2."""

import json
import re
from pathlib import Path

import jax
import pytest

from tests.world_model import dreamed
from tetrax import dream as dream_entry
from tetrax.train.__main__ import main as train_main
from tetrax.train.command import flags
from tetrax.train.folder import log
from tetrax.world_model.dreams import Plan, compare

FEW = ["--games", "4", "--context", "3", "--horizon", "5"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "FOLDER: given nothing; allowed: one folder of a run or of an exported policy"),
        (["a", "b"], "FOLDER: given a and b; allowed: one folder"),
        (["nowhere"], "nowhere: given a folder that does not exist; allowed: the folder of a run"),
        (["a", "--games", "0"], "--games: given 0; allowed: 1 or more"),
        (["a", "--context", "-1"], "--context: given -1; allowed: 1 or more"),
        (["a", "--horizon", "0"], "--horizon: given 0; allowed: 1 or more"),
        (["a", "--seed", "-1"], "--seed: given -1; allowed: 0 or more"),
        (
            ["a", "--games", "90000"],
            "--games: given 90000; allowed: at most 100000 steps together, here 3225 games",
        ),
        (["a", "--out", "b.jpg"], "--out: given 'b.jpg'; allowed: a file that ends in .png"),
        (
            ["a", "--out", "b/c.png"],
            "--out: given 'b/c.png'; allowed: a file that ends in .png, in a folder that",
        ),
        (["a", "--horizont", "3"], "unknown flag: given --horizont"),
    ],
)
def test_a_mistake_is_one_line(capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    assert dream_entry.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.iterdir())


def test_what_has_no_model_is_refused(capsys, monkeypatch):
    agent = type("Agent", (), {"name": "ppo", "dream": None})
    monkeypatch.setattr(
        "tetrax.train.folder.policy_io.load", lambda folder: type("Loaded", (), {"agent": agent})
    )
    assert dream_entry.main(["somewhere"]) == 2
    assert capsys.readouterr().err == (
        "error: somewhere: given a policy of ppo, which has no model of its game; "
        "allowed: one of an agent with a world model, such as dreamer\n"
    )


def test_help_names_every_flag(capsys):
    assert dream_entry.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(
        flag in text for flag in ("--games", "--context", "--horizon", "--seed", "--out", "--json", "FOLDER")
    )


def test_the_page_says_what_the_command_takes():
    page = (Path(__file__).parent.parent / "docs" / "world_model.md").read_text()
    types = flags.field_types(dream_entry.Options())
    commands = [line.split() for line in page.splitlines() if line.startswith("python -m tetrax.dream ")]
    assert [flags.read_words(words[3:], types).positionals for words in commands] == [("runs/mini",)]
    assert set(re.findall(r"^\| `--(\w+)", page, re.MULTILINE)) == set(types)
    defaults = re.findall(r"^\| `--(\w+) N` \| .*\((\d+)\) \|$", page, re.MULTILINE)
    assert {name: int(number) for name, number in defaults} == Plan()._asdict()
    names = {*compare(dreamed.dream(), dreamed.SHOWN).summary(), "numbers"}
    assert set(re.findall(r"`dream/(\w+)`", page)) == names


def test_the_table_and_the_object():
    ends = [(moment, game) for moment in (4,) for game in (0, 1)]
    made = dreamed.dream(is_first=ends, wrong=[(2, 0, 0)])
    found = compare(made, dreamed.SHOWN)
    plan = Plan(dreamed.GAMES, dreamed.CONTEXT, dreamed.HORIZON)
    lines = dream_entry.table("run: a game", found, plan, 7).splitlines()
    assert lines[:2] == ["run: a game", "2 games from seed 7: 2 steps seen, 3 foreseen"]
    cells = [line.split() for line in lines[4:8]]
    assert [line[0] for line in cells] == ["1", "2", "3", "mean"]
    assert cells[0][1:3] == ["98.4%", "50.0%"] and cells[0][-1] == "2"
    assert cells[2][1:] == ["-", "-", "-", "0"]
    assert cells[3][1:3] == ["99.2%", "75.0%"]  # of four boards one is wrong, in one of 32 cells
    assert max(map(len, lines)) <= 80
    told = json.loads(json.dumps(dream_entry.document(found, plan, 7, "a.png"), allow_nan=False))
    assert told["by_step"]["boards"] == [0.5, 1, None] and told["horizon"] == 3
    assert told["boards"] == 0.75 and told["calibration"]["number"][-1] == 4
    numbers = dream_entry.table("x", compare(dreamed.dream(cells=0), dreamed.SHOWN), plan, 0)
    assert "error (symlog)" in numbers and "lines" not in numbers


@pytest.mark.slow
def test_a_run_is_looked_into_at_each_evaluation_and_by_the_command(capsys, monkeypatch, tmp_path):
    run = tmp_path / "run"
    words = ["dreamer", "--preset", "tiny", "--run-dir", str(run), "--num-seeds", "2"]
    assert train_main([*words, "--total-steps", "1024"]) == 0
    said = capsys.readouterr().out
    assert "what the model foresees" in said and "not drawn" not in said
    rows = log.read(run / "metrics.jsonl")
    looked = [row["step"] for row in rows if "dream/cells" in row]
    assert looked == [row["step"] for row in rows if "eval/lines" in row] and looked
    assert all(0 <= rows[-1][f"dream/{name}"] <= 1 for name in ("cells", "boards", "boards_1"))
    picture = run / "plots" / "dream.png"
    first = picture.read_bytes()
    assert first.startswith(b"\x89PNG")

    assert dream_entry.main([str(run), *FEW]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "4 games from seed 0: 3 steps seen, 5 foreseen"
    assert max(map(len, lines[1:-1])) <= 80 and lines[-1] == f"picture: {picture}"
    assert picture.read_bytes() != first

    monkeypatch.chdir(tmp_path)
    assert dream_entry.main([str(run / "policy"), *FEW, "--json"]) == 0  # an export has no plots
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["picture"] == "dream.png" and (tmp_path / "dream.png").exists()
    assert len(told["by_step"]["cells"]) == 5
    assert dream_entry.main([str(run), *FEW, "--out", "other.png", "--json"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again == {**told, "picture": "other.png"}
    jax.clear_caches()
