"""A learned value of boards for the beam search: what will be sent from where a search sees no further.

What such a board is worth is learned by going on from it: pieces are drawn, a search looks ahead, and the rows sent on
the way plus the value where that search ends is what the board was worth (Bellman's equation over so many placements).
The value at the end is that of a slow average of the parameters (Lillicrap et al. 2016, arXiv 1509.02971). Mostly the
game goes on from the best end, at times from another, so that the value is learned where a search compares.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, PRNGKeyArray

from tetrax.agents import checks
from tetrax.agents.agent import Agent, Memory, Metrics, Sight, no_memory
from tetrax.agents.episodes import GAMES
from tetrax.env.env_params import EnvParams
from tetrax.env.game.rules import Rules
from tetrax.env.game.vector import check_key
from tetrax.env.tetris import Tetris
from tetrax.ops import optimise, replay
from tetrax.ops.replay import Replay
from tetrax.search import beam, board_value, open_games, playing
from tetrax.search.attack_weights import ATTACK_WEIGHTS, Weights, flatten, unflatten
from tetrax.search.board_value import BoardValue, Position
from tetrax.search.open_games import Player

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
    """Placements of a game: what pays only after the last one is worth nothing; 0 = it goes on, and nothing can be
    learned (acting)."""
    candidates: int = 4
    """First placements that are compared by what each piece that may come next makes of them; 0 = the best board at
    the end decides (acting)."""
    candidate_boards: int = 12
    """Best boards of each of them on which that piece is placed (acting)."""
    weights: Literal["tuned", "hand", "cold-clear-2"] = "tuned"
    """Weights of the linear evaluation, which decides what is kept on the way, and which the value corrects."""
    layer_sizes: tuple[int, ...] = (128, 64)
    """Units of the layers of the network."""
    num_games: int = 128
    """Games played side by side."""
    exploring: float = 0.3
    """Share of games that go on from a board that was drawn instead of the best one (tunable)."""
    temperature: float = 1.0
    """Rows by which a board is worse that is drawn e times less often (tunable)."""
    capacity: int = 1 << 18
    """Boards that are remembered with what followed; a multiple of num_games."""
    warmup_boards: int = 0
    """Boards that are remembered before anything is learned, rounded up to whole iterations: with `--start-from`, so
    that few boards do not spoil what was learned before."""
    batch_size: int = 1024
    """Boards of a step of gradient descent."""
    num_updates: int = 16
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
        checks.check_count("candidates", self.candidates, 0, playing.MOST_CANDIDATES)
        most = min(playing.MOST_BOARDS, playing.MOST_CANDIDATE_BOARDS // max(self.candidates, 1))
        checks.check_count("candidate_boards", self.candidate_boards, 1, most)
        for name in ("num_games", "capacity", "batch_size", "num_updates"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("warmup_boards", self.warmup_boards, 0, self.capacity)
        checks.check_product(num_games=self.num_games, depth=self.depth)
        if self.capacity % self.num_games:
            raise checks.wrong("capacity", self.capacity, f"a multiple of num_games ({self.num_games})")
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
        return beam.Size(
            self.width,
            self.clear_width,
            self.depth,
            candidates=self.candidates,
            candidate_boards=self.candidate_boards,
        )


TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "exploring": (0.0, 1.0),
    "temperature": (1e-3, 1e3),
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "slow_rate": (0.0, 1.0),
}
ACTING = ("width", "clear_width", "depth", "placements", "candidates", "candidate_boards")


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
    games: dict[str, Array]  # fields of Position, [G, ...]
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
        steps_per_iteration=config.num_games * config.depth,
        init=lambda key, env_params=None, horizon=0: _init(config, env, key, env_params, horizon),
        train=lambda state: _train(config, env, state),
        policy=lambda state: Policy(value=state.slow, weights=state.weights),
        initial_memory=no_memory,
        act=functools.partial(_act, config, env),
        games=lambda state: None,
        replay_bytes=config.capacity * _sample_bytes(env),
        why_only_plays=playing.why_only_plays(config.placements),
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
    known = env.rules.preview + 1 + int(env.rules.hold)
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
    """Choose the best first placement (greedy or not)."""
    del greedy
    actions, told = playing.act(
        env, config.size, config.placements, policy.weights, sight.state, key, policy.value
    )
    return actions, memory, told


def _init(
    config: BeamValueConfig, env: Tetris, key: PRNGKeyArray, env_params: EnvParams | None, horizon: float
) -> TrainState:
    check_key(key)
    value_key, begin_key, next_key = jax.random.split(key, 3)
    value = board_value.init(env.rules, config.layer_sizes, value_key)
    tunables = {name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES}
    return TrainState(
        value=value,
        slow=jax.tree.map(jnp.copy, value),
        moments=optimise.init(value),
        weights=flatten(ATTACK_WEIGHTS[config.weights]),
        games=write(open_games.begin(env.rules, config.placements, begin_key, config.num_games)),
        sent=jnp.zeros(config.num_games, jnp.float32),
        replay=replay.empty(
            _sample_shapes(env), capacity=config.capacity, num_envs=config.num_games, length=1, new_steps=1
        ),
        tunables={**tunables, "horizon": jnp.float32(horizon)},
        env_params=env.default_params if env_params is None else env_params,
        iteration=jnp.int32(0),
        key=next_key,
    )


def _train(config: BeamValueConfig, env: Tetris, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play one stretch of every game, remember it, and fit the value to what is remembered."""
    play_key, begin_key, fit_key, next_key = jax.random.split(state.key, 4)
    num, rules = config.num_games, env.rules
    weights = jax.tree.map(lambda w: jnp.broadcast_to(w[None], (num, *w.shape)), unflatten(state.weights))
    player = Player(rules, config.size, weights, state.value)
    tunables = state.tunables
    now = read(state.games)
    played = open_games.play(player, now, tunables["temperature"], tunables["exploring"], play_key)
    sample = Sample(before=state.games, sent=played.sent, after=write(played.best), lost=played.lost)
    remembered = replay.insert(state.replay, jax.tree.map(lambda field: field[None], sample))
    over = played.lost | (played.on.left <= 0)
    new = open_games.begin(rules, config.placements, begin_key, num)
    games = jax.tree.map(lambda fresh, on: jnp.where(over, fresh, on), new, played.on)
    sent = state.sent + played.sent_on
    totals = {
        GAMES: jnp.sum(over, dtype=jnp.float32),
        MEASURE: jnp.sum(jnp.where(over, sent, 0.0)),
    }
    state = state.replace(
        games=write(games), sent=jnp.where(over, 0.0, sent), replay=remembered, key=next_key
    )
    state, means = _fit(config, env, state, fit_key)
    return state.replace(iteration=state.iteration + 1), Metrics(totals=totals, means=means)


