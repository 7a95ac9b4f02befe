"""Players of the reference game: keys that make games long and full of events.

A player is more or less careful in each game, and changes its style with every piece: it may stack neatly,
look for a spin, fiddle with the piece on the ground (kicks, worn-out lock delays), or press random chords.
"""

from collections import deque

from tests.reference.game import KEYS
from tests.reference.tables import CAN_SPIN, CORNERS, FACINGS, FRONTS, HAVE_HALF_TURNS, SHAPES

TEMPERS = {  # chance of each style, and of a random chord instead of the planned keys in any tick
    "careful": ({"stack": 0.9, "fiddle": 0.08, "chords": 0.02}, 0.01),
    "playful": ({"stack": 0.6, "fiddle": 0.3, "chords": 0.1}, 0.05),
    "wild": ({"stack": 0.1, "fiddle": 0.3, "chords": 0.6}, 0.2),
}
CHORD = {
    "left": 0.3,
    "right": 0.3,
    "rotate_cw": 0.3,
    "rotate_ccw": 0.2,
    "rotate_180": 0.15,
    "soft_drop": 0.25,
    "hard_drop": 0.04,
    "hold": 0.06,
}
QUARTERS = ("rotate_cw", "rotate_ccw")
MOVES = ({"left"}, {"right"}, {"rotate_cw"}, {"rotate_ccw"}, {"soft_drop"})


class Player:
    """Chooses keys for one game after another; `random` is a random.Random."""

    def __init__(self, random):
        self.random = random
        self.game = self.piece = None

    def keys(self, game):
        """Return the set of keys to press now."""
        if game is not self.game:
            self.game = game
            self.half_turns = game.settings.kicks in HAVE_HALF_TURNS
            temper = self.random.choices(tuple(TEMPERS), (6, 4, 1))[0]
            self.styles, self.noise = TEMPERS[temper]
        if (game.locked, game.name) != self.piece:
            self.piece = (game.locked, game.name)
            self.plan(game)
        if self.style == "chords" or self.random.random() < self.noise:
            known = [key for key in KEYS if key != "rotate_180" or self.half_turns]
            return {key for key in known if self.random.random() < CHORD[key]}
        if self.style == "spin":
            return self.follow(game)
        keys = self.steer(game)
        if not keys:
            return self.let_go(game)
        if self.random.random() < 0.15:
            keys.add(self.random.choice(("soft_drop", "soft_drop", "hold")))
        return keys

    def plan(self, game):
        """Choose a style and a place for a new piece."""
        self.style = self.random.choices(tuple(self.styles), tuple(self.styles.values()))[0]
        if game.name in CAN_SPIN and self.random.random() < 0.6:
            self.path = path_to_spin(game)
            self.style = "spin" if self.path else self.style
        self.facing, self.x = best_place(game, keep_well=self.random.random() < 0.7)

    def steer(self, game):
        """Press what brings the piece nearer to its place."""
        keys = set()
        turns = (FACINGS.index(self.facing) - FACINGS.index(game.facing)) % 4
        if turns == 2 and self.half_turns and self.random.random() < 0.7:
            keys.add("rotate_180")
        elif turns:
            keys.add("rotate_ccw" if turns == 3 else "rotate_cw")
        if game.x != self.x:
            keys.add("left" if game.x > self.x else "right")
        return keys

    def let_go(self, game):
        """Send the piece down; a fiddler plays with it once it is there."""
        if self.style == "stack":
            return {"hard_drop"} if self.random.random() < 0.8 else {"soft_drop"}
        if game.active_fits(0, -1):
            return {"soft_drop"}
        turns = (*QUARTERS, "rotate_180") if self.half_turns else QUARTERS
        keys = {self.random.choice((*turns, "left", "right"))}
        if self.random.random() < 0.3:
            keys.add(self.random.choice(("rotate_cw", "soft_drop", "rotate_ccw")))
        return keys

    def follow(self, game):
        """Walk along the planned poses; gravity helps on the way down."""
        pose = (game.facing, game.x, game.y)
        if pose == self.path[-1][0]:
            return {"hard_drop"} if self.random.random() < 0.7 else set()
        poses = [here for here, _ in self.path]
        if pose not in poses:
            self.style = "stack"  # fell past it
            return set()
        ahead = [keys for _, keys in self.path[poses.index(pose) :]]
        if "soft_drop" not in ahead[0]:
            return ahead[0]
        fall = (game.fraction + game.speed(soft=True)) // 65536
        return {"soft_drop"} if all("soft_drop" in keys for keys in ahead[:fall]) else set()


