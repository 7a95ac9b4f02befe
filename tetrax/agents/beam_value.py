"""A learned value of boards for the beam search: what will be sent from where a search sees no further.

It is learned from games of the search. What the board in view at one placement was worth is told by the rows sent since
and by the search a few placements later, whose end is judged by a slow average of the parameters (Lillicrap et al. 2016,
arXiv 1509.02971): temporal differences over plans, see `planned_games`.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.agents import checks
from tetrax.agents.agent import Agent, Memory, Metrics, Sight, no_memory
from tetrax.agents.episodes import GAMES
from tetrax.env.env_params import EnvParams
from tetrax.env.game.rules import Rules
from tetrax.env.game.vector import check_key
from tetrax.env.tetris import Tetris
from tetrax.ops import optimise, replay
from tetrax.ops.replay import Replay
from tetrax.search import beam, board_value, planned_games, playing
from tetrax.search.attack_weights import ATTACK_WEIGHTS, Weights, flatten, unflatten
from tetrax.search.board_value import BoardValue, Position
from tetrax.search.planned_games import Player

MEASURE = "attack"  # of the game, that a value tells
MAX_NORM = 10.0  # of gradients


@dataclass(frozen=True)
class BeamValueConfig:
    """Settings of the learned value. Those marked (acting) decide how it plays, the others how it is learned."""

    width: int = 64
    """Boards that are kept at each step, the best by attack and linear evaluation (acting)."""
    clear_width: int = 64
    """Boards kept beside them for what may become a perfect clear (acting)."""
    depth: int = 7
    """Placements looked ahead: all pieces that are known, with the held one (acting)."""
    placements: int = 50
    """Placements of a game: what pays only after the last one is worth nothing (acting)."""
    weights: Literal["tuned", "hand", "cold-clear-2"] = "tuned"
    """Weights of the linear evaluation, which decides what is kept on the way, and which the value corrects."""
    layer_sizes: tuple[int, ...] = (128, 64)
    """Units of the layers of the network."""
    num_games: int = 64
    """Games played side by side."""
    moves: int = 8
    """Placements of each game in an iteration."""
    steps: int = 3
    """Placements after which a board at the end of a search is judged by what was sent and is foreseen then."""
    exploring: float = 0.1
    """Share of placements with another board in view than the best one (tunable)."""
    temperature: float = 1.0
    """Rows by which a board is worse that is drawn e times less often (tunable)."""
    capacity: int = 448_000
    """Boards that are remembered with what followed; a multiple of num_games times (moves - 1)."""
    batch_size: int = 1024
    """Boards of a step of gradient descent."""
    num_updates: int = 48
    """Steps of gradient descent in an iteration."""
    learning_rate: float = 1e-3
    """Step size of Adam in the beginning (tunable)."""
    final_learning_rate_fraction: float = 0.05
    """Share of it that is left in the end; it falls in a straight line (tunable)."""
    slow_rate: float = 0.01
    """How far the slow average moves towards the parameters in a step (tunable)."""

    def validate(self, env: Tetris) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        playing.check_size("agent.", self.width, self.clear_width, self.depth, 0, self.placements)
        checks.check_count("placements", self.placements)
        for name in ("num_games", "capacity", "batch_size", "num_updates"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("moves", self.moves, lowest=2)
        checks.check_count("steps", self.steps, highest=self.depth)
        checks.check_product(num_games=self.num_games, moves=self.moves)
        unit = self.num_games * (self.moves - 1)
        if self.capacity % unit:
            raise checks.wrong("capacity", self.capacity, f"a multiple of {unit}, the boards of an iteration")
        for size in self.layer_sizes or (0,):
            checks.check_count("layer_sizes", size)
        if self.weights not in ATTACK_WEIGHTS:
            raise checks.wrong("weights", repr(self.weights), ", ".join(ATTACK_WEIGHTS))
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)
        _check_game(self, env)

    @property
    def size(self) -> beam.Size:
        """Return how much is looked at."""
        return beam.Size(self.width, self.clear_width, self.depth)


TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "exploring": (0.0, 1.0),
    "temperature": (1e-3, 1e3),
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "slow_rate": (0.0, 1.0),
}
ACTING = ("width", "clear_width", "depth", "placements")


class Sample(struct.PyTreeNode):
    """Boards with open futures, and what followed: [n] each."""

    before: dict[str, Array]  # fields of Position, n in front
    sent: Array  # float32, rows on the way
    after: dict[str, Array]
    lost: Array  # bool


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    value: BoardValue
    slow: BoardValue  # the slow average, which is the policy's
    moments: Any  # of Adam
    weights: Array  # float32[D], of the linear evaluation
    games: beam.Root  # what is known of each, [G, ...]
    sent: Array  # float32[G], in each game so far
    replay: Replay  # of Sample
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES, and the horizon
    env_params: EnvParams
    iteration: Array  # int32[], iterations done
    key: Array  # key<fry>[]


class Policy(struct.PyTreeNode):
    """What acting needs."""

    value: BoardValue
    weights: Array  # float32[D]


def make(config: BeamValueConfig, env: Tetris) -> Agent:
    """Return an agent that plans with a learned value; ValueError when the settings do not fit together.

    Its `act` needs `Sight.state`.
    """
    checks.check_kinds(config, BeamValueConfig, env)
    config.validate(env)
    return Agent(
        name="beam-value",
        steps_per_iteration=config.num_games * config.moves,
        init=lambda key, env_params=None, horizon=0: _init(config, env, key, env_params, horizon),
        train=lambda state: _train(config, env, state),
        policy=lambda state: Policy(value=state.slow, weights=state.weights),
        initial_memory=no_memory,
        act=functools.partial(_act, config, env),
        games=lambda state: None,
        replay_bytes=config.capacity * _sample_bytes(env),
        take_over=lambda state, policy: state.replace(
            value=policy.value, slow=jax.tree.map(jnp.copy, policy.value), weights=policy.weights
        ),
    )


def _check_game(config: BeamValueConfig, env: Tetris) -> None:
    """Raise ValueError for a game that the search cannot play, or whose future is not what is learned from."""
    if MEASURE not in env.spec.measures:
        raise ValueError(
            f"game: given {env.spec.title} with beam-value, which plays for attack; allowed: tetris"
        )
    playing.check_environment(env)
    if env.rules.randomizer != "bag":
        raise ValueError(
            f"env.rules.randomizer: given {env.rules.randomizer!r} with beam-value; allowed: 'bag'"
        )
    if not env.rules.hold:
        raise ValueError("env.rules.hold: given no with beam-value; allowed: yes")
    known = env.rules.preview + 2
    if config.depth < known:
        raise checks.wrong("depth", config.depth, f"{known} or more, the pieces that are known")


def _act(
    config: BeamValueConfig,
    env: Tetris,
    policy: Policy,
    sight: Sight,
    memory: Memory,
    key: PRNGKeyArray,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose the first placement on the way to the best board (greedy or not)."""
    del greedy
    actions, told = playing.act(
        env, config.size, config.placements, policy.weights, sight.state, key, policy.value
    )
    return actions, memory, told


