"""What the README and the pages behind it tell a newcomer to type works, in the order in which it stands there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [README, *((ROOT / "docs" / page).read_text() for page in ("training.md", "evaluate.md"))]
RUNS = "é[bold red]→😀"  # in place of `runs`
MOST_LINES, MOST_BYTES = 100, 1_000_000  # of the README, and of each picture in it
SETUP_LINE = "python3 -m venv .venv && . .venv/bin/activate && pip install -e . && python -m tetrax.train"
TEST_LINE = "pip install -e '.[dev]' && python -m pytest"


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[str]:
    """Return the commands of the pages, without those that only show how one is put together."""
    written = [line for page in PAGES for block in blocks("sh", page) for line in block.splitlines()]
    lines = [line.split("  #")[0].strip() for line in written]
    return [line for line in lines if line.startswith(f"python -m {program}") and "[" not in line]


def small(command: str) -> list[str]:
    """Return a command's words, made small enough for a test; its runs are in a folder with letters and markup."""
    words = [word.replace("runs/", f"{RUNS}/") for word in (sys.executable, *shlex.split(command)[1:])]
    if "tetrax.train" in words and "--resume" not in words:
        if "--preset" not in words:
            words += ["--preset", "tiny"]
        if not {"--game", "--env.preset", "curriculum", "--start-from"} & set(words):
            words += ["--env.preset", "mini"]  # compiles in half the time
    if "tetrax.evaluate" in words and "--max-pieces" not in words:
        words += ["--max-pieces", "10"]
    for flag, value in (("--episodes", "2"), ("--max-pieces", "10")):
        if flag in words:
            words[words.index(flag) + 1] = value
    return words


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Type the pages' commands in a folder with the checkout's policies and nothing else, one after the other.

    They speak ASCII, whatever is in the names of their runs.
    """
    folder = tmp_path_factory.mktemp("readme")
    (folder / "pretrained").symlink_to(ROOT / "pretrained")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    programs = ("tetrax.train", "tetrax.control", "tetrax.plot", "tetrax.evaluate", "tetrax.perft")
    for command in (command for program in programs for command in commands(program)):
        done = subprocess.run(
            small(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout and "Error" not in done.stderr, f"{command}\n{done.stderr}"
    return folder


def test_the_two_lines():
    assert [block.strip() for block in blocks("sh")[:2]] == [SETUP_LINE, TEST_LINE]


def test_the_readme_is_short_and_leads_everywhere():
    assert README.count("\n") < MOST_LINES
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in README, page.name


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert {"docs/pictures/game.gif", "docs/pictures/live-view.gif", "docs/charts/speed.svg"} <= set(pictures)
    for picture in pictures:
        assert 0 < (ROOT / picture).stat().st_size < MOST_BYTES, picture


def test_ci_runs_the_second_line():
    """The pattern in .ci/run finds the README's line, and only that one."""
    script = (ROOT / ".ci" / "run").read_text()
    (pattern,) = re.findall(r"grep -m 1 -E '([^']+)' README\.md", script)
    assert re.findall(pattern, README, re.MULTILINE) == [TEST_LINE]
    assert 'eval "$test_line"' in script


@pytest.mark.parametrize(
    ("status", "exit_code", "said"),
    [
        (0, 0, "all done"),
        (1, 1, ""),
        (5, 5, ""),  # no tests were found
        (124, 1, r"agents, commands and pages did not end in 5[01]\d\d s: not all of them ran"),
        (137, 1, r"agents, commands and pages did not end in 5[01]\d\d s: not all of them ran"),
    ],
)
def test_ci_fails_where_the_slow_tests_fail_or_do_not_end(tmp_path, status, exit_code, said):
    """The programs that .ci/run calls are stand-ins; `timeout` says how the slow tests ended.

    Of the 5,100 seconds of the whole run the slow tests have what is left.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pip", "ruff", "mypy", "oxlint", "python", "timeout"):
        (programs / name).write_text(
            f"#!/bin/sh\necho called {name} $*\nexit {status if name == 'timeout' else 0}\n"
        )
    (programs / "make_venv").write_text('#!/bin/sh\nmkdir -p "$3/bin"; touch "$3/bin/activate"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    shutil.copy(ROOT / "README.md", tmp_path)
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": str(programs / "make_venv"),
    }
    done = subprocess.run(
        [tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert re.search(said, done.stdout + done.stderr)
    assert re.search(r"the default tests took \d+ s", done.stdout)
    # What compiles much, and then what computes much: each slow test is in one of the two.
    computes = ["test_notebooks.py", "env/game", "games", "search", "agents/test_alphazero.py"]
    computes += ["train/test_other_games.py", "test_pretrained.py"]
    optimised = [f"tests/{name}" for name in computes]
    wanted = [" ".join(f"--ignore={place}" for place in optimised), " ".join(optimised)]
    slow = [line for line in done.stdout.splitlines() if line.startswith("called timeout")]
    assert len(slow) == (2 if status == 0 else 1), "it ends at the first failure"
    for line, words in zip(slow, wanted, strict=False):
        assert line.endswith(f" python -m pytest -m slow --exitfirst {words}")
    assert all((ROOT / place).exists() for place in optimised)


@pytest.mark.slow
def test_commands_leave_their_runs(workplace):
    assert len(commands("tetrax.train")) >= 3
    assert len(commands("tetrax.evaluate")) >= 2
    for command in commands("tetrax.train"):
        words = shlex.split(command)
        if "--run-dir" in words:
            run = workplace / words[words.index("--run-dir") + 1].replace("runs/", f"{RUNS}/")
            if "curriculum" in words:  # a folder of runs
                assert (run / "curriculum.json").is_file()
                run /= "stage-02"
            for file in ("config.json", "metrics.jsonl", "eval.json", "plots/learning_curve.png"):
                assert (run / file).stat().st_size > 0
            if "--game" in words:
                continue  # there are no pictures of it
            assert {path.name for path in (run / "recordings").iterdir()} >= {
                "best.json",
                "best.txt",
                "best.html",
                "best.gif",
            }


@pytest.mark.slow
def test_the_python_example_runs(capsys):
    (block,) = blocks("python", README)  # tests/test_python_page.py runs those of docs/python.md
    exec(compile(block, "README.md", "exec"), {})
    assert "pieces locked per board" in capsys.readouterr().out
