"""A world model: encoder, dynamics, and heads that tell what is seen, gained, over and allowed."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import Game, Observation, Shown, example_observation
from tetrax.ops import two_hot
from tetrax.world_model import readings, rssm
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.normed import head, hidden, scaled_dense
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import Rssm, Step


class Sizes(NamedTuple):
    """How much of everything a game shows."""

    shown: Shown
    cells: int
    pieces: int
    numbers: int
    actions: int


class Foretold(NamedTuple):
    """What the heads say of a state."""

    reward: Array  # float32[*n, Z], logits over the bins
    goes_on: Array  # float32[*n], log-odds of the discount: that the game goes on and is worth it
    legal: Array | None  # float32[*n, A], log-odds that an action is legal; None where every action always is


class WorldModel(nn.Module):
    """The model of a game; every method takes any number of leading axes n."""

    config: WorldModelConfig
    sizes: Sizes

    def setup(self) -> None:
        """Name the parts."""
        config, sizes = self.config, self.sizes
        self.encoder = hidden(config, config.encoder_layers)
        self.dynamics = Rssm(config)
        self.decoder = hidden(config, config.decoder_layers)
        self.cells_told = scaled_dense(sizes.cells, 1.0) if sizes.cells else None
        kinds = sizes.shown.num_kinds + 1
        self.pieces_told = scaled_dense(sizes.pieces * kinds, 1.0) if sizes.pieces else None
        self.numbers_told = scaled_dense(sizes.numbers, 1.0) if sizes.numbers else None
        layers = config.head_layers
        self.reward_head = head(config, layers, config.bins, scale=0.0)
        self.goes_on_head = head(config, layers, 1, scale=1.0)
        always_legal = sizes.shown.view == "flat"
        self.legal_head = None if always_legal else head(config, layers, sizes.actions, scale=1.0)

    def __call__(
        self,
        reading: Reading,
        state: ModelState,
        action: Int32[Array, "B"],
        uniform: Float32[Array, "B latents"],
    ) -> tuple[Step, Array, Told, Foretold]:
        """Touch every part once, so that all have parameters."""
        step = self.see(state, self.drive(action), self.hint(reading), uniform)
        features = step.state.features
        return step, self.prior(step.state.deter), self.tell(features), self.foretell(features)

    def hint(self, reading: Reading) -> Float32[Array, "*n U"]:
        """Encode what was seen."""
        return self.dynamics.hint(self.encoder(readings.as_vector(reading, self.sizes.shown.num_kinds)))

    def drive(self, action: Int32[Array, "*n"]) -> Float32[Array, "*n U"]:
        """Encode actions; -1 is none."""
        return self.dynamics.drive(jax.nn.one_hot(action, self.sizes.actions, dtype=jnp.float32))

    def see(self, state: ModelState, drive: Array, hint: Array, uniform: Array) -> Step:
        """Take a step and look: see `Rssm.see`."""
        return self.dynamics.see(state, drive, hint, uniform)

    def foresee(self, state: ModelState, drive: Array, uniform: Array) -> Step:
        """Take a step with closed eyes: see `Rssm.foresee`."""
        return self.dynamics.foresee(state, drive, uniform)

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        return self.dynamics.prior(deter)

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        sizes, leading = self.sizes, features.shape[:-1]
        decoded = self.decoder(features)

        def told(layer: nn.Dense | None) -> Array:
            return jnp.zeros((*leading, 0), jnp.float32) if layer is None else layer(decoded)

        kinds = sizes.shown.num_kinds + 1
        pieces = told(self.pieces_told)
        return Told(
            cells=told(self.cells_told),
            pieces=pieces.reshape(*leading, sizes.pieces, kinds),
            numbers=told(self.numbers_told),
        )

    def foretell(self, features: Float32[Array, "*n F"]) -> Foretold:
        """Return what the heads say of states."""
        return Foretold(
            reward=self.reward_head(features),
            goes_on=self.goes_on_head(features)[..., 0],
            legal=None if self.legal_head is None else self.legal_head(features),
        )


def world_model(env: Game, config: WorldModelConfig) -> WorldModel:
    """Return the model that fits what a game shows; ValueError where the settings do not fit it."""
    config.validate(env)
    reading = jax.eval_shape(lambda seen: readings.read(env.spec.shows, seen), example_observation(env))
    cells, pieces, numbers = (leaf.shape[-1] for leaf in (reading.cells, reading.pieces, reading.numbers))
    return WorldModel(config, Sizes(env.spec.shows, cells, pieces, numbers, env.spec.num_actions))


def initial_params(model: WorldModel, key: PRNGKeyArray) -> Any:
    """Draw parameters."""
    sizes, config = model.sizes, model.config
    reading = Reading(
        cells=jnp.zeros((1, sizes.cells), jnp.float32),
        pieces=jnp.zeros((1, sizes.pieces), jnp.int32),
        numbers=jnp.zeros((1, sizes.numbers), jnp.float32),
    )
    uniform = jnp.zeros((1, config.latents), jnp.float32)
    return model.init(key, reading, rssm.initial_state(config, (1,)), jnp.zeros(1, jnp.int32), uniform)


def read(model: WorldModel, observation: Observation) -> Reading:
    """Read observations."""
    return readings.read(model.sizes.shown, observation)


def see_step(
    model: WorldModel,
    params: Any,
    state: ModelState,
    action_before: Int32[Array, "B"],
    observation: Observation,
    is_first: Bool[Array, "B"],
    key: PRNGKeyArray,
) -> ModelState:
    """Take one step of B games: from the state before and the action that was taken in it, by what is seen now."""
    uniform = jax.random.uniform(key, (*is_first.shape, model.config.latents))
    drive: Any = model.apply(params, jnp.where(is_first, -1, action_before), method=model.drive)
    hint: Any = model.apply(params, read(model, observation), method=model.hint)
    step: Any = model.apply(params, rssm.forget(state, is_first), drive, hint, uniform, method=model.see)
    return step.state


def see_all(
    model: WorldModel,
    params: Any,
    state: ModelState,
    actions_before: Int32[Array, "T N"],
    reading: Reading,
    is_first: Bool[Array, "T N"],
    key: PRNGKeyArray,
) -> Step:
    """Go through T steps of N games by what was seen; `state` is that before the first."""
    uniform = jax.random.uniform(key, (*is_first.shape, model.config.latents))
    drive: Any = model.apply(params, jnp.where(is_first, -1, actions_before), method=model.drive)
    hint: Any = model.apply(params, reading, method=model.hint)

    def step(state: ModelState, inputs: tuple[Array, ...]) -> tuple[ModelState, Step]:
        first, *driven = inputs
        seen: Any = model.apply(params, rssm.forget(state, first), *driven, method=model.see)
        return seen.state, seen

    return jax.lax.scan(step, state, (is_first, drive, hint, uniform))[1]


def mean_reward(model: WorldModel, foretold: Foretold) -> Float32[Array, "*n"]:
    """Return the rewards that the heads expect on the way to states."""
    return two_hot.mean(foretold.reward, bins(model.config))


def bins(config: WorldModelConfig) -> Any:
    """Return what the bins of rewards and returns stand for, float32[Z]."""
    return two_hot.symexp_bins(config.bins, config.largest_exponent)


def likely_legal(model: WorldModel, foretold: Foretold) -> Bool[Array, "*n A"]:
    """Return the actions that are likely to be legal: at least one, the likeliest."""
    if foretold.legal is None:
        return jnp.ones((*foretold.goes_on.shape, model.sizes.actions), bool)
    likeliest = foretold.legal >= jnp.max(foretold.legal, axis=-1, keepdims=True)
    return (foretold.legal > 0) | likeliest