def _init(
    config: BeamValueConfig, env: Tetris, key: PRNGKeyArray, env_params: EnvParams | None, horizon: float
) -> TrainState:
    check_key(key)
    value_key, late_key, begin_key, next_key = jax.random.split(key, 4)
    # Games begin at different numbers, so that boards of all of them are learned from together.
    late = jax.random.randint(late_key, (config.num_games,), 0, config.placements)
    value = board_value.init(env.rules, config.layer_sizes, value_key)
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    return TrainState(
        value=value,
        slow=jax.tree.map(jnp.copy, value),
        moments=optimise.init(value),
        weights=flatten(ATTACK_WEIGHTS[config.weights]),
        # Copied, since its arrays are in part one and the same, which could not be given away twice.
        games=jax.tree.map(jnp.copy, planned_games.begin(env.rules, config.placements, late, begin_key)),
        sent=jnp.zeros(config.num_games, jnp.float32),
        replay=replay.empty(
            _sample_shapes(env),
            capacity=config.capacity,
            num_envs=config.num_games,
            length=1,
            new_steps=config.moves - 1,
        ),
        tunables={**tunables, "horizon": jnp.float32(horizon)},
        env_params=env.default_params if env_params is None else env_params,
        iteration=jnp.int32(0),
        key=next_key,
    )