def _fit(
    config: BeamValueConfig, env: Tetris, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, dict[str, Array]]:
    """Take steps of gradient descent on what is remembered."""
    rules, tunables = env.rules, state.tunables
    weights = jax.tree.map(lambda w: w[None], unflatten(state.weights))
    rate = optimise.learning_rate(tunables, state.iteration)
    is_warm = state.replay.filled * config.num_games >= config.warmup_boards

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

    def fit(before: tuple[BoardValue, BoardValue, Any]) -> tuple[Any, dict[str, Array]]:
        fitted, means = jax.lax.scan(update, before, jax.random.split(key, config.num_updates))
        return fitted, jax.tree.map(jnp.mean, means)

    def wait(before: tuple[BoardValue, BoardValue, Any]) -> tuple[Any, dict[str, Array]]:
        return before, {"loss": jnp.float32(0), "value": jnp.float32(0)}

    # One number decides for all, so that where it waits nothing is computed.
    before = state.value, state.slow, state.moments
    (value, slow, moments), means = jax.lax.cond(is_warm, fit, wait, before)
    return state.replace(value=value, slow=slow, moments=moments), means


def find_loss(
    rules: Rules, weights: Weights, value: BoardValue, position: Position, target: Float32[Array, "n"]
) -> tuple[Array, Array]:
    """Return half the mean squared error of the value, and the values."""
    told = board_value.total(rules, weights, value, position)
    return 0.5 * jnp.mean((told - target) ** 2), told


def read(fields: dict[str, Array]) -> Position:
    """Return the boards that `write` wrote."""
    return Position(**{**fields, "stack": fields["stack"].T})


def write(position: Position) -> dict[str, Array]:
    """Return boards with their number in front, as a replay keeps them."""
    return {**position._asdict(), "stack": position.stack.T}


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
