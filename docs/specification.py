"""Write the specification tables of docs/environment.md from the code.

    python docs/specification.py            rewrite what is between the page's markers
    python docs/specification.py --check    only say whether it is up to date (exit code 1 if not)

The words come from the records themselves: the docstring below a configuration's field, the comment beside
a record's.
"""

import argparse
import ast
import dataclasses
import inspect
import itertools
import re
import sys
import textwrap
from pathlib import Path

import jax

import tetrax
from tetrax.env.contract import Observation
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import GAME_OVER_REASONS, LOCK_REASONS, SPINS, Event
from tetrax.env.reward import REWARDS, RewardRule
from tetrax.env.tetris import ENV_PRESETS, ENV_VERSION, EnvConfig, Tetris

PAGE = Path(__file__).parent / "environment.md"
START, END = "<!-- specification: made by docs/specification.py -->", "<!-- end of specification -->"
SHOWN = (  # environments whose shapes are listed
    {"preset": "guideline"},
    {"preset": "guideline", "actions": "drop"},
    {"preset": "guideline", "actions": "locked_position"},
    {"preset": "guideline", "actions": "locked_position", "orientation": "first", "hold": False},
    {"preset": "guideline", "actions": "chords"},
    {"preset": "guideline", "observation": "compact"},
    {"preset": "guideline", "observation": "bitboards"},
    {
        "preset": "guideline",
        "observation": "flat",
        "board_features": True,
        "ghost_outcome": True,
        "history": 2,
    },
    {"preset": "tetrio"},
    {"preset": "classic-10x20"},
    {"preset": "classic-10x10"},
    {"preset": "mini"},
)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def field_docs(record: type) -> dict[str, str]:
    """Return the docstring below each field of a configuration."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0].body  # type: ignore[attr-defined]
    docs = {}
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            docs[ast.unparse(field.target)] = " ".join(str(ast.literal_eval(below.value)).split())
    return docs


def field_comments(record: type) -> dict[str, str]:
    """Return the comment beside (and on the lines below) each field of a record of arrays."""
    comments: dict[str, str] = {}
    last = ""
    for line in inspect.getsource(record).splitlines():
        code, mark, comment = line.strip().partition("# ")
        if ":" in code and not code.startswith(("class", '"')):
            last = code.split(":")[0]
            comments[last] = comment.strip()
        elif mark and not code and last:
            comments[last] += " " + comment.strip()
    return {name: comment for name, comment in comments.items() if comment}


def config_table(record: type, skip: tuple[str, ...] = ()) -> str:
    """Return the fields of a configuration with their defaults and meaning."""
    docs = field_docs(record)
    rows = [
        [f"`{field.name}`", f"`{field.default!r}`", docs[field.name]]
        for field in dataclasses.fields(record)
        if field.name not in skip
    ]
    return table(["field", "default", "meaning"], rows)


def record_table(record: type) -> str:
    """Return the fields of a record of arrays with their types and meaning."""
    rows = []
    for name, comment in field_comments(record).items():
        kind = re.match(r"(\w+\[.*?\]), ", comment)
        meaning = comment[kind.end() :] if kind else comment
        rows.append([f"`{name}`", f"`{kind[1]}`" if kind else "record", meaning])
    return table(["field", "type", "meaning"], rows)


def presets_table() -> str:
    """Return what each preset changes of the rules."""
    base = Rules()
    rows = []
    for name, config in ENV_PRESETS.items():
        changed = [
            f"{field.name} {_short(getattr(config.rules, field.name))}"
            for field in dataclasses.fields(Rules)
            if getattr(config.rules, field.name) != getattr(base, field.name)
        ]
        rows.append([f"`{name}`", config.actions, str(config.reward), "; ".join(changed) or "(all defaults)"])
    return table(["preset", "actions", "reward", "rules that differ from the defaults"], rows)


def shapes_table() -> str:
    """Return the number of actions and the shapes of the observation of some environments."""
    rows = []
    for words in SHOWN:
        env = tetrax.make(**words)  # type: ignore[arg-type]
        given = ", ".join(f"{name}={value!r}" for name, value in words.items() if name != "preset")
        call = f"`make({', '.join(filter(None, [repr(words['preset']), given]))})`"
        rows.append([call, str(env.num_actions), ", ".join(_shapes(env))])
    return table(["environment", "A", "observation"], rows)


def rewards_table() -> str:
    """Return the weights of the named rewards."""
    rows = []
    for name, rule in REWARDS.items():
        values = ", ".join(f"{value:g}" for value in rule.line_values[1:])
        weights = {
            field.name: getattr(rule, field.name)
            for field in dataclasses.fields(RewardRule)
            if field.name not in ("line_values", "by_level", "early_loss_pieces", "discount")
        }
        shown = ", ".join(f"{term} {weight:g}" for term, weight in weights.items() if weight)
        rows.append([f"`{name}`", values, "yes" if rule.by_level else "no", shown])
    return table(["name", "lines 1, 2, 3, 4", "times level", "weights of the terms"], rows)


def section() -> str:
    """Return everything between the markers."""
    parts = [
        "## Specification",
        f"Environment version {ENV_VERSION} (see [Versions](#versions)). Made from the code.",
        "### Presets",
        presets_table(),
        "### Shapes",
        shapes_table(),
        "### Configuration",
        "Fields of `EnvConfig`; `make` takes these and those of `Rules` by name.",
        config_table(EnvConfig, skip=("preset", "rules")),
        "### Rules",
        "Static: another value compiles another program.",
        config_table(Rules, skip=("pieces",)),
        "### Params",
        "`env.default_params.game`; may change from step to step and differ between boards.",
        record_table(Params),
        "### Observation fields",
        record_table(Observation),
        "### Named rewards",
        rewards_table(),
        "Terms of a `RewardRule`; the reward is the sum of weight times term.",
        config_table(RewardRule),
        "### Event",
        record_table(Event),
        f"`LOCK_REASONS` are {_words(LOCK_REASONS)}; `SPINS` {_words(SPINS)}; "
        f"`GAME_OVER_REASONS` {_words(GAME_OVER_REASONS)}.",
    ]
    return "\n\n".join(parts) + "\n"


def updated(page: str) -> str:
    """Return the page with its section made anew."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{PAGE}: given no {START} ... {END}; allowed: a page with both markers")
    return f"{before}{START}\n\n{section()}\n{END}{after}"


def _shapes(env: Tetris) -> list[str]:
    step = jax.eval_shape(env.reset, jax.random.key(0))[1]
    leaves = jax.tree_util.tree_leaves_with_path(step.observation)
    return [f"{jax.tree_util.keystr(path)[1:]} `{leaf.dtype}{list(leaf.shape)}`" for path, leaf in leaves]


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(getattr(item, "name", str(item)) for item in value)
    return str(value)


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"{index} {word}" for index, word in enumerate(words))


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    page = PAGE.read_text()
    new = updated(page)
    if parser.parse_args().check:
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