def _train(config: BeamValueConfig, env: Tetris, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play one stretch of every game, remember it, and fit the value to what is remembered."""
    play_key, fit_key, next_key = jax.random.split(state.key, 3)
    num, tunables = config.num_games, state.tunables
    weights = jax.tree.map(lambda w: jnp.broadcast_to(w[None], (num, *w.shape)), unflatten(state.weights))
    player = Player(
        rules=env.rules,
        size=config.size,
        placements=config.placements,
        weights=weights,
        value=state.value,
        exploring=tunables["exploring"],
        temperature=tunables["temperature"],
    )
    games, moves = planned_games.play(player, state.games, config.moves, play_key)
    judged = planned_games.judge(moves, config.steps)
    sample = Sample(
        before=judged.view._asdict(), sent=judged.sent, after=judged.after._asdict(), lost=judged.lost
    )
    sent, totals = count(state.sent, moves.sent, moves.ended)
    state = state.replace(games=games, sent=sent, replay=replay.insert(state.replay, sample), key=next_key)
    state, means = _fit(config, env, state, fit_key)
    return state.replace(iteration=state.iteration + 1), Metrics(totals=totals, means=means)


def count(
    so_far: Float32[Array, "G"], sent: Float32[Array, "T G"], ended: Bool[Array, "T G"]
) -> tuple[Array, dict[str, Array]]:
    """Add up the rows of games; return those of games that go on, and the totals of games that ended."""

    def add(rows: Array, each: tuple[Array, Array]) -> tuple[Array, Array]:
        sent, ended = each
        rows = rows + sent
        return jnp.where(ended, 0.0, rows), jnp.sum(jnp.where(ended, rows, 0.0))

    rows, finished = jax.lax.scan(add, so_far, (sent, ended))
    return rows, {GAMES: jnp.sum(ended, dtype=jnp.float32), MEASURE: jnp.sum(finished)}


def _fit(
    config: BeamValueConfig, env: Tetris, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, dict[str, Array]]:
    """Take steps of gradient descent on what is remembered."""
    rules, tunables = env.rules, state.tunables
    weights = jax.tree.map(lambda w: w[None], unflatten(state.weights))
    rate = optimise.learning_rate(tunables, state.iteration)

    def update(so_far: tuple[BoardValue, BoardValue, Any], key: PRNGKeyArray) -> tuple[Any, dict[str, Array]]:
        value, slow, moments = so_far
        sample_key, mirror_key = jax.random.split(key)
        drawn = replay.sample(state.replay, sample_key, config.batch_size).data
        sample = jax.tree.map(lambda leaf: leaf[0], drawn)
        after = board_value.total(rules, weights, slow, read(sample.after))
        target = sample.sent + jnp.where(sample.lost, 0.0, after)
        position = read(sample.before)
        is_mirrored = jax.random.bernoulli(mirror_key, 0.5, target.shape)
        mirrored = board_value.mirror(rules, position)
        position = jax.tree.map(lambda a, b: jnp.where(is_mirrored, a, b), mirrored, position)
        (loss, told), grads = jax.value_and_grad(find_loss, argnums=2, has_aux=True)(
            rules, weights, value, position, target
        )
        value, moments, _ = optimise.step(value, grads, moments, rate, jnp.float32(MAX_NORM))
        slow = jax.tree.map(lambda a, b: a + tunables["slow_rate"] * (b - a), slow, value)
        return (value, slow, moments), {"loss": loss, "value": jnp.mean(told)}

    keys = jax.random.split(key, config.num_updates)
    (value, slow, moments), means = jax.lax.scan(update, (state.value, state.slow, state.moments), keys)
    return state.replace(value=value, slow=slow, moments=moments), jax.tree.map(jnp.mean, means)


def find_loss(
    rules: Rules, weights: Weights, value: BoardValue, position: Position, target: Float32[Array, "n"]
) -> tuple[Array, Array]:
    """Return half the mean squared error of the value, after the last placement left out, and the values."""
    told = board_value.total(rules, weights, value, position)
    goes_on = position.left > 0
    errors = jnp.where(goes_on, 0.5 * (told - target) ** 2, 0.0)
    return jnp.sum(errors) / jnp.maximum(jnp.sum(goes_on), 1), told


def read(fields: dict[str, Array]) -> Position:
    """Return boards that are kept with their number in front."""
    return Position(**{**fields, "stack": fields["stack"].T})


def _sample_shapes(env: Tetris) -> Any:
    """Return the shapes of one sample."""

    def one() -> Sample:
        board = {
            **dict.fromkeys(Position._fields, jnp.int32(0)),
            "stack": jnp.zeros(env.rules.width, jnp.uint32),
            "bag": jnp.uint32(0),
        }
        return Sample(before=board, sent=jnp.float32(0), after=board, lost=jnp.bool_(False))

    return jax.eval_shape(one)


def _sample_bytes(env: Tetris) -> int:
    leaves = jax.tree.leaves(_sample_shapes(env))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
