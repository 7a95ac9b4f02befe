"""The site of the documentation: its pages, its equations, and what it may not load. .ci/run builds the whole."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("latex2mathml")
from docs import site_hooks

ROOT = Path(__file__).parent.parent


def finish(html, page="docs/agents.md"):
    return site_hooks.on_post_page(html, SimpleNamespace(file=SimpleNamespace(src_uri=page)), None)


def test_every_page_is_there_and_stands_in_the_menu():
    pages = {path for path in site_hooks.repository_files() if path.endswith((".md", ".ipynb"))}
    assert pages >= {
        "README.md",
        "docs/environment.md",
        "notebooks/dreams.ipynb",
        "pretrained/guideline/README.md",
    }
    listed = set(re.findall(r"[\w./-]+\.(?:md|ipynb)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert pages == listed


def test_what_pages_link_to_comes_along():
    assert "tetrax/agents/dreamer/dreaming.py" in set(site_hooks.linked_files())


def test_every_module_is_in_the_reference():
    found = {module for room, _ in site_hooks.reference_pages() for module in site_hooks.modules_of(room)}
    assert {"tetrax.env.tetris", "tetrax.ops.returns", "tetrax.agents.dqn.windows", "tetrax.control"} <= found
    assert not any(part.startswith("__") for module in found for part in module.split("."))


def test_equations_become_mathml():
    drawn = finish('<p>so <span class="arithmatex">\\(a_1 &lt; b\\)</span>.</p>')
    assert drawn.startswith("<p>so <math ") and drawn.endswith("</math>.</p>")
    assert "<msub><mi>a</mi><mn>1</mn></msub><mo>&lt;</mo><mi>b</mi>" in re.sub(r"&#x0*3C;", "&lt;", drawn)
    assert 'display="block"' in finish('<div class="arithmatex">\\[\nx\n\\]</div>')
    in_notebook = finish("<p>costs $x^2$</p><pre>$y$ and $z$</pre>", "notebooks/a.ipynb")
    assert in_notebook.count("<math ") == 1 and "<pre>$y$ and $z$</pre>" in in_notebook


@pytest.mark.parametrize(
    ("html", "is_wrong"),
    [
        ('<script src="https://somewhere.example/a.js"></script>', True),
        ('<link rel="stylesheet" href="//somewhere.example/a.css">', True),
        ('<img alt="" src="http://somewhere.example/a.png">', True),
        ('<img src="pictures/a.png"><a href="https://somewhere.example">there</a>', False),
    ],
)
def test_what_would_be_loaded_from_another_host_stops_the_build(html, is_wrong, caplog):
    finish(html)
    assert ("docs/agents.md: loads from another host" in caplog.text) == is_wrong


def test_notebooks_do_not_fetch_a_library_for_diagrams():
    scripts = (
        '<script type="module">import("https://x/mermaid.mjs")</script><script type="module">keep()</script>'
    )
    assert finish(scripts, "notebooks/a.ipynb") == '<script type="module">keep()</script>'