def path_to_spin(game):
    """Find (pose, keys) steps to a resting place entered by a rotation between three filled corners.

    The places that clear most lines are preferred; an empty list when there is none.
    """
    top = max(column_heights(game)) + 2
    start = (game.facing, game.x, game.y)
    came, queue, best = {start: None}, deque([start]), (0, None)
    moves = (*MOVES, {"rotate_180"}) if game.settings.kicks in HAVE_HALF_TURNS else MOVES
    while queue:
        pose = queue.popleft()
        for keys in moves:
            following = moved(game, pose, keys, top)
            if following is None or following in came:
                continue
            came[following] = (pose, keys)
            queue.append(following)
            if keys <= {*QUARTERS, "rotate_180"}:
                best = max(best, (worth(game, following), following), key=lambda pair: pair[0])
    steps, pose = [(best[1], set())], best[1]
    if pose is None:
        return []
    while came[pose]:
        pose, keys = came[pose]
        steps.append((pose, keys))
    return steps[::-1]


def moved(game, pose, keys, top):
    """Return the pose after one key, or None; far above the stack a piece only goes down."""
    facing, x, y = pose
    if "soft_drop" in keys:
        return (facing, x, y - 1) if game.fits(game.name, facing, x, y - 1) else None
    if y > top:
        return None
    if "left" in keys or "right" in keys:
        x += 1 if "right" in keys else -1
        return (facing, x, y) if game.fits(game.name, facing, x, y) else None
    step = 1 if "rotate_cw" in keys else 3 if "rotate_ccw" in keys else 2
    target = FACINGS[(FACINGS.index(facing) + step) % 4]
    for dx, dy in game.kick_tests(facing + target):
        if game.fits(game.name, target, x + dx, y + dy):
            return (target, x + dx, y + dy)
    return None


def worth(game, pose):
    """Value a pose reached by a rotation: 0 unless it rests there as a spin."""
    facing, x, y = pose
    corners = sum(game.filled(x + dx, y + dy) for dx, dy in CORNERS)
    if corners < 3 or game.fits(game.name, facing, x, y - 1):
        return 0
    rows = {}
    for dx, dy in SHAPES[game.name][facing]:
        rows.setdefault(y + dy, []).append(x + dx)
    full = sum(all(game.cells[row][x] or x in new for x in range(game.width)) for row, new in rows.items())
    front = all(game.filled(x + dx, y + dy) for dx, dy in FRONTS[facing])
    return 1 + 10 * full + 2 * front


def column_heights(game):
    """Height of the highest filled cell of each column, 0 when empty."""
    heights = [0] * game.width
    for y, row in enumerate(game.cells[: game.stack_height()], 1):
        for x, cell in enumerate(row):
            if cell:
                heights[x] = y
    return heights


def profile(shape):
    """Return a shape's {column of the box: its lowest cell} and its highest row."""
    return {dx: min(dy for x, dy in shape if x == dx) for dx, _ in shape}, max(dy for _, dy in shape)


PROFILES = {
    name: {facing: profile(shape) for facing, shape in shapes.items()} for name, shapes in SHAPES.items()
}


def best_place(game, keep_well):
    """Choose (facing, box x): low, without covering holes, and if asked without filling the last column."""
    heights = column_heights(game)
    best = None
    for facing, (feet, top) in PROFILES[game.name].items():
        first, last = min(feet), max(feet)
        for x in range(-first, game.width - last):
            gaps = [heights[x + dx] - foot for dx, foot in feet.items()]
            y = max(gaps)
            cost = 5 * (y * len(gaps) - sum(gaps)) + 2 * y + top + 0.01 * x
            if keep_well and x + last == game.width - 1 and (first != last or y >= 4):
                cost += 12
            if best is None or cost < best[0]:
                best = (cost, facing, x)
    return best[1], best[2]
