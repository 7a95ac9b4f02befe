"""The page about Python: its examples run one after the other, and what they call is there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import tetrax

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_what_the_examples_name_is_there():
    """Every `tetrax.name` and everything that is imported from tetrax exists, and the page shows the whole face."""
    named = set()
    for node in (node for example in EXAMPLES for node in ast.walk(ast.parse(example))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tetrax"):
            for alias in node.names:
                assert hasattr(importlib.import_module(node.module), alias.name), ast.unparse(node)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tetrax":
            assert node.attr in tetrax.__all__, ast.unparse(node)
            named.add(node.attr)
    elsewhere = {"load_diverged"}  # of a run that failed: docs/training.md, tests/train/test_divergence.py
    assert set(tetrax.__all__) - named - elsewhere == {"EnvConfig", "Tetris", "TimeStep", "__version__"}


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gymnax")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/python.md", "exec"), names)
    said = capsys.readouterr().out
    assert "(100, 1024) rewards" in said
    assert "4 lines, " in said
    assert "finished 20" in said  # thousand steps, and the next one more
    assert "{'agent.learning_rate': " in said
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "game.gif"}
