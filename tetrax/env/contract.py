"""What every game offers to whoever learns or plans: `Game`, and the records that come from it.

Networks, agents and training ask a game's `spec` and never which game it is. A game is pure: it
can be mapped with `jax.vmap` and scanned. `tetrax.env.batch` plays many side by side.
"""

import functools
from dataclasses import dataclass
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.game.vector import describe

Params = Any  # a game's numbers that may change without recompiling, a pytree

WINS, DRAWS, LOSSES = "wins", "draws", "losses"  # measures of games that somebody wins
RETURN, STEPS = "return", "steps"  # measures that every game has: the sum of rewards, and of decisions


class Afterstates(struct.PyTreeNode):
    """What each action of a placement set would leave behind, before the next piece is placed."""

    rows: Array | None  # uint32[A, height + 4], locked cells after the clear, row 0 at the bottom
    features: Array | None  # float32[A, 12], AFTERSTATE_FEATURES of `foresight` in order, scaled; with view
    # "afterstate_classic" float32[A, 9], CLASSIC_FEATURES of `placement_features` in order, unscaled; with
    # "afterstate_extended" float32[A, 20], EXTENDED_FEATURES
    reward: Array | None  # float32[A], of the step; None where it cannot be known (`reward.can_foretell`)
    terminated: Array  # bool[A], the game ends


class GhostOutcome(struct.PyTreeNode):
    """What dropping the active piece straight down where it is would bring."""

    reward: Array | None  # float32[], of the step; None where it cannot be known (`reward.can_foretell`)
    lines: Array  # int32[], lines cleared
    terminated: Array  # bool[], the game ends


class Observation(struct.PyTreeNode):
    """What a player may know when the next decision is due; what a game does not show is None or empty.

    R = height + 2 rows, row 0 at the bottom.
    """

    pieces: Array  # int32[2 + P], active, held (K = none), then the queue, next first
    features: Array  # float32[F], scalars named by `feature_names`
    legal: Array  # bool[A], True = legal; all False after the end
    planes: Array | None = None  # uint8[R, W, 3], locked, active, ghost
    afterstates: Afterstates | None = None
    cells: Array | None = None  # int8[R, W], index into CELLS of `observe`
    flat: Array | None = None  # float32[N], named by `flat_names`
    board_features: Array | None = None  # float32[W + 10], named by `board_feature_names`, in cells
    ghost: GhostOutcome | None = None  # of dropping the active piece now
    bitboards: Array | None = None  # uint32[2, R], locked cells and the active piece, bit x = column x
    history: Array | None = None  # uint8[n, R, W], locked cells before each of the last n steps, newest first
    player: Array | None = None  # int32[], who decides next; None in games of one player alone


class Sight(struct.PyTreeNode):
    """What a policy decides by, of B games."""

    observation: Observation  # [B, ...]
    # bool[B], whether the game has just begun: what is remembered then belongs to another one.
    is_first: Array | None  # None from those who remember nothing
    state: Any = None  # of the games, for those that plan; None where it is not given


def vector_observation(flat: Array, num_actions: int) -> Observation:
    """Return the observation of games that show a vector: float32[*n, N], every action of A always legal."""
    leading = flat.shape[:-1]
    return Observation(
        pieces=jnp.zeros((*leading, 0), jnp.int32),
        features=jnp.zeros((*leading, 0), jnp.float32),
        legal=jnp.ones((*leading, num_actions), bool),
        flat=flat,
    )


class TimeStep(struct.PyTreeNode):
    """What one step gives back."""

    observation: Observation  # what the next decision sees
    reward: Array  # float32[], of the step just taken; float32[P] in games of P players
    terminated: Array  # bool[], the step just taken ended the game
    truncated: Array  # bool[], it reached the time limit (never with terminated)
    event: Any  # a record of what happened in it; None where the game has nothing to tell
    last_observation: Observation | None  # after the action, before any reset; None if no limit


@dataclass(frozen=True)
class Shown:
    """What an observation shows, and how large; 0 = nothing of the kind."""

    view: str  # "flat", or what of a board: see `tetrax.env.observe.OBSERVATIONS`
    height: int = 0  # of the board, cells
    width: int = 0
    num_kinds: int = 0  # of pieces
    foretells_reward: bool = False  # whether afterstates have the reward of the step to them
    num_pieces: int = 0  # active, held and next ones that are shown
    num_rows: int = 0  # of the cells that are shown: those of the board, and some above it
    acts_by_column: bool = False  # whether action a is choice a // width, leftmost in column a % width

    @property
    def by_action(self) -> bool:
        """Tell whether each action is shown by the board that it leaves."""
        return self.view.startswith("afterstate")


