"""Slow measures of a board, cell by cell, to check the features of afterstates against."""

from itertools import pairwise

from tests.reference.players import column_heights


def measures(game):
    """Measure a reference game's board; names and meanings as in RULES.md and `BoardFeatures`."""
    heights = column_heights(game)
    holes = [[y for y in range(height) if not game.cells[y][x]] for x, height in enumerate(heights)]
    return {
        "aggregate_height": sum(heights),
        "max_height": max(heights),
        "bumpiness": sum(abs(left - right) for left, right in pairwise(heights)),
        "holes": sum(len(column) for column in holes),
        "rows_with_holes": len({y for column in holes for y in column}),
        "hole_depth": sum(
            height - min(column) - len(column)
            for height, column in zip(heights, holes, strict=True)
            if column
        ),
        "wells": wells(heights),
        "row_transitions": row_transitions(game),
        "column_transitions": column_transitions(game),
    }


def wells(heights):
    """Each cell of a column below both neighbours counts itself and those under it down to the surface."""
    walled = [999, *heights, 999]
    total = 0
    for x in range(1, len(walled) - 1):
        for y in range(walled[x], min(walled[x - 1], walled[x + 1])):
            total += y - walled[x] + 1
    return total


def row_transitions(game):
    """Changes between filled and empty along each visible row, walls filled: two for an empty row."""
    total = 0
    for row in game.cells[: game.settings.height]:
        marks = [True, *(cell != "" for cell in row), True]
        total += sum(here != following for here, following in pairwise(marks))
    return total


def column_transitions(game):
    """Changes along each column, the floor filled and the space above empty: one for an empty column."""
    total = 0
    for x in range(game.width):
        marks = [True, *(row[x] != "" for row in game.cells), False]
        total += sum(here != following for here, following in pairwise(marks))
    return total
