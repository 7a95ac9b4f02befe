"""Notebooks run from start to end, and show what they promise."""

import importlib.util
import itertools
import os
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel and its client
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    kept = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": ROOT}}).execute()
    made = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert made == kept  # as many outputs of the same kinds as readers see without running it
    assert any("image/png" in kinds for cell in made for kinds in cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_a_picture_and_leads_somewhere(path):
    words = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    assert re.search(r"!\[[^]]+\]\(", words[0])
    for target in re.findall(r"\]\(([^)#\s]+)", "\n".join(words)):
        assert "://" in target or (path.parent / target).is_file(), target
    for module in re.findall(r"python -m ([\w.]+\w)", "\n".join(words)):
        assert importlib.util.find_spec(module), module


def shown(cell):
    """Return the kinds of a cell's outputs; what is printed may come in any number of parts."""
    kinds = [sorted(output.get("data", {"text": None})) for output in cell.outputs]
    return [kind for kind, _ in itertools.groupby(kinds)]