@dataclass(frozen=True)
class Spec:
    """What a learner may ask of any game before it is played. Frozen and hashable."""

    name: str  # of the game, for people and for the tables that know games by name
    title: str  # the game as configured, for people: "guideline, drop"
    num_actions: int  # A, discrete
    shows: Shown
    can_truncate: bool  # whether a step may be truncated, and so whether `last_observation` is there
    measures: tuple[str, ...]  # what a game comes to, the headline first; RETURN and STEPS or of `measure`
    length: str = STEPS  # the measure in which a game is long, and by which it is capped
    is_endless: bool = False  # whether good play may go on for ever
    num_players: int = 1  # P
    acts_together: bool = False  # whether all P players act in every step; else they take turns
    legal_varies: bool = True  # whether an action may be illegal; else all are legal until the end
    on_host: bool = False  # steps outside of compiled programs: see `HostGame`
    why_no_mirror: str = "it has no mirror image"  # in a few words; "" where it has one: see `MirrorGame`

    @property
    def headline(self) -> str:
        """Return the measure that a game is judged by first."""
        return self.measures[0]

    @property
    def num_seats(self) -> int:
        """Return how many players decide at once: P where they act together, else 1."""
        return self.num_players if self.acts_together else 1


class Environment(Protocol):
    """Anything with reset and step."""

    @property
    def spec(self) -> Spec:
        """Return what may be asked before playing."""

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[Any, TimeStep]:
        """Start."""

    def step(
        self, state: Any, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[Any, TimeStep]:
        """Play one action."""

    def observe(self, state: Any, params: Params | None = None) -> Observation:
        """Return what a player may know of a state."""

    def measure(self, event: Any) -> dict[str, Array]:
        """Return what a step adds to each measure besides RETURN and STEPS, int32[] by name."""


class Game(Environment, Protocol):
    """A game as learners see it: `tetrax.env.tetris.Tetris`, or another one in its place. Hashable."""

    def __hash__(self) -> int: ...

    @property
    def default_params(self) -> Params:
        """Return the numbers that are meant when none are given."""

    def init(self, key: PRNGKeyArray, params: Params) -> Any:
        """Return the first state of a game."""

    def transition(
        self, state: Any, action: Int32[Array, ""], params: Params
    ) -> tuple[Any, Array, Array, Array, Any]:
        """Step without observing: state, reward, terminated, truncated, event (None if there is none)."""

    def resample_future(self, state: Any, key: PRNGKeyArray) -> Any:
        """Return the state with all that its player cannot know drawn anew: where whatever plans begins.

        ValueError where nothing can be drawn again.
        """

    def with_discount(self, params: Params, discount: Array) -> Params:
        """Return the numbers with a learner's discount in them, where rewards are shaped by one."""

    def check_param(self, name: str, value: float) -> None:
        """Raise ValueError for a number of the params, named by its path ("game.gravity"), that is out of range."""

    def with_height(self, height: int) -> "Game":
        """Return the same game on a board of another height; ValueError where it has none."""


class MirrorGame(Game, Protocol):
    """A game that looks in a mirror like a game of its own (`spec.why_no_mirror` is "")."""

    def mirror(self, state: Any, action: Int32[Array, ""]) -> tuple[Any, Array, Array]:
        """Return state and action in the mirror, and whether the mirrored game goes on as this one: bool[]."""


class TurnGame(Game, Protocol):
    """A game of several players who take turns (`spec.num_players` > 1).

    Its states and its observations have a `player`, int32[]: the one to move, whose observation it is.
    """

    @property
    def opponents(self) -> tuple[str, ...]:
        """Return the names of those who play against somebody, the first of them where none is named."""

    def against(self, opponent: str) -> Game:
        """Return the game of one player against an opponent, from every side; ValueError for one there is not."""


class TogetherGame(Game, Protocol):
    """A game of P players who act at once (`spec.acts_together`); all end in the same step.

    `transition` and `step` take int32[P], an action of each; every leaf of an observation is [P, ...], what each
    player sees; rewards are float32[P], `terminated` and `truncated` bool[]. What `measure` tells is of the game.
    """

    @property
    def opponents(self) -> tuple[str, ...]:
        """Return the names of those who play against somebody; () where players only help each other."""

    def against(self, opponent: str) -> Game:
        """Return the game of one player against others of a kind, from every seat; ValueError for one there is not."""

    def measure_player(self, event: Any, player: Int32[Array, ""]) -> dict[str, Array]:
        """Return what a step adds to the measures of one player, int32[] by the same names as those of the game."""


class HostGame(Protocol):
    """A game that steps on the host (`spec.on_host`), so that only deciding and learning are compiled. Hashable."""

    def __hash__(self) -> int: ...

    @property
    def spec(self) -> Spec:
        """Return what may be asked before playing."""

    @property
    def default_params(self) -> Params:
        """Return (): what steps outside of compiled programs takes no numbers."""

    @property
    def example(self) -> Observation:
        """Return an observation of the right shapes and types, of one game; its values mean nothing."""


def check_game(env: object) -> None:
    """Raise a TypeError for what is no game, wrapped or not."""
    if not hasattr(env, "spec"):
        raise TypeError(f"env: given {describe(env)}; allowed: a game, as tetrax.make gives it")


@functools.lru_cache(maxsize=16)
def example_observation(env: Game | HostGame) -> Observation:
    """Return shapes and types of what an environment shows of one game; nothing is computed."""
    if env.spec.on_host:
        return jax.eval_shape(lambda: cast(HostGame, env).example)
    game = cast(Game, env)
    params = game.default_params
    return jax.eval_shape(
        lambda key: game.observe(game.init(key, params), params), jax.random.key(0, impl="threefry2x32")
    )
