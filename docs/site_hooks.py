"""What mkdocs.yml cannot say: which files are the site's pages, its reference, and how equations are drawn.

mkdocs calls the functions whose names begin with `on_`. Pages keep their places in the repository, so that their links
lead to the same files as on GitHub. Equations become MathML, which browsers draw themselves, and nothing that a page
needs may come from another host: the site is whole without a network.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "benchmarks/*.md", "pretrained/**/*.md",
    "notebooks/*.ipynb",
)  # fmt: skip
PICTURES = ("docs/*.png", "docs/pictures/*.*", "docs/charts/*.svg")
LINK = re.compile(r"\]\(([^)#\s]+)")
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
IN_NOTEBOOK = re.compile(r"(?<![\\$\w])\$([^$<>\n]+?)\$(?!\w)")
TEXT = re.compile(r"<p>.*?</p>", re.DOTALL)
# What a page loads, in contrast to where its links lead.
LOADED = re.compile(
    r'<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|srcset|href)="(?:https?:)?//[^"]*"[^>]*>'
)

# Notebooks come with a script that would fetch a library for diagrams; there are none.
MERMAID = re.compile(r'<script type="module">(?:(?!</script>).)*?mermaid.*?</script>', re.DOTALL)

log = get_plugin_logger("site_hooks")


def on_config(config: Any) -> Any:
    """List the pages of the reference."""
    config.nav.append({"Reference": [{room: page} for room, page in reference_pages()]})
    return config


@event_priority(100)  # before the plugin that knows notebooks, which looks at all files there are
def on_files(files: Files, config: Any) -> Files:
    """Bring in the pages, what they show and link to, and the reference."""
    for path in sorted({*repository_files(), *linked_files()}):
        files.append(File(path, str(ROOT), config.site_dir, config.use_directory_urls))
    for room, page in reference_pages():
        modules = "\n\n".join(f"::: {module}" for module in modules_of(room))
        files.append(File.generated(config, page, content=f"# {room}\n\n{modules}\n"))
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Draw the equations of a page, and warn, which stops a strict build, of what it would load from another host."""
    del config
    for loaded in LOADED.findall(output):
        log.warning(f"{page.file.src_uri}: loads from another host: {loaded}")
    if page.file.src_uri.endswith(".ipynb"):
        output = MERMAID.sub("", output)
        output = TEXT.sub(lambda text: IN_NOTEBOOK.sub(lambda found: draw(found[1]), text[0]), output)
    return EQUATION.sub(lambda found: draw(found[2], block=found[1] == "div"), output)


def draw(tex: str, *, block: bool = False) -> str:
    """Return an equation as MathML."""
    return convert(html.unescape(tex).strip(), display="block" if block else "inline")


def repository_files() -> Iterator[str]:
    """Give the pages and their pictures by their paths in the repository."""
    for pattern in (*PAGES, *PICTURES):
        for path in ROOT.glob(pattern):
            yield path.relative_to(ROOT).as_posix()


def linked_files() -> Iterator[str]:
    """Give the other files that pages link to, such as a module."""
    for page in [path for pattern in PAGES for path in ROOT.glob(pattern) if path.suffix == ".md"]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if "://" not in target and path.is_file() and path.suffix not in (".md", ".ipynb"):
                yield path.relative_to(ROOT).as_posix()


def reference_pages() -> list[tuple[str, str]]:
    """Return the rooms of the house and the page that each has."""
    rooms = sorted({module.rpartition(".")[0] for module in modules()})
    return [(room, f"reference/{room}.md") for room in rooms]


def modules_of(room: str) -> list[str]:
    """Return the modules that lie in a room, itself first where it says something."""
    return [module for module in modules() if module.rpartition(".")[0] == room]


def modules() -> list[str]:
    """Return the names of all modules of the package that are not commands of it."""
    paths = sorted((ROOT / "tetrax").rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if path.stem[:2] != "__"]
