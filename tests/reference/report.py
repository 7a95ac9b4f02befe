"""What is said when the engine and the reference differ."""

from itertools import zip_longest

from tests.reference.tables import FACINGS, SHAPES


class DifferenceError(AssertionError):
    """The engine and the reference disagree."""


def difference(case, where, action, before, names, reference, engine):
    """Describe the first difference: the fields that differ, and the boards before and after.

    `before` (or None), `reference` and `engine` are tuples of field values in the order of `names`.
    """
    fields = [
        f"  {name}: reference {shown(name, mine)}, engine {shown(name, theirs)}"
        for name, mine, theirs in zip(names, reference, engine, strict=True)
        if mine != theirs
    ]
    drawn = [draw(case.settings, dict(zip(names, values, strict=False))) for values in (reference, engine)]
    titles = ["reference", "engine"]
    if before is not None:
        drawn.insert(0, draw(case.settings, dict(zip(names, before, strict=False))))
        titles.insert(0, "before")
    lines = [
        f"{case.name} (seed {case.seed}), {where}: pressed {action}",
        *fields,
        *side_by_side(titles, drawn),
    ]
    return DifferenceError("\n".join(lines))


def shown(name, value):
    """Write a field's value; of rows only those with cells, as hexadecimal words from the bottom."""
    if name == "rows":
        return " ".join(f"{row:x}" for row in value).rstrip("0 ") or "empty"
    if name == "legal":
        return str([index for index, legal in enumerate(value) if legal])
    return str(value)


def draw(settings, state):
    """Draw a board from the top of what is in it down: '#' locked, the active piece by its name."""
    rows = [["#" if word >> x & 1 else "." for x in range(settings.width)] for word in state["rows"]]
    name, facing = settings.pieces[state["piece"]], FACINGS[state["orientation"]]
    for dx, dy in SHAPES[name][facing]:
        x, y = state["x"] + dx, state["y"] + dy
        if 0 <= y < len(rows) and 0 <= x < settings.width:
            rows[y][x] = "!" if rows[y][x] == "#" else name
    while len(rows) > 4 and set(rows[-1]) == {"."}:
        rows.pop()
    return [f"{y:3} {''.join(row)}" for y, row in enumerate(rows)][::-1]


def side_by_side(titles, drawings):
    """Put drawings next to each other, bottoms in line."""
    width = max(len(line) for drawing in drawings for line in drawing) + 3
    padded = zip_longest(*(drawing[::-1] for drawing in drawings), fillvalue="")
    rows = [*padded, titles][::-1]
    return ["".join(line.ljust(width) for line in row).rstrip() for row in rows]
