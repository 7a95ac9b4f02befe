"""The reference game counts placements as published perft results do (RULES.md), so that what equals it
moves, kicks and spins as others' games do.

Moves: left, right, one down, both rotations; the rotation centre enters at (4, 20); no hold.
"""

import pytest

from tests.reference.game import Game, Settings
from tests.reference.tables import FACINGS

GUIDELINE = Settings(spawn_drop=False)


def resting_places(game):
    """Return every (facing, x, y, kick) in which the active piece can come to rest."""
    start = (game.facing, game.x, game.y, -1)
    seen, waiting, resting = {start}, [start], []
    while waiting:
        facing, x, y, kick = waiting.pop()
        following = [(facing, x + dx, y, -1) for dx in (-1, 1) if game.fits(game.name, facing, x + dx, y)]
        if game.fits(game.name, facing, x, y - 1):
            following.append((facing, x, y - 1, -1))
        else:
            resting.append((facing, x, y, kick))
        for step, key in enumerate(("rotate_cw", "rotate_180", "rotate_ccw"), 1):
            game.facing, game.x, game.y = facing, x, y
            if game.turn({key}):
                assert game.facing == FACINGS[(FACINGS.index(facing) + step) % 4]
                following.append((game.facing, game.x, game.y, game.kick))
        for pose in following:
            if pose not in seen:
                seen.add(pose)
                waiting.append(pose)
    return resting


def placements(game, by_spin):
    """Return the distinct cell sets that can be filled, apart by spin class if wanted."""
    found = set()
    for facing, x, y, kick in resting_places(game):
        game.facing, game.x, game.y, game.kick = facing, x, y, kick
        found.add((frozenset(game.cells_at(game.name, facing, x, y)), game.spin() if by_spin else 0))
    return found


def perft(queue, depth, cells=None, by_spin=False, settings=GUIDELINE):
    """Count the placements of a queue to a depth, lines cleared between the pieces."""
    game = Game(settings, lambda draw: 0)
    game.cells = cells or game.cells
    if not game.spawn(queue[0]):
        return 0
    found = placements(game, by_spin)
    if depth == 1:
        return len(found)
    total = 0
    for filled, _ in found:
        board = [[cell or (x, y) in filled for x, cell in enumerate(row)] for y, row in enumerate(game.cells)]
        left = [["#" if cell else "" for cell in row] for row in board if not all(row)]
        left += [[""] * game.width for _ in range(game.total_height - len(left))]
        total += perft(queue[1:], depth - 1, left, by_spin, settings)
    return total


@pytest.mark.parametrize(
    ("queue", "counts"),
    [("IOLJSZT", [17, 153, 5266]), ("OLJSZTI", [9, 306]), ("IIIIII", [17, 289])],
)
def test_perft(queue, counts):
    assert [perft(queue, depth) for depth in range(1, len(counts) + 1)] == counts


def test_perft_apart_by_spin():
    assert [perft("TT", depth, by_spin=True) for depth in (1, 2)] == [34, 1190]


@pytest.mark.parametrize(
    ("kicks", "queue", "counts"),
    [
        ("srs180", "IIIII", [17, 287]),
        ("srs180", "IOLJS", [17, 153, 4922]),
        ("srs180", "TTTT", [34, 1190]),
        ("srs+", "IIII", [17, 287]),
        pytest.param("srs180", "IIIII", [17, 287, 4909], marks=pytest.mark.slow),
        pytest.param("srs180", "TTTT", [34, 1190, 42433], marks=pytest.mark.slow),
        pytest.param("srs+", "IIII", [17, 287, 4909], marks=pytest.mark.slow),
    ],
)
def test_perft_with_half_turns(kicks, queue, counts):
    """The rotation centre enters at (4, 5); spin classes are counted apart."""
    settings = Settings(height=5, spawn_drop=False, kicks=kicks)
    depths = range(1, len(counts) + 1)
    assert [perft(queue, depth, by_spin=True, settings=settings) for depth in depths] == counts


def test_one_hard_board():
    """Columns left to right, bit 0 the bottom row."""
    columns = [int(word, 16) for word in "3f 3f 1f 7 1 0 d 1f 3f ff".split()]
    cells = [["#" if column >> y & 1 else "" for column in columns] for y in range(40)]
    counts = {"I": 17, "O": 9, "T": 37, "L": 35, "J": 35, "S": 17, "Z": 18}
    assert {name: perft(name, 1, cells) for name in counts} == counts
    game = Game(Settings(spawn_drop=False), lambda draw: 0)
    game.cells = cells
    game.spawn("T")
    spins = [spin for _, spin in placements(game, by_spin=True)]
    assert [spins.count(spin) for spin in (0, 1, 2)] == [34, 2, 2]
